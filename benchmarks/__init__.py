"""What is fast, how much, and against what: ``make bench``; book: chapter "Making it fast"."""

import ser  # noqa: F401  before torch: it sets how torch's threads wait
