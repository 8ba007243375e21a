"""The features as modules of torch's own operations, for a network that is exported with them.

What :func:`ser.features.mel_pair` and :func:`ser.features.mfcc39` do piece by piece, done to all
frames of a waveform of any length at once, so that it can be traced. Book: chapter
"Bring IEMOCAP, or your own voice".
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from ser.features.mel import DECIBEL, FLOOR, mel_frames, window_and_bank
from ser.features.mfcc import matrices, mfcc_frames, static_features, with_deltas
from ser.features.spectrum import log_band_powers
from ser.normalise import FLOOR as LEAST


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
        for name, part in zip(("window", "bank"), window_and_bank(n_fft, n_mels), strict=True):
            self.register_buffer(name, part)

    def forward(self, wave: Tensor) -> Tensor:
        """(samples,) float32 within -1..1 -> (bands, T)."""
        frames = mel_frames(wave, self.n_fft)
        return log_band_powers(frames, self.window, self.n_fft, self.bank, FLOOR, DECIBEL).T


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
        for name, part in zip(("window", "bank", "cosines"), matrices(), strict=True):
            self.register_buffer(name, part)

    def forward(self, wave: Tensor) -> Tensor:
        """(samples,) float32 within -1..1 -> (T, 39)."""
        frames = mfcc_frames(wave)
        return with_deltas(static_features(frames, self.window, self.bank, self.cosines))


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
        clip_z: what is beyond so many deviations is set to them; 0: nothing is.

    Example:
        >>> Normalise()(torch.tensor([[1.0, 3.0]])).tolist()
        [[-1.0, 1.0]]
    """

    def __init__(
        self, scale: tuple[np.ndarray, np.ndarray] | None = None, clip_z: float = 0.0
    ) -> None:
        super().__init__()
        self.clip_z = clip_z
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
        values = (features - mean) / deviation
        return values.clamp(-self.clip_z, self.clip_z) if self.clip_z else values
