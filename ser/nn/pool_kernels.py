"""CPU kernels of :mod:`ser.nn.pooling`; data (B, rows, frames, C), utterances start to stop.

Each utterance writes to rows of its own, so that threads can share a batch and the result does
not depend on how many they are. Row by row, so that sums in float32 stay short.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from ser.compiling import compiled
from ser.nn.elementwise import load, store
from ser.nn.vectors import FUSED, SHUT, WHOLE, Lanes

LANES = 8
"""Channels at once; what is left over goes one by one."""


@compiled
def sums(z, cols, mean, square, total, start, stop):
    """Sums over the valid frames of z, or of (z - mean) squared -> total (B, C)."""
    channels = z.shape[3]
    part = np.zeros(channels, np.float32)
    for b in range(start, stop):
        for r in range(z.shape[1]):
            part[:] = 0
            for t in range(cols[b]):
                value = z[b, r, t]
                if square:
                    for c in range(channels):
                        centred = load(value, c) - mean[c]
                        part[c] += centred * centred
                else:
                    for c in range(channels):
                        part[c] += load(value, c)
            for c in range(channels):
                total[b, c] += part[c]


@compiled
def pool(z, scale, shift, cols, out, best, start, stop):
    """Maximum of 2x2 of scale * z, plus shift, ReLU; ``best`` which won, 4 where it is shut.

    What is not a number wins, as in torch.
    """
    channels = z.shape[3]
    zero = np.float32(0)
    for b in range(start, stop):
        for r in range(out.shape[1]):
            frames = min(cols[b] // 2, out.shape[2])
            out[b, r, frames:] = 0
            best[b, r, frames:] = 4
            for t in range(frames):
                p0, p1 = z[b, 2 * r, 2 * t], z[b, 2 * r, 2 * t + 1]
                p2, p3 = z[b, 2 * r + 1, 2 * t], z[b, 2 * r + 1, 2 * t + 1]
                o, won = out[b, r, t], best[b, r, t]
                for c in range(channels):
                    m, k = scale[c] * load(p0, c), np.uint8(0)
                    v = scale[c] * load(p1, c)
                    wins = (v > m) | (v != v)
                    k, m = np.uint8(1) if wins else k, v if wins else m
                    v = scale[c] * load(p2, c)
                    wins = (v > m) | (v != v)
                    k, m = np.uint8(2) if wins else k, v if wins else m
                    v = scale[c] * load(p3, c)
                    wins = (v > m) | (v != v)
                    k, m = np.uint8(3) if wins else k, v if wins else m
                    m += shift[c]
                    won[c] = np.uint8(4) if m <= zero else k
                    store(o, c, zero if m <= zero else m)


@compiled
def pool_sums(z, grad, best, cols, mean, rstd, total, start, stop):
    """Sums of the gradient, and of it times normalised z, over the winners -> total (2, B, C)."""
    channels = z.shape[3]
    part = np.zeros((2, channels), np.float32)
    for b in range(start, stop):
        frames = min(cols[b] // 2, grad.shape[2])
        for r in range(grad.shape[1] if frames > 0 else 0):
            for c in range(0, channels - channels % LANES, LANES):
                _sums(z, grad, best, mean, rstd, part, b, r, c, frames)
            for c in range(channels - channels % LANES, channels):
                _sums_of_one(z, grad, best, mean, rstd, part, b, r, c, frames)
            for c in range(channels):
                total[0, b, c] += np.float64(part[0, c])
                total[1, b, c] += np.float64(part[1, c])


@compiled
def pool_grad(z, grad, best, cols, scale, level, along, out, start, stop):
    """scale * gradient at the winners, minus level + along * z everywhere -> out, like z."""
    channels = z.shape[3]
    for b in range(start, stop):
        frames = min(cols[b] // 2, grad.shape[2])
        for r in range(grad.shape[1] if frames > 0 else 0):
            for c in range(0, channels - channels % LANES, LANES):
                _grad(z, grad, best, scale, level, along, out, b, r, c, frames)
            for c in range(channels - channels % LANES, channels):
                _grad_of_one(z, grad, best, scale, level, along, out, b, r, c, frames)
        for r in range(z.shape[1]):
            out[b, r, cols[b] :] = 0
            pooled = 2 * frames if r // 2 < grad.shape[1] else 0
            for t in range(pooled, cols[b]):
                o, value = out[b, r, t], z[b, r, t]
                for c in range(channels):
                    store(o, c, -level[c] - along[c] * load(value, c))


class _Pool(Lanes):
    """Places of the pool along a row, a few channels: arrays (B, rows, frames, C) by number."""

    def __init__(self, lanes: int, context: Any, builder: Any, kinds: Any, args: Any) -> None:
        super().__init__(builder, lanes)
        self.arrays = [
            context.make_array(kind)(context, builder, array)
            for kind, array in zip(kinds, args, strict=False)
            if isinstance(kind, types.Array)
        ]
        self.low = [kind.dtype == types.uint16 for kind in kinds if isinstance(kind, types.Array)]
        *_, self.b, self.r, self.c, self.frames = args

    def first(self, number: int, row: Any = None) -> Any:
        """Where the channels lie: of a vector, or of the first place of a row of an array."""
        array, build = self.arrays[number], self.builder
        shape = cgutils.unpack_tuple(build, array.shape)
        index = self.c
        if row is not None:
            index = build.add(build.mul(self.b, shape[1]), row)
            index = build.add(build.mul(build.mul(index, shape[2]), shape[3]), self.c)
        return build.add(build.ptrtoint(array.data, WHOLE), build.mul(index, array.itemsize))

    def step(self, number: int) -> Any:
        """Bytes from a frame's channels to the next's."""
        array = self.arrays[number]
        channels = cgutils.unpack_tuple(self.builder, array.shape)[3]
        return self.builder.mul(channels, array.itemsize)

    def corners(self, number: int) -> list:
        """Where the four of the first place lie, in the order of ``best``."""
        upper = self.builder.mul(self.r, WHOLE(2))
        rows = [self.first(number, row) for row in (upper, self.builder.add(upper, WHOLE(1)))]
        return [self.moved(row, self.step(number), t) for row in rows for t in (0, 1)]

    def best(self, address: Any) -> Any:
        """Which of the four won, in 32 bits."""
        return self.builder.zext(
            self.at(address, ir.VectorType(ir.IntType(8), self.lanes)), self.wholes
        )


def _sums_code(lanes: int, context: Any, builder: Any, signature: Any, args: Any) -> Any:
    """Emit the loop over places: two sums in registers."""
    code = _Pool(lanes, context, builder, signature.args, args)
    mean, rstd = (code.load(code.first(k)) for k in (3, 4))

    def place(values: list) -> list:
        """One place: addresses and two sums -> the next place's."""
        grad, best, *corners, plain, along = values
        number = code.best(best)
        value = code.load(corners[0], code.low[0])
        for q in (1, 2, 3):
            here = builder.icmp_unsigned("==", number, code.whole(q))
            value = builder.select(here, code.load(corners[q], code.low[0]), value)
        lit = builder.icmp_unsigned("<", number, code.whole(SHUT))
        own = builder.select(lit, code.load(grad, code.low[1]), code.zero)
        normal = builder.fmul(builder.fsub(value, mean), rstd)
        moved = [code.moved(c, code.step(0), 2) for c in corners]
        ends = code.moved(grad, code.step(1)), code.moved(best, code.step(2))
        return [*ends, *moved, code.add(plain, own), code.add_product(along, own, normal)]

    first = [code.first(1, code.r), code.first(2, code.r), *code.corners(0), *[code.zero] * 2]
    *_, plain, along = code.loop(code.frames, first, place)
    code.store(code.first(5), plain)
    rows = cgutils.unpack_tuple(builder, code.arrays[5].shape)
    code.store(code.moved(code.first(5), builder.mul(rows[1], WHOLE(4))), along)
    return context.get_dummy_value()


