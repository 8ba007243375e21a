"""Vocal-tract-length perturbation: the same sentence from a longer or a shorter throat.

Jaitly and Hinton, "Vocal Tract Length Perturbation (VTLP) improves speech recognition", ICML
Workshop on Deep Learning for Audio, Speech and Language Processing, 2013. With factor a, what a
mel band heard at f Hz it now hears at G(f): ``G(f) = a f`` up to a knee, and from there a line to
the highest frequency, which stays where it is. With a > 1 every formant is lower, as in a longer
tract. All features are changed from what is stored of them, without the sound:

- spectrograms: level between bands, by linear interpolation. Where their bands are narrow enough
  to tell harmonics apart, these move with the axis, as if the voice were lower too;
- MFCCs: cepstra 1 to 12 are the amplitudes of cosines over the mel axis; these are added up at the
  warped places and taken apart again, which is one matrix for each factor (deltas are sums of
  cepstra and take the same). What 12 cosines do not resolve was lost before. Log energy stays;
- prosody: formants' frequencies go to where G takes them from, their bandwidths are divided by a,
  cepstra 1 to 4 are changed as above. F0, which the throat does not make, and what else is
  measured of the source stay; so do the slopes and ratios of levels, whose bands are fixed in Hz.
  Where there was no value, there is none.

Book: chapter "What lifts it, honestly".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ser.features.mel import hz_to_mel, mel_to_hz
from ser.features.mfcc import BANDS, CEPSTRA, LIFTER
from ser.features.presets import SAMPLE_RATE

TOP = SAMPLE_RATE / 2
KNEE = 4800.0
"""Hz; Jaitly and Hinton's F_hi, above the formants that matter."""
FREQUENCIES, BANDWIDTHS = [16, 19, 22], [17, 20, 23]
"""Columns of prosody."""
TIMBRE = slice(6, 10)
"""Columns of prosody: cepstra 1 to 4."""
LOWEST = {CEPSTRA: 0.0, 4: 20.0}
"""Hz at which the mel bands begin, by the number of cepstra: HTK's 12, and 4 of eGeMAPS."""


def warp(hertz: np.ndarray, factor: float) -> np.ndarray:
    """G: the frequency that is heard at *hertz* (0 to 8000).

    Example:
        >>> warp(np.array([0.0, 1000.0, 8000.0]), 1.1).tolist()
        [0.0, 1100.0, 8000.0]
    """
    low, high = _knee(factor)
    hertz = np.asarray(hertz, np.float64)
    above = TOP - (TOP - high) / (TOP - low) * (TOP - hertz)
    return np.where(hertz <= low, hertz * factor, above)


def _knee(factor: float) -> tuple[float, float]:
    """Where G bends, and what it is there."""
    high = KNEE * min(factor, 1.0)
    return high / factor, high


def band_warp(n_mels: int, factor: float) -> np.ndarray:
    """Matrix (n_mels, n_mels) that warps a spectrogram's bands, in dB, by linear interpolation.

    Example:
        >>> bool((band_warp(128, 1.0) == np.eye(128)).all())
        True
    """
    if factor == 1:
        return np.eye(n_mels)
    step = float(hz_to_mel(np.array(TOP))) / (n_mels + 1)
    centres = mel_to_hz(step * np.arange(1, n_mels + 1))
    place = np.clip(hz_to_mel(warp(centres, factor)) / step - 1, 0, n_mels - 1)
    below = np.minimum(np.floor(place).astype(int), n_mels - 2)
    matrix, rows = np.zeros((n_mels, n_mels)), np.arange(n_mels)
    matrix[rows, below] = 1 - (place - below)
    matrix[rows, below + 1] = place - below
    return matrix


def cepstral_warp(count: int, factor: float) -> np.ndarray:
    """Matrix (count, count) that warps liftered cepstra 1 to *count* of HTK's 26 mel bands.

    Args:
        count: 12 (MFCCs) or 4 (prosody).
        factor: a.

    Example:
        >>> cepstral_warp(12, 1.0).round(6).tolist() == np.eye(12).tolist()
        True
    """
    low, high = (1127 * np.log1p(f / 700) for f in (LOWEST[count], TOP))
    step = (high - low) / (BANDS + 1)
    centres = 700 * np.expm1((low + step * np.arange(1, BANDS + 1)) / 1127)
    place = (1127 * np.log1p(warp(centres, factor) / 700) - low) / step - 1
    k = np.arange(1, count + 1)
    lifter = 1 + LIFTER / 2 * np.sin(np.pi * k / LIFTER)
    there = np.cos(np.pi / BANDS * np.outer(k, np.arange(BANDS) + 0.5))
    moved = np.cos(np.pi / BANDS * np.outer(place + 0.5, k))
    return lifter[:, None] * (2 / BANDS * there @ moved) / lifter


