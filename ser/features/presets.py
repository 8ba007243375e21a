"""The two settings of the spectrogram pair, and the release's squash of time.

All features are of 16 kHz audio. Hop is half the window, mel bands a quarter of it:

======== =========== ======== ========= ==================== ==============================
preset   n_fft       hop      mel bands frames               where it is from
======== =========== ======== ========= ==================== ==============================
release  512, 1024   256, 512 128, 256  squashed to 230, 120 the authors' released code
paper    256, 512    128, 256 64, 128   true lengths         the figure in the paper
======== =========== ======== ========= ==================== ==============================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from ser.errors import FeatureError

if TYPE_CHECKING:
    import torch

SAMPLE_RATE = 16000
"""Samples a second of every waveform that enters the features."""

INT16_SCALE = 32768.0
"""Waveforms in -1..1 are multiplied by this: both front ends work on the scale of 16-bit samples,
as HTK, openSMILE and the release (which reads integers) do."""

Spectrogram = TypeVar("Spectrogram", np.ndarray, "torch.Tensor")
"""An array or a tensor; what comes out is what went in."""


def nearest_index(length: int, size: int) -> np.ndarray:
    """Which of *length* frames stands at each of *size* places after a nearest-neighbour squash.

    The same as ``torch.nn.functional.interpolate(..., mode="nearest")``, its single-precision
    rounding included: place ``i`` takes frame ``floor(i * length / size)``.

    Args:
        length: frames there are, at least 1.
        size: frames wanted.

    Returns:
        int64 array (size,).

    Example:
        >>> nearest_index(3, 6).tolist(), nearest_index(6, 3).tolist()
        ([0, 0, 1, 1, 2, 2], [0, 2, 4])
    """
    if length < 1 or size < 1:
        raise FeatureError(f"cannot squash {length} frames to {size}: both must be at least 1")
    scale = np.float32(length) / np.float32(size)
    index = np.floor(np.arange(size, dtype=np.float32) * scale).astype(np.int64)
    return np.minimum(index, length - 1)


def squash(spectrogram: Spectrogram, size: int) -> Spectrogram:
    """Nearest-neighbour resampling of the time axis (the last one) to *size* frames.

    Args:
        spectrogram: array or tensor (..., n_mels, T).
        size: frames wanted.

    Returns:
        Same type, (..., n_mels, size), new memory.

    Source: the release's data loader (``interpolate`` with ``size=230`` and ``size=120``).

    Example:
        >>> squash(np.array([[1.0, 2.0, 3.0]]), 6).tolist()
        [[1.0, 1.0, 2.0, 2.0, 3.0, 3.0]]
    """
    return spectrogram[..., nearest_index(spectrogram.shape[-1], size)]


@dataclass(frozen=True)
class Preset:
    """Window lengths of the spectrogram pair and what becomes of time.

    Attributes:
        name: ``"release"`` or ``"paper"``.
        n_fft: window lengths of S1 and S2 in samples at 16 kHz.
        frames: fixed numbers of frames that :meth:`squash` gives, or None for true lengths.

    Example:
        >>> PRESETS["release"].n_mels, PRESETS["release"].hop_length
        ((128, 256), (256, 512))
    """

    name: str
    n_fft: tuple[int, int]
    frames: tuple[int, int] | None = None

    @property
    def hop_length(self) -> tuple[int, int]:
        """Samples from frame to frame: half the window."""
        return self.n_fft[0] // 2, self.n_fft[1] // 2

    @property
    def n_mels(self) -> tuple[int, int]:
        """Mel bands: a quarter of the window."""
        return self.n_fft[0] // 4, self.n_fft[1] // 4

    def squash(self, s1: Spectrogram, s2: Spectrogram) -> tuple[Spectrogram, Spectrogram]:
        """S1 (n_mels1, T1) and S2 (n_mels2, T2) as this preset feeds them to a network.

        Returns:
            The pair with ``frames`` columns each; unchanged where ``frames`` is None.

        Example:
            >>> s1, s2 = PRESETS["release"].squash(np.zeros((128, 90)), np.zeros((256, 46)))
            >>> s1.shape, s2.shape
            ((128, 230), (256, 120))
        """
        if self.frames is None:
            return s1, s2
        return squash(s1, self.frames[0]), squash(s2, self.frames[1])


PRESETS: dict[str, Preset] = {
    "release": Preset("release", (512, 1024), (230, 120)),
    "paper": Preset("paper", (256, 512), None),
}
"""The presets by name."""


def get_preset(preset: str | Preset) -> Preset:
    """The preset of that name; a :class:`Preset` passes through.

    Raises:
        FeatureError: unknown name.

    Example:
        >>> get_preset("paper").n_fft
        (256, 512)
    """
    if isinstance(preset, Preset):
        return preset
    if preset not in PRESETS:
        raise FeatureError(f"unknown preset {preset!r}; choose one of: {', '.join(PRESETS)}")
    return PRESETS[preset]
