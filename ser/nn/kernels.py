"""CPU kernels of the front end's first block (compiled by numba on first use, then cached).

Every kernel works on utterances ``start <= b < stop`` and writes to rows of its own, so threads
can share a batch, and the result does not depend on how many they are. ``x`` is the padded and
centred spectrogram (B, bands + padding, frames + padding); a patch is the 8 values under the
convolution's kernel; ``frames[b]`` limits what is computed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from ser.compiling import compiled
from ser.nn.vectors import SHUT, WHOLE, Lanes

SUMS = {"contract", "nsz", "reassoc"}
CHANNELS = 64
"""Output channels, a constant so that loops over them need no remainder."""
TAPS, LANES = 8, 8
AT_ONCE = 16
"""Places of a row whose gradients are read again for every group of channels."""


@compiled(fastmath=SUMS)
def patch_moments(x, rows, cols, height, width, first, second, start, stop):
    """Sums of patches (B, 8) and of their products (B, 8, 8): a row in x's precision, then double.

    ``rows`` positions of the kernel along the bands, ``cols[b]`` along the frames.
    """
    taps = height * width
    for b in range(start, stop):
        for r in range(rows):
            for i in range(taps):
                left = x[b, r + i // width, i % width : i % width + cols[b]]
                total = np.float32(0.0)
                for t in range(cols[b]):
                    total += left[t]
                first[b, i] += np.float64(total)
                for j in range(i + 1):
                    right = x[b, r + j // width, j % width : j % width + cols[b]]
                    total = np.float32(0.0)
                    for t in range(cols[b]):
                        total += left[t] * right[t]
                    second[b, i, j] += np.float64(total)
        for i in range(taps):
            for j in range(i):
                second[b, j, i] = second[b, i, j]


@compiled
def conv_pool_relu(x, w, shift, frames, width, out, best, start, stop):
    """Convolution with w (8, C), maximum of 2x2, shift (C), ReLU -> out (B, rows, cols, C).

    ``best`` (like out, uint8): which of the four won, 4 where the ReLU is shut. ``out`` may be
    bfloat16.
    """
    patches = np.empty((out.shape[2], TAPS, 4), np.float32)
    for b in range(start, stop):
        for r in range(out.shape[1]):
            out[b, r, frames[b] :] = 0
            best[b, r, frames[b] :] = SHUT
            _gather(patches, x[b], 2 * r, width, frames[b])
            index = (b * out.shape[1] + r) * out.shape[2] * CHANNELS
            for t in range(frames[b]):
                _pool(
                    patches.ctypes.data + 4 * 4 * TAPS * t, w.ctypes.data, shift.ctypes.data,
                    out, best, index + CHANNELS * t,
                )  # fmt: skip


@compiled
def conv_pool_relu_grad(x, grad, best, frames, width, by_patch, total, start, stop):
    """Sums over the winners: gradient times patch (B, 8, C), and gradient alone (B, C)."""
    patches = np.empty((grad.shape[2], TAPS, 4), np.float32)
    sums = np.empty((TAPS + 1, CHANNELS), np.float32)
    for b in range(start, stop):
        for r in range(grad.shape[1]):
            _gather(patches, x[b], 2 * r, width, frames[b])
            index = (b * grad.shape[1] + r) * grad.shape[2] * CHANNELS
            sums[:] = 0
            for t in range(0, frames[b], AT_ONCE):
                _pool_grad(
                    patches[t].ctypes.data, grad, best, index + CHANNELS * t,
                    min(AT_ONCE, frames[b] - t), sums.ctypes.data,
                )  # fmt: skip
            for i in range(TAPS):
                for c in range(CHANNELS):
                    by_patch[b, i, c] += np.float64(sums[i, c])
            for c in range(CHANNELS):
                total[b, c] += np.float64(sums[TAPS, c])


@compiled
def _gather(patches, x, r, width, frames):
    """The four patches under each place of the pool, rows r and r + 1: (frames, 8, 4)."""
    for i in range(TAPS):
        upper, lower = x[r + i // width, i % width :], x[r + 1 + i // width, i % width :]
        for t in range(frames):
            patches[t, i, 0], patches[t, i, 1] = upper[2 * t], upper[2 * t + 1]
            patches[t, i, 2], patches[t, i, 3] = lower[2 * t], lower[2 * t + 1]


def _data(context: Any, builder: Any, kind: Any, array: Any) -> tuple[Any, bool]:
    """The address of an array's first element, and whether it holds bfloat16."""
    pointer = context.make_array(kind)(context, builder, array).data
    return builder.ptrtoint(pointer, WHOLE), kind.dtype == types.uint16


