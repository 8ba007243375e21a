"""Loops of :mod:`ser.nn.cpu.first_block`, compiled by numba on first use and kept on disk.

Every loop works on utterances ``start <= b < stop`` and writes to rows of its own, so threads can
share a batch, and the result does not depend on how many they are. ``x`` is the padded and centred
spectrogram (B, bands + padding, frames + padding); a patch is the 8 values under the convolution's
kernel; ``frames[b]`` limits what is computed.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from pickle import UnpicklingError
from typing import Any

import numba
import numpy as np
from numba.core import event
from numba.core.caching import FunctionCache

log = logging.getLogger(__name__)

FAST = {"contract", "nsz"}
SUMS = FAST | {"reassoc"}
TAPS = 8
SHUT = 4
"""In ``best``, a place whose ReLU is shut; 0 to 3 are the four that the maximum was taken of."""


class _Compiling(event.Listener):
    """Tells of the wait, once."""

    def on_start(self, event: Any) -> None:
        if event.data["dispatcher"].py_func.__module__ == __name__:
            _tell()

    def on_end(self, event: Any) -> None:
        pass


@functools.cache
def _tell() -> None:
    log.info("compiling kernels (%s), once, about 2 s", __name__)


event.register("numba:compile", _Compiling())


class _Kept(FunctionCache):
    """numba's cache, which by itself stops at a damaged file; here it is made anew."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except (UnpicklingError, EOFError):
            self.flush()
            return None


def compiled(function: Callable | None = None, fastmath: set[str] = FAST) -> Any:
    """numba.njit without the interpreter's lock, kept on disk where numba finds a place for it."""
    if function is None:
        return functools.partial(compiled, fastmath=fastmath)
    kernel = numba.njit(nogil=True, fastmath=fastmath, error_model="numpy")(function)
    try:
        kernel._cache = _Kept(function)
    except RuntimeError:  # no folder that can be written
        _not_kept()
    return kernel


