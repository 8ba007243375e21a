"""Chapter "Confusion matrices": matrices side by side, calibration, groups of speakers."""
