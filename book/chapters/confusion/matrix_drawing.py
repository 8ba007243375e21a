"""How a confusion matrix is read: a row, a column, WA, UA (book: chapter "Confusion matrices")."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from ser.corpora.base import EMOTIONS
from ser.plots.html import Html

from chapters.shared.svg import Drawing

__all__ = ["how_to_read"]


def how_to_read(counts: np.ndarray, row: str = "neutral", column: str = "angry") -> Html:
    """The matrix of counts with one row and one column lit, recalls at the right, precisions below.

    Args:
        counts: (4, 4) whole numbers, rows true.
        row: the class whose recall is explained.
        column: the class whose precision is explained.
    """
    c = np.asarray(counts)
    right, rows, columns = np.diag(c), c.sum(1), c.sum(0)
    recalls = [_share(a, n) for a, n in zip(right, rows, strict=True)]
    precisions = [_share(a, n) for a, n in zip(right, columns, strict=True)]
    wa = _share(right.sum(), c.sum())
    each = [Fraction(int(a), int(n)) for a, n in zip(right, rows, strict=True)]
    ua = sum(each) / len(each)
    i, j = EMOTIONS.index(row), EMOTIONS.index(column)
    d = Drawing(
        360,
        352,
        "How a confusion matrix is read",
        f"A matrix of counts, rows true, columns answered. Row {row}: {right[i]} of {rows[i]} on "
        f"the diagonal, recall {recalls[i]}. Column {column}: {right[j]} of {columns[j]}, "
        f"precision {precisions[j]}. WA is the diagonal over all, {wa}; UA the mean of the "
        f"recalls, {ua}.",
    )
    left, top, w, h = 82, 58, 47, 38
    d.text(left + 2 * w, 18, "answered", size=14)
    d.text(38, top - 10, "true", size=14)
    d.text(left + 4 * w + 40, top - 10, "recall", "time", size=14, bold=True)
    for k, name in enumerate(EMOTIONS):
        d.text(left + k * w + w / 2, top - 10, name, size=13)
        d.text(left - 6, top + k * h + 25, name, size=13, anchor="end")
        for m in range(4):
            role = "time" if k == i else "frequency" if m == j else "ink"
            with d.group(lit=True if k == m else None):
                d.box(left + m * w, top + k * h, w - 3, h - 3, str(c[k, m]), role, rounded=4)
        lit = "time" if k == i else "ink"
        d.text(left + 4 * w + 40, top + k * h + 25, recalls[k], lit, size=15, bold=k == i)
        lit = "frequency" if k == j else "ink"
        d.text(left + k * w + w / 2, top + 4 * h + 22, precisions[k], lit, size=15, bold=k == j)
    d.text(left - 6, top + 4 * h + 22, "precision", "frequency", size=13, anchor="end", bold=True)
    at = top + 4 * h + 52
    for k, (words, role) in enumerate(
        (
            (f"recall of {row}: {right[i]} of the {rows[i]} in its row", "time"),
            (
                f"precision of {column}: {right[j]} of the {columns[j]} in its column",
                "frequency",
            ),
            (f"WA: {right.sum()} of {c.sum()} lie on the diagonal: {wa}", "ink"),
            (f"UA: mean of the four recalls: {ua}", "ink"),
        )
    ):
        d.text(8, at + 22 * k, words, role, size=14, anchor="start")
    return d.show(
        f"Eight utterances. The row of {row} gives its recall, the column of {column} its "
        "precision; the diagonal holds the right answers. A dash: nothing was answered so."
    )


def _share(part: int, whole: int) -> str:
    return f"{Fraction(int(part), int(whole))}" if whole else "–"
