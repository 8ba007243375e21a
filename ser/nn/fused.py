"""First block of the front end in one pass: convolution, batch norm, 2x2 pool and ReLU.

A convolution of one channel is linear in its patch p of 8 values: z = w.p + b. So the batch
statistics of z follow exactly from those of the patches,

    mean(z) = w.mean(p) + b          var(z) = w.cov(p).w

and with s = gamma / sqrt(var + eps) the block is relu(max over 2x2 of (s w).p + shift): z itself
is never stored. The gradient with respect to z is sparse (the winners of the pool whose ReLU is
open) up to the two terms of batch norm, which again need only mean(p) and cov(p).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function

from ser.compiling import load_kernels
from ser.nn.hooks import CONV, NORM
from ser.nn.once import once_differentiable
from ser.nn.precision import lowered
from ser.threads import share_work

if TYPE_CHECKING:
    from ser.nn.frontend import ConvBlock


def as_numpy(tensor: Tensor) -> Any:
    """The tensor's memory for a kernel; bfloat16 as uint16."""
    tensor = tensor.detach()
    return (tensor.view(torch.uint16) if tensor.dtype == torch.bfloat16 else tensor).numpy()


def standard(block: ConvBlock) -> bool:
    """Whether convolution and norm are those that the formulas here are of: 1 channel, 8 taps."""
    conv, norm = block.conv, block.norm
    return (
        not (CONV.why_not(conv) or NORM.why_not(norm))
        and conv.in_channels == 1
        and conv.kernel_size == block.kernel
        and conv.weight[0].numel() == 8
        and conv.stride == conv.dilation == (1, 1)
        and conv.padding == block.padding
        and conv.padding_mode == "zeros"
        and conv.bias is not None
        and conv.weight.dtype == torch.float32
        and has_statistics(norm)
    )


def has_statistics(norm: nn.BatchNorm2d) -> bool:
    """Whether a norm has what the formulas read of it: scale, shift, statistics."""
    return norm.weight is not None and norm.running_mean is not None and norm.track_running_stats


def applies(block: ConvBlock, x: Tensor) -> bool:
    """Whether :func:`block` can stand in for torch: 1 channel to 64, 8 taps, float32, CPU."""
    return (
        x.device.type == "cpu"
        and x.dtype == torch.float32
        and standard(block)
        and block.conv.out_channels == 64
        and not x.requires_grad
        and len(x) > 0
        and load_kernels("ser.nn.kernels") is not None
        and bool(torch.isfinite(x.sum()))
    )


def block(block: ConvBlock, x: Tensor, lengths: Tensor | None = None) -> Tensor:
    """What ``block(x, lengths)`` computes: x (B, 1, bands, frames) -> (B, C, bands', frames')."""
    from ser.nn.frontend import beyond

    conv, norm = block.conv, block.norm
    batch, _, bands, frames = x.shape
    up, side = block.padding
    if lengths is None:
        centre = x.mean()
        lengths = torch.full((batch,), frames)
    else:
        lengths = lengths.to("cpu", torch.long)
        x = x.masked_fill(beyond(lengths, frames), 0.0)
        centre = x.sum() / (lengths.sum() * bands)
    padded = F.pad(x[:, 0], (side, side, up, up)) - centre
    rows, cols = block.conv_size(bands, 0), block.conv_size(lengths, 1)
    count = int(rows * cols.sum())
    stats, use_batch = statistics(
        block, centre, count, lambda: _moments(padded, rows, cols, block.kernel, count)
    )
    size = (block.out_size(bands, 0), block.out_size(frames, 1))
    return _Block.apply(
        padded, conv.weight, conv.bias, norm.weight, norm.bias, stats, cols // 2, size, use_batch,
        lowered("cpu"),
    )  # fmt: skip


def statistics(
    block: ConvBlock,
    centre: Tensor,
    count: int,
    moments: Callable[[], tuple[Tensor, Tensor]],
) -> tuple[tuple[Tensor, ...], bool]:
    """What z = w.p + b is normalised by; in training the running statistics follow.

    Args:
        block: its convolution and batch norm.
        centre: what was taken from every value of the input.
        count: places that z has, over all clips.
        moments: of no arguments, makes mean (8,) and covariance (8, 8) of the centred patches,
            in float64.

    Returns:
        ``stats`` as :func:`parameter_grads` takes them, and whether they are the batch's own.
    """
    from ser.nn.frontend import update_running

    conv, norm = block.conv, block.norm
    weight = conv.weight.detach().flatten(1).double()
    # The centred patch is p - centre; the constant goes into the bias.
    bias = conv.bias.detach().double() + weight.sum(1) * centre
    use_batch = norm.training and count > 1
    if use_batch:
        mean_p, cov_p = moments()
        mean = weight @ mean_p + bias
        var = torch.einsum("ci,ij,cj->c", weight, cov_p, weight).clamp_min(0)
        update_running(norm, mean.to(centre.dtype), var.to(centre.dtype), count)
    else:
        mean_p, cov_p = weight.new_zeros(8), weight.new_zeros(8, 8)
        mean, var = norm.running_mean.double(), norm.running_var.double()
    rstd = torch.rsqrt(var + norm.eps)
    return (mean_p, cov_p, mean, rstd, bias, centre.double()), use_batch


