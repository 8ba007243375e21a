"""Chapter "From wave to spectrogram": the drawing of its frames."""
