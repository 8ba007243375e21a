"""What stands between a voice and a recogniser: the band of a telephone."""

from __future__ import annotations

import numpy as np

__all__ = ["telephone"]


def telephone(wave: np.ndarray) -> np.ndarray:
    """The band of an old telephone: 300 to 3400 Hz at 8,000 samples a second, and back.

    Args:
        wave: (samples,) at 16 kHz.

    Example:
        >>> telephone(np.zeros(800)).shape
        (800,)
    """
    import soxr
    from scipy.signal import butter, sosfiltfilt

    band = butter(4, [300, 3400], "bandpass", fs=16000, output="sos")
    narrow = soxr.resample(sosfiltfilt(band, wave), 16000, 8000)
    return soxr.resample(narrow, 8000, 16000).astype("f4")
