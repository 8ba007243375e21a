"""What is fast, how much, and against what: ``make bench``; book: chapter "Making it fast"."""
