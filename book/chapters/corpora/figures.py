"""Figures of labels, of votes, and of the factors behind the built-in corpus.

Book: chapter "Corpora".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from ser.corpora.base import EMOTIONS
from ser.plots.style import BLUE, EMOTION_COLOURS, GREY, INK, ORANGE, drawing, set_alt

FACTOR_AXES = {
    "f0_hz": "median F0, Hz",
    "f0_range_semitones": "F0 range (sd), semitones",
    "rate": "rate, times the plain reading",
    "level_db": "level, dB re full scale",
    "tilt_db": "tilt, dB per octave",
    "jitter_percent": "jitter, percent",
}
"""The factors of the built-in corpus, and the labels of their axes."""


def label_bars(labels: Mapping[str, int], used: Collection[str]) -> Figure:
    """How many turns bear each label; those that are *used* in blue.

    Example:
        >>> label_bars({"ang": 2, "xxx": 3}, {"ang"}).ser_alt
        'Turns by label: ang 2, xxx 3; 2 of 5 in blue.'
    """
    inside = [label in used for label in labels]
    with drawing(height=3.8) as (fig, ax):
        colours = [BLUE if yes else GREY for yes in inside]
        bars = ax.bar(list(labels), labels.values(), color=colours)
        ax.bar_label(bars, fontsize=10)
        ax.set(xlabel="label in IEMOCAP's files", ylabel="turns")
    blue = sum(n for n, yes in zip(labels.values(), inside, strict=True) if yes)
    said = ", ".join(f"{label} {n}" for label, n in labels.items())
    return set_alt(fig, f"Turns by label: {said}; {blue} of {sum(labels.values())} in blue.")


def undecided_curves(q: ArrayLike, share: Mapping[int, ArrayLike], observed: float) -> Figure:
    """The share of turns without a majority, by how often a single rater is right.

    Args:
        q: (points,) probability that a rater finds the word.
        share: number of raters (3 and 5) -> (points,) share without a majority.
        observed: the share in IEMOCAP.

    Example:
        >>> undecided_curves([0, 1], {3: [1, 0], 5: [1, 0]}, 0.25).ser_alt[-33:]
        '3 raters meet IEMOCAP near 100 %.'
    """
    q = np.asarray(q, dtype=float)
    looks = {3: {"color": BLUE}, 5: {"color": ORANGE, "ls": "--"}}
    with drawing(height=3.8) as (fig, ax):
        for raters, values in share.items():
            look = looks[raters] | {"label": f"{raters} raters"}
            ax.plot(100 * q, 100 * np.asarray(values), lw=2, **look)
        ax.axhline(100 * observed, color=GREY, ls=":", label="IEMOCAP")
        ax.set(xlabel="a rater finds the word, percent")
        ax.set(ylabel="no majority, percent", ylim=(0, 100))
        ax.legend()
    meet = q[np.abs(np.asarray(share[3]) - observed).argmin()]
    return set_alt(
        fig,
        "The share without a majority falls as raters get surer; "
        f"3 raters meet IEMOCAP near {100 * meet:.0f} %.",
    )


def factor_strips(table: pd.DataFrame, factors: Sequence[str] = tuple(FACTOR_AXES)) -> Figure:
    """Every utterance as a dot, factor by factor and emotion by emotion, with medians.

    Args:
        table: columns ``emotion`` and *factors*.
        factors: of :data:`FACTOR_AXES`.

    Example:
        >>> one = pd.DataFrame({"emotion": ["angry", "sad"], "rate": [1.1, 0.8]})
        >>> factor_strips(one, ["rate"]).ser_alt
        'Medians of rate, times the plain reading: angry 1.1, sad 0.8.'
    """
    random = np.random.default_rng(0)
    present = [e for e in EMOTIONS if e in set(table.emotion)]
    with drawing(None, 0.5 + 1.5 * len(factors), len(factors)) as (fig, axes):
        for ax, factor in zip(np.atleast_1d(axes), factors, strict=True):
            said = []
            for y, emotion in enumerate(present):
                values = table[factor][table.emotion == emotion]
                look = {"color": EMOTION_COLOURS[emotion], "alpha": 0.35, "markersize": 3}
                ax.plot(values, y + random.uniform(-0.3, 0.3, len(values)), "o", **look)
                ax.vlines(values.median(), y - 0.4, y + 0.4, INK, linewidth=2.5)
                said.append(f"{emotion} {values.median():.3g}")
            ax.set_yticks(range(len(present)), present)
            ax.set_xlabel(FACTOR_AXES[factor])
            ax.locator_params(axis="x", nbins=6)
            ax.invert_yaxis()
            set_alt(fig, f"Medians of {FACTOR_AXES[factor]}: {', '.join(said)}.")
    return fig
