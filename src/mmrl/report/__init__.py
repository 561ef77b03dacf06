"""The report: what a model learned, how well, and from what, on one page for people to read."""
