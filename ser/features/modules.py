"""The features as modules of torch's own operations, for a network that is exported with them.

The same numbers as :func:`ser.features.mel_pair` and :func:`ser.features.mfcc39` to rounding, of
one waveform of any length and without a loop; those are made for many utterances and for speed,
these to be traced. Book: chapter "Bring IEMOCAP, or your own voice".
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ser.features import mfcc
from ser.features.mel import DECIBEL, FLOOR, mel_filterbank
from ser.features.presets import INT16_SCALE
from ser.normalise import FLOOR as LEAST


class Bands(nn.Module):
    """Frames (T, n) -> logarithms of the power in bands (T, bands).

    Args:
        window: (n,).
        n_fft: length of the Fourier transform, at least n; zeros follow a frame.
        bank: (bands, n_fft // 2 + 1) weights.
        floor: least power; less counts as this.
        scale: what the natural logarithm is multiplied by.
    """

    def __init__(
        self, window: np.ndarray, n_fft: int, bank: np.ndarray, floor: float, scale: float
    ) -> None:
        super().__init__()
        self.n_fft, self.floor, self.scale = n_fft, floor, scale
        self.register_buffer("window", torch.tensor(window, dtype=torch.float32))
        self.register_buffer("bank", torch.tensor(bank.T.copy(), dtype=torch.float32))

    def forward(self, frames: Tensor) -> Tensor:
        """Window, Fourier transform, power, filter bank, logarithm."""
        frames = F.pad(frames * self.window, (0, self.n_fft - len(self.window)))
        power = torch.view_as_real(torch.fft.rfft(frames)).square().sum(2)
        bands = power @ self.bank
        least = self.scale * math.log(self.floor)
        return torch.where(bands <= self.floor, least, self.scale * bands.log())


class MelSpectrogram(nn.Module):
    """Waveform (samples,) -> mel-spectrogram in dB (bands, T), one of :func:`mel_pair`'s two.

    Args:
        n_fft: samples of the window; the hop is half of them, T is ``1 + samples // hop``.
        n_mels: bands.

    Example:
        >>> wave = torch.rand(16000) - 0.5
        >>> from ser.features import mel_pair
        >>> bool((MelSpectrogram(512, 128)(wave) - mel_pair(wave).s1).abs().max() < 1e-3)
        True
    """

    def __init__(self, n_fft: int, n_mels: int) -> None:
        super().__init__()
        self.n_fft = n_fft
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)
        self.bands = Bands(window, n_fft, mel_filterbank(n_fft, n_mels), FLOOR, DECIBEL)

    def forward(self, wave: Tensor) -> Tensor:
        """(samples,) float32 within -1..1 -> (bands, T)."""
        hop = self.n_fft // 2
        padded = F.pad(wave * INT16_SCALE, (hop, hop))
        return self.bands(padded.unfold(0, self.n_fft, hop)).T


class MFCC39(nn.Module):
    """Waveform (samples,) -> MFCC12_E_D_A (T, 39), as :func:`mfcc39`; at least 400 samples.

    Example:
        >>> wave = torch.rand(16000) - 0.5
        >>> from ser.features import mfcc39
        >>> bool((MFCC39()(wave) - mfcc39(wave)).abs().max() < 1e-3)
        True
    """

    def __init__(self) -> None:
        super().__init__()
        size = mfcc.FRAME
        window = 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(size) / (size - 1))
        self.bands = Bands(window, mfcc.N_FFT, mfcc.htk_filterbank(), 1.0, 1.0)
        cosines = mfcc.cepstral_matrix().T.copy()
        self.register_buffer("cosines", torch.tensor(cosines, dtype=torch.float32))

    def forward(self, wave: Tensor) -> Tensor:
        """(samples,) float32 within -1..1 -> (T, 39)."""
        frames = (wave * INT16_SCALE).unfold(0, mfcc.FRAME, mfcc.HOP)
        energy = frames.square().sum(1, keepdim=True).clamp(min=1.0).log()
        first = frames[:, :1] * (1 - mfcc.EMPHASIS)
        emphasised = torch.cat([first, frames[:, 1:] - mfcc.EMPHASIS * frames[:, :-1]], dim=1)
        static = torch.cat([self.bands(emphasised) @ self.cosines, energy], dim=1)
        last = static[-1:]
        # Deltas of two repeated frames more: the accelerations at the end use them.
        delta = _regression(torch.cat([static[:1], static[:1], static, *[last] * 4]))
        acceleration = _regression(torch.cat([delta[:1], delta[:1], delta]))
        return torch.cat([static, delta[: static.shape[0]], acceleration], dim=1)


def _regression(padded: Tensor) -> Tensor:
    """(T + 4, size) -> (T, size): ``sum_k k (c[t+k] - c[t-k]) / 10`` for k = 1, 2."""
    return ((padded[3:-1] - padded[1:-3]) + 2 * (padded[4:] - padded[:-4])) / 10


class Squash(nn.Module):
    """Spectrogram (bands, T) -> (bands, frames), as :func:`ser.features.presets.squash`.

    Example:
        >>> Squash(6)(torch.tensor([[1.0, 2.0, 3.0]])).tolist()
        [[1.0, 1.0, 2.0, 2.0, 3.0, 3.0]]
    """

    def __init__(self, frames: int) -> None:
        super().__init__()
        self.frames = frames

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Place i takes frame floor(i * T / frames), in single precision as everywhere here."""
        count = torch.scalar_tensor(spectrogram.shape[1], dtype=torch.float32)
        places = torch.arange(self.frames, dtype=torch.float32) * (count / self.frames)
        return spectrogram[:, torch.minimum(places.floor(), count - 1).long()]


class Normalise(nn.Module):
    """Features (dimensions, T) less their mean, over their deviation (:mod:`ser.normalise`).

    Args:
        scale: mean and deviation (dimensions,) of the training side; None: the utterance's own.

    Example:
        >>> Normalise()(torch.tensor([[1.0, 3.0]])).tolist()
        [[-1.0, 1.0]]
    """

    def __init__(self, scale: tuple[np.ndarray, np.ndarray] | None = None) -> None:
        super().__init__()
        for name, values in zip(("mean", "deviation"), scale or (None, None), strict=True):
            self.register_buffer(name, None if values is None else torch.as_tensor(values)[:, None])

    def forward(self, features: Tensor) -> Tensor:
        """The same shape, float32."""
        mean, deviation = self.mean, self.deviation
        if mean is None:
            wide = features.double()
            mean = wide.mean(1, keepdim=True)
            squares = wide.square().mean(1, keepdim=True) - mean.square()
            deviation = squares.clamp(min=0).sqrt().clamp(min=LEAST).float()
            mean = mean.float()
        return (features - mean) / deviation
