"""Measures of images: colour, light, sharpness, form."""
