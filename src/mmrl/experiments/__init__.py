"""Experiments: one home, many trainings, one table."""