def _moments(
    padded: Tensor, rows: int, cols: Tensor, kernel: tuple[int, int], count: int
) -> tuple[Tensor, Tensor]:
    """Mean (8,) and covariance (8, 8), biased, of the patches under the kernel."""
    batch = len(padded)
    first = torch.zeros(batch, 8, dtype=torch.float64)
    second = torch.zeros(batch, 8, 8, dtype=torch.float64)
    x, limits, a, b = padded.numpy(), cols.numpy(), first.numpy(), second.numpy()
    run = load_kernels("ser.nn.kernels").patch_moments
    share_work(batch, lambda start, stop: run(x, rows, limits, *kernel, a, b, start, stop))
    mean = first.sum(0) / count
    return mean, second.sum(0) / count - torch.outer(mean, mean)


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
        frames: Tensor,
        size: tuple[int, int],
        use_batch: bool,
        low: bool,
    ) -> Tensor:
        """padded (B, rows, cols), weight (64, 1, h, w) -> (B, 64, *size)."""
        channels, width = len(weight), weight.shape[3]
        scaled, shift = scaled_weights(weight, gamma, beta, stats)
        dtype = torch.bfloat16 if low else torch.float32
        out = torch.empty(len(padded), *size, channels, dtype=dtype)
        best = torch.empty(out.shape, dtype=torch.uint8)
        arrays = [a.numpy() for a in (padded, scaled, shift, frames)]
        o, k = as_numpy(out), best.numpy()
        run = load_kernels("ser.nn.kernels").conv_pool_relu
        share_work(len(out), lambda start, stop: run(*arrays, width, o, k, start, stop))
        ctx.save_for_backward(padded, weight, gamma, best, frames, *stats)
        ctx.use_batch = use_batch
        return out.permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple:
        """grad (B, 64, *size) -> gradients of weight, bias, scale and shift."""
        padded, weight, gamma, best, frames, *stats = ctx.saved_tensors
        batch, channels, width = len(padded), len(weight), weight.shape[3]
        by_patch = torch.zeros(batch, 8, channels, dtype=torch.float64)
        total = torch.zeros(batch, channels, dtype=torch.float64)
        grad = grad.permute(0, 2, 3, 1).contiguous()
        arrays = [as_numpy(a) for a in (padded, grad, best, frames)]
        sums = by_patch.numpy(), total.numpy()
        run = load_kernels("ser.nn.kernels").conv_pool_relu_grad
        share_work(batch, lambda start, stop: run(*arrays, width, *sums, start, stop))
        by_patch, total = by_patch.sum(0).t(), total.sum(0)
        grads = parameter_grads(weight, gamma, tuple(stats), by_patch, total, ctx.use_batch)
        return None, *grads, None, None, None, None, None


def scaled_weights(
    weight: Tensor, gamma: Tensor, beta: Tensor, stats: tuple[Tensor, ...]
) -> tuple[Tensor, Tensor]:
    """Convolution and batch norm as one: weights (taps, C) and shift (C,), float32."""
    *_, mean, rstd, centred_bias, _ = stats
    scale = gamma.double() * rstd
    scaled = (weight.flatten(1).double() * scale[:, None]).t().contiguous().float()
    return scaled, (beta.double() + (centred_bias - mean) * scale).float()


def parameter_grads(
    weight: Tensor,
    gamma: Tensor,
    stats: tuple[Tensor, ...],
    by_patch: Tensor,
    total: Tensor,
    use_batch: bool,
) -> tuple[Tensor, ...]:
    """Gradients of weight, bias, scale and shift from sums over the winning places.

    Args:
        stats: mean and covariance of the patches, mean and 1 / deviation of z, the bias of
            centred patches, and what they were centred by.
        by_patch: (C, taps), sums of gradient times centred patch.
        total: (C,), sums of the gradient.
        use_batch: the statistics were the batch's own, so gradients go through them.
    """
    mean_p, cov_p, mean, rstd, bias, centre = stats
    w = weight.flatten(1).double()
    scale = gamma.double() * rstd
    # Sum of gradient times normalised z, from patches that are centred like bias.
    d_gamma = rstd * ((w * by_patch).sum(1) + (bias - mean) * total)
    if use_batch:
        along = (rstd * d_gamma)[:, None] * (w @ cov_p)
        d_weight = scale[:, None] * (by_patch - total[:, None] * mean_p - along)
        d_bias = torch.zeros_like(total)
    else:
        d_weight = scale[:, None] * (by_patch + centre * total[:, None])
        d_bias = scale * total
    d_weight = d_weight.reshape(weight.shape)
    return tuple(g.to(weight.dtype) for g in (d_weight, d_bias, d_gamma, total))
