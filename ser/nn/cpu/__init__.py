"""Faster ways on a processor, one a layer: torch alone, but for the loops of the first block."""
