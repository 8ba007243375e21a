"""Figures of pitch, level and rate: contours over a spectrogram, cues by emotion, effect sizes.

Book: chapter "Pitch, level and rate".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike
from ser.corpora.base import EMOTIONS
from ser.plots.style import EMOTION_COLOURS, INK, MUTED, SKY, drawing, set_alt

from chapters.shared.windows import linear_spectrogram

MARKS = dict(zip(EMOTIONS, "^osD", strict=True))
"""A marker an emotion, so that colour is not alone."""
TRACK_LOOKS = (("o", "#ffffff"), ("D", SKY), ("^", "#f0e442"))


def contours(
    wave: ArrayLike,
    tracks: Mapping[str, tuple[ArrayLike, ArrayLike]],
    marks: ArrayLike = (),
    top: float = 1000.0,
    rate: int = 16000,
) -> Figure:
    """Pitch tracks drawn over a spectrogram through a long window, where harmonics are lines.

    Args:
        wave: (samples,), full scale 1.
        tracks: name -> (times in seconds, F0 in Hz, NaN where unvoiced), at most three.
        marks: seconds that get a tick along the top, such as syllable nuclei.
        top: highest frequency shown, Hz.
        rate: samples a second.

    Returns:
        Figure.

    Raises:
        ValueError: no track, or more than three.

    Example:
        >>> noise = np.random.default_rng(0).normal(size=8000)
        >>> contours(noise, {"found": ([0.1, 0.2], [120.0, np.nan])}).ser_alt[-38:]
        'found: 1 voiced frames, median 120 Hz.'
    """
    if not 1 <= len(tracks) <= len(TRACK_LOOKS):
        raise ValueError(f"1 to {len(TRACK_LOOKS)} tracks can be drawn, not {len(tracks)}")
    with drawing(None, 4.0) as (fig, ax):
        linear_spectrogram(wave, 1024, " ", ax, hop=80, top=top, rate=rate)
        ax.set_title("")
        for (name, (times, hertz)), (mark, colour) in zip(
            tracks.items(), TRACK_LOOKS, strict=False
        ):
            hertz = np.asarray(hertz, dtype=float)
            ax.plot(
                times,
                hertz,
                mark,
                color=colour,
                markeredgecolor="#000000",
                markeredgewidth=0.7,
                markersize=4.5,
                label=name,
                linestyle="none",
            )
            voiced = hertz[~np.isnan(hertz)]
            median = f", median {np.median(voiced):.0f} Hz" if len(voiced) else ""
            set_alt(fig, f"{name}: {len(voiced)} voiced frames{median}.")
        marks = np.asarray(marks, dtype=float)
        if len(marks):
            heights = np.full(len(marks), 0.96 * top)
            ax.plot(marks, heights, "v", color="#f0e442", markersize=8, label="syllables")
            set_alt(fig, f"{len(marks)} syllables marked.")
        legend = fig.legend(
            *ax.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=True
        )
        legend.get_frame().set(facecolor="#8c8c8c", edgecolor="none")
    return fig


def cue_strips(table: pd.DataFrame, cues: Mapping[str, str]) -> Figure:
    """Every utterance as a dot, with quartile boxes, emotion by emotion; one panel a cue.

    Args:
        table: columns ``emotion`` and the cues; NaN and infinite values are left out.
        cues: column -> label of its axis, with the unit.

    Returns:
        Figure.

    Raises:
        ValueError: none of the four emotions.

    Example:
        >>> frame = pd.DataFrame({"emotion": ["sad", "sad", "angry"], "x": [1.0, 3.0, 5.0]})
        >>> cue_strips(frame, {"x": "width, m"}).ser_alt
        'Medians of width, m: angry 5, sad 2.'
    """
    present = [e for e in EMOTIONS if e in set(table.emotion)]
    if not present:
        raise ValueError("the table has no utterance of the four emotions")
    jitter = np.random.default_rng(0)
    with drawing(None, 0.5 + 1.75 * len(cues), len(cues)) as (fig, axes):
        for ax, (column, label) in zip(np.atleast_1d(axes), cues.items(), strict=True):
            medians = []
            for y, emotion in enumerate(present):
                values = table.loc[table.emotion == emotion, column].to_numpy(float)
                values = values[np.isfinite(values)]
                if not len(values):
                    continue
                medians.append(f"{emotion} {np.median(values):.3g}")
                shift = jitter.uniform(-0.32, 0.32, len(values))
                look = {"color": EMOTION_COLOURS[emotion], "alpha": 0.45, "markersize": 3}
                ax.plot(values, y + shift, MARKS[emotion], zorder=1, **look)
                ax.boxplot(
                    values,
                    positions=[y],
                    widths=0.66,
                    orientation="horizontal",
                    showfliers=False,
                    manage_ticks=False,
                    boxprops={"color": INK, "linewidth": 1.3},
                    whiskerprops={"color": INK},
                    capprops={"color": INK},
                    medianprops={"color": INK, "linewidth": 2.6},
                )
            ax.set_yticks(range(len(present)), present)
            ax.set_ylim(len(present) - 0.4, -0.6)
            ax.tick_params(axis="y", length=0)
            ax.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
            ax.set_xlabel(label)
            ax.grid(axis="x")
            set_alt(fig, f"Medians of {label}: {', '.join(medians)}.")
    return fig


def effect_plot(effects: pd.DataFrame, labels: Mapping[str, str]) -> Figure:
    """Cohen's d of each emotion, cue by cue, with intervals.

    Args:
        effects: what :func:`chapters.prosody.effects.effect_table` gives.
        labels: cue -> its name in the figure, in the order from above.

    Returns:
        Figure.

    Raises:
        ValueError: nothing to draw.

    Example:
        >>> row = {"cue": "x", "effect": "sad", "value": -1.0, "low": -1.5, "high": -0.5, "n": 9}
        >>> effect_plot(pd.DataFrame([row]), {"x": "width"}).ser_alt
        "Cohen's d with intervals. width: sad -1.0 (-1.5 to -0.5)."
    """
    parts = effects[effects.cue.isin(list(labels)) & (effects.effect != "eta2")]
    emotions: Sequence[str] = [e for e in EMOTIONS if e in set(parts.effect)]
    if not emotions:
        raise ValueError("no effect of an emotion to draw")
    offsets = np.linspace(-0.25, 0.25, len(emotions)) if len(emotions) > 1 else [0.0]
    text = []
    with drawing(None, 1.4 + 0.75 * len(labels)) as (fig, ax):
        for emotion, offset in zip(emotions, offsets, strict=True):
            rows = parts[parts.effect == emotion].set_index("cue").reindex(list(labels))
            y, value = np.arange(len(labels)) + offset, rows.value.to_numpy(float)
            colour = EMOTION_COLOURS[emotion]
            ax.hlines(y, rows.low, rows.high, color=colour, linewidth=2)
            ax.plot(
                value,
                y,
                MARKS[emotion],
                color=colour,
                markeredgecolor=INK,
                markeredgewidth=0.6,
                markersize=8,
                label=emotion,
            )
        for cue, label in labels.items():
            here = parts[parts.cue == cue].set_index("effect").reindex(emotions).dropna()
            each = [f"{e} {r.value:.1f} ({r.low:.1f} to {r.high:.1f})" for e, r in here.iterrows()]
            text.append(f"{label}: {', '.join(each) or 'none'}.")
        ax.axvline(0, color=MUTED, linewidth=1)
        ax.set_yticks(range(len(labels)), list(labels.values()))
        ax.set_ylim(len(labels) - 0.5, -0.5)
        ax.tick_params(axis="y", length=0)
        ax.set_xlabel("d: standard deviations from neutral")
        ax.grid(axis="x")
        fig.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return set_alt(fig, "Cohen's d with intervals. " + " ".join(text))