@intrinsic
def _pool(_: Any, patches: Any, w: Any, shift: Any, out: Any, best: Any, index: Any) -> Any:
    """One place of the pool, all channels: 16 at a time, so that the sums stay in registers."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        """Emit the products, the three comparisons and the ReLU."""
        patches, w, shift, out, best, index = args
        code = Lanes(builder, LANES)
        out, low = _data(context, builder, signature.args[3], out)
        best, _ = _data(context, builder, signature.args[4], best)

        def group(at: list) -> list:
            """16 channels: addresses of w, shift, out and best -> those of the next 16."""
            w, shift, out, best = at
            sums = [[code.zero] * 4 for _ in range(2)]
            for i in range(TAPS):
                factors = [code.load(code.moved(w, 4 * (CHANNELS * i + LANES * v))) for v in (0, 1)]
                for q in range(4):
                    value = code.spread(code.moved(patches, 4 * (4 * i + q)))
                    for v in (0, 1):
                        sums[v][q] = code.add_product(sums[v][q], value, factors[v])
            numbers = [_winner(code, shift, out, low, v, sums[v]) for v in (0, 1)]
            both = ir.Constant(ir.VectorType(ir.IntType(32), 16), list(range(16)))
            joined = builder.shuffle_vector(*numbers, both)
            code.put(best, builder.trunc(joined, ir.VectorType(ir.IntType(8), 16)))
            steps = (64, 64, 32 if low else 64, 16)
            return [code.moved(a, step) for a, step in zip(at, steps, strict=True)]

        first = [w, shift, code.moved(out, index, 2 if low else 4), builder.add(best, index)]
        code.loop(WHOLE(CHANNELS // 16), first, group)
        return context.get_dummy_value()

    whole = types.int64
    return types.none(whole, whole, whole, out, best, whole), build


def _winner(code: Lanes, shift: Any, out: Any, low: bool, v: int, sums: list) -> Any:
    """Store the largest of four sums, shifted, where it is positive; which it was."""
    build = code.builder
    most, number = sums[0], code.whole(0)
    for q in (1, 2, 3):
        wins = build.fcmp_ordered(">", sums[q], most)
        number = build.select(wins, code.whole(q), number)
        most = build.select(wins, sums[q], most)
    most = code.add(most, code.load(code.moved(shift, 4 * LANES * v)))
    lit = build.fcmp_ordered(">", most, code.zero)
    code.store(
        code.moved(out, (2 if low else 4) * LANES * v), build.select(lit, most, code.zero), low
    )
    return build.select(lit, number, code.whole(SHUT))


@intrinsic
def _pool_grad(
    _: Any, patches: Any, grad: Any, best: Any, index: Any, frames: Any, sums: Any
) -> Any:
    """A few places of a row: gradient times winning patch, and gradient alone, to sums (9, C)."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        """Emit a loop over groups of channels and, within, over the row: nine sums in registers."""
        patches, grad, best, index, frames, sums = args
        code = Lanes(builder, LANES)
        grad, low = _data(context, builder, signature.args[1], grad)
        best, _ = _data(context, builder, signature.args[2], best)
        size = 2 if low else 4
        bytes_ = ir.VectorType(ir.IntType(8), LANES)

        def place(values: list) -> list:
            """One place of the row, 8 channels: addresses and nine sums -> the next place's."""
            patch, grad, best, *sums, alone = values
            gradient = code.load(grad, low)
            number = builder.zext(code.at(best, bytes_), code.wholes)
            lit = builder.icmp_unsigned("<", number, code.whole(SHUT))
            own = builder.select(lit, gradient, code.zero)
            alone = code.add(alone, own)
            for i in range(TAPS):
                value = code.chosen(code.moved(patch, 16 * i), number)
                sums[i] = code.add_product(sums[i], own, value)
            steps = (4 * 4 * TAPS, size * CHANNELS, CHANNELS)
            at = zip((patch, grad, best), steps, strict=True)
            return [*(code.moved(a, step) for a, step in at), *sums, alone]

        def group(at: list) -> list:
            """8 channels: addresses of grad, best and sums -> those of the next 8."""
            grad, best, sums = at
            totals = [code.moved(sums, 4 * CHANNELS, i) for i in range(TAPS + 1)]
            first = [patches, grad, best, *(code.load(total) for total in totals)]
            _, _, _, *found = code.loop(frames, first, place)
            for total, value in zip(totals, found, strict=True):
                code.store(total, value)
            return [code.moved(a, step * LANES) for a, step in zip(at, (size, 1, 4), strict=True)]

        first = [code.moved(grad, index, size), builder.add(best, index), sums]
        code.loop(WHOLE(CHANNELS // LANES), first, group)
        return context.get_dummy_value()

    whole = types.int64
    return types.none(whole, grad, best, whole, whole, whole), build
