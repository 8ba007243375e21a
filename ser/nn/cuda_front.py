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
from torch.autograd.function import once_differentiable

from ser.nn import triton_front
from ser.nn.fused import parameter_grads, scaled_weights
from ser.nn.precision import lowered

if TYPE_CHECKING:
    from ser.nn.frontend import ConvBlock

log = logging.getLogger(__name__)

TOLERANCE = 2e-3
"""Largest deviation in the proof, as a share of the largest value."""


def applies(block: ConvBlock, x: Tensor, lengths: Tensor | None) -> bool:
    """Whether :func:`block` can stand in for torch: a GPU, one channel, 8 taps, all frames."""
    conv = block.conv
    return (
        x.device.type == "cuda"
        and lengths is None
        and conv.in_channels == 1
        and conv.weight[0].numel() == triton_front.TAPS
        and conv.weight.dtype == torch.float32
        and triton_front.fits(x, conv.out_channels)
        and not x.requires_grad
        and len(x) > 0
        and min(block.out_size(x.shape[2], 0), block.out_size(x.shape[3], 1)) > 0
        and proven(str(x.device))
    )


def block(block: ConvBlock, x: Tensor) -> Tensor:
    """What ``block(x)`` computes: x (B, 1, bands, frames) -> (B, C, bands', frames')."""
    from ser.nn.frontend import update_running

    conv, norm = block.conv, block.norm
    batch, _, bands, frames = x.shape
    up, side = block.padding
    centre = x.mean()
    padded = (F.pad(x[:, 0], (side, side, up, up)) - centre).contiguous()
    rows, cols = block.conv_size(bands, 0), block.conv_size(frames, 1)
    count = batch * rows * cols
    weight = conv.weight.detach().flatten(1).double()
    bias = conv.bias.detach().double() + weight.sum(1) * centre
    use_batch = norm.training and count > 1
    if use_batch:
        mean_p, cov_p = triton_front.patch_moments(padded, rows, cols, block.kernel[1])
        mean = weight @ mean_p + bias
        var = torch.einsum("ci,ij,cj->c", weight, cov_p, weight).clamp_min(0)
        update_running(norm, mean.to(x.dtype), var.to(x.dtype), count)
    else:
        mean_p, cov_p = weight.new_zeros(8), weight.new_zeros(8, 8)
        mean, var = norm.running_mean.double(), norm.running_var.double()
    rstd = torch.rsqrt(var + norm.eps)
    stats = (mean_p, cov_p, mean, rstd, bias, centre.double())
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
    try:
        with torch.enable_grad(), torch.autocast(torch.device(device).type, enabled=False):
            worst = deviation(device)
        if worst <= TOLERANCE:
            return True
        reason = f"results differ by {worst:.2g}"
    except Exception as error:  # compilers and drivers fail in ways of their own
        reason = f"{type(error).__name__}: {str(error)[:200]}"
    log.warning(
        "the front end's kernels cannot be used on %s (%s); using torch's operators",
        device, reason,
    )  # fmt: skip
    return False


def deviation(device: str) -> float:
    """Largest difference of values, gradients and running statistics from torch's, relative."""
    from ser.nn.frontend import ConvBlock

    worst = 0.0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
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
            for a, b in pairs:
                a, b = a.detach().double(), b.detach().double()
                gap = float((a - b).abs().max() / b.abs().max().clamp_min(1.0))
                worst = max(worst, gap if gap == gap else float("inf"))
    return worst
