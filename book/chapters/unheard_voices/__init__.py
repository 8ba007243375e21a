"""Chapter "Voices it has not heard": inputs, size, and whose mean is taken away."""
