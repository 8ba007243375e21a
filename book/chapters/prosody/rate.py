"""Speaking rate, and all the cues of an utterance at once: pitch, range, level, rate.

Words are not needed to count syllables: nearly every one has a loud, voiced middle, its nucleus,
and a dip before the next. Counting those gives the rate of speech without a transcript. The
counts are rough (neighbouring vowels merge, a long one may be counted twice); compared over many
utterances they order slow and fast. No model of this book is trained on them.
Book: chapter "Pitch, level and rate".
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from ser.errors import FeatureError

from chapters.shared.prosody import CEILING_HZ, FLOOR_HZ, f0_track, level, semitones

STEP = 160
"""Samples at 16 kHz from one intensity to the next: 10 ms."""
WINDOW = 1024
"""Samples of the intensity's Hann window: 64 ms, longer than a period of any voice."""
DIP_DB = 2.0
"""How far the intensity must fall on both sides of a nucleus."""
BELOW_DB = 25.0
"""A nucleus is at most this far below the loudest part of the utterance."""


@dataclass(frozen=True)
class Cues:
    """What :func:`cues` measured in one utterance.

    Attributes:
        f0_hz: median F0 of the voiced frames in Hz; NaN where nothing is voiced.
        f0_semitones: the same in semitones above 100 Hz.
        f0_range: from the 10th to the 90th percentile of F0, in semitones.
        level_db: root mean square of the whole wave in dB re full scale (-inf: silence).
        rate: syllable nuclei a second of speech; NaN where there is none.
        voiced: share of the frames that are voiced, 0 to 1.
        syllables: nuclei.
        seconds: from the first to the last sound that is not more than 25 dB below the loudest.

    Example:
        >>> Cues(200.0, 12.0, 4.0, -30.0, 5.0, 0.6, 8, 1.6).rate
        5.0
    """

    f0_hz: float
    f0_semitones: float
    f0_range: float
    level_db: float
    rate: float
    voiced: float
    syllables: int
    seconds: float


def intensity(wave: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Level every 10 ms under a Hann window of 64 ms.

    Args:
        wave: (samples,), full scale 1, 16 kHz.

    Returns:
        times in seconds (frames,) and level in dB (frames,), at least -120;
        frames = 1 + samples // 160.

    Raises:
        FeatureError: not one row of samples.

    Example:
        >>> times, db = intensity(np.full(16000, 0.1))
        >>> len(times), round(float(db[50]), 3)
        (101, -20.0)
    """
    wave = np.asarray(wave, dtype=float)
    if wave.ndim != 1 or wave.size == 0:
        raise FeatureError(f"a wave is one row of samples, not an array of shape {wave.shape}")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    padded = np.pad(wave**2, WINDOW // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::STEP]
    power = frames @ (window / window.sum())
    return np.arange(len(power)) * STEP / 16000, 10 * np.log10(np.maximum(power, 1e-12))


def syllable_nuclei(
    wave: ArrayLike, track: tuple[ArrayLike, ArrayLike] | None = None
) -> np.ndarray:
    """Times of the syllables' nuclei: peaks of intensity that are voiced and stand out by 2 dB.

    Args:
        wave: (samples,), full scale 1, 16 kHz.
        track: what :func:`chapters.shared.prosody.f0_track` gives, where it is known already.

    Returns:
        times in seconds (nuclei,), rising; empty where nothing is voiced.

    Raises:
        FeatureError: not one row of samples, or parselmouth is needed and not installed.

    Source: after de Jong and Wempe, "Praat script to detect syllable nuclei and measure speech
    rate automatically", Behavior Research Methods 41(2), 2009.

    Example:
        >>> time = np.arange(16000) / 16000
        >>> wave = np.sin(2 * np.pi * time) ** 2 * np.sin(2 * np.pi * 150 * time)
        >>> steady = (np.arange(100) / 100, np.full(100, 150.0))
        >>> syllable_nuclei(wave, steady).round(1).tolist()
        [0.2, 0.8]
    """
    from scipy.signal import find_peaks

    times, db = intensity(wave)
    when, hertz = f0_track(wave) if track is None else map(np.asarray, track)
    if not len(when) or np.isnan(hertz).all():
        return np.empty(0)
    lowest = np.full(1, db.min() - 2 * DIP_DB)
    height = float(np.quantile(db, 0.99)) - BELOW_DB
    curve = np.concatenate([lowest, db, lowest])
    peaks = find_peaks(curve, height=height, prominence=DIP_DB)[0] - 1
    voiced = when[~np.isnan(hertz)]
    near = np.abs(times[peaks][:, None] - voiced[None]).min(1, initial=np.inf) <= 0.02
    return times[peaks][near]


def cues(wave: ArrayLike, floor: float = FLOOR_HZ, ceiling: float = CEILING_HZ) -> Cues:
    """Pitch, range, level and rate of one utterance.

    Args:
        wave: (samples,), full scale 1, 16 kHz.
        floor, ceiling: limits of F0 in Hz.

    Returns:
        :class:`Cues`; what cannot be measured is NaN, never 0.

    Raises:
        FeatureError: parselmouth is not installed, or the wave is none.

    Example:
        >>> tone = 0.1 * np.sin(2 * np.pi * 200 * np.arange(8000) / 16000)
        >>> round(cues(tone).f0_hz)                              # doctest: +SKIP
        200
    """
    track = f0_track(wave, floor=floor, ceiling=ceiling)
    hertz = track[1][~np.isnan(track[1])]
    median = float(np.median(hertz)) if len(hertz) else math.nan
    low, high = np.percentile(semitones(hertz), (10, 90)) if len(hertz) else (math.nan, math.nan)
    nuclei = syllable_nuclei(wave, track)
    times, db = intensity(wave)
    loud = np.flatnonzero(db > max(float(np.quantile(db, 0.99)) - BELOW_DB, -119.0))
    seconds = float(times[loud[-1]] - times[loud[0]]) if len(loud) else 0.0
    return Cues(
        f0_hz=median,
        f0_semitones=float(semitones(median)),
        f0_range=float(high - low),
        level_db=level(wave),
        rate=len(nuclei) / seconds if len(nuclei) and seconds else math.nan,
        voiced=len(hertz) / len(track[1]) if len(track[1]) else 0.0,
        syllables=len(nuclei),
        seconds=seconds,
    )
