"""A sentence that says what a table or figure shows, with numbers computed in the cell."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Seen", "seen"]


@dataclass(frozen=True)
class Seen:
    """A paragraph of Markdown; notebooks and the built page show it as text, a terminal as is."""

    text: str

    def _repr_markdown_(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text


def seen(text: str) -> Seen:
    """What the figure or table above shows, so that it follows the corpus that was named.

    Args:
        text: whole sentences, Markdown; line breaks and indents of the source do not matter.

    Raises:
        ValueError: where there is no sentence.

    Example:
        >>> best, gap = "ds-lstm", 3.25
        >>> seen(f"`{best}` leads by {gap:.1f} points.")
        `ds-lstm` leads by 3.2 points.
    """
    text = " ".join(text.split())
    if not text.endswith((".", "!", "?", ":")):
        raise ValueError(f"what is seen is said in whole sentences: {text!r} ends in none")
    return Seen(text)
