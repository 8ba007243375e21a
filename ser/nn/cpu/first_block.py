"""The passes of :mod:`ser.nn.first_block` on the CPU: utterances shared among threads."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ser.nn.first_block import why_not_these
from ser.threads import share_work

if TYPE_CHECKING:
    from ser.nn.frontend import ConvBlock

log = logging.getLogger(__name__)


def why_not(block: ConvBlock, x: Tensor, lengths: Tensor | None) -> str:
    """What keeps the loops from a block's input; empty where nothing does."""
    why = why_not_these(block, x)
    if why:
        return why
    if _loops() is None:
        return "numba is missing"
    return "" if bool(torch.isfinite(x.sum())) else "the input is not finite"


@functools.cache
def _loops() -> Any:
    """The compiled loops, or None where numba does not import, which is told once."""
    try:
        from ser.nn.cpu import first_block_numba
    except (ImportError, OSError):  # OSError: LLVM's library cannot be loaded
        log.warning(
            "numba cannot be imported (pip install numba): the front end's first block takes "
            "torch's operators, and a training step of the row dual about 2.6 times as long"
        )
        return None
    return first_block_numba


def patch_moments(
    padded: Tensor, rows: int, cols: Tensor, kernel: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Mean (8,) and covariance (8, 8), biased, of the patches under the kernel, in float64.

    Args:
        padded: (B, padded rows, padded cols), about its mean.
        rows, cols: places of the kernel along the bands, and along the frames (B,).
        kernel: its size.
    """
    batch, count = len(padded), int(rows * cols.sum())
    first = torch.zeros(batch, 8, dtype=torch.float64)
    second = torch.zeros(batch, 8, 8, dtype=torch.float64)
    x, limits, a, b = padded.numpy(), cols.numpy(), first.numpy(), second.numpy()
    run = _loops().patch_moments
    share_work(batch, lambda start, stop: run(x, rows, limits, *kernel, a, b, start, stop))
    mean = first.sum(0) / count
    return mean, second.sum(0) / count - torch.outer(mean, mean)


def conv_pool_relu(
    padded: Tensor,
    weight: Tensor,
    shift: Tensor,
    width: int,
    size: tuple[int, int],
    frames: Tensor,
    low: bool,
) -> tuple[Tensor, Tensor]:
    """Convolve, take the 2x2 maximum, add ``shift``, cut at 0.

    Args:
        padded: (B, rows, cols) float32, contiguous.
        weight: (8, C): row k is the tap at row k // width, column k % width.
        shift: (C,).
        size: rows and columns of the pooled picture.
        frames: (B,) its valid columns; the others are 0.
        low: the result in bfloat16.

    Returns:
        (B, *size, C), and which of the four places won (4: none, the maximum was not above 0).
    """
    out = torch.empty(len(padded), *size, weight.shape[1])
    best = torch.empty(out.shape, dtype=torch.uint8)
    arrays = [a.detach().numpy() for a in (padded, weight, shift, frames)]
    made = out.numpy(), best.numpy()
    run = _loops().conv_pool_relu
    share_work(len(out), lambda start, stop: run(*arrays, width, *made, start, stop))
    return out.bfloat16() if low else out, best


def conv_pool_relu_grad(
    padded: Tensor, grad: Tensor, best: Tensor, width: int, frames: Tensor
) -> tuple[Tensor, Tensor]:
    """Sums over all winning places of gradient times patch, (8, C), and of the gradient, (C,).

    Args:
        padded, best, width, frames: as :func:`conv_pool_relu` took and gave them.
        grad: (B, rows, cols, C) of its result, contiguous.
    """
    batch, channels = len(padded), grad.shape[3]
    by_patch = torch.zeros(batch, 8, channels, dtype=torch.float64)
    total = torch.zeros(batch, channels, dtype=torch.float64)
    arrays = [a.numpy() for a in (padded, grad.float(), best, frames)]
    sums = by_patch.numpy(), total.numpy()
    run = _loops().conv_pool_relu_grad
    share_work(batch, lambda start, stop: run(*arrays, width, *sums, start, stop))
    return by_patch.sum(0), total.sum(0)
