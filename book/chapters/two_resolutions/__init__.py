"""Chapter "Two resolutions": the window widget."""
