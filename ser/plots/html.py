"""A piece of HTML that a notebook displays; elsewhere it prints as its plain text."""

from __future__ import annotations


class Html:
    """HTML for a notebook's output.

    Args:
        html: the markup; text in it already escaped.
        text: the same for a terminal, and for readers of the notebook's plain output.

    Example:
        >>> Html("<b>loud</b>", "loud")
        loud
    """

    def __init__(self, html: str, text: str) -> None:
        self.html = html
        self.text = text

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text
