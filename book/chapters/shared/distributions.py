"""How emotions differ in what one measures (book: chapter "Emotion in a voice")."""

from __future__ import annotations

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from ser.corpora.base import EMOTIONS
from ser.plots.style import EMOTION_COLOURS, INK, drawing, set_alt, set_title


def feature_by_emotion(
    table: pd.DataFrame,
    column: str,
    unit: str,
    title: str | None = None,
    ax: Axes | None = None,
) -> Figure:
    """How a measured number differs between emotions: quartile boxes over all the points.

    Args:
        table: columns ``emotion`` and *column*.
        column: what was measured, e.g. ``"F0 mean"``.
        unit: its unit, e.g. ``"Hz"``.
        title: of the figure.
        ax: axes to draw into.

    Returns:
        Figure.
    """
    known = table[table.emotion.isin(EMOTIONS)].dropna(subset=[column]).reset_index(drop=True)
    order = [e for e in EMOTIONS if e in set(known.emotion)]
    if not order:
        raise ValueError(f"column {column!r} has no values for the four emotions")
    line = {"color": INK, "linewidth": 1.4}
    with drawing(ax, 3.8) as (fig, ax):
        at = {"data": known, "x": "emotion", "y": column, "order": order, "ax": ax}
        sns.swarmplot(
            **at, hue="emotion", palette=EMOTION_COLOURS, size=3, alpha=0.6, legend=False, zorder=1,
            warn_thresh=1.0,
        )  # fmt: skip
        sns.boxplot(
            **at, width=0.62, fill=False, showfliers=False, boxprops=line, whiskerprops=line,
            capprops=line, medianprops={"color": INK, "linewidth": 2.6},
        )  # fmt: skip
        ax.set(xlabel="", ylabel=f"{column}, {unit}" if unit else column)
        ax.tick_params(axis="x", length=0)
        ax.grid(axis="y")
        set_title(ax, title)
    medians = known.groupby("emotion")[column].median()
    said = ", ".join(f"{e} {medians[e]:.3g}" for e in order)
    return set_alt(fig, f"{column} by emotion, medians in {unit or 'its own unit'}: {said}.")
