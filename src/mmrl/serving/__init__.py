"""Predictions for posts that are not posted yet, and for posts that have not matured."""
