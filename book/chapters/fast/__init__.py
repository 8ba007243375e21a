"""Chapter "Making it fast": the ladder of speed and its figures."""
