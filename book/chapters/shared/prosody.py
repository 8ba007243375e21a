"""Pitch, level and voicing of an utterance in a few numbers, F0 by Praat.

Four numbers that an ear would notice first: how high a voice is, how far it moves, how strong
the sound is, and how much of it is voiced. They are for looking at and explaining; no model of
this book is trained on them. parselmouth (Praat, GPL-3) is imported only when F0 is measured.
Book: chapters "Emotion in a voice" and "Pitch, level and rate".
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from ser.errors import FeatureError

REFERENCE_HZ = 100.0
"""F0 in semitones is counted from here."""
STEP = 0.01
"""Seconds from one F0 value to the next."""
FLOOR_HZ, CEILING_HZ = 60.0, 600.0


@dataclass(frozen=True)
class Prosody:
    """What :func:`prosody` measured in one utterance.

    Attributes:
        f0_hz: median F0 of the voiced frames in Hz; NaN where nothing is voiced.
        f0_semitones: the same in semitones above 100 Hz.
        f0_range: from the 10th to the 90th percentile of F0, in semitones.
        level_db: root mean square of the whole wave in dB re full scale (-inf: silence).
        voiced: share of the frames that are voiced, 0 to 1.
        seconds: duration.

    Example:
        >>> Prosody(200.0, 12.0, 4.0, -30.0, 0.6, 1.5).f0_semitones
        12.0
    """

    f0_hz: float
    f0_semitones: float
    f0_range: float
    level_db: float
    voiced: float
    seconds: float


def semitones(hertz: ArrayLike, reference: float = REFERENCE_HZ) -> np.ndarray:
    """Hz -> semitones above *reference*: ``12 log2(hertz / reference)``.

    Args:
        hertz: frequencies above 0, of any shape; NaN stays NaN.
        reference: Hz that count as 0 semitones.

    Returns:
        float64 array of the same shape.

    Example:
        >>> semitones([100, 200, 50]).tolist()
        [0.0, 12.0, -12.0]
    """
    return 12 * np.log2(np.asarray(hertz, dtype=float) / reference)


def level(wave: ArrayLike) -> float:
    """Root mean square of a wave in dB re full scale; -inf for digital silence.

    Example:
        >>> round(level(np.full(100, 0.1)), 6)
        -20.0
    """
    power = float(np.mean(np.square(_checked(wave))))
    return 10 * math.log10(power) if power > 0 else -math.inf


def f0_track(
    wave: ArrayLike,
    rate: int = 16000,
    floor: float = FLOOR_HZ,
    ceiling: float = CEILING_HZ,
) -> tuple[np.ndarray, np.ndarray]:
    """F0 every 10 ms, by Praat's autocorrelation method.

    Args:
        wave: (samples,), full scale 1.
        rate: samples a second.
        floor: lowest F0 looked for, Hz; three of its periods make the window.
        ceiling: highest.

    Returns:
        times in seconds (frames,) and F0 in Hz (frames,), NaN where unvoiced. Both are empty
        where the wave is shorter than one window.

    Raises:
        FeatureError: parselmouth is not installed, or the wave is none.

    Source: Boersma, "Accurate short-term analysis of the fundamental frequency and the
    harmonics-to-noise ratio of a sampled sound", IFA Proceedings 17, 1993.

    Example:
        >>> tone = 0.1 * np.sin(2 * np.pi * 200 * np.arange(8000) / 16000)
        >>> times, hertz = f0_track(tone)                        # doctest: +SKIP
        >>> round(float(np.nanmedian(hertz)))                    # doctest: +SKIP
        200
    """
    wave = _checked(wave)
    sound_of = _sound_class()
    if len(wave) / rate <= 3.0 / floor:
        return np.empty(0), np.empty(0)
    pitch = sound_of(wave, sampling_frequency=rate).to_pitch_ac(
        time_step=STEP, pitch_floor=floor, pitch_ceiling=ceiling
    )
    hertz = pitch.selected_array["frequency"]
    return pitch.xs(), np.where(hertz > 0, hertz, np.nan)


def follow(
    track: tuple[ArrayLike, ArrayLike], samples: int, rate: int = 16000
) -> tuple[np.ndarray, np.ndarray]:
    """A track's F0 and voicing at every sample.

    Args:
        track: what :func:`f0_track` gives.
        samples: length of the wave.
        rate: samples a second.

    Returns:
        F0 in Hz (samples,), drawn straight over the gaps, and voicing (samples,), 0.0 or 1.0.

    Example:
        >>> hertz, voiced = follow(([0.0, 0.01], [100.0, np.nan]), 240)
        >>> hertz[0], voiced[0], voiced[-1]
        (np.float64(100.0), np.float64(1.0), np.float64(0.0))
    """
    times, hertz = (np.asarray(part, dtype=float) for part in track)
    clock = np.arange(samples) / rate
    found = ~np.isnan(hertz)
    if not found.any():
        return np.full(samples, 100.0), np.zeros(samples)
    nearest = np.clip(np.searchsorted(times, clock), 1, len(times) - 1) if len(times) > 1 else 0
    if len(times) > 1:
        nearest = nearest - (clock - times[nearest - 1] < times[nearest] - clock)
    inside = (clock >= times[0] - 0.01) & (clock <= times[-1] + 0.01)
    smooth = np.interp(clock, times[found], hertz[found])
    return smooth, (found[nearest] & inside).astype(float)


def prosody(
    wave: ArrayLike,
    rate: int = 16000,
    floor: float = FLOOR_HZ,
    ceiling: float = CEILING_HZ,
) -> Prosody:
    """Measure median and range of F0, level and voicing of one utterance.

    Args:
        wave: (samples,), full scale 1.
        rate: samples a second.
        floor, ceiling: limits of F0 in Hz.

    Returns:
        :class:`Prosody`. Where nothing is voiced, the F0 values are NaN and ``voiced`` is 0.

    Raises:
        FeatureError: parselmouth is not installed, or the wave is empty, not one row of
            samples, or contains NaN or infinity.

    Example:
        >>> tone = 0.1 * np.sin(2 * np.pi * 200 * np.arange(8000) / 16000)
        >>> round(prosody(tone).f0_semitones)                    # doctest: +SKIP
        12
    """
    wave = _checked(wave)
    _, hertz = f0_track(wave, rate, floor, ceiling)
    voiced = hertz[~np.isnan(hertz)]
    median = float(np.median(voiced)) if len(voiced) else math.nan
    low, high = np.percentile(semitones(voiced), (10, 90)) if len(voiced) else (math.nan,) * 2
    return Prosody(
        f0_hz=median,
        f0_semitones=float(semitones(median)),
        f0_range=float(high - low),
        level_db=level(wave),
        voiced=len(voiced) / len(hertz) if len(hertz) else 0.0,
        seconds=len(wave) / rate,
    )


def _checked(wave: ArrayLike) -> np.ndarray:
    wave = np.asarray(wave, dtype=float)
    if wave.ndim != 1 or wave.size == 0:
        raise FeatureError(f"a wave is one row of samples, not an array of shape {wave.shape}")
    if not np.isfinite(wave).all():
        raise FeatureError("the wave contains NaN or infinity; look at how it was computed")
    return wave


def _sound_class() -> type:
    try:
        from parselmouth import Sound
    except ImportError as error:
        raise FeatureError(
            f"F0 is measured by Praat through parselmouth ({error}); "
            "run: pip install 'ser-book[synthetic]' (it is GPL-3, and so an extra)"
        ) from error
    return Sound
