"""CPU kernel of the filter bank: power of a spectrum, its sums over bands, their logarithm."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from ser.compiling import compiled

LANES = 16
"""Frames that are worked on side by side, as many as a vector register holds."""


@intrinsic
def _bits(_: Any, value: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.IntType(32))

    return types.int32(types.float32), build


@intrinsic
def _float(_: Any, bits: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.FloatType())

    return types.float32(types.int32), build


@compiled
def _scaled_log(row, floor, scale, least):
    """row = scale * ln(row), or least up to the floor (Cephes' logf, error below 2 units)."""
    for i in range(row.size):
        x = row[i]
        bits = _bits(x)
        exponent = np.int32(np.int32(bits - np.int32(0x3F3504F3)) >> np.int32(23))
        f = _float(np.int32(bits - np.int32(exponent << np.int32(23)))) - np.float32(1.0)
        e = np.float32(exponent)
        p = np.float32(7.0376836292e-2) * f - np.float32(1.1514610310e-1)
        p = p * f + np.float32(1.1676998740e-1)
        p = p * f - np.float32(1.2420140846e-1)
        p = p * f + np.float32(1.4249322787e-1)
        p = p * f - np.float32(1.6668057665e-1)
        p = p * f + np.float32(2.0000714765e-1)
        p = p * f - np.float32(2.4999993993e-1)
        p = p * f + np.float32(3.3333331174e-1)
        z = f * f
        y = f * p * z + e * np.float32(-2.12194440e-4) - np.float32(0.5) * z
        y = scale * (f + y + e * np.float32(0.693359375))
        y = least if x <= floor else y
        row[i] = y if x - x == np.float32(0.0) else x


@compiled
def log_band_powers(spectrum, first, count, weights, floor, scale, least, out, start):
    """Scaled logarithms of the bands' powers in some frames -> columns ``start`` on of ``out``.

    A triangular band reaches a few bins of several hundred, and only those are summed. Frames lie
    side by side while they are, so that the sums of 16 of them are one vector instruction; every
    frame's sums are made in the same order, whichever its neighbours. What is not a number stays.

    Args:
        spectrum: (frames, 2 * bins), real and imaginary part of each bin in turn; frames a
            multiple of 16.
        first, count: (bands,) the first bin of each band and how many it reaches, at least 1.
        weights: the bands' weights, one band after the other.
        floor, scale: float32; the result is scale * ln(power) above the floor,
        least: and this at or below it.
        out: (bands, all frames).
    """
    frames, bins = spectrum.shape[0], spectrum.shape[1] // 2
    power = np.empty((LANES, bins), np.float32)
    across = np.empty((bins, LANES), np.float32)
    for row in range(0, frames, LANES):
        for i in range(LANES):
            values, squares = spectrum[row + i], power[i]
            for k in range(bins):
                real, imaginary = values[2 * k], values[2 * k + 1]
                squares[k] = real * real + imaginary * imaginary
        for k in range(bins):
            for i in range(LANES):
                across[k, i] = power[i, k]
        at = 0
        for band in range(len(first)):
            low, reach = first[band], count[band]
            total = out[band, start + row : start + row + LANES]
            w, a = weights[at], across[low]
            for i in range(LANES):
                total[i] = w * a[i]
            k = 1
            while k + 1 < reach:
                w, a = weights[at + k], across[low + k]
                v, b = weights[at + k + 1], across[low + k + 1]
                for i in range(LANES):
                    total[i] += w * a[i] + v * b[i]
                k += 2
            if k < reach:
                w, a = weights[at + k], across[low + k]
                for i in range(LANES):
                    total[i] += w * a[i]
            at += reach
    for band in range(len(first)):
        _scaled_log(out[band, start : start + frames], floor, scale, least)
