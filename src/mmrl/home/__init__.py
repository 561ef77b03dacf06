"""A home from Python: posts in, stages, samples, models, predictions and reports out."""
