"""The first block of the front end on a GPU: the kernels of :mod:`ser.nn.first_block` in Triton.

A program takes some places of the pooled picture and all channels. It reads the patches under
the four places that a pooled one is the maximum of, and writes the maximum and which it was; the
convolution's output is never stored. Backward sums the patches of the winners, weighted by the
gradient, as one small matrix product. With TRITON_INTERPRET=1 the kernels run on the CPU.
"""

from __future__ import annotations

import torch
from torch import Tensor

try:
    import triton
    import triton.language as tl
except ImportError:  # torch brings it on Linux alone
    triton = tl = None

jit = (lambda function: function) if triton is None else triton.jit

TAPS = 8
"""Weights of a kernel: (4, 2) and (2, 4) have as many."""
PLACES = 32
"""Pooled places of a tile."""
SPLITS = 16
"""Programs that share an utterance in backward."""


@jit
def _pool(
    padded, weight, shift, out, best, padded_rows, padded_cols, rows, cols,
    WIDTH: tl.constexpr, TAPS: tl.constexpr, CHANNELS: tl.constexpr, PLACES: tl.constexpr,
):  # fmt: skip
    place = tl.program_id(0) * PLACES + tl.arange(0, PLACES)
    there = place < rows * cols
    channel = tl.arange(0, CHANNELS)
    clip = tl.program_id(1).to(tl.int64)
    at = padded + clip * padded_rows * padded_cols
    at += (place // cols) * 2 * padded_cols + (place % cols) * 2
    z0 = tl.zeros((PLACES, CHANNELS), tl.float32)
    z1 = tl.zeros((PLACES, CHANNELS), tl.float32)
    z2 = tl.zeros((PLACES, CHANNELS), tl.float32)
    z3 = tl.zeros((PLACES, CHANNELS), tl.float32)
    for k in tl.static_range(TAPS):
        w = tl.load(weight + k * CHANNELS + channel)[None, :]
        tap = at + (k // WIDTH) * padded_cols + k % WIDTH
        z0 += tl.load(tap, there, 0.0)[:, None] * w
        z1 += tl.load(tap + 1, there, 0.0)[:, None] * w
        z2 += tl.load(tap + padded_cols, there, 0.0)[:, None] * w
        z3 += tl.load(tap + padded_cols + 1, there, 0.0)[:, None] * w
    winner = tl.zeros((PLACES, CHANNELS), tl.int32)
    winner = tl.where(z1 > z0, 1, winner)
    z0 = tl.where(z1 > z0, z1, z0)
    winner = tl.where(z2 > z0, 2, winner)
    z0 = tl.where(z2 > z0, z2, z0)
    winner = tl.where(z3 > z0, 3, winner)
    z0 = tl.where(z3 > z0, z3, z0)
    z0 += tl.load(shift + channel)[None, :]
    shut = z0 <= 0
    to = (clip * rows * cols + place)[:, None] * CHANNELS + channel[None, :]
    mask = there[:, None] & (channel < CHANNELS)[None, :]
    tl.store(out + to, tl.where(shut, 0.0, z0), mask)
    tl.store(best + to, tl.where(shut, 4, winner).to(tl.uint8), mask)


@jit
def _moments(
    padded, sums, padded_rows, padded_cols, rows, cols,
    WIDTH: tl.constexpr, TAPS: tl.constexpr, PLACES: tl.constexpr, SPLITS: tl.constexpr,
):  # fmt: skip
    clip = tl.program_id(1).to(tl.int64)
    tap = tl.arange(0, 16)
    base = padded + clip * padded_rows * padded_cols
    base += ((tap // WIDTH) * padded_cols + tap % WIDTH)[:, None]
    total = tl.zeros((16, 16), tl.float32)
    first = tl.program_id(0) * PLACES
    while first < rows * cols:
        place = first + tl.arange(0, PLACES)
        there = (place < rows * cols)[None, :]
        at = base + ((place // cols) * padded_cols + place % cols)[None, :]
        patch = tl.load(at, (tap < TAPS)[:, None] & there, 0.0)
        patch = tl.where((tap == TAPS)[:, None] & there, 1.0, patch)
        total = tl.dot(patch, tl.trans(patch), total, input_precision="ieee")
        first += SPLITS * PLACES
    to = sums + ((clip * SPLITS + tl.program_id(0)) * 16 + tap)[:, None] * 16
    tl.store(to + tap[None, :], total)


@jit
def _pool_grad(
    padded, grad, best, sums, padded_rows, padded_cols, rows, cols,
    WIDTH: tl.constexpr, TAPS: tl.constexpr, CHANNELS: tl.constexpr, PLACES: tl.constexpr,
    SPLITS: tl.constexpr,
):  # fmt: skip
    clip = tl.program_id(1).to(tl.int64)
    channel = tl.arange(0, CHANNELS)
    tap = tl.arange(0, 16)
    base = padded + clip * padded_rows * padded_cols
    offset = (tap // WIDTH) * padded_cols + tap % WIDTH
    total = tl.zeros((16, CHANNELS), tl.float32)
    first = tl.program_id(0) * PLACES
    while first < rows * cols:
        place = first + tl.arange(0, PLACES)
        there = place < rows * cols
        source = (clip * rows * cols + place)[:, None] * CHANNELS + channel[None, :]
        mask = there[:, None] & (channel < CHANNELS)[None, :]
        g = tl.load(grad + source, mask, 0.0).to(tl.float32)
        won = tl.load(best + source, mask, 4).to(tl.int32)
        at = (place // cols) * 2 * padded_cols + (place % cols) * 2
        for q in tl.static_range(4):
            patch = tl.load(
                base + offset[:, None] + (at + (q // 2) * padded_cols + q % 2)[None, :],
                mask=(tap < TAPS)[:, None] & there[None, :],
                other=0.0,
            )
            patch = tl.where((tap == TAPS)[:, None], 1.0, patch)
            own = tl.where(won == q, g, 0.0)
            total = tl.dot(patch, own, total, input_precision="ieee")
        first += SPLITS * PLACES
    to = sums + ((clip * SPLITS + tl.program_id(0)) * 16 + tap)[:, None] * CHANNELS
    tl.store(to + channel[None, :], total)


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
        frames: (B,) its valid columns; all are.
        low: the result in bfloat16.

    Returns:
        (B, *size, C), and which of the four places won (4: none, the maximum was not above 0).
    """
    batch, padded_rows, padded_cols = padded.shape
    channels = weight.shape[1]
    kind = torch.bfloat16 if low else torch.float32
    out = padded.new_empty(batch, *size, channels, dtype=kind)
    best = padded.new_empty(out.shape, dtype=torch.uint8)
    grid = (triton.cdiv(size[0] * size[1], PLACES), batch)
    _pool[grid](
        padded, weight, shift, out, best, padded_rows, padded_cols, *size,
        WIDTH=width, TAPS=TAPS, CHANNELS=channels, PLACES=PLACES, num_warps=4,
    )  # fmt: skip
    return out, best


def conv_pool_relu_grad(
    padded: Tensor, grad: Tensor, best: Tensor, width: int, frames: Tensor
) -> tuple[Tensor, Tensor]:
    """Sums over all winning places of gradient times patch, (8, C), and of the gradient, (C,).

    Args:
        padded, best, width, frames: as :func:`conv_pool_relu` took and gave them.
        grad: (B, rows, cols, C) of its result, contiguous.
    """
    batch, rows, cols, channels = grad.shape
    sums = padded.new_empty(batch, SPLITS, 16, channels)
    _pool_grad[(SPLITS, batch)](
        padded, grad, best, sums, *padded.shape[1:], rows, cols,
        WIDTH=width, TAPS=TAPS, CHANNELS=channels, PLACES=PLACES, SPLITS=SPLITS, num_warps=4,
    )  # fmt: skip
    found = sums.sum((0, 1), dtype=torch.float64)
    return found[:TAPS], found[TAPS]


def patch_moments(
    padded: Tensor, rows: int, cols: Tensor, kernel: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Mean (8,) and covariance (8, 8), biased, of the patches under the kernel, in float64.

    Args:
        padded: (B, padded rows, padded cols), about its mean: sums are made in float32.
        rows, cols: of the convolution's output; (B,) columns, all alike.
        kernel: its size.
    """
    batch, cols, width = len(padded), int(cols[0]), kernel[1]
    sums = padded.new_empty(batch, SPLITS, 16, 16)
    _moments[(SPLITS, batch)](
        padded, sums, *padded.shape[1:], rows, cols,
        WIDTH=width, TAPS=TAPS, PLACES=PLACES, SPLITS=SPLITS, num_warps=2,
    )  # fmt: skip
    found = sums.sum((0, 1), dtype=torch.float64) / (batch * rows * cols)
    mean = found[TAPS, :TAPS]
    return mean, found[:TAPS, :TAPS] - torch.outer(mean, mean)


def fits(x: Tensor, channels: int) -> bool:
    """Whether the kernels can take pictures (B, 1, bands, frames) and so many channels."""
    power = channels & (channels - 1) == 0
    return triton is not None and x.dtype == torch.float32 and power and 16 <= channels <= 128
