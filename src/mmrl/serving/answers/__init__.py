"""What else is asked of a draft: why, when, what is like it."""
