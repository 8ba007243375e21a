"""Chapter "Corpora": its figures, and small trees of files that hold the traps of real copies."""
