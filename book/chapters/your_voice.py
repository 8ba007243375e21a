"""One clip heard under several conditions, and how the answer moves (book: "Bring IEMOCAP, or
your own voice")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from ser.corpora.base import EMOTIONS
from ser.plots.style import (
    CARD,
    EMOTION_COLOURS,
    EMOTION_HATCHES,
    GREY,
    INK,
    drawing,
    set_alt,
    set_title,
)

from chapters.shared.probabilities import checked

SMALLEST = 0.12
"""Shares below this have no room for their number."""


def answer_bars(
    answers: Mapping[str, ArrayLike],
    title: str | None = None,
    classes: Sequence[str] = EMOTIONS,
) -> Figure:
    """What a model says of one clip under each condition: a bar a condition, parted by class.

    Args:
        answers: condition -> (classes,) probabilities, the first on top.
        title: of the figure.
        classes: their names.

    Returns:
        Figure.

    Raises:
        ValueError: nothing to draw, or probabilities that do not sum to 1.

    Example:
        >>> from ser.plots import describe
        >>> fig = answer_bars({"clean": [0.7, 0.1, 0.1, 0.1], "noise": [0.2, 0.2, 0.3, 0.3]})
        >>> describe(fig)
        'Answers by condition. clean: angry 70 %. noise: neutral 30 %.'
    """
    values = checked(answers, len(classes))
    table = np.stack(list(values.values()))
    ends = 100 * table.cumsum(1)
    with drawing(None, 1.5 + 0.45 * len(values)) as (fig, ax):
        for k, name in enumerate(classes):
            colour, hatch = EMOTION_COLOURS.get(name, GREY), EMOTION_HATCHES.get(name, "")
            look = {"color": colour, "hatch": hatch, "edgecolor": INK, "linewidth": 0.6}
            widths = 100 * table[:, k]
            ax.barh(range(len(table)), widths, left=ends[:, k] - widths, label=name, **look)
            for y, width in enumerate(widths):
                if width >= 100 * SMALLEST:
                    strong = table[y].argmax() == k
                    ax.text(
                        ends[y, k] - width / 2,
                        y,
                        f"{width:.0f}",
                        ha="center",
                        va="center",
                        fontsize=11,
                        weight="bold" if strong else "normal",
                        bbox={"facecolor": CARD, "edgecolor": "none", "pad": 1.5},
                    )
        ax.set_yticks(range(len(table)), list(values))
        ax.set_ylim(len(table) - 0.4, -0.6)
        ax.set_xlim(0, 100)
        ax.tick_params(axis="y", length=0)
        ax.set_xlabel("probability, percent")
        fig.legend(loc="outside lower center", ncols=len(classes), handlelength=1.2)
        set_title(ax, title)
    best = table.argmax(1)
    said = " ".join(
        f"{name}: {classes[k]} {100 * p[k]:.0f} %."
        for (name, p), k in zip(values.items(), best, strict=True)
    )
    return set_alt(fig, f"Answers by condition. {said}")
