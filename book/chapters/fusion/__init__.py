"""Chapter "Fusion": two branches, what their mean does, and what was measured of it."""
