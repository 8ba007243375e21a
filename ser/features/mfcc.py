"""MFCC12_E_D_A: the 39 numbers a frame that the MFCC branch listens to.

What openSMILE's configuration of that name (HTK's target kind MFCC_E_D_A) computes, in torch:

1. samples on the 16-bit scale (waveform times 32768); frames of 400 samples every 160, only whole
   ones: ``1 + (samples - 400) // 160`` of them;
2. pre-emphasis inside each frame, ``y[n] = x[n] - 0.97 x[n-1]``, ``y[0] = 0.03 x[0]``; Hamming
   window (symmetric); zeros to 512 samples; power spectrum;
3. 26 triangles of height 1, evenly spaced on HTK's mel scale ``1127 ln(1 + f / 700)`` from 0 to
   8000 Hz, without the constant bin; logarithm, powers below 1 counting as 1;
4. cosine transform, ``sqrt(2 / 26)``, coefficients 1 to 12, lifter ``1 + 11 sin(pi k / 22)``;
5. log energy of the frame as it was cut, before pre-emphasis and window, at least 1: column 12;
6. deltas (columns 13 to 25) and accelerations (26 to 38) by regression over 2 frames a side,
   ``sum_k k (c[t+k] - c[t-k]) / 10``. At the ends the first and last frame are repeated; as in
   openSMILE, accelerations at the end use deltas of those repeated frames, while at the start
   they repeat the first delta.

Utterances of fewer than 4 frames (55 ms) follow the same rule; openSMILE itself regresses those
against zeros. Digital silence is 0 in all 39 columns. Book: chapter
"MFCC: a spectrum in a few numbers".
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import Tensor

from ser.features.presets import INT16_SCALE, SAMPLE_RATE
from ser.features.spectrum import as_wave, in_pieces, log_band_powers

FRAME = 400
HOP = 160
N_FFT = 512
BANDS = 26
CEPSTRA = 12
LIFTER = 22
EMPHASIS = 0.97
SIDE = 2
"""Frames a side of the regression."""

Wave = np.ndarray | Tensor


def htk_filterbank() -> np.ndarray:
    """HTK's 26 mel triangles on the bins of a 512-point spectrum at 16 kHz.

    Returns:
        float64 (26, 257); column 0, the constant part, is 0.

    Example:
        >>> htk_filterbank().shape
        (26, 257)
    """
    bins = 1127 * np.log1p(np.arange(N_FFT // 2 + 1) * SAMPLE_RATE / N_FFT / 700)
    corners = np.linspace(0.0, bins[-1], BANDS + 2)
    step = corners[1]
    rising = (bins[None, :] - corners[:-2, None]) / step
    falling = (corners[2:, None] - bins[None, :]) / step
    bank = np.clip(np.minimum(rising, falling), 0.0, None)
    bank[:, 0] = 0.0
    return bank


def cepstral_matrix() -> np.ndarray:
    """Cosine transform of 26 log bands to cepstra 1 to 12, scaling and lifter included.

    Returns:
        float64 (12, 26).

    Example:
        >>> cepstral_matrix().shape
        (12, 26)
    """
    k = np.arange(1, CEPSTRA + 1)[:, None]
    cosines = np.cos(np.pi * k / BANDS * (np.arange(BANDS) + 0.5))
    return np.sqrt(2 / BANDS) * (1 + LIFTER / 2 * np.sin(np.pi * k / LIFTER)) * cosines


@functools.cache
def matrices() -> tuple[Tensor, Tensor, Tensor]:
    """Hamming window (400,), filter bank (257, 26) and cosines (26, 12), float32.

    Example:
        >>> [tuple(part.shape) for part in matrices()]
        [(400,), (257, 26), (26, 12)]
    """
    window = 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(FRAME) / (FRAME - 1))
    arrays = (window, htk_filterbank().T, cepstral_matrix().T)
    return tuple(torch.tensor(np.ascontiguousarray(a), dtype=torch.float32) for a in arrays)


def static_features(frames: Tensor, window: Tensor, bank: Tensor, cosines: Tensor) -> Tensor:
    """Frames (T, 400) -> 12 cepstra and log energy (T, 13); the rest from :func:`matrices`.

    Example:
        >>> static_features(torch.zeros(98, 400), *matrices()).abs().max()
        tensor(0.)
    """
    energy = frames.square().sum(1, keepdim=True).clamp(min=1.0).log()
    first = frames[:, :1] * (1 - EMPHASIS)
    emphasised = torch.cat([first, frames[:, 1:] - EMPHASIS * frames[:, :-1]], dim=1)
    bands = log_band_powers(emphasised, window, N_FFT, bank, floor=1.0)
    return torch.cat([bands @ cosines, energy], dim=1)


def with_deltas(static: Tensor) -> Tensor:
    """(T, 13) -> (T, 39): their deltas, and the deltas' own.

    Example:
        >>> with_deltas(torch.arange(9.0)[:, None])[4]
        tensor([4., 1., 0.])
    """
    first, last = static[:1], static[-1:]
    # Deltas of two frames beyond the end too: the accelerations there use them.
    delta = _regression(torch.cat([*[first] * SIDE, static, *[last] * 2 * SIDE]))
    acceleration = _regression(torch.cat([*[delta[:1]] * SIDE, delta]))
    return torch.cat([static, delta[: static.shape[0]], acceleration], dim=1)


def _regression(values: Tensor) -> Tensor:
    """(T + 4, columns) -> (T, columns): ``sum_k k (values[t+k] - values[t-k]) / 10``."""
    return ((values[3:-1] - values[1:-3]) + 2 * (values[4:] - values[:-4])) / 10


def mfcc_of(wave: Tensor) -> Tensor:
    """MFCC12_E_D_A (frames, 39) of a waveform that :func:`as_wave` checked.

    Example:
        >>> mfcc_of(torch.zeros(16000)).shape
        torch.Size([98, 39])
    """
    frames = (wave * INT16_SCALE).unfold(0, FRAME, HOP)
    static = in_pieces(frames, lambda f: static_features(f, *matrices()), CEPSTRA + 1)
    return with_deltas(static)


def mfcc39(wave: Wave) -> Tensor:
    """MFCC12_E_D_A: 12 cepstra and log energy, their deltas and accelerations.

    Args:
        wave: (samples,) float, mono, 16 kHz, values in -1..1, at least 400 samples (25 ms).

    Returns:
        float32 tensor (frames, 39) on the CPU, frames = 1 + (samples - 400) // 160;
        columns: 12 cepstra, log energy, 13 deltas, 13 accelerations. Speech: about -112 to 86.

    Raises:
        FeatureError: not a 1-D waveform, or shorter than one frame.

    Source: openSMILE's MFCC12_E_D_A (HTK's MFCC_E_D_A); checked against openSMILE.

    Example:
        >>> mfcc39(np.zeros(16000, dtype=np.float32)).shape
        torch.Size([98, 39])
    """
    return mfcc_of(as_wave(wave, shortest=FRAME))
