"""Windows of other shapes, and their widths at half the height.

Book: chapter "Two resolutions".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def window_shapes(reach: float = 200.0, step: float = 1 / 32) -> tuple[np.ndarray, dict]:
    """A Hann window, a bell curve, and the bell curve on wide low hills.

    Args:
        reach: time goes from ``-reach`` to *reach*, in any unit.
        step: from one sample to the next.

    Returns:
        times (samples,), midway between steps, and name -> window (samples,).

    Example:
        >>> t, shapes = window_shapes(4, 1)
        >>> len(t), [round(float(w[4]), 2) for w in shapes.values()]
        (8, [0.5, 0.88, 1.33, 1.33])
    """
    t = np.arange(-reach, reach, step) + step / 2

    def bell(width: float) -> np.ndarray:
        return np.exp(-(t**2) / (2 * width**2))

    shapes = {"Hann": (np.abs(t) < 1) * np.cos(np.pi * t / 2) ** 2, "bell curve": bell(1)}
    for wide in (10, 50):
        shapes[f"bell on a hill {wide} times as wide"] = bell(1) + 0.45 * bell(wide)
    return t, shapes


def half_width(values: ArrayLike, at: ArrayLike) -> float:
    """How wide a curve is above half of its largest value.

    Args:
        values: (samples,).
        at: (samples,) evenly spaced places; the order of :func:`numpy.fft.fftfreq` will do.

    Example:
        >>> half_width([0, 1, 2, 1.5, 0], [0, 0.5, 1, 1.5, 2])
        1.0
    """
    values = np.asarray(values, dtype=float)
    above = values > values.max() / 2
    return float(above.sum() * (at[1] - at[0]))
