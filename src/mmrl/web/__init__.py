"""The page and the HTTP API: drafts in, a ranking with its reasons out."""
