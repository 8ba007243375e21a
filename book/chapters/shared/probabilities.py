"""What networks answer, as bars. Book: chapters "Fusion" and "Bring IEMOCAP, or your own voice"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from ser.corpora.base import EMOTIONS
from ser.plots.style import EMOTION_COLOURS, GREY, INK, drawing, set_alt, set_title


def checked(answers: Mapping[str, ArrayLike], classes: int) -> dict[str, np.ndarray]:
    """Answers as arrays, once it is clear that each is *classes* probabilities.

    Raises:
        ValueError: no answers, or probabilities that do not sum to 1.

    Example:
        >>> checked({"dual": [0.5, 0.5]}, 2)
        {'dual': array([0.5, 0.5])}
    """
    if not answers:
        raise ValueError("no answers to draw")
    values = {name: np.asarray(p, dtype=float) for name, p in answers.items()}
    for name, p in values.items():
        if p.shape != (classes,) or abs(p.sum() - 1) > 1e-3:
            raise ValueError(f"{name}: {classes} probabilities that sum to 1 are needed")
    return values


def branch_probabilities(
    answers: Mapping[str, ArrayLike],
    title: str | None = None,
    classes: Sequence[str] = EMOTIONS,
) -> Figure:
    """What a model and each of its branches say about one utterance.

    Args:
        answers: name (e.g. ``"dual"``, ``"mfcc-lstm"``, ``"ds-lstm"``) -> (4,) probabilities.
        title: of the figure.
        classes: their names.

    Returns:
        Figure.

    Raises:
        ValueError: no answers, or probabilities that do not sum to 1.
    """
    values = checked(answers, len(classes))
    said = []
    with drawing(None, 0.9 + 1.5 * len(values), len(values), sharex=True, squeeze=False) as (
        fig,
        grid,
    ):
        for ax, (name, p) in zip(grid[:, 0], values.items(), strict=True):
            colours = [EMOTION_COLOURS.get(c, GREY) for c in classes]
            ax.barh(range(len(classes)), 100 * p, color=colours, edgecolor=INK, linewidth=0.6)
            for y, share in enumerate(100 * p):
                weight = "bold" if share == 100 * p.max() else "normal"
                ax.text(share + 1, y, f"{share:.0f} %", va="center", fontsize=11, weight=weight)
            ax.set_yticks(range(len(classes)), classes)
            ax.set_ylim(len(classes) - 0.4, -0.6)
            ax.tick_params(axis="y", length=0)
            ax.set_xlim(0, 112)
            ax.set_xticks(range(0, 101, 25))
            set_title(ax, f"{title}\n{name}" if title and ax is grid[0, 0] else name)
            shares = ", ".join(f"{c} {100 * v:.0f} %" for c, v in zip(classes, p, strict=True))
            said.append(f"{name}: {shares}.")
        grid[-1, 0].set_xlabel("probability, percent")
    return set_alt(fig, "Class probabilities. " + " ".join(said))
