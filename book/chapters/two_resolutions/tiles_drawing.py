"""Two windows over one wave, and what each of them can tell apart: two tiles of one area.

Book: chapter "Two resolutions".
"""

from __future__ import annotations

import numpy as np
from ser.plots.html import Html

from chapters.shared.svg import Drawing

SHORT = 34
"""Units of Δt of the short window; the long one has twice as many."""


def tiles_drawing() -> Html:
    """A short and a long window over a wave; below, Δt wide and Δf high, a tile for each.

    Example:
        >>> tiles_drawing()                                      # doctest: +ELLIPSIS
        [drawing] Two windows over one wave...
    """
    d = Drawing(
        360,
        330,
        "Two windows over one wave",
        "A wave with a short arch, the window of S1, and an arch twice as long, the window of S2. "
        "Below stand two tiles over axes of time and frequency: that of S1 is narrow and tall, "
        "that of S2 twice as wide and half as high. Both have the same area.",
    )
    d.wave(20, 12, 320, 54)
    for centre, length, role, name in (
        (120, 2 * SHORT, "time", "S1"),
        (250, 4 * SHORT, "frequency", "S2"),
    ):
        along = np.linspace(-length / 2, length / 2, 33)
        arch = 0.5 + 0.5 * np.cos(2 * np.pi * along / length)
        d.line(*zip(centre + along, 118 - 44 * arch, strict=True), role=role)
        d.line((centre, 124), (centre, 140), role="quiet", dash="3 3")
        words = "short" if name == "S1" else "twice as long"
        d.text(centre, 158, f"{name}: {words}", role, size=14, bold=True)
        wide, high = length / 2, 110 * 2 * SHORT / length
        top = 236 - high / 2
        d.box(centre - wide / 2, top, wide, high, (), role, rounded=0)
        d.text(centre, top - 8 if name == "S2" else 310, "Δ$t$", role, size=14)
        d.text(centre + wide / 2 + 8, 241, "Δ$f$", role, size=14, anchor="start")
    d.arrow((22, 316), (22, 170), role="quiet")
    d.arrow((22, 316), (344, 316), role="quiet")
    d.text(344, 310, "time", "quiet", size=13, anchor="end")
    d.text(28, 182, "frequency", "quiet", size=13, anchor="start")
    return d.show(
        "Two windows over one wave. What falls into one tile cannot be told apart: S1's tile is "
        "narrow in time and tall in frequency, S2's the other way round. The area is the same."
    )
