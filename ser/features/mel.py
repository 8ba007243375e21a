"""The pair of mel-spectrograms in decibels: S1 fine in time, S2 fine in frequency.

Conventions (all librosa's defaults, which the release used): periodic Hann window, frames centred
on multiples of the hop with zeros beyond the ends, ``1 + samples // hop`` frames, power spectrum,
Slaney's mel scale with area-normalised triangles from 0 to 8000 Hz. Then ``10 log10`` of the
power of samples on the 16-bit scale (speech: about -31 to 118 dB). Powers below ``FLOOR`` count as
``FLOOR``: digital silence is -100 dB, as in ``librosa.power_to_db(top_db=None)``; the release
takes the logarithm of 0 there and one such file makes a training NaN. Book: chapter
"Two resolutions".
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ser.features.presets import INT16_SCALE, SAMPLE_RATE, Preset, get_preset
from ser.features.spectrum import as_wave, in_pieces, log_band_powers

FLOOR = 1e-10
"""Least power before the logarithm; ``10 * log10(FLOOR)`` = -100 dB."""

DECIBEL = 10 / math.log(10)
"""Decibels in one unit of the natural logarithm of a power."""

Wave = np.ndarray | Tensor


class MelPair(NamedTuple):
    """Two mel-spectrograms in dB of one utterance (n_mels, T)."""

    s1: Tensor
    s2: Tensor


def hz_to_mel(hertz: np.ndarray) -> np.ndarray:
    """Slaney's mel scale: linear below 1000 Hz (= 15 mel), logarithmic above.

    Example:
        >>> hz_to_mel(np.array([0.0, 1000.0, 6400.0])).tolist()
        [0.0, 15.0, 42.0]
    """
    hertz = np.asarray(hertz, dtype=np.float64)
    above = np.maximum(hertz, 1000.0) / 1000.0
    return np.where(hertz < 1000.0, hertz * 3 / 200, 15.0 + 27.0 * np.log(above) / np.log(6.4))


def mel_to_hz(mel: np.ndarray) -> np.ndarray:
    """Inverse of :func:`hz_to_mel`.

    Example:
        >>> mel_to_hz(np.array([15.0])).tolist()
        [1000.0]
    """
    mel = np.asarray(mel, dtype=np.float64)
    return np.where(mel < 15.0, mel * 200 / 3, 1000.0 * 6.4 ** ((np.maximum(mel, 15) - 15) / 27))


def mel_filterbank(n_fft: int, n_mels: int, rate: int = SAMPLE_RATE) -> np.ndarray:
    """Triangular mel filters, each divided by its width in hertz over 2 (constant area).

    Args:
        n_fft: window length in samples.
        n_mels: number of bands.
        rate: samples a second; bands reach from 0 to ``rate / 2``.

    Returns:
        float64 (n_mels, n_fft // 2 + 1), as ``librosa.filters.mel``.

    Example:
        >>> mel_filterbank(512, 128).shape
        (128, 257)
    """
    top = float(hz_to_mel(np.array(rate / 2)))
    corners = mel_to_hz(np.linspace(0.0, top, n_mels + 2))
    bins = np.arange(n_fft // 2 + 1) * rate / n_fft
    width = np.diff(corners)
    rising = (bins[None, :] - corners[:-2, None]) / width[:-1, None]
    falling = (corners[2:, None] - bins[None, :]) / width[1:, None]
    triangles = np.clip(np.minimum(rising, falling), 0.0, None)
    return triangles * (2.0 / (corners[2:] - corners[:-2]))[:, None]


@functools.lru_cache(maxsize=16)
def window_and_bank(n_fft: int, n_mels: int) -> tuple[Tensor, Tensor]:
    """Periodic Hann window (n_fft,) and mel filters (n_fft // 2 + 1, n_mels), float32.

    Example:
        >>> [tuple(part.shape) for part in window_and_bank(512, 128)]
        [(512,), (257, 128)]
    """
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)
    bank = np.ascontiguousarray(mel_filterbank(n_fft, n_mels).T)
    return torch.tensor(window, dtype=torch.float32), torch.tensor(bank, dtype=torch.float32)


def log_mel(wave: Tensor, n_fft: int, n_mels: int) -> Tensor:
    """Mel-spectrogram of a waveform that :func:`as_wave` checked, time first.

    Args:
        wave: float32 (samples,), values in -1..1.
        n_fft: window length in samples; the hop is half of it.
        n_mels: number of bands.

    Returns:
        float32 (1 + samples // hop, n_mels) in dB.

    Example:
        >>> log_mel(torch.zeros(16000), 512, 128).shape
        torch.Size([63, 128])
    """
    window, bank = window_and_bank(n_fft, n_mels)
    hop = n_fft // 2
    frames = F.pad(wave, (hop, n_fft - hop)).mul_(INT16_SCALE).unfold(0, n_fft, hop)

    def decibels(frames: Tensor) -> Tensor:
        return log_band_powers(frames, window, n_fft, bank, FLOOR, DECIBEL)

    return in_pieces(frames, decibels, n_mels)


def mel_pair(wave: Wave, preset: str | Preset = "release") -> MelPair:
    """Two mel-spectrograms in dB of one utterance, at their true lengths.

    Args:
        wave: (samples,) float, mono, 16 kHz, values in -1..1, at least 1 sample.
        preset: ``"release"`` (n_fft 512 and 1024) or ``"paper"`` (256 and 512).

    Returns:
        MelPair of float32 tensors s1 (n_mels1, 1 + samples // hop1) and
        s2 (n_mels2, 1 + samples // hop2), on the CPU.

    Raises:
        FeatureError: not a 1-D waveform, empty, or an unknown preset.

    Source: the release's spectrogram script; checked against ``librosa.feature.melspectrogram``.

    Example:
        >>> s1, s2 = mel_pair(np.zeros(16000, dtype=np.float32))
        >>> s1.shape, s2.shape, s1.max().item()
        (torch.Size([128, 63]), torch.Size([256, 32]), -100.0)
    """
    preset = get_preset(preset)
    wave = as_wave(wave, shortest=1)
    pair = zip(preset.n_fft, preset.n_mels, strict=True)
    return MelPair(*(log_mel(wave, n_fft, bands).T.contiguous() for n_fft, bands in pair))
