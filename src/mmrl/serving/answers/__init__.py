"""Answers about a draft besides its ranking: reasons, hours, posts like it."""
