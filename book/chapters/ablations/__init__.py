"""Chapter "Ablations": verdicts, published numbers, gates of trained networks."""
