"""Chapter "Training on a GPU": throughput on a made-up corpus, and its figures."""
