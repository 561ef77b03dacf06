"""Images brought from strangers' servers."""
