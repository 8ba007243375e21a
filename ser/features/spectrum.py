"""From samples to logarithms of band powers: what the mel-spectrograms and the MFCCs share.

An utterance's numbers depend on that utterance alone: its frames are worked on in pieces of
:data:`FRAMES_AT_ONCE`, each on one core. So they are the same bits whichever utterances
are computed with it, in whatever order, by however many threads; and memory does not grow with
the length of a recording but for its samples and the result.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ser.errors import FeatureError
from ser.threads import share_work

FRAMES_AT_ONCE = 128
"""Frames in one piece: few enough to stay in a CPU's cache."""


def as_wave(wave: np.ndarray | Tensor, shortest: int) -> Tensor:
    """Check a waveform and bring it to the CPU as float32.

    Args:
        wave: 1-D array or tensor, values in -1..1 at 16 kHz.
        shortest: fewest samples allowed.

    Raises:
        FeatureError: not 1-D, or too short.

    Example:
        >>> as_wave(np.zeros(3), shortest=1)
        tensor([0., 0., 0.])
    """
    wave = torch.as_tensor(wave)
    if wave.ndim != 1:
        raise FeatureError(
            f"a waveform has shape {tuple(wave.shape)}; expected one channel, (samples,). "
            "ser.load_audio gives that for any file"
        )
    if len(wave) < shortest:
        raise FeatureError(
            f"a waveform has {len(wave)} samples at 16 kHz; at least {shortest} are needed"
        )
    return wave.to("cpu", torch.float32)


def log_band_powers(
    frames: Tensor, window: Tensor, n_fft: int, bank: Tensor, floor: float, scale: float = 1.0
) -> Tensor:
    """Window, Fourier transform, power, filter bank, logarithm.

    Args:
        frames: (T, samples of a frame).
        window: (samples of a frame,).
        n_fft: length of the transform; frames are followed by zeros up to it.
        bank: (n_fft // 2 + 1, bands) weights.
        floor: least power; less counts as this.
        scale: what the natural logarithm is multiplied by.

    Returns:
        (T, bands) scaled logarithms of the power in each band; what is not a number stays.

    Example:
        >>> frames, window = torch.ones(3, 4), torch.ones(4)
        >>> log_band_powers(frames, window, 4, torch.eye(3), floor=1.0).exp()[0]
        tensor([16.,  1.,  1.])
    """
    windowed = F.pad(frames * window, (0, n_fft - len(window)))
    spectrum = torch.view_as_real(torch.fft.rfft(windowed))
    bands = (spectrum[..., 0].square() + spectrum[..., 1].square()) @ bank
    return torch.where(bands <= floor, scale * math.log(floor), scale * bands.log())


def in_pieces(frames: Tensor, compute: Callable[[Tensor], Tensor], width: int) -> Tensor:
    """*compute* over all frames, a piece of them at a time.

    Args:
        frames: (T, samples of a frame), a view of the waveform.
        compute: (frames of a piece, samples of a frame) -> (frames of the piece, width), each
            row from its own frame.
        width: numbers a frame.

    Returns:
        float32 (T, width).

    Example:
        >>> in_pieces(torch.ones(300, 4), lambda piece: piece.sum(1, keepdim=True), 1).sum()
        tensor(1200.)
    """
    if torch.compiler.is_exporting():  # for a number of frames that nobody knows
        return compute(frames)
    out, size = torch.empty(len(frames), width), FRAMES_AT_ONCE

    def some(first: int, last: int) -> None:
        """Rows of ``out`` for the pieces ``first`` to ``last - 1``."""
        for start in range(first * size, last * size, size):
            out[start : start + size] = compute(frames[start : start + size])

    share_work(-(-len(frames) // size), some, alone=True)
    return out
