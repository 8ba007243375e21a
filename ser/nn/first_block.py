"""First block of the front end in one pass: convolution, batch norm, 2x2 pool and ReLU.

A convolution of one channel is linear in its patch p of 8 values: z = w.p + b. So the batch
statistics of z follow exactly from those of the patches,

    mean(z) = w.mean(p) + b          var(z) = w.cov(p).w

and with s = gamma / sqrt(var + eps) the block is relu(max over 2x2 of (s w).p + shift): z itself
is never stored. The gradient with respect to z is sparse (the winners of the pool whose ReLU is
open) up to the two terms of batch norm, which again need only mean(p) and cov(p).

The three passes over pictures are a device's own (:mod:`ser.nn.cpu.first_block`,
:mod:`ser.nn.cuda.first_block`): ``patch_moments``, ``conv_pool_relu``, ``conv_pool_relu_grad``.
Book: chapter "Making it fast".
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function

from ser.nn.batch_norm import beyond, update_running
from ser.nn.fast import once_differentiable
from ser.nn.precision import lowered

if TYPE_CHECKING:
    from ser.nn.frontend import ConvBlock


def why_not_these(block: ConvBlock, x: Tensor) -> str:
    """What of a block or its input the formulas here are not of; empty where nothing is."""
    conv, norm = block.conv, block.norm
    if not (
        conv.in_channels == 1
        and conv.kernel_size == block.kernel
        and conv.weight[0].numel() == 8
        and conv.stride == conv.dilation == (1, 1)
        and conv.padding == block.padding
        and conv.padding_mode == "zeros"
        and conv.bias is not None
    ):
        return "the convolution is not one of 1 channel and 8 taps"
    if norm.weight is None or norm.running_mean is None or not norm.track_running_stats:
        return "the norm lacks weights or running statistics"
    if not conv.weight.dtype == x.dtype == torch.float32:
        return "it is not float32"
    if x.requires_grad:
        return "the input needs a gradient"
    empty = min(block.out_size(x.shape[2], 0), block.out_size(x.shape[3], 1)) < 1
    return "it is empty" if empty or not len(x) else ""


def one_pass(way: ModuleType, block: ConvBlock, x: Tensor, lengths: Tensor | None) -> Tensor:
    """What ``block(x, lengths)`` computes: x (B, 1, bands, frames) -> (B, C, bands', frames').

    Args:
        way: the device's module.
        block: its weights; its running statistics are moved in training.
        x: float32.
        lengths: (B,) valid frames, or None: all.
    """
    conv, norm = block.conv, block.norm
    batch, _, bands, frames = x.shape
    up, side = block.padding
    if lengths is None:
        centre = x.mean()
        lengths = torch.full((batch,), frames)
    else:
        lengths = lengths.to("cpu", torch.long)
        x = x.masked_fill(beyond(lengths, frames).to(x.device), 0.0)
        centre = x.sum() / (lengths.sum() * bands)
    padded = (F.pad(x[:, 0], (side, side, up, up)) - centre).contiguous()
    rows, cols = block.conv_size(bands, 0), block.conv_size(lengths, 1)
    count = int(rows * cols.sum())
    weight = conv.weight.detach().flatten(1).double()
    # The centred patch is p - centre; the constant goes into the bias.
    bias = conv.bias.detach().double() + weight.sum(1) * centre
    use_batch = norm.training and count > 1
    if use_batch:
        mean_p, cov_p = way.patch_moments(padded, rows, cols, block.kernel)
        mean = weight @ mean_p + bias
        var = torch.einsum("ci,ij,cj->c", weight, cov_p, weight).clamp_min(0)
        update_running(norm, mean.to(centre.dtype), var.to(centre.dtype), count)
    else:
        mean_p, cov_p = weight.new_zeros(8), weight.new_zeros(8, 8)
        mean, var = norm.running_mean.double(), norm.running_var.double()
    stats = mean_p, cov_p, mean, torch.rsqrt(var + norm.eps), bias, centre.double()
    size = (block.out_size(bands, 0), block.out_size(frames, 1))
    low = lowered(x.device.type)
    return _Block.apply(
        way, padded, conv.weight, conv.bias, norm.weight, norm.bias, stats, cols // 2, size,
        use_batch, low,
    )  # fmt: skip


class _Block(Function):
    @staticmethod
    def forward(
        ctx: Any,
        way: ModuleType,
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
        """padded (B, rows, cols), weight (C, 1, h, w) -> (B, C, *size).

        Args:
            stats: mean and covariance of the centred patches, mean and 1 / deviation of z, the
                bias of centred patches, and what they were centred by; all in float64.
            frames: (B,) valid columns of the result.
            use_batch: z's mean and deviation are the batch's own, so gradients go through them.
            low: the result in bfloat16.
        """
        *_, mean, rstd, centred_bias, _ = stats
        scale = gamma.double() * rstd
        scaled = (weight.flatten(1).double() * scale[:, None]).t().contiguous().float()
        shift = (beta.double() + (centred_bias - mean) * scale).float()
        width = weight.shape[3]
        out, best = way.conv_pool_relu(padded, scaled, shift, width, size, frames, low)
        ctx.save_for_backward(padded, weight, gamma, best, frames, *stats)
        ctx.way, ctx.use_batch = way, use_batch
        return out.permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple:
        """grad (B, C, *size) -> gradients of weight, bias, scale and shift."""
        padded, weight, gamma, best, frames, *stats = ctx.saved_tensors
        mean_p, cov_p, mean, rstd, bias, centre = stats
        grad = grad.permute(0, 2, 3, 1).contiguous()
        by_patch, total = ctx.way.conv_pool_relu_grad(padded, grad, best, weight.shape[3], frames)
        by_patch = by_patch.t()
        w = weight.flatten(1).double()
        scale = gamma.double() * rstd
        # Sum of gradient times normalised z, from patches that are centred like bias.
        d_gamma = rstd * ((w * by_patch).sum(1) + (bias - mean) * total)
        if ctx.use_batch:
            along = (rstd * d_gamma)[:, None] * (w @ cov_p)
            d_weight = scale[:, None] * (by_patch - total[:, None] * mean_p - along)
            d_bias = torch.zeros_like(total)
        else:
            d_weight = scale[:, None] * (by_patch + centre * total[:, None])
            d_bias = scale * total
        grads = d_weight.reshape(weight.shape), d_bias, d_gamma, total
        return None, None, *(g.to(weight.dtype) for g in grads), None, None, None, None, None
