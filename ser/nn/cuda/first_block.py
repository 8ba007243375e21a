"""The passes of :mod:`ser.nn.first_block` on a GPU, in Triton, and the proof before use.

A program takes some places of the pooled picture and all channels. It reads the patches under
the four places that a pooled one is the maximum of, and writes the maximum and which it was; the
convolution's output is never stored. Backward sums the patches of the winners, weighted by the
gradient, as one small matrix product. With TRITON_INTERPRET=1 the kernels run on the CPU.

Book: chapter "Making it fast".
"""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ser.nn.cuda import jit, tl, triton
from ser.nn.cuda.verify import agrees, largest_gap
from ser.nn.first_block import one_pass, why_not_these

if TYPE_CHECKING:
    from ser.nn.frontend import ConvBlock

TAPS = 8
"""Weights of a kernel: (4, 2) and (2, 4) have as many."""
PLACES = 32
"""Pooled places of a tile."""
SPLITS = 16
"""Programs that share an utterance in backward."""
TOLERANCE = 2e-3
"""Largest deviation in the proof, as a share of the largest value."""


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
    """As :func:`ser.nn.cpu.first_block.conv_pool_relu`; all columns are valid."""
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
    """As :func:`ser.nn.cpu.first_block.conv_pool_relu_grad`."""
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
    """As :func:`ser.nn.cpu.first_block.patch_moments`, the sums in float32, all clips as long."""
    batch, cols, width = len(padded), int(cols[0]), kernel[1]
    sums = padded.new_empty(batch, SPLITS, 16, 16)
    _moments[(SPLITS, batch)](
        padded, sums, *padded.shape[1:], rows, cols,
        WIDTH=width, TAPS=TAPS, PLACES=PLACES, SPLITS=SPLITS, num_warps=2,
    )  # fmt: skip
    found = sums.sum((0, 1), dtype=torch.float64) / (batch * rows * cols)
    mean = found[TAPS, :TAPS]
    return mean, found[:TAPS, :TAPS] - torch.outer(mean, mean)


def why_not(block: ConvBlock, x: Tensor, lengths: Tensor | None) -> str:
    """What keeps the kernels from a block's input; empty where nothing does."""
    if lengths is not None:
        return "utterances have lengths of their own"
    channels = block.conv.out_channels
    if triton is None or channels & (channels - 1) or not 16 <= channels <= 128:
        return "Triton is missing, or its kernels do not take so many channels"
    why = why_not_these(block, x)
    return why or ("" if proven(str(x.device)) else "its kernels do not agree with torch here")


@functools.cache
def proven(device: str) -> bool:
    """Whether the kernels agree with torch on *device*; tried once."""
    return agrees("the front end's kernels", deviation, device, TOLERANCE)


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
            outputs = one_pass(sys.modules[__name__], ours, x, None), plain(x)
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
