"""What images are measured by: colour, light, sharpness, form."""
