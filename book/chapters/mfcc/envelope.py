"""Hear what a few cepstra keep: speech made again from the smooth spectrum alone.

Every frame's spectrum is replaced by the smooth curve that the first cepstra describe, and a new
source is sent through it: noise, as in a whisper, or a buzz that follows a given F0. What the
cepstra threw away, the melody above all, is gone or has to be brought back from elsewhere.
For listening only. Book: chapter "MFCC: a spectrum in a few numbers".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from ser.errors import FeatureError
from ser.features.presets import SAMPLE_RATE

from chapters.mfcc.toolkits import MFCCSettings, cosines, filter_bank
from chapters.shared.prosody import follow

SIZE, HOP, BANDS = 512, 128, 26
_BANK = MFCCSettings(bands=BANDS, n_fft=SIZE, frame=SIZE)


def smooth_spectrum(power: ArrayLike, count: int = 13) -> np.ndarray:
    """The spectrum that the first cepstra of a spectrum describe.

    Power in 26 mel bands (means, not sums) -> logarithm -> first *count* cosines -> their sum at
    the mel place of every bin.

    Args:
        power: (frames, 257) power spectra of 512 samples at 16 kHz, above 0.
        count: cepstra that are kept, 1 to 26.

    Returns:
        float64 (frames, 257), power.

    Raises:
        FeatureError: another shape or count.

    Example:
        >>> np.allclose(smooth_spectrum(np.full((1, 257), 3.0)), 3.0)
        True
    """
    power = np.asarray(power, dtype=float)
    if power.ndim != 2 or power.shape[1] != SIZE // 2 + 1:
        raise FeatureError(f"power spectra are (frames, {SIZE // 2 + 1}), not {power.shape}")
    if not 1 <= count <= BANDS:
        raise FeatureError(f"{BANDS} bands have 1 to {BANDS} cepstra, not {count}")
    bank = filter_bank(_BANK)
    bands = np.log(np.maximum(power @ (bank / bank.sum(1, keepdims=True)).T, 1e-12))
    kept = bands @ cosines(BANDS, count).T
    mel = 1127 * np.log1p(np.arange(SIZE // 2 + 1) * SAMPLE_RATE / SIZE / 700)
    place = np.clip(mel / mel[-1] * (BANDS + 1) - 1, 0, BANDS - 1)
    k = np.arange(count)[:, None]
    curves = np.sqrt(2 / BANDS) * np.cos(np.pi * k / BANDS * (place + 0.5))
    curves[0] /= np.sqrt(2)
    return np.exp(kept @ curves)


def speak(
    wave: ArrayLike,
    count: int = 13,
    track: tuple[ArrayLike, ArrayLike] | None = None,
    seed: int = 0,
) -> np.ndarray:
    """An utterance made again from its first cepstra, with a new source.

    Args:
        wave: (samples,), 16 kHz.
        count: cepstra that are kept, 1 to 26.
        track: times in seconds and F0 in Hz (NaN: unvoiced), for a buzz where it is voiced; None:
            noise throughout, a whisper.
        seed: of the noise.

    Returns:
        float64 (samples,), about as strong as *wave*.

    Raises:
        FeatureError: not one row of samples, or a wrong count.

    Example:
        >>> speak(np.random.default_rng(0).normal(size=8000)).shape
        (8000,)
    """
    wave = np.asarray(wave, dtype=float)
    if wave.ndim != 1 or wave.size == 0:
        raise FeatureError(f"a wave is one row of samples, not an array of shape {wave.shape}")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(SIZE) / SIZE)
    spectra = _stft(wave, window)
    envelope = smooth_spectrum(np.abs(spectra) ** 2, count)
    source = _stft(_source(len(wave), track, seed), window)
    shaped = source * np.sqrt(envelope / np.sum(window**2))
    out = np.zeros(SIZE + HOP * (len(shaped) - 1))
    total = np.zeros_like(out)
    for t, piece in enumerate(np.fft.irfft(shaped)):
        out[t * HOP : t * HOP + SIZE] += window * piece
        total[t * HOP : t * HOP + SIZE] += window**2
    middle = slice(SIZE // 2, SIZE // 2 + len(wave))
    return out[middle] / total[middle]


def _stft(wave: np.ndarray, window: np.ndarray) -> np.ndarray:
    padded = np.pad(wave, (SIZE // 2, SIZE + HOP))
    frames = np.lib.stride_tricks.sliding_window_view(padded, SIZE)[::HOP]
    return np.fft.rfft(frames * window)


def _source(samples: int, track: tuple[ArrayLike, ArrayLike] | None, seed: int) -> np.ndarray:
    """Noise, or pulses where it is voiced; a mean square of 1 in both."""
    noise = np.random.default_rng(seed).normal(size=samples)
    if track is None:
        return noise
    hertz, voiced = follow(track, samples)
    phase = np.cumsum(hertz) / SAMPLE_RATE
    pulses = np.diff(np.floor(phase), prepend=0.0) > 0
    return np.where(voiced > 0, pulses * np.sqrt(SAMPLE_RATE / hertz), noise)
