"""What several chapters use: players, figures, tables over the study's records."""
