"""Figures of mistakes: recall by speaker, figures side by side.

Book: chapter "Confusion matrices". The usual matrix, counts and row percent together, is
:func:`ser.plots.confusion_matrix`.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from ser.corpora.base import EMOTIONS
from ser.metrics.scores import as_codes
from ser.plots.html import Html
from ser.plots.results import heatmap
from ser.plots.style import CARD, describe, drawing, png, set_alt, set_title


def recall_by_group(
    labels: ArrayLike,
    predictions: ArrayLike,
    groups: Sequence[str],
    title: str | None = None,
    ax: Axes | None = None,
    classes: Sequence[str] = EMOTIONS,
    group_name: str = "speaker",
) -> Figure:
    """Recall of each class for each speaker: the percent, and how many utterances it is of.

    Args:
        labels: (n,) true classes.
        predictions: (n,) answers.
        groups: (n,) speaker (or another group) of each utterance.
        title: of the figure.
        ax: axes to draw into.
        classes: names of the classes.
        group_name: what the groups are.

    Returns:
        Figure; a row for each group, worst mean recall at the bottom.

    Raises:
        ValueError: lengths that do not fit, or an unknown class.

    Example:
        >>> fig = recall_by_group([0, 0, 1], [0, 1, 1], ["Ada", "Ada", "Bo"])
        >>> describe(fig)[:66]
        'Recall by class and speaker, percent (utterances). Bo: happy 100 ('
    """
    truth, answer = as_codes(labels, len(classes)), as_codes(predictions, len(classes))
    who = np.asarray(groups, dtype=str)
    if not truth.shape == answer.shape == who.shape or truth.ndim != 1:
        raise ValueError(f"{truth.shape} labels, {answer.shape} answers, {who.shape} groups")
    names = np.unique(who)
    total = np.zeros((len(names), len(classes)), dtype=int)
    right = total.copy()
    row = np.searchsorted(names, who)
    np.add.at(total, (row, truth), 1)
    np.add.at(right, (row, truth), truth == answer)
    share = np.divide(100 * right, total, out=np.full(total.shape, np.nan), where=total > 0)
    order = np.argsort(-np.nanmean(share, axis=1), kind="stable")
    names, total, share = names[order], total[order], share[order]
    with drawing(ax, 1.3 + 0.42 * len(names)) as (fig, ax):
        words = [
            [f"{v:.0f} ({n})" if n else "–" for v, n in zip(*line, strict=True)]
            for line in zip(share, total, strict=True)
        ]
        heatmap(ax, share / 100, words, classes, names, square=False)
        ax.set(xlabel="recall, percent (of how many utterances)", ylabel=group_name)
        set_title(ax, title)
    said = ". ".join(
        f"{name}: "
        + ", ".join(
            f"{c} {_word(v)} ({n})" for c, v, n in zip(classes, line, number, strict=True) if n
        )
        for name, line, number in zip(names, share, total, strict=True)
    )
    return set_alt(fig, f"Recall by class and {group_name}, percent (utterances). {said}.")


def _word(value: float) -> str:
    return "none" if np.isnan(value) else f"{value:.0f}"


def side_by_side(figures: Sequence[Figure], caption: str, dpi: int = 100) -> Html:
    """Figures beside each other, below each other where the page is narrow, with one caption.

    Args:
        figures: of :mod:`ser.plots`, each with its description.
        caption: of all.
        dpi: of the pictures.

    Returns:
        HTML; as the last line of a cell it is displayed.

    Raises:
        ValueError: no figures, or one without a description.

    Example:
        >>> side_by_side([recall_by_group([0, 1], [0, 1], ["Ada", "Bo"])] * 2, "Twice.")
        [2 figures] Twice.
    """
    alts = [describe(fig) for fig in figures]
    if not alts or not all(alt.strip() for alt in alts):
        raise ValueError("every figure needs a description, and there must be one at least")
    images = []
    for fig, alt in zip(figures, alts, strict=True):
        data = base64.b64encode(png(fig, dpi)).decode("ascii")
        width = round(fig.get_size_inches()[0] * 80)
        images.append(
            f'<img src="data:image/png;base64,{data}" alt="{escape(alt)}" '
            f'style="flex:1 1 {width}px;min-width:0;max-width:{round(width * 1.35)}px;'
            f'height:auto;border-radius:6px;background:{CARD}">'
        )
    html = (
        '<figure class="ser-figure" style="margin:1em 0"><div style="display:flex;flex-wrap:wrap;'
        f'gap:.6em;align-items:flex-start">{"".join(images)}</div>'
        f'<figcaption style="margin-top:.4em">{escape(caption)}</figcaption></figure>'
    )
    return Html(html, f"[{len(images)} figures] {caption}")
