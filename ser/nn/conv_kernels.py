"""CPU kernel of :mod:`ser.nn.conv`: both gradients of a convolution (compiled by numba, cached).

Every utterance writes to rows of its own, so that threads can share a batch and the result does
not depend on how many they are.
"""

from __future__ import annotations

import numpy as np

from ser.compiling import compiled
from ser.nn.tiles import ROWS, WIDTH, tile

PLACES = 256
"""Places of the input at a time, side by side in the nearest cache."""


@compiled
def gradients(x, grad, panels, top, left, d_x, d_taps, d_bias, start, stop):
    """Gradients of the input, of the taps and of the bias, utterances ``start`` to ``stop``.

    Args:
        x, d_x: (B, rows, cols, C), C a multiple of WIDTH.
        grad: (B, rows', cols', O).
        panels: (C / WIDTH, height, width * O, WIDTH), the taps in the order in which a place of the
            input meets the output's gradient.
        top, left: rows and columns of zeros before ``grad``, so that place (r, t) of the input
            meets rows r to r + height of it, columns t to t + width.
        d_taps: (B, height, width * O, C), zeros.
        d_bias: (B, O), zeros.
    """
    rows, cols = x.shape[1], x.shape[2]
    outputs = grad.shape[3]
    height, depth = panels.shape[1], panels.shape[2]
    padded = np.zeros((rows + height - 1, cols + depth // outputs - 1, outputs), np.float32)
    line = padded.strides[0]
    at_once = max(1, PLACES // cols)
    side = np.empty((len(panels), at_once * cols, WIDTH), np.float32)
    for b in range(start, stop):
        for r in range(grad.shape[1]):
            _copy_sum(padded[top + r, left : left + grad.shape[2]], grad[b, r], d_bias[b])
        for first in range(0, rows, at_once):
            count = min(at_once, rows - first)
            under = padded.ctypes.data + line * first
            for r in range(count):
                for t in range(cols):
                    for p in range(len(panels)):
                        columns = x[b, first + r, t, p * WIDTH : (p + 1) * WIDTH]
                        _copy(side[p, r * cols + t], columns)
                for p in range(len(panels)):
                    _row_of_input(
                        under + line * r, line, outputs, panels[p], cols,
                        d_x[b, first + r].ctypes.data + 4 * WIDTH * p, x.shape[3],
                    )  # fmt: skip
            for p in range(len(panels)):
                for i in range(height):
                    _taps(
                        under + line * i, line, outputs, side[p].ctypes.data, count, cols,
                        d_taps[b, i].ctypes.data + 4 * WIDTH * p, depth, x.shape[3],
                    )  # fmt: skip


@compiled
def _copy_sum(to, row, total):
    for t in range(len(row)):
        for o in range(row.shape[1]):
            to[t, o] = row[t, o]
        for o in range(row.shape[1]):
            total[o] += np.float64(row[t, o])


@compiled
def _copy(to, columns):
    for j in range(WIDTH):
        to[j] = columns[j]


@compiled
def _row_of_input(under, line, outputs, panel, cols, out, channels):
    """d_x of a row, WIDTH channels: gradients that lie above one another times taps, summed."""
    height, depth = panel.shape[0], panel.shape[1]
    for t in range(0, cols, ROWS):
        tile(
            min(ROWS, cols - t), under + 4 * outputs * t, 4 * outputs, 4, line - 4 * depth,
            panel.ctypes.data, 4 * WIDTH,
            out + 4 * channels * t, 4 * channels, depth, height, 1,
        )  # fmt: skip


@compiled
def _taps(under, line, outputs, side, rows, cols, out, depth, channels):
    """d_taps of a row of the kernel, WIDTH channels: gradients times inputs, summed over places."""
    for k in range(0, depth, ROWS):
        tile(
            min(ROWS, depth - k), under + 4 * k, 4, 4 * outputs, line - 4 * outputs * cols,
            side, 4 * WIDTH, out + 4 * channels * k, 4 * channels, cols, rows, 0,
        )  # fmt: skip
