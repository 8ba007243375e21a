"""The CNN front end: a mel-spectrogram becomes a sequence (Wang et al. 2020, section 2.3).

Two blocks of convolution, batch norm, 2x2 max pool and ReLU (pool and ReLU commute). With
lengths, frames of padding are set to zero before each convolution and left out of the batch
statistics, so that a clip's result is the one it would have alone.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from ser.errors import FeatureError
from ser.nn import fast
from ser.nn.batch_norm import beyond, called_norm, masked_batch_norm
from ser.nn.first_block import one_pass
from ser.nn.hooks import CONV, NORM, not_standard
from ser.nn.inputs import check_lengths, check_size, check_tensors
from ser.nn.transforms import readable

KERNELS = {"s1": (4, 2), "s2": (2, 4)}
"""Kernel (mel bands, frames) for the time-fine and the frequency-fine spectrogram."""


class ConvBlock(nn.Module):
    """Convolution, batch norm, 2x2 max pool of stride 2, ReLU.

    Args:
        inputs, outputs: channels.
        kernel: (mel bands, frames); padding is (k - 1) // 2 on every side.
        fast: compute a first block (one input channel, float32, no gradient asked for the input)
            in one pass where that can be (:data:`ser.nn.fast.WAYS`); the results agree to rounding.
            Parts that have hooks, a forward of their own or another class are called one after the
            other, which is told once.
    """

    def __init__(self, inputs: int, outputs: int, kernel: tuple[int, int], fast: bool = True):
        super().__init__()
        self.kernel, self.fast = tuple(kernel), fast
        self.padding = tuple((k - 1) // 2 for k in kernel)
        self.conv = nn.Conv2d(inputs, outputs, self.kernel, padding=self.padding)
        self.norm = nn.BatchNorm2d(outputs)

    def conv_size(self, size, axis: int):
        """Bands (axis 0) or frames (axis 1) after the convolution; ints or tensors."""
        return size + 2 * self.padding[axis] - self.kernel[axis] + 1

    def out_size(self, size, axis: int):
        """Bands or frames after the block."""
        return self.conv_size(size, axis) // 2

    def forward(self, x: Tensor, lengths: Tensor | None = None, clean: bool = False) -> Tensor:
        """x (B, C, bands, frames), lengths (B,) valid frames -> (B, C', bands', frames').

        ``clean`` says that x is zero beyond the lengths; what a block returns always is.
        """
        standard = [("conv", CONV, self.conv), ("norm", NORM, self.norm)]
        called = not_standard(standard)
        way = fast.choose("first block", self, self.fast, called, x, lengths)
        if way is not None:
            return one_pass(way, self, x, lengths)
        if lengths is None:
            return F.relu(F.max_pool2d(self.norm(self.conv(x)), 2))
        z = self.conv(x if clean else x.masked_fill(beyond(lengths, x.shape[3]), 0.0))
        if z.shape[3] != self.conv_size(x.shape[3], 1):
            raise ValueError(
                f"lengths cannot be counted: the convolution makes {z.shape[3]} frames of "
                f"{x.shape[3]}, a kernel {self.kernel} {self.conv_size(x.shape[3], 1)}"
            )
        norm = called_norm if called else masked_batch_norm
        z = F.relu(F.max_pool2d(norm(self.norm, z, self.conv_size(lengths, 1)), 2))
        return z.masked_fill(beyond(self.out_size(lengths, 1), z.shape[3]), 0.0)


class FrontEnd(nn.Module):
    """Spectrogram (B, n_mels, T) -> sequence (B, T', size), two :class:`ConvBlock` deep.

    Args:
        n_mels: mel bands.
        kernel: (mel bands, frames), or ``"s1"`` (4, 2) or ``"s2"`` (2, 4).
        channels: of the two blocks.
        fast: False computes conv, norm, pool and ReLU one after the other with torch.

    Attributes:
        size: features of a step, channels * bands, channel-major.

    Example:
        >>> import torch
        >>> front = FrontEnd(128, "s1")
        >>> front(torch.randn(2, 128, 230)).shape
        torch.Size([2, 56, 496])
    """

    def __init__(
        self,
        n_mels: int,
        kernel: str | tuple[int, int] = "s1",
        channels: tuple[int, int] = (64, 16),
        fast: bool = True,
    ):
        super().__init__()
        check_size("n_mels", n_mels)
        if isinstance(kernel, str):
            if kernel not in KERNELS:
                raise ValueError(f"kernel must be 's1', 's2' or a pair, not {kernel!r}")
            kernel = KERNELS[kernel]
        self.n_mels = n_mels
        self.blocks = nn.ModuleList(
            [ConvBlock(1, channels[0], kernel, fast), ConvBlock(*channels, kernel, fast)]
        )
        bands = n_mels
        for block in self.blocks:
            bands = block.out_size(bands, 0)
        if bands < 1:
            raise ValueError(f"{n_mels} mel bands are too few for two blocks with kernel {kernel}")
        self.size = channels[1] * bands

    def out_lengths(self, lengths: Tensor | int) -> Tensor | int:
        """Steps that come of so many frames (int or tensor).

        >>> FrontEnd(128, "s1").out_lengths(230)
        56
        """
        for block in self.blocks:
            lengths = block.out_size(lengths, 1)
        return lengths

    def forward(self, spectrogram: Tensor, lengths: Tensor | None = None) -> Tensor:
        """spectrogram (B, n_mels, T), lengths (B,) valid frames or None -> (B, T', size).

        Raises:
            TypeError: no tensor, or of another format than the weights.
            ValueError: another number of mel bands, lengths outside the frames, another device.
            FeatureError: a clip too short for one step.
        """
        check_tensors(self, spectrogram=spectrogram)
        if spectrogram.dim() != 3 or spectrogram.shape[1] != self.n_mels:
            shape = tuple(spectrogram.shape)
            raise ValueError(f"expected a spectrogram (B, {self.n_mels}, T), got {shape}")
        shortest = spectrogram.shape[2]
        if lengths is not None:
            lengths = check_lengths(lengths, len(spectrogram), shortest, least=0)
            if len(lengths) and readable(lengths):
                shortest = int(lengths.min())
        if self.out_lengths(shortest) < 1:
            needed = next(n for n in range(1, 1000) if self.out_lengths(n) >= 1)
            raise FeatureError(
                f"a clip has {shortest} frames, the front end needs at least {needed}"
            )
        x = spectrogram.unsqueeze(1)
        lengths = None if lengths is None else lengths.to(x.device)
        for depth, block in enumerate(self.blocks):
            x = block(x, lengths, clean=depth > 0)
            if lengths is not None:
                lengths = block.out_size(lengths, 1)
        return x.permute(0, 3, 1, 2).flatten(2)
