"""The front end's first block on a GPU in one pass, and the proof before use.

The mathematics is that of :mod:`ser.nn.fused`; the kernels are in :mod:`ser.nn.triton_front`.
Book: chapter "Making it fast".
"""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function

from ser.nn import triton_front
from ser.nn.fused import parameter_grads, scaled_weights, standard, statistics
from ser.nn.once import once_differentiable
from ser.nn.precision import lowered
from ser.nn.proof import doubt, largest_gap

if TYPE_CHECKING:
    from ser.nn.frontend import ConvBlock

log = logging.getLogger(__name__)

TOLERANCE = 2e-3
"""Largest deviation in the proof, as a share of the largest value."""


def applies(block: ConvBlock, x: Tensor, lengths: Tensor | None) -> bool:
    """Whether :func:`block` can stand in for torch: a GPU, one channel, 8 taps, all frames."""
    return (
        x.device.type == "cuda"
        and lengths is None
        and standard(block)
        and triton_front.fits(x, block.conv.out_channels)
        and not x.requires_grad
        and len(x) > 0
        and min(block.out_size(x.shape[2], 0), block.out_size(x.shape[3], 1)) > 0
        and proven(str(x.device))
    )


def block(block: ConvBlock, x: Tensor) -> Tensor:
    """What ``block(x)`` computes: x (B, 1, bands, frames) -> (B, C, bands', frames')."""
    conv, norm = block.conv, block.norm
    batch, _, bands, frames = x.shape
    up, side = block.padding
    centre = x.mean()
    padded = (F.pad(x[:, 0], (side, side, up, up)) - centre).contiguous()
    rows, cols = block.conv_size(bands, 0), block.conv_size(frames, 1)
    stats, use_batch = statistics(
        block, centre, batch * rows * cols,
        lambda: triton_front.patch_moments(padded, rows, cols, block.kernel[1]),
    )  # fmt: skip
    size = (block.out_size(bands, 0), block.out_size(frames, 1))
    low = lowered(x.device.type)
    return _Block.apply(
        padded, conv.weight, conv.bias, norm.weight, norm.bias, stats, size, use_batch, low
    )


class _Block(Function):
    @staticmethod
    def forward(
        ctx: Any,
        padded: Tensor,
        weight: Tensor,
        bias: Tensor,
        gamma: Tensor,
        beta: Tensor,
        stats: tuple[Tensor, ...],
        size: tuple[int, int],
        use_batch: bool,
        low: bool,
    ) -> Tensor:
        """padded (B, rows, cols), weight (C, 1, h, w) -> (B, C, *size)."""
        scaled, shift = scaled_weights(weight, gamma, beta, stats)
        width = weight.shape[3]
        out, best = triton_front.conv_pool_relu(padded, scaled, shift, width, size, low)
        ctx.save_for_backward(padded, weight, gamma, best, *stats)
        ctx.use_batch = use_batch
        return out.permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple:
        """grad (B, C, *size) -> gradients of weight, bias, scale and shift."""
        padded, weight, gamma, best, *stats = ctx.saved_tensors
        grad = grad.permute(0, 2, 3, 1).contiguous()
        by_patch, total = triton_front.conv_pool_relu_grad(padded, grad, best, weight.shape[3])
        grads = parameter_grads(weight, gamma, tuple(stats), by_patch.t(), total, ctx.use_batch)
        return None, *grads, None, None, None, None


@functools.cache
def proven(device: str) -> bool:
    """Whether the kernels agree with torch on *device*; tried once."""
    reason = doubt(lambda: deviation(device), device, TOLERANCE)
    if reason:
        log.warning(
            "the front end's kernels cannot be used on %s (%s); using torch's operators",
            device, reason,
        )  # fmt: skip
    return not reason


def deviation(device: str) -> float:
    """Largest difference of values, gradients and running statistics from torch's, relative."""
    from ser.nn.frontend import ConvBlock

    worst = 0.0
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(0)  # the device's own goes on as it was
        x = (50 + 20 * torch.randn(3, 1, 22, 41)).to(device)
        for kernel in ((4, 2), (2, 4)):
            ours = ConvBlock(1, 64, kernel).to(device)
            plain = ConvBlock(1, 64, kernel, fast=False).to(device)
            plain.load_state_dict(ours.state_dict())
            outputs = block(ours, x), plain(x)
            for output in outputs:
                (output.square().sum() + output.sum()).backward()
            pairs = [outputs]
            pairs += zip(ours.buffers(), plain.buffers(), strict=True)
            pairs += [
                (a.grad, b.grad)
                for (name, a), b in zip(ours.named_parameters(), plain.parameters(), strict=True)
                if name != "conv.bias"  # zero, to rounding: the norm takes it away
            ]
            worst = max(worst, largest_gap(pairs))
    return worst
