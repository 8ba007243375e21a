"""The same sound played faster or slower, for training (book: "What lifts it, honestly")."""

from __future__ import annotations

import numpy as np

from ser.errors import FeatureError
from ser.features.presets import SAMPLE_RATE


def change_speed(wave: np.ndarray, speed: float) -> np.ndarray:
    """Speed perturbation: resampled sound, taken to have the old rate.

    Args:
        wave: (samples,) float32 at 16 kHz.
        speed: how many times as fast, 0.5 to 2; 0.9 is longer and lower by 1.8 semitones.

    Returns:
        float32 (samples / speed,), with zeros to one frame of the MFCCs where it would be shorter.

    Raises:
        FeatureError: a speed outside 0.5..2.

    Source: Ko et al. 2015, "Audio augmentation for speech recognition" (Kaldi's speed
    perturbation, sox's ``speed``); the resampler is soxr's HQ setting.

    Example:
        >>> change_speed(np.zeros(16000, dtype=np.float32), 0.8).shape
        (20000,)
    """
    check_speed(speed)
    if speed == 1:
        return wave
    import soxr

    from ser.features.mfcc import FRAME  # and with it torch, which functionals do without

    changed = soxr.resample(wave, SAMPLE_RATE * speed, SAMPLE_RATE, quality="HQ")
    return np.pad(changed, (0, max(0, FRAME - len(changed))))


def check_speed(speed: float) -> None:
    """Raises FeatureError where a speed is outside 0.5 to 2."""
    if not 0.5 <= speed <= 2:
        raise FeatureError(f"a speed of {speed} is outside 0.5 to 2")
