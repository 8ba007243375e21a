"""Chapter "The protocol laboratory": the ladder of protocols and its widget."""
