"""The CNN front end: a mel-spectrogram becomes a sequence (Wang et al. 2020, section 2.3).

Two blocks of convolution, batch norm, 2x2 max pool and ReLU (pool and ReLU commute). With
lengths, frames of padding are set to zero before each convolution and left out of the batch
statistics, so that a clip's result is the one it would have alone.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ser.errors import FeatureError
from ser.nn import conv, cuda_front, fused, pooling
from ser.nn.hooks import CONV, NORM, tell
from ser.nn.inputs import check_lengths, check_size, check_tensors

KERNELS = {"s1": (4, 2), "s2": (2, 4)}
"""Kernel (mel bands, frames) for the time-fine and the frequency-fine spectrogram."""


class ConvBlock(nn.Module):
    """Convolution, batch norm, 2x2 max pool of stride 2, ReLU.

    Args:
        inputs, outputs: channels.
        kernel: (mel bands, frames); padding is (k - 1) // 2 on every side.
        fast: use the one-pass kernel where it applies (one input channel, float32, no gradient
            asked for the input; on a GPU without lengths); the results agree to rounding. Parts
            that have hooks, a forward of their own or another class are called one after the other,
            which is told once.
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
        why = CONV.why_not(self.conv) or NORM.why_not(self.norm)
        if self.fast and why:
            tell(self, "a block of the front end", why)
        fast = self.fast and not why
        if fast and fused.applies(self, x):
            return fused.block(self, x, lengths)
        if fast and cuda_front.applies(self, x, lengths):
            return cuda_front.block(self, x)
        if fast and x.device.type == "cpu" and x.numel():
            if lengths is not None and not clean:
                x = x.masked_fill(beyond(lengths, x.shape[3]), 0.0)
            z = conv.convolution(self.conv, x) if conv.applies(self.conv, x) else self.conv(x)
            if pooling.applies(z, self.norm):
                cols = None if lengths is None else self.conv_size(lengths, 1)
                return pooling.norm_pool_relu(self.norm, z, cols)
        elif lengths is None:
            z = self.conv(x)
        else:
            z = self.conv(x.masked_fill(beyond(lengths, x.shape[3]), 0.0))
        if lengths is None:
            return F.relu(F.max_pool2d(self.norm(z), 2))
        if z.shape[3] != self.conv_size(x.shape[3], 1):
            raise ValueError(
                f"lengths cannot be counted: the convolution makes {z.shape[3]} frames of "
                f"{x.shape[3]}, a kernel {self.kernel} {self.conv_size(x.shape[3], 1)}"
            )
        norm = called_norm if why else masked_batch_norm
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
            shortest = int(lengths.min()) if len(lengths) else shortest
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


def beyond(lengths: Tensor, frames: int) -> Tensor:
    """(B, 1, 1, frames), True where a frame is padding."""
    return (torch.arange(frames, device=lengths.device) >= lengths[:, None])[:, None, None]


def masked_batch_norm(norm: nn.BatchNorm2d, z: Tensor, lengths: Tensor) -> Tensor:
    """Batch norm of z (B, C, bands, frames) with statistics over the valid frames (B,) alone."""
    if norm.weight is None or norm.running_mean is None or not norm.track_running_stats:
        return called_norm(norm, z, lengths)
    if norm.training:
        valid = ~beyond(lengths, z.shape[3])
        count = valid.sum() * z.shape[2]
        z0 = z.masked_fill(~valid, 0.0)
        mean = z0.sum((0, 2, 3)) / count
        centred = (z - mean[:, None, None]).masked_fill(~valid, 0.0)
        var = centred.square().sum((0, 2, 3)) / count
        update_running(norm, mean.detach(), var.detach(), count)
    else:
        mean, var = norm.running_mean, norm.running_var
    scale = norm.weight * torch.rsqrt(var + norm.eps)
    shift = norm.bias - mean * scale
    return z * scale[:, None, None] + shift[:, None, None]


def called_norm(norm: nn.Module, z: Tensor, lengths: Tensor) -> Tensor:
    """What a norm makes of the valid frames, by calling it; zeros beyond.

    A batch norm is given all of them as one long clip, as its statistics are over them; another
    norm is given clip after clip.
    """
    if isinstance(norm, nn.modules.batchnorm._BatchNorm):
        valid = ~beyond(lengths, z.shape[3])[:, 0, 0]
        found = norm(z.permute(1, 2, 0, 3)[:, :, valid][None])[0]
        room = found.new_zeros(*found.shape[:2], *valid.shape)
        room[:, :, valid] = found
        return room.permute(2, 0, 1, 3)
    clips = [norm(one[None, :, :, :n]) for one, n in zip(z, lengths.tolist(), strict=True)]
    return torch.cat([F.pad(clip, (0, z.shape[3] - clip.shape[3])) for clip in clips])


@torch.no_grad()
def update_running(norm: nn.BatchNorm2d, mean: Tensor, var: Tensor, count: Tensor | int) -> None:
    """Moves the running statistics as BatchNorm2d does (var biased, count of values)."""
    norm.num_batches_tracked += 1
    # momentum None is torch's way to ask for the plain mean over all batches (update_bn).
    share = 1 / norm.num_batches_tracked if norm.momentum is None else norm.momentum
    unbiased = var * (count / (count - 1))
    norm.running_mean += share * (mean - norm.running_mean)
    norm.running_var += share * (unbiased - norm.running_var)
