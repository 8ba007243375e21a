"""A pitch contour as a sound, so that a tracker's mistakes can be heard.

Book: chapter "Pitch, level and rate".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from ser.features.presets import SAMPLE_RATE

from chapters.shared.prosody import follow


def hum(track: tuple[ArrayLike, ArrayLike], samples: int, level: float = 0.05) -> np.ndarray:
    """A pitch contour made audible: four soft harmonics where it is voiced, silence elsewhere.

    Args:
        track: times in seconds and F0 in Hz (NaN: unvoiced).
        samples: length at 16 kHz.
        level: root mean square of the voiced parts, full scale 1.

    Returns:
        float64 (samples,).

    Example:
        >>> bool(hum(([0.0, 1.0], [np.nan, np.nan]), 100).any())
        False
    """
    hertz, voiced = follow(track, samples)
    phase = 2 * np.pi * np.cumsum(hertz) / SAMPLE_RATE
    sound = sum(np.sin(k * phase) / k for k in range(1, 5))
    ramp = np.hanning(323)[1:-1]
    gate = np.convolve(voiced, ramp / ramp.sum(), mode="same") if samples > 321 else voiced
    return level / np.sqrt(sum(0.5 / k**2 for k in range(1, 5))) * sound * gate
