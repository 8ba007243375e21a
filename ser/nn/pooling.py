"""Batch norm, 2x2 max pool and ReLU of a block's convolution in one go, on the CPU.

Forward reads the convolution's output twice for its statistics and once more to pool; backward
reads it once for two sums a channel and once to write the gradient. Nothing of its size is kept
beside it but one byte a pooled value: which of the four won.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

from ser.compiling import load_kernels
from ser.nn.fused import as_numpy, has_statistics
from ser.nn.hooks import NORM
from ser.nn.once import once_differentiable
from ser.threads import share_work


def applies(z: Tensor, norm: nn.BatchNorm2d) -> bool:
    """Whether :func:`norm_pool_relu` can compute this: CPU, float32 or bfloat16."""
    if NORM.why_not(norm) or not has_statistics(norm):
        return False
    return (
        z.device.type == "cpu"
        and z.dtype in (torch.float32, torch.bfloat16)
        and norm.weight.dtype == torch.float32
        and z.numel() > 0
        and min(z.shape[2:]) > 1
        and load_kernels("ser.nn.pool_kernels") is not None
    )


def norm_pool_relu(norm: nn.BatchNorm2d, z: Tensor, cols: Tensor | None = None) -> Tensor:
    """relu(max_pool2d(norm(z), 2)); moves the running statistics as BatchNorm2d does.

    Args:
        z: (B, C, rows, frames), float32 or bfloat16.
        cols: (B,) valid frames of each; the others count for nothing. None: all.

    Returns:
        (B, C, rows // 2, frames // 2) like z, zero beyond ``cols // 2``.
    """
    from ser.nn.frontend import update_running

    batch, _, rows, frames = z.shape
    if cols is None:
        cols = torch.full((batch,), frames)
    cols = cols.to("cpu", torch.long).contiguous()
    count = int(rows * cols.sum())
    own = norm.training and count > 1
    data = _channels_last(z.detach())
    if own:
        mean, var = _moments(data, cols, count)
        update_running(norm, mean.float(), var.float(), count)
    else:
        mean, var = norm.running_mean.double(), norm.running_var.double()
    rstd = torch.rsqrt(var + norm.eps)
    stats = mean.float(), rstd.float()
    return _NormPool.apply(z, norm.weight, norm.bias, stats, cols, count if own else 0)


def _channels_last(z: Tensor) -> Tensor:
    """(B, rows, frames, C), contiguous."""
    return z.permute(0, 2, 3, 1).contiguous()


def _moments(data: Tensor, cols: Tensor, count: int) -> tuple[Tensor, Tensor]:
    batch, channels = len(data), data.shape[3]
    run = load_kernels("ser.nn.pool_kernels").sums
    mean = torch.zeros(channels)
    found = []
    for square in (False, True):
        total = torch.zeros(batch, channels, dtype=torch.float64)
        arrays = as_numpy(data), cols.numpy(), mean.numpy(), square, total.numpy()
        share_work(batch, lambda a, b, arrays=arrays: run(*arrays, a, b))
        found.append(total.sum(0) / count)
        if not square:
            mean = found[0].float()
    # Squares were taken about the rounded mean.
    return found[0], (found[1] - (found[0] - mean.double()).square()).clamp_min(0)


class _NormPool(Function):
    @staticmethod
    def forward(
        ctx: Any,
        z: Tensor,
        gamma: Tensor,
        beta: Tensor,
        stats: tuple[Tensor, Tensor],
        cols: Tensor,
        count: int,
    ) -> Tensor:
        """z (B, C, rows, cols) -> relu of the 2x2 maximum; see :func:`norm_pool_relu`."""
        mean, rstd = stats
        data = _channels_last(z)
        batch, rows, frames, channels = data.shape
        out = data.new_empty(batch, rows // 2, frames // 2, channels)
        best = torch.empty(out.shape, dtype=torch.uint8)
        scale = gamma * rstd
        shift = beta - mean * scale
        tensors = (data, scale.detach(), shift.detach(), cols, out, best)
        arrays = [as_numpy(t) for t in tensors]
        run = load_kernels("ser.nn.pool_kernels").pool
        share_work(batch, lambda a, b: run(*arrays, a, b))
        ctx.save_for_backward(data, gamma, mean, rstd, cols, best)
        ctx.count = count
        return out.permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple:
        """grad (B, C, rows, cols) of what was pooled -> gradients of z, gamma and beta."""
        data, gamma, mean, rstd, cols, best = ctx.saved_tensors
        batch, channels = len(data), data.shape[3]
        grad = _channels_last(grad.to(data.dtype))
        sums = torch.zeros(2, batch, channels, dtype=torch.float64)
        arrays = [as_numpy(t) for t in (data, grad, best, cols, mean, rstd, sums)]
        kernels = load_kernels("ser.nn.pool_kernels")
        share_work(batch, lambda a, b: kernels.pool_sums(*arrays, a, b))
        d_beta, d_gamma = sums.sum(1).float()
        d_z = None
        if ctx.needs_input_grad[0]:
            scale = gamma * rstd
            level, along = torch.zeros_like(d_beta), torch.zeros_like(d_beta)
            if ctx.count:
                along = scale * rstd * d_gamma / ctx.count
                level = scale * d_beta / ctx.count - along * mean
            out = torch.empty_like(data)
            tensors = (data, grad, best, cols, scale, level, along, out)
            arrays = [as_numpy(t) for t in tensors]
            share_work(batch, lambda a, b: kernels.pool_grad(*arrays, a, b))
            d_z = out.permute(0, 3, 1, 2)
        return d_z, d_gamma, d_beta, None, None, None
