"""Where each successor changes the system, and what attention listens to."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from ser.plots.html import Html
from ser.plots.style import BLUE, GREEN, MUTED, drawing, set_alt

from chapters.shared.svg import Drawing
from chapters.shared.system_drawing import drawn_system

PLACES: dict[str, tuple[float, float]] = {
    "attention instead of the mean over time": (228, 453),
    "temporal convolutions instead of the LSTM": (379, 381),
    "capsules behind the CNN": (116, 216),
    "a transformer instead of the recurrence": (247, 381),
    "a second task beside the emotion": (247, 486),
    "training and test from other corpora": (379, 19),
    "features learnt from much speech instead of all three": (247, 87),
}
"""What was changed -> the middle of its mark on the drawing of the system."""


def successors_drawing() -> Html:
    """The whole system with a numbered mark wherever a later work changes it."""
    d = marked_system()
    listed = "; ".join(f"{k}, {what}" for k, what in enumerate(PLACES, 1))
    return d.show(f"The whole system, and where later works changed it: {listed}.", widest=480)


def marked_system() -> Drawing:
    """The drawing of :func:`successors_drawing`."""
    d = drawn_system()
    d.title = "Where later works changed the system"
    d.described += " Numbered marks: " + "; ".join(
        f"{k}, {what}" for k, what in enumerate(PLACES, 1)
    )
    d.described += "."
    for k, (x, y) in enumerate(PLACES.values(), 1):
        d.circle(x, y, 10.5, str(k), "output")
    return d


def attention_over_time(wave: ArrayLike, weights: ArrayLike, rate: int = 16000) -> Figure:
    """A wave, and below it the weight of each frame against the mean's.

    Args:
        wave: (samples,).
        weights: (frames,), sum 1.
        rate: samples a second.
    """
    wave, weights = np.asarray(wave), np.asarray(weights)
    with drawing(height=3.6, rows=2, sharex=True) as (figure, (top, bottom)):
        seconds = np.arange(len(wave)) / rate
        top.plot(seconds, wave, color=BLUE, linewidth=0.5)
        top.set_ylabel("amplitude")
        middle = (np.arange(len(weights)) + 0.5) * seconds[-1] / len(weights)
        bottom.plot(middle, 100 * weights, color=GREEN)
        bottom.axhline(100 / len(weights), color=MUTED, linestyle="--", linewidth=1)
        bottom.set_ylim(bottom=0)
        bottom.set_ylabel("weight (%)")
        bottom.set_xlabel("time (s)")
    heaviest = middle[weights.argmax()]
    set_alt(
        figure,
        f"A waveform of {seconds[-1]:.1f} s and, below it, a line of weights that is highest at "
        f"{heaviest:.1f} s, with a dashed line at the weight that a mean gives every frame.",
    )
    return figure


def heaviest_tenth(weights: ArrayLike) -> float:
    """The share of the weight that the heaviest tenth of the frames has.

    >>> heaviest_tenth([0.1] * 10), heaviest_tenth([0.91] + [0.01] * 9)
    (0.1, 0.91)
    """
    ordered = np.sort(np.asarray(weights, dtype=float))[::-1]
    return float(ordered[: max(1, round(len(ordered) / 10))].sum())
