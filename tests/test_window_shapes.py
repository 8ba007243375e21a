"""Half-height widths have no bound, standard deviations have: the shapes that show it."""

from __future__ import annotations

import numpy as np
import pytest
from chapters.two_resolutions.shapes import half_width, window_shapes

BOUND = 1 / (4 * np.pi)


def measured(window: np.ndarray, t: np.ndarray) -> tuple[float, float]:
    """Products of the widths at half the height, and of the standard deviations."""
    spectrum = np.abs(np.fft.fft(window, 4 * len(t)))
    f = np.fft.fftfreq(4 * len(t), t[1] - t[0])

    def sigma(density, x):
        p = density / density.sum()
        return np.sqrt(p @ x**2 - (p @ x) ** 2)

    spreads = sigma(window**2, t) * sigma(spectrum**2, f)
    return half_width(window, t) * half_width(spectrum, f), spreads


def test_a_hill_beats_the_bell_at_half_height_only():
    t, shapes = window_shapes()
    halves, spreads = zip(*(measured(w, t) for w in shapes.values()), strict=True)
    hann, bell, hill, wide_hill = halves
    assert hann == pytest.approx(1, abs=0.05)
    assert wide_hill < 0.03 < hill < 0.15 < bell
    assert spreads[1] == pytest.approx(BOUND, rel=1e-3)
    assert BOUND < spreads[0] < 1.03 * BOUND
    assert BOUND < spreads[2] < spreads[3]


def test_width_of_a_triangle():
    at = np.linspace(-1, 1, 2001)
    assert half_width(1 - np.abs(at), at) == pytest.approx(1, abs=0.002)
