"""From one frame to twelve numbers: wave, powers, mel bands, cosines.

Book: chapter "MFCC: a spectrum in a few numbers".
"""

from __future__ import annotations

import numpy as np
from ser.plots.html import Html

from chapters.shared.svg import Drawing

LEFT, WIDE = 20, 210


def chain_drawing() -> Html:
    """One frame on its way down: 400 samples, 257 powers, 26 bands, 12 coefficients.

    Example:
        >>> chain_drawing()                                      # doctest: +ELLIPSIS
        [drawing] One frame on its way...
    """
    d = Drawing(
        360,
        470,
        "From one frame to twelve numbers",
        "Four steps from above to below. A frame of 400 samples. Its power at 257 frequencies, "
        "many narrow peaks, under triangles that grow wider to the right. Twenty-six bars, one a "
        "band, their heights the logarithm of the power under a triangle. Twelve bars, up or down, "
        "each saying how much of one cosine the row of 26 bars holds.",
    )
    x = np.linspace(0, 1, 211)
    hump = 0.25 + 0.6 * np.exp(-(((x - 0.2) / 0.12) ** 2)) + 0.4 * np.exp(-(((x - 0.6) / 0.1) ** 2))
    period = np.exp(-6 * (x * 4 % 1)) * np.sin(2 * np.pi * 6 * (x * 4 % 1))
    voice = period * (0.5 - 0.5 * np.cos(2 * np.pi * x))
    d.line(*zip(LEFT + WIDE * x, 48 - 30 * voice, strict=True))
    _step(d, 0, ["frame", "400 samples"], "window, Fourier")
    comb = hump * (0.25 + 0.75 * np.cos(np.pi * 24 * x) ** 8)
    d.line(*zip(LEFT + WIDE * x, 190 - 66 * comb, strict=True), role="quiet")
    edges = np.linspace(0, 1, 10) ** 1.5
    for a, b, c in zip(edges[:-2], edges[1:-1], edges[2:], strict=True):
        d.line(*((LEFT + WIDE * p, y) for p, y in ((a, 190), (b, 132), (c, 190))), role="mfcc")
    _step(d, 1, ["powers", "257, under", "26 triangles"], "sum, logarithm")
    m = (np.arange(26) + 0.5) / 26
    bars = np.interp(m, x, hump)
    step = WIDE / 26
    for k, bar in enumerate(bars):
        d.box(LEFT + k * step + 1, 310 - 62 * bar, step - 2, 62 * bar, (), "mfcc", rounded=0)
    _step(d, 2, ["bands", "26 levels"], "cosines")
    level = np.log(bars)
    cosines = np.cos(np.pi * np.arange(1, 13)[:, None] * m)
    c = cosines @ level
    c = c / np.abs(c).max()
    step = WIDE / 12
    d.line((LEFT, 412), (LEFT + WIDE, 412), role="quiet")
    for k, value in enumerate(c):
        top, high = 412 - 44 * max(value, 0), max(1.0, 44 * abs(value))
        d.box(LEFT + k * step + 3, top, step - 6, high, (), "mfcc", rounded=0)
    d.lines(295, 412, ["cepstra", "12 numbers", "$c_1$ to $c_{12}$"], "mfcc")
    return d.show(
        "One frame on its way: 400 samples, 257 powers, 26 mel bands, 12 cepstral coefficients. "
        "Each step keeps less, and what stays is the broad shape."
    )


def _step(d: Drawing, row: int, words: list[str], done: str) -> None:
    """Words beside a row, and the arrow to the next one with what is done on the way."""
    top = (48, 160, 280)[row]
    d.lines(295, top, words, "mfcc" if row else "ink")
    y = (88, 200, 320)[row]
    d.arrow((LEFT + WIDE / 2, y), (LEFT + WIDE / 2, y + 28))
    d.text(LEFT + WIDE / 2 + 12, y + 19, done, size=14, anchor="start")