class Warps:
    """Some factors, and what each does to every kind of feature.

    Args:
        factors: from 0.5 to 2; 1 changes nothing.

    Example:
        >>> warps = Warps([0.9, 1.0])
        >>> mel = torch.rand(2, 128, 5)
        >>> changed = warps("s1", mel, torch.tensor([0, 1]))
        >>> torch.equal(changed[1], mel[1]), torch.equal(changed[0], mel[0])
        (True, False)
    """

    def __init__(self, factors: Sequence[float]) -> None:
        self.factors = [float(factor) for factor in factors]
        self._made: dict[tuple, Tensor] = {}

    def __call__(self, name: str, values: Tensor, which: Tensor) -> Tensor:
        """*values* (B, bands, T) of spectrograms or (B, F, columns), each warped by its factor.

        Args:
            name: ``mfcc``, ``s1``, ``s2`` or ``prosody``.
            values: before they are normalised.
            which: (B,) place of each utterance's factor among ``factors``.
        """
        if name in ("s1", "s2"):
            return self._matrices("mel", values.shape[1], values)[which.to(values.device)] @ values
        which = which.to(values.device)
        if name == "mfcc":
            return values @ self._matrices("mfcc", CEPSTRA, values)[which].mT
        changed = values.clone()
        timbre = self._matrices("cepstra", 4, values)[which].mT
        changed[..., TIMBRE] = values[..., TIMBRE] @ timbre
        factor, low, high = (v[:, None, None] for v in self._lines(values)[:, which])
        formants = values[..., FREQUENCIES]
        above = TOP - (TOP - low) / (TOP - high) * (TOP - formants)
        changed[..., FREQUENCIES] = torch.where(formants <= high, formants / factor, above)
        changed[..., BANDWIDTHS] = values[..., BANDWIDTHS] / factor
        return changed

    def _lines(self, like: Tensor) -> Tensor:
        """(3, factors): each factor and where its G bends."""
        return self._kept(("lines",), like, lambda a: np.array([a, *_knee(a)])).T

    def _matrices(self, kind: str, size: int, like: Tensor) -> Tensor:
        """(factors, size, size), or of MFCCs (factors, 39, 39)."""

        def one(factor: float) -> np.ndarray:
            """(size, size) for one voice, or of MFCCs (39, 39)."""
            if kind == "mel":
                return band_warp(size, factor)
            cepstra = cepstral_warp(size, factor) if factor != 1 else np.eye(size)
            if kind == "cepstra":
                return cepstra
            static = np.eye(size + 1)  # the last is the log energy
            static[:size, :size] = cepstra
            return np.kron(np.eye(3), static)

        return self._kept((kind, size), like, one)

    def _kept(self, key: tuple, like: Tensor, make: Any) -> Tensor:
        key = (*key, like.device, like.dtype)
        if key not in self._made:
            every = np.stack([make(factor) for factor in self.factors])
            self._made[key] = torch.tensor(every, dtype=like.dtype, device=like.device)
        return self._made[key]


class Warped:
    """Features of a corpus as if every speaker's throat were changed by one factor.

    Args:
        features: as :class:`ser.batch.Dataset` reads them, not normalised.
        warps, place: the factor, and where it is among the warps'.
    """

    def __init__(self, features: Any, warps: Warps, place: int = 0) -> None:
        self.features, self.warps, self.preset = features, warps, features.preset
        self.which = torch.tensor([place])

    def mfcc(self, i: int) -> np.ndarray:
        """MFCCs of row *i*, float32 (frames, 39)."""
        return self._one("mfcc", self.features.mfcc(i))

    def prosody(self, i: int) -> np.ndarray:
        """Descriptors of row *i*, float32 (rows, 25)."""
        return self._one("prosody", self.features.prosody(i))

    def mel(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """S1 and S2 of row *i*, float32 (bands, frames)."""
        pair = zip(("s1", "s2"), self.features.mel(i), strict=True)
        return tuple(self._one(name, values) for name, values in pair)

    def _one(self, name: str, values: np.ndarray) -> np.ndarray:
        given = torch.from_numpy(np.array(values, np.float32))[None]
        return self.warps(name, given, self.which)[0].numpy()
