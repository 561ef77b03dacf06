"""Inputs of a ranking: choices of images, titles, subreddits and hours, read and encoded."""