def _grad_code(lanes: int, context: Any, builder: Any, signature: Any, args: Any) -> Any:
    """Emit the loop over places, four gradients each."""
    code = _Pool(lanes, context, builder, signature.args, args)
    scale, level, along = (code.load(code.first(k)) for k in (3, 4, 5))

    def place(values: list) -> list:
        """One place: addresses of grad, best, four of z, four of out -> the next place's."""
        grad, best, *others = values
        own = builder.fmul(scale, code.load(grad, code.low[1]))
        number = code.best(best)
        for q in range(4):
            here = builder.icmp_unsigned("==", number, code.whole(q))
            value = builder.fsub(builder.select(here, own, code.zero), level)
            z = code.load(others[q], code.low[0])
            value = builder.fsub(value, builder.fmul(along, z, flags=FUSED), flags=FUSED)
            code.store(others[4 + q], value, code.low[6])
        ends = code.moved(grad, code.step(1)), code.moved(best, code.step(2))
        steps = [code.step(0)] * 4 + [code.step(6)] * 4
        moved = [code.moved(a, step, 2) for a, step in zip(others, steps, strict=True)]
        return [*ends, *moved]

    first = [code.first(1, code.r), code.first(2, code.r), *code.corners(0), *code.corners(6)]
    code.loop(code.frames, first, place)
    return context.get_dummy_value()


@intrinsic
def _sums(_: Any, z: Any, grad: Any, best: Any, mean: Any, rstd: Any, part: Any, b: Any, r: Any,
          c: Any, frames: Any) -> Any:  # fmt: skip
    """Row r of the pool of utterance b, channels c to c + LANES: two sums -> part (2, C)."""
    kinds = z, grad, best, mean, rstd, part
    return types.none(*kinds, *[types.int64] * 4), functools.partial(_sums_code, LANES)


@intrinsic
def _sums_of_one(_: Any, z: Any, grad: Any, best: Any, mean: Any, rstd: Any, part: Any, b: Any,
                 r: Any, c: Any, frames: Any) -> Any:  # fmt: skip
    """As :func:`_sums`, channel c."""
    kinds = z, grad, best, mean, rstd, part
    return types.none(*kinds, *[types.int64] * 4), functools.partial(_sums_code, 1)


@intrinsic
def _grad(_: Any, z: Any, grad: Any, best: Any, scale: Any, level: Any, along: Any, out: Any,
          b: Any, r: Any, c: Any, frames: Any) -> Any:  # fmt: skip
    """Row r of the pool of utterance b, channels c to c + LANES: rows 2 r and 2 r + 1 of out."""
    kinds = z, grad, best, scale, level, along, out
    return types.none(*kinds, *[types.int64] * 4), functools.partial(_grad_code, LANES)


@intrinsic
def _grad_of_one(_: Any, z: Any, grad: Any, best: Any, scale: Any, level: Any, along: Any,
                 out: Any, b: Any, r: Any, c: Any, frames: Any) -> Any:  # fmt: skip
    """As :func:`_grad`, channel c."""
    kinds = z, grad, best, scale, level, along, out
    return types.none(*kinds, *[types.int64] * 4), functools.partial(_grad_code, 1)
