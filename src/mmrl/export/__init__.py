"""Samples, vectors, images, predictions and evaluations as files that other programs read."""
