"""The look all figures share, their descriptions, and how a page shows them."""

from __future__ import annotations

import base64
import contextlib
import io
import textwrap
from collections.abc import Iterable, Iterator
from html import escape
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ser.corpora.base import EMOTIONS
from ser.marks import MARKS
from ser.plots.html import Html

CARD = "#f8f8f5"
INK = "#1c1f23"
MUTED = "#55595f"
GRID = "#d5d6d2"

BLUE, VERMILLION, GREEN = "#0072b2", "#d55e00", "#009e73"
ORANGE, PURPLE, SKY, GREY = "#e69f00", "#cc79a7", "#56b4e9", "#6b6b6b"

EMOTION_COLOURS: dict[str, str] = dict(zip(EMOTIONS, (VERMILLION, ORANGE, GREY, BLUE), strict=True))
"""Okabe and Ito's colours; grey for neutral."""

WIDTH = 5.2
"""Inches; at a telephone's 340 pixels the smallest text is still 10 pixels high."""

STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 11.5,
    "axes.labelsize": 11.5,
    "axes.titlesize": 12.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.facecolor": CARD,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "figure.facecolor": CARD,
    "legend.fontsize": 11,
    "legend.frameon": False,
    "text.color": INK,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": GRID,
    "hatch.linewidth": 0.6,
}


class BookFigure(Figure):
    """A figure that a notebook shows with its description as alternative text."""

    ser_alt = ""

    def _repr_html_(self) -> str:
        return show(self)._repr_html_()


@contextlib.contextmanager
def drawing(
    ax: Axes | None = None,
    height: float = 3.6,
    rows: int = 1,
    columns: int = 1,
    **grid: Any,
) -> Iterator[tuple[Figure, Any]]:
    """Figure and axes to draw into, in the book's style; new ones unless *ax* is given.

    Args:
        ax: axes to draw into (only with one panel).
        height: of a new figure, in inches.
        rows, columns: panels, below and beside each other; then an array of axes is given.
        grid: passed to ``Figure.subplots``.
    """
    with matplotlib.rc_context(STYLE):
        if ax is not None:
            fig, axes = ax.figure.figure, ax
        else:
            fig = BookFigure(figsize=(WIDTH, height), layout="constrained")
            fig.get_layout_engine().set(w_pad=0.1, h_pad=0.1)  # type: ignore[union-attr]
            axes = fig.subplots(rows, columns, **grid)
        yield fig, axes
        # Ticks are made as late as at drawing time, outside this style: so it is pinned here.
        for each in np.atleast_1d(axes).ravel():
            for axis, size in ((each.xaxis, "xtick"), (each.yaxis, "ytick")):
                axis.set_tick_params(labelsize=STYLE[f"{size}.labelsize"], colors=INK, which="both")


def mark_legend(names: Iterable[str]) -> str:
    """Lines for below an axis that say what the marks of rows are, where a name has one.

    >>> mark_legend(["dual"]), mark_legend(["dual+ (T)"]).strip()
    ('', '(T) transductive: normalised by speaker')
    >>> mark_legend(["dual (R)", "dual (E 3)"]).strip().splitlines()
    ['(E K) normalised by K neutral recordings', '(R) normalised by what was said before']
    """
    every = " ".join(names)
    there = [mark for mark in MARKS.values() if mark.sign.partition("K")[0] in every]
    return "".join(f"\n{mark.sign} {mark.short}" for mark in there)


def set_title(ax: Axes, text: str | None, characters: int = 38) -> None:
    """A left-aligned title, broken so that it fits the figure's width."""
    if text:
        ax.set_title("\n".join(textwrap.fill(line, characters) for line in text.splitlines()))


def set_alt(fig: Figure, text: str) -> Figure:
    """Add *text* to the figure's description and return the figure."""
    text = ", ".join(text.splitlines())
    fig.ser_alt = " ".join(filter(None, [getattr(fig, "ser_alt", ""), text]))  # type: ignore[attr-defined]
    return fig


def describe(fig: Figure) -> str:
    """What the figure shows, in words: its alternative text.

    Figures of :mod:`ser.plots` bring it along; for another figure it is empty.
    """
    return getattr(fig, "ser_alt", "")


def png(fig: Figure, dpi: int = 160) -> bytes:
    """The figure as PNG, the same bytes for the same figure."""
    out = io.BytesIO()
    fig.savefig(out, format="png", dpi=dpi, metadata={"Software": None})
    return out.getvalue()


def show(fig: Figure, caption: str = "", alt: str | None = None, dpi: int = 160) -> Html:
    """Show a figure on a page, with caption and alternative text, never wider than the page.

    Args:
        fig: any matplotlib figure.
        caption: text below it.
        alt: text instead of it, for readers who do not see it; default :func:`describe`.
        dpi: pixels an inch.

    Returns:
        :class:`ser.plots.Html`; as the last line of a cell it is displayed.

    Raises:
        ValueError: a figure without any description.

    Example:
        >>> from ser.plots import confusion_matrix
        >>> show(confusion_matrix([[1, 0, 0, 0]] * 4), caption="Always angry.")
        [figure] Always angry.
    """
    alt = describe(fig) if alt is None else alt
    if not alt.strip():
        raise ValueError("the figure has no description; pass alt='what it shows'")
    data = base64.b64encode(png(fig, dpi)).decode("ascii")
    width = round(fig.get_size_inches()[0] * 115)
    below = f'<figcaption style="margin-top:.4em">{escape(caption)}</figcaption>' if caption else ""
    html = (
        f'<figure class="ser-figure" style="margin:1em 0">'
        f'<img src="data:image/png;base64,{data}" alt="{escape(alt)}" '
        f'style="width:{width}px;max-width:100%;height:auto;border-radius:6px;background:{CARD}">'
        f"{below}</figure>"
    )
    return Html(html, f"[figure] {caption or alt}")
