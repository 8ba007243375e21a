"""Chapter "Training on a GPU": a profile, a power cut, and what was measured elsewhere."""
