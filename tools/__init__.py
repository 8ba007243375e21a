"""What builds and checks the book; the package itself is in ``ser/``."""
