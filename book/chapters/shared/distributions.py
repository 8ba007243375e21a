"""Figures of a corpus: how many of each emotion, and how they differ in what one measures.

Book: chapters "Corpora" and "Emotion in a voice".
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from ser.corpora.base import EMOTIONS
from ser.plots.style import EMOTION_COLOURS, EMOTION_HATCHES, INK, drawing, set_alt, set_title


def class_distribution(
    table: pd.DataFrame, by: str | None = None, title: str | None = None, ax: Axes | None = None
) -> Figure:
    """Utterances of each emotion; with *by*, of each speaker, gender or session as well.

    Args:
        table: a corpus table (columns ``emotion`` and, if asked, *by*).
        by: another column, one bar a value.
        title: of the figure.
        ax: axes to draw into.

    Returns:
        Figure.
    """
    emotions = [e for e in EMOTIONS if e in set(table.emotion)]
    if not emotions:
        raise ValueError("the table has no utterance of the four emotions")
    table = table[table.emotion.isin(emotions)]
    total = table.emotion.value_counts()
    said = ", ".join(f"{e} {total[e]}" for e in emotions)
    if by is None:
        with drawing(ax, 3.2) as (fig, ax):
            for x, emotion in enumerate(emotions):
                ax.bar(
                    x, total[emotion], color=EMOTION_COLOURS[emotion], edgecolor=INK, linewidth=0.6
                )
                share = 100 * total[emotion] / len(table)
                text = f"{total[emotion]}\n{share:.0f} %"
                ax.text(x, total[emotion], text, ha="center", va="bottom")
            ax.set_xticks(range(len(emotions)), emotions)
            ax.set_ylabel("utterances")
            ax.margins(y=0.25)
            ax.tick_params(axis="x", length=0)
            set_title(ax, title)
        return set_alt(fig, f"{len(table)} utterances: {said}.")
    counts = pd.crosstab(table[by].replace("", "unknown"), table.emotion)[emotions]
    with drawing(ax, 1.8 + 0.3 * len(counts)) as (fig, ax):
        left = np.zeros(len(counts))
        for emotion in emotions:
            ax.barh(
                range(len(counts)),
                counts[emotion],
                left=left,
                color=EMOTION_COLOURS[emotion],
                hatch=EMOTION_HATCHES[emotion],
                edgecolor=INK,
                linewidth=0.6,
                label=emotion,
            )
            left += counts[emotion].to_numpy()
        ax.set_yticks(range(len(counts)), [str(v) for v in counts.index])
        ax.set_ylim(len(counts) - 0.4, -0.6)
        ax.set_ylabel(by)
        ax.set_xlabel("utterances")
        ax.tick_params(axis="y", length=0)
        fig.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=4)
        set_title(ax, title)
    each = f"{len(counts)} values of {by}, {int(left.min())} to {int(left.max())} utterances each"
    return set_alt(fig, f"{len(table)} utterances: {said}; {each}.")


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
    groups = {e: table.loc[table.emotion == e, column].dropna().to_numpy(float) for e in EMOTIONS}
    groups = {e: values for e, values in groups.items() if len(values)}
    if not groups:
        raise ValueError(f"column {column!r} has no values for the four emotions")
    jitter = np.random.default_rng(0)
    with drawing(ax, 3.8) as (fig, ax):
        for x, (emotion, values) in enumerate(groups.items()):
            colour = EMOTION_COLOURS[emotion]
            shift = jitter.uniform(-0.3, 0.3, len(values))
            ax.plot(x + shift, values, "o", color=colour, markersize=3, alpha=0.45, zorder=1)
            ax.boxplot(
                values,
                positions=[x],
                widths=0.62,
                showfliers=False,
                boxprops={"color": INK, "linewidth": 1.4},
                whiskerprops={"color": INK},
                capprops={"color": INK},
                medianprops={"color": INK, "linewidth": 2.6},
            )
        ax.set_xticks(range(len(groups)), list(groups))
        ax.set_xlim(-0.6, len(groups) - 0.4)
        ax.set_ylabel(f"{column}, {unit}" if unit else column)
        ax.tick_params(axis="x", length=0)
        ax.grid(axis="y")
        set_title(ax, title)
    medians = ", ".join(f"{e} {np.median(v):.3g}" for e, v in groups.items())
    return set_alt(fig, f"{column} by emotion, medians in {unit or 'its own unit'}: {medians}.")
