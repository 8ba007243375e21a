"""Frames and hop over a wave, and the column of the spectrogram that each frame becomes.

Book: chapter "From wave to spectrogram".
"""

from __future__ import annotations

import numpy as np
from ser.plots.html import Html

from chapters.shared.svg import Drawing

HOP, COUNT, LEFT = 44, 6, 30
"""Units from frame to frame, frames drawn, where the first begins."""


def frames_drawing() -> Html:
    """Six frames of *L* samples, each begun *H* = *L*/2 after the one before, faded by a window.

    Example:
        >>> frames_drawing()                                     # doctest: +ELLIPSIS
        [drawing] Every frame becomes one column...
    """
    d = Drawing(
        360,
        300,
        "From a wave to the columns of a spectrogram",
        "A wave at the top. Below it six arches of length L, the window over each frame; each "
        "begins half its length, the hop H, after the one before, so that each moment lies under "
        "two arches. An arrow leads from the middle of each arch down to one column of the "
        "spectrogram, L/2 + 1 numbers high.",
    )
    width = HOP * (COUNT + 1)
    d.text(LEFT, 18, "wave $s$", anchor="start", bold=True)
    d.wave(LEFT, 24, width, 44)
    along = np.linspace(0, 2 * HOP, 25)
    arch = 0.5 - 0.5 * np.cos(np.pi * along / HOP)
    for t in range(COUNT):
        first = LEFT + t * HOP
        lit = t in (2, 3)
        with d.group(lit=lit):
            role = "time" if lit else "quiet"
            d.line(*zip(first + along, 150 - 40 * arch, strict=True), role=role)
            d.arrow((first + HOP, 154), (first + HOP, 196), role=role)
            d.heat(first + HOP - 12, 200, 24, 70, 10, 1, role)
    second = LEFT + 2 * HOP
    _measured(d, second, second + 2 * HOP, 80, "$L$")
    _measured(d, second, second + HOP, 98, "$H$")
    d.text(LEFT + width / 2, 292, "$T$ columns of $L$/2 + 1 numbers", size=14)
    return d.show(
        "Every frame becomes one column of the spectrogram. A frame has L samples, the next one "
        "begins H = L/2 later, and the window (the arch) fades each in and out."
    )


def _measured(d: Drawing, left: float, right: float, y: float, words: str) -> None:
    """A length with its name, arrow heads at both ends."""
    middle = (left + right) / 2
    d.arrow((middle - 9, y), (left, y), head=5)
    d.arrow((middle + 9, y), (right, y), head=5)
    d.text(middle, y + 5, words, size=14)
