"""CPU kernels of the front end's first block (compiled by numba on first use, then cached).

Every kernel works on utterances ``start <= b < stop`` and writes to rows of its own, so threads
can share a batch, and the result does not depend on how many they are. ``x`` is the padded and
centred spectrogram (B, bands + padding, frames + padding); a patch is the 8 values under the
convolution's kernel; ``frames[b]`` limits what is computed.
"""

from __future__ import annotations

import numpy as np

from ser.compiling import compiled
from ser.nn.elementwise import load, store

SHARED = "0276a09aa79e7471"
"""Digest of elementwise.py, whose code is compiled into these kernels."""

SUMS = {"contract", "nsz", "reassoc"}
CHANNELS = 64
"""Output channels, a constant so that the compiler can keep the sums in registers."""


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
    stride = x.shape[2]
    o1, o2 = 1 // width * stride + 1 % width, 2 // width * stride + 2 % width
    o3, o4 = 3 // width * stride + 3 % width, 4 // width * stride + 4 % width
    o5, o6 = 5 // width * stride + 5 % width, 6 // width * stride + 6 % width
    o7 = 7 // width * stride + 7 % width
    w0, w1, w2, w3, w4, w5, w6, w7 = w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7]
    zero = np.float32(0.0)
    for b in range(start, stop):
        xb = x[b].reshape(-1)
        for r in range(out.shape[1]):
            for t in range(frames[b], out.shape[2]):
                out[b, r, t, :] = zero
                best[b, r, t, :] = 4
            for t in range(frames[b]):
                i = 2 * r * stride + 2 * t
                p00, p01, p02, p03 = xb[i], xb[i + o1], xb[i + o2], xb[i + o3]
                p04, p05, p06, p07 = xb[i + o4], xb[i + o5], xb[i + o6], xb[i + o7]
                i += 1
                p10, p11, p12, p13 = xb[i], xb[i + o1], xb[i + o2], xb[i + o3]
                p14, p15, p16, p17 = xb[i + o4], xb[i + o5], xb[i + o6], xb[i + o7]
                i += stride - 1
                p20, p21, p22, p23 = xb[i], xb[i + o1], xb[i + o2], xb[i + o3]
                p24, p25, p26, p27 = xb[i + o4], xb[i + o5], xb[i + o6], xb[i + o7]
                i += 1
                p30, p31, p32, p33 = xb[i], xb[i + o1], xb[i + o2], xb[i + o3]
                p34, p35, p36, p37 = xb[i + o4], xb[i + o5], xb[i + o6], xb[i + o7]
                o, won = out[b, r, t], best[b, r, t]
                for c in range(CHANNELS):
                    m = (
                        p00 * w0[c] + p01 * w1[c] + p02 * w2[c] + p03 * w3[c]
                        + p04 * w4[c] + p05 * w5[c] + p06 * w6[c] + p07 * w7[c]
                    )  # fmt: skip
                    z = (
                        p10 * w0[c] + p11 * w1[c] + p12 * w2[c] + p13 * w3[c]
                        + p14 * w4[c] + p15 * w5[c] + p16 * w6[c] + p17 * w7[c]
                    )  # fmt: skip
                    k = np.uint8(1) if z > m else np.uint8(0)
                    m = z if z > m else m
                    z = (
                        p20 * w0[c] + p21 * w1[c] + p22 * w2[c] + p23 * w3[c]
                        + p24 * w4[c] + p25 * w5[c] + p26 * w6[c] + p27 * w7[c]
                    )  # fmt: skip
                    k = np.uint8(2) if z > m else k
                    m = z if z > m else m
                    z = (
                        p30 * w0[c] + p31 * w1[c] + p32 * w2[c] + p33 * w3[c]
                        + p34 * w4[c] + p35 * w5[c] + p36 * w6[c] + p37 * w7[c]
                    )  # fmt: skip
                    k = np.uint8(3) if z > m else k
                    m = z if z > m else m
                    m += shift[c]
                    won[c] = k if m > zero else np.uint8(4)
                    store(o, c, m if m > zero else zero)


@compiled
def conv_pool_relu_grad(x, grad, best, frames, width, by_patch, total, start, stop):
    """Sums over the winners: gradient times patch (B, 8, C), and gradient alone (B, C)."""
    stride = x.shape[2]
    o1, o2 = 1 // width * stride + 1 % width, 2 // width * stride + 2 % width
    o3, o4 = 3 // width * stride + 3 % width, 4 // width * stride + 4 % width
    o5, o6 = 5 // width * stride + 5 % width, 6 // width * stride + 6 % width
    o7 = 7 // width * stride + 7 % width
    sums = np.empty(9 * CHANNELS, np.float32)
    zero = np.float32(0.0)
    for b in range(start, stop):
        xb = x[b].reshape(-1)
        for r in range(grad.shape[1]):
            sums[:] = zero
            for t in range(frames[b]):
                i = 2 * r * stride + 2 * t
                p00, p01, p02, p03 = xb[i], xb[i + o1], xb[i + o2], xb[i + o3]
                p04, p05, p06, p07 = xb[i + o4], xb[i + o5], xb[i + o6], xb[i + o7]
                i += 1
                p10, p11, p12, p13 = xb[i], xb[i + o1], xb[i + o2], xb[i + o3]
                p14, p15, p16, p17 = xb[i + o4], xb[i + o5], xb[i + o6], xb[i + o7]
                i += stride - 1
                p20, p21, p22, p23 = xb[i], xb[i + o1], xb[i + o2], xb[i + o3]
                p24, p25, p26, p27 = xb[i + o4], xb[i + o5], xb[i + o6], xb[i + o7]
                i += 1
                p30, p31, p32, p33 = xb[i], xb[i + o1], xb[i + o2], xb[i + o3]
                p34, p35, p36, p37 = xb[i + o4], xb[i + o5], xb[i + o6], xb[i + o7]
                g, won = grad[b, r, t], best[b, r, t]
                for c in range(CHANNELS):
                    g0 = load(g, c) if won[c] == 0 else zero
                    g1 = load(g, c) if won[c] == 1 else zero
                    g2 = load(g, c) if won[c] == 2 else zero
                    g3 = load(g, c) if won[c] == 3 else zero
                    sums[c] += g0 * p00 + g1 * p10 + g2 * p20 + g3 * p30
                    sums[CHANNELS + c] += g0 * p01 + g1 * p11 + g2 * p21 + g3 * p31
                    sums[2 * CHANNELS + c] += g0 * p02 + g1 * p12 + g2 * p22 + g3 * p32
                    sums[3 * CHANNELS + c] += g0 * p03 + g1 * p13 + g2 * p23 + g3 * p33
                    sums[4 * CHANNELS + c] += g0 * p04 + g1 * p14 + g2 * p24 + g3 * p34
                    sums[5 * CHANNELS + c] += g0 * p05 + g1 * p15 + g2 * p25 + g3 * p35
                    sums[6 * CHANNELS + c] += g0 * p06 + g1 * p16 + g2 * p26 + g3 * p36
                    sums[7 * CHANNELS + c] += g0 * p07 + g1 * p17 + g2 * p27 + g3 * p37
                    sums[8 * CHANNELS + c] += g0 + g1 + g2 + g3
            for i in range(8):
                for c in range(CHANNELS):
                    by_patch[b, i, c] += sums[i * CHANNELS + c]
            for c in range(CHANNELS):
                total[b, c] += sums[8 * CHANNELS + c]
