"""Figures of results: confusion matrix, the table as a forest plot, paired differences.

Book: chapters "Confusion matrices" and "EmoDB, measured".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from ser.corpora.base import EMOTIONS
from ser.corpora.emotion_set import set_name
from ser.marks import footnotes
from ser.metrics import row_percent
from ser.plots.style import (
    BLUE,
    CARD,
    GREEN,
    GRID,
    INK,
    MUTED,
    VERMILLION,
    drawing,
    mark_legend,
    set_alt,
    set_title,
)

SELECTIONS = {
    "last": ("last epoch", BLUE, "o", BLUE),
    "dev": ("dev-chosen", GREEN, "s", GREEN),
    "test": ("test-chosen*", VERMILLION, "D", "white"),
}


def confusion_matrix(
    counts: ArrayLike,
    title: str | None = None,
    classes: Sequence[str] = EMOTIONS,
) -> Figure:
    """Confusion matrix: counts and rows in percent; the colour is the row's percent.

    Args:
        counts: (classes, classes) whole numbers, rows true, as :func:`ser.metrics.confusion`.
        title: of the figure.
        classes: names of rows and columns.

    Returns:
        Figure.
    """
    counts = np.asarray(counts)
    shares = row_percent(counts)
    many = len(classes) > 5  # no room for a sign in every cell, nor for names side by side
    sign = "" if many else " %"
    words = [
        [f"{'–' if np.isnan(v) else f'{v:.0f}{sign}'}\n{n}" for v, n in zip(*row, strict=True)]
        for row in zip(shares, counts, strict=True)
    ]
    with drawing(height=4.6) as (fig, ax):
        heatmap(ax, shares / 100, words, classes, classes, size=10 if many else 12)
        ax.set(xlabel=f"answered{', percent of the row above counts' * many}", ylabel="true")
        if many:
            ax.tick_params(axis="x", rotation=60)
        set_title(ax, title)
    return set_alt(fig, _say_confusion(counts, shares, title, classes))


def heatmap(
    ax: Axes,
    shares: np.ndarray,
    words: Sequence[Sequence[str]],
    columns: Sequence[str],
    rows: Sequence[str],
    square: bool = True,
    size: float = 12,
) -> None:
    """A matrix of words on blue, readable on every shade; those of the diagonal are bold.

    Args:
        ax: axes to draw into.
        shares: (rows, columns), 0 to 1: the shade; NaN is white.
        words: what stands in each cell.
        columns, rows: their names.
        square: whether cells are square, and the diagonal means something.
        size: of the words, in points.
    """
    import seaborn  # brings pyplot and takes half a second: for those who draw a matrix

    shade = np.nan_to_num(shares)
    seaborn.heatmap(
        shade, vmin=0, vmax=1, cmap="Blues", annot=np.array(words), fmt="", cbar=False,
        square=square, xticklabels=columns, yticklabels=rows, ax=ax,
    )  # fmt: skip
    for text, place in zip(ax.texts, np.ndindex(shade.shape), strict=True):
        # seaborn's white is too faint on a middle blue: a contrast of 2.3, where 4.5 is needed
        light = seaborn.utils.relative_luminance(matplotlib.colormaps["Blues"](shade[place]))
        text.set(color="black" if light > 0.179 else "white", fontsize=size)
        text.set_fontweight("bold" if square and place[0] == place[1] else "normal")
    ax.tick_params(length=0, rotation=0)


def _say_confusion(
    counts: np.ndarray, shares: np.ndarray, title: str | None, classes: Sequence[str]
) -> str:
    known = [i for i in range(len(classes)) if not np.isnan(shares[i, i])]
    recalls = ", ".join(
        f"{classes[i]}{' recalled' if i == known[0] else ''} {shares[i, i]:.0f} %" for i in known
    )
    text = f"Confusion matrix of {counts.sum()} answers, rows true: {recalls}."
    wrong = np.nan_to_num(shares) * (1 - np.eye(len(classes)))
    if wrong.max() > 0:
        row, column = np.unravel_index(wrong.argmax(), wrong.shape)
        text += (
            f" The most frequent mistake is {classes[row]} taken for {classes[column]}, "
            f"{wrong[row, column]:.0f} % of {classes[row]}."
        )
    return f"{title}. {text}" if title else text


def results_table_plot(table: pd.DataFrame, metric: str = "ua") -> Figure:
    """The table of results as points with their 95 % intervals over speakers.

    One panel a corpus and protocol, one line a row, one mark a selection: last epoch (filled
    disc), dev-chosen (square), test-chosen (open diamond, starred). Behind the name of a row that
    knows more of a speaker than one recording stands its mark, of :func:`ser.marks.mark_of`.
    The dashed line is chance, with as many classes as were tested.

    Args:
        table: that of a :class:`ser.report.Report`, or some of its lines.
        metric: ``"ua"`` or ``"wa"``.

    Returns:
        Figure.

    Raises:
        ValueError: an empty table.
    """
    if table.empty:
        raise ValueError("the table has no rows to draw")
    table = table.fillna({"test_corpus": "", "preset": ""})
    table["where"] = table.apply(_where, axis=1)
    if table.preset[table.preset != ""].nunique() > 1:
        table["label"] += table.preset.map(lambda preset: f" ({preset})" if preset else "")
    panels = list(table.groupby("where", sort=False))
    names = [list(dict.fromkeys(part.label)) for _, part in panels]
    chosen = [s for s in SELECTIONS if s in set(table.selection)]
    step = 0.5 / len(chosen)
    height = 1.3 + 0.75 * len(panels) + 0.42 * sum(map(len, names))
    grid = {"gridspec_kw": {"height_ratios": [len(each) + 0.6 for each in names]}}
    with drawing(None, height, len(panels), sharex=True, squeeze=False, **grid) as (fig, axes):
        legend = {}
        for ax, (where, part), lines in zip(axes[:, 0], panels, names, strict=True):
            chance = 100 / part.classes.max()
            ax.axvline(chance, color=MUTED, linestyle="--", linewidth=1, label="chance")
            for number, selection in enumerate(chosen):
                label, colour, marker, face = SELECTIONS[selection]
                here = part[part.selection == selection]
                y = here.label.map(lines.index) + (number - (len(chosen) - 1) / 2) * step
                ends = [100 * here[f"{metric}_{end}"] for end in ("low", "high")]
                ax.hlines(y, *ends, color=colour, linewidth=2)
                look = {"color": colour, "markerfacecolor": face, "markersize": 7, "label": label}
                ax.plot(100 * here[metric], y, marker, **look)
            ax.set_yticks(range(len(lines)), lines)
            ax.set_ylim(len(lines) - 0.4, -0.6)
            ax.grid(axis="x")
            ax.tick_params(axis="y", length=0)
            set_title(ax, where)
            legend |= dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
        # Aligned with the right end: under long names the axes are narrower than the label.
        text = f"{metric.upper()} in percent, 95 % interval over speakers{mark_legend(table.label)}"
        axes[-1, 0].set_xlabel(text, loc="right")
        fig.legend(legend.values(), legend, loc="outside lower center", ncols=2, handletextpad=0.5)
    return set_alt(fig, _say_table(table, metric))


def _where(row: pd.Series) -> str:
    place = " → ".join(filter(None, (row.corpus, row.test_corpus)))
    return "; ".join(filter(None, (f"{place}, {row.protocol}", set_name(row.emotions))))


def _say_table(table: pd.DataFrame, metric: str) -> str:
    text = [f"{metric.upper()} of each row with its 95 percent interval over speakers."]
    for where, part in table.groupby("where", sort=False):
        said = ", ".join(
            f"{r.label} {r.selection} {100 * getattr(r, metric):.1f} %" for r in part.itertuples()
        )
        text.append(f"{where}: {said}.")
    rules = table.normaliser.mask(table.transductive, "speaker")
    text += [f"{line}." for line in footnotes(rules)]
    if "test" in set(table.selection):
        text.append("Test-chosen scores are chosen on the test fold and too good to be true.")
    return " ".join(text)


def paired_difference(comparisons: Sequence[Any]) -> Figure:
    """Differences in UA between pairs of rows, with 95 % intervals over speakers and p values.

    Args:
        comparisons: of ``Report.paired`` or ``Report.default_pairs``.

    Returns:
        Figure.

    Raises:
        ValueError: nothing to compare.
    """
    if not comparisons:
        raise ValueError("no comparisons to draw")
    said = []
    with drawing(None, 1.5 + 0.75 * len(comparisons)) as (fig, ax):
        ax.axvline(0, color=INK, linewidth=1)
        labels = []
        for y, c in enumerate(comparisons):
            middle, low, high, p = (
                getattr(c.result, f"ua_{k}") for k in ("difference", "low", "high", "p")
            )
            _, colour, marker, face = SELECTIONS[c.a.selection]
            ax.hlines(y, 100 * low, 100 * high, color=colour, linewidth=2.5)
            ax.plot(100 * middle, y, marker, color=colour, markerfacecolor=face, markersize=8)
            shown = "p < 0.001" if p < 0.0005 else f"p = {p:.3f}"
            ax.annotate(
                f"{100 * middle:+.1f}, {shown}",
                (100 * middle, y),
                xytext=(0, 8),
                textcoords="offset points",
                ha="center",
                fontsize=11,
                bbox={"facecolor": CARD, "edgecolor": "none", "pad": 1},
            )
            star = "*" if c.a.test_chosen else ""
            labels.append(f"{c.a.label}{star}\n− {c.b.label}{star}\n({c.a.protocol})")
            said.append(
                f"{c.a.label} minus {c.b.label} on {c.a.corpus} {c.a.protocol}: "
                f"{100 * middle:+.1f} points, {100 * low:+.1f} to {100 * high:+.1f}, {shown}."
            )
        ax.set_yticks(range(len(labels)), labels)
        ax.set_ylim(len(labels) - 0.5, -0.6)
        ax.set_xlabel(f"difference in UA, points{mark_legend(labels)}", loc="right")
        ax.grid(axis="x", color=GRID)
        ax.margins(x=0.18)
    return set_alt(fig, "Paired differences with 95 percent intervals. " + " ".join(said))
