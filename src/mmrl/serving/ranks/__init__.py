"""A ranking: every combination of choices, predicted and put in order."""
