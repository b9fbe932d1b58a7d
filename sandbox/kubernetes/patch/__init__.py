"""The patch formats: JSON patch, merge patch and strategic merge patch."""
