"""Chapter "The listening lab": the network in the page, ear training, a voice with knobs."""