@functools.cache
def _not_kept() -> None:
    log.warning(
        "every process compiles its kernels anew: there is no folder for them; set NUMBA_CACHE_DIR "
        "to one that can be written"
    )


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

    ``best`` (like out, uint8): which of the four won, 4 where the ReLU is shut.
    """
    patches = np.empty((out.shape[2], TAPS, 4), np.float32)
    for b in range(start, stop):
        for r in range(out.shape[1]):
            out[b, r, frames[b] :] = 0
            best[b, r, frames[b] :] = SHUT
            gather(patches, x[b], 2 * r, width, frames[b])
            for t in range(frames[b]):
                pool(patches[t], w, shift, out[b, r, t], best[b, r, t])


@compiled
def conv_pool_relu_grad(x, grad, best, frames, width, by_patch, total, start, stop):
    """Sums over the winners: gradient times patch (B, 8, C), and gradient alone (B, C)."""
    patches = np.empty((grad.shape[2], TAPS, 4), np.float32)
    channels = grad.shape[3]
    sums = np.empty((TAPS + 1, channels), np.float32)
    for b in range(start, stop):
        for r in range(grad.shape[1]):
            gather(patches, x[b], 2 * r, width, frames[b])
            sums[:] = 0
            for t in range(frames[b]):
                pool_grad(patches[t], grad[b, r, t], best[b, r, t], sums)
            for i in range(TAPS):
                for c in range(channels):
                    by_patch[b, i, c] += np.float64(sums[i, c])
            for c in range(channels):
                total[b, c] += np.float64(sums[TAPS, c])


@compiled
def gather(patches, x, r, width, frames):
    """The four patches under each place of the pool, rows r and r + 1: (frames, 8, 4)."""
    for i in range(TAPS):
        upper, lower = x[r + i // width, i % width :], x[r + 1 + i // width, i % width :]
        for t in range(frames):
            patches[t, i, 0], patches[t, i, 1] = upper[2 * t], upper[2 * t + 1]
            patches[t, i, 2], patches[t, i, 3] = lower[2 * t], lower[2 * t + 1]


@compiled
def pool(patch, w, shift, out, best):
    """One place of the pool: patches (8, 4) -> out (C) and best (C).

    The patches' 32 values are named so that they stay in registers: an inner loop over the taps
    takes twice as long.
    """
    zero, p = np.float32(0), patch
    a0, b0, c0, d0 = p[0, 0], p[0, 1], p[0, 2], p[0, 3]
    a1, b1, c1, d1 = p[1, 0], p[1, 1], p[1, 2], p[1, 3]
    a2, b2, c2, d2 = p[2, 0], p[2, 1], p[2, 2], p[2, 3]
    a3, b3, c3, d3 = p[3, 0], p[3, 1], p[3, 2], p[3, 3]
    a4, b4, c4, d4 = p[4, 0], p[4, 1], p[4, 2], p[4, 3]
    a5, b5, c5, d5 = p[5, 0], p[5, 1], p[5, 2], p[5, 3]
    a6, b6, c6, d6 = p[6, 0], p[6, 1], p[6, 2], p[6, 3]
    a7, b7, c7, d7 = p[7, 0], p[7, 1], p[7, 2], p[7, 3]
    for j in range(out.size):
        w0, w1, w2, w3 = w[0, j], w[1, j], w[2, j], w[3, j]
        w4, w5, w6, w7 = w[4, j], w[5, j], w[6, j], w[7, j]
        z = a0 * w0 + a1 * w1 + a2 * w2 + a3 * w3 + a4 * w4 + a5 * w5 + a6 * w6 + a7 * w7
        z1 = b0 * w0 + b1 * w1 + b2 * w2 + b3 * w3 + b4 * w4 + b5 * w5 + b6 * w6 + b7 * w7
        z2 = c0 * w0 + c1 * w1 + c2 * w2 + c3 * w3 + c4 * w4 + c5 * w5 + c6 * w6 + c7 * w7
        z3 = d0 * w0 + d1 * w1 + d2 * w2 + d3 * w3 + d4 * w4 + d5 * w5 + d6 * w6 + d7 * w7
        k = np.int32(0)
        k, z = (np.int32(1), z1) if z1 > z else (k, z)
        k, z = (np.int32(2), z2) if z2 > z else (k, z)
        k, z = (np.int32(3), z3) if z3 > z else (k, z)
        z += shift[j]
        out[j] = z if z > zero else zero
        best[j] = np.uint8(k if z > zero else np.int32(SHUT))


@compiled
def pool_grad(patch, grad, best, sums):
    """One place: sums (9, C) += gradient times winning patch, and gradient alone."""
    zero, p = np.float32(0), patch
    a0, b0, c0, d0 = p[0, 0], p[0, 1], p[0, 2], p[0, 3]
    a1, b1, c1, d1 = p[1, 0], p[1, 1], p[1, 2], p[1, 3]
    a2, b2, c2, d2 = p[2, 0], p[2, 1], p[2, 2], p[2, 3]
    a3, b3, c3, d3 = p[3, 0], p[3, 1], p[3, 2], p[3, 3]
    a4, b4, c4, d4 = p[4, 0], p[4, 1], p[4, 2], p[4, 3]
    a5, b5, c5, d5 = p[5, 0], p[5, 1], p[5, 2], p[5, 3]
    a6, b6, c6, d6 = p[6, 0], p[6, 1], p[6, 2], p[6, 3]
    a7, b7, c7, d7 = p[7, 0], p[7, 1], p[7, 2], p[7, 3]
    for j in range(grad.size):
        k, g = np.int32(best[j]), grad[j]
        ga, gb = g if k == 0 else zero, g if k == 1 else zero
        gc, gd = g if k == 2 else zero, g if k == 3 else zero
        sums[0, j] += ga * a0 + gb * b0 + gc * c0 + gd * d0
        sums[1, j] += ga * a1 + gb * b1 + gc * c1 + gd * d1
        sums[2, j] += ga * a2 + gb * b2 + gc * c2 + gd * d2
        sums[3, j] += ga * a3 + gb * b3 + gc * c3 + gd * d3
        sums[4, j] += ga * a4 + gb * b4 + gc * c4 + gd * d4
        sums[5, j] += ga * a5 + gb * b5 + gc * c5 + gd * d5
        sums[6, j] += ga * a6 + gb * b6 + gc * c6 + gd * d6
        sums[7, j] += ga * a7 + gb * b7 + gc * c7 + gd * d7
        sums[TAPS, j] += ga + gb + gc + gd
