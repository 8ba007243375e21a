"""CPU kernels of :mod:`ser.nn.pooling`; data (B, rows, frames, C), utterances start to stop.

Each utterance writes to rows of its own, so that threads can share a batch and the result does
not depend on how many they are. Row by row, so that sums in float32 stay short.
"""

from __future__ import annotations

import numpy as np

from ser.compiling import compiled
from ser.nn.elementwise import load, store

SHARED = "0276a09aa79e7471"
"""Digest of elementwise.py, whose code is compiled into these kernels."""


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
    zero = np.float32(0)
    part = np.zeros((2, channels), np.float32)
    plain, along = part[0], part[1]
    for b in range(start, stop):
        for r in range(grad.shape[1]):
            part[:] = 0
            for t in range(min(cols[b] // 2, grad.shape[2])):
                p0, p1 = z[b, 2 * r, 2 * t], z[b, 2 * r, 2 * t + 1]
                p2, p3 = z[b, 2 * r + 1, 2 * t], z[b, 2 * r + 1, 2 * t + 1]
                g, won = grad[b, r, t], best[b, r, t]
                for c in range(channels):
                    value = load(p0, c)
                    value = load(p1, c) if won[c] == 1 else value
                    value = load(p2, c) if won[c] == 2 else value
                    value = load(p3, c) if won[c] == 3 else value
                    open_ = load(g, c) if won[c] < 4 else zero
                    plain[c] += open_
                    along[c] += open_ * ((value - mean[c]) * rstd[c])
            for c in range(channels):
                total[0, b, c] += plain[c]
                total[1, b, c] += along[c]


@compiled
def pool_grad(z, grad, best, cols, scale, level, along, out, start, stop):
    """scale * gradient at the winners, minus level + along * z everywhere -> out, like z."""
    channels = z.shape[3]
    for b in range(start, stop):
        frames = min(cols[b] // 2, grad.shape[2])
        for r in range(z.shape[1]):
            out[b, r, cols[b] :] = 0
            inside = r // 2 < grad.shape[1]
            for t in range(cols[b]):
                o, value = out[b, r, t], z[b, r, t]
                if inside and t // 2 < frames:
                    g, won = grad[b, r // 2, t // 2], best[b, r // 2, t // 2]
                    here = np.uint8(2 * (r % 2) + t % 2)
                    for c in range(channels):
                        v = scale[c] * load(g, c) if won[c] == here else np.float32(0)
                        store(o, c, v - level[c] - along[c] * load(value, c))
                else:
                    for c in range(channels):
                        store(o, c, -level[c] - along[c] * load(value, c))
