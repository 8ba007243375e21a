"""Chapter "Pitch, level and rate": contours, speaking rate, the size of an emotion's effect."""
