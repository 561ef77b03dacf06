"""Hostile and broken input of every kind, tried on mmrl: a seeded, bounded probe."""
