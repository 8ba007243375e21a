"""CPU kernels of a layer of :class:`torch.nn.LSTM`, all its steps in one call (numba, cached).

Sequences are sorted by length, longest first, and step t has ``sizes[t]`` rows. A thread takes
every ``shares``-th sequence from ``share`` on, through all steps: nobody waits for anybody.
Columns of ``act`` (N, 4 H) are torch's: i | f | g | o.
"""

from __future__ import annotations

import numpy as np

from ser.compiling import compiled
from ser.nn.elementwise import copy, product, sigmoid_within, tanh_of, tanh_within
from ser.nn.tiles import multiply


@compiled
def forward(act, before, h, c, tanh_c, panels, sizes, share, shares):
    """All steps of a share of the sequences.

    Args:
        act: (N, 4 H), in: the input's part; out: activations.
        before: (N, H), h before each row's step: the rows of the first step are read, those of the
            others written.
        h, tanh_c: (N, H), written.
        c: (B + N, H), row B + k belongs to row k of act; the first B are the initial state.
        panels: of the transposed recurrent weight (H, 4 H), :func:`ser.nn.tiles.panels_of`.
        sizes: (T,) sequences of each step.
    """
    size = c.shape[1]
    first = len(c) - len(act)
    start, last = 0, 0
    for t in range(len(sizes)):
        count = (sizes[t] - share + shares - 1) // shares
        following = start + sizes[t]
        running = sizes[t + 1] if t + 1 < len(sizes) else 0
        multiply(
            count, before.ctypes.data + 4 * size * (start + share), 4 * size * shares, panels,
            act.ctypes.data + 16 * size * (start + share), 16 * size * shares, 0,
        )  # fmt: skip
        for i in range(share, sizes[t], shares):
            row = start + i
            sigmoid_within(act[row, : 2 * size])
            tanh_within(act[row, 2 * size : 3 * size])
            sigmoid_within(act[row, 3 * size :])
            _state(act[row], c[last + i], c[first + row], tanh_c[row], h[row])
            if i < running:
                copy(before[following + i], h[row])
        last = first + start
        start = following


@compiled
def backward(grad, act, grad_h, c, tanh_c, dh, dc, panels, sizes, share, shares):
    """All steps of a share of the sequences, backwards.

    Args:
        grad: (N, 4 H), out: gradient before the nonlinearities.
        act, c, tanh_c, sizes: as :func:`forward` left them.
        grad_h: (N, H), gradient of h.
        dh: (B, whole panels), zeros; out: gradient of the initial h.
        dc: (B, H), zeros; out: gradient of the initial c.
        panels: of the recurrent weight (4 H, H).
    """
    size = c.shape[1]
    first = len(c) - len(act)
    start = len(act)
    for t in range(len(sizes) - 1, -1, -1):
        count = (sizes[t] - share + shares - 1) // shares
        start -= sizes[t]
        last = first + start - sizes[t - 1] if t else 0
        for i in range(share, sizes[t], shares):
            row = start + i
            _gradients(grad[row], act[row], dh[i], grad_h[row], c[last + i], tanh_c[row], dc[i])
        multiply(
            count, grad.ctypes.data + 16 * size * (start + share), 16 * size * shares, panels,
            dh.ctypes.data + 4 * dh.shape[1] * share, 4 * dh.shape[1] * shares, 1,
        )  # fmt: skip


@compiled
def _state(act, c_before, c, tanh_c, h):
    size = c.size
    i, f, g = act[:size], act[size : 2 * size], act[2 * size : 3 * size]
    for j in range(size):
        c[j] = f[j] * c_before[j] + i[j] * g[j]
    tanh_of(tanh_c, c)
    product(h, act[3 * size :], tanh_c)


@compiled
def _gradients(grad, act, dh, grad_h, c_before, tanh_c, dc):
    size = dc.size
    one = np.float32(1)
    i, f, g, o = act[:size], act[size : 2 * size], act[2 * size : 3 * size], act[3 * size :]
    of_i, of_f, of_g, of_o = (
        grad[:size], grad[size : 2 * size], grad[2 * size : 3 * size], grad[3 * size :],
    )  # fmt: skip
    for j in range(size):
        total = dh[j] + grad_h[j]
        of_o[j] = total * tanh_c[j] * (o[j] * (one - o[j]))
        dc[j] += total * o[j] * (one - tanh_c[j] * tanh_c[j])
    for j in range(size):
        of_i[j] = dc[j] * g[j] * (i[j] * (one - i[j]))
        of_g[j] = dc[j] * i[j] * (one - g[j] * g[j])
    for j in range(size):
        of_f[j] = dc[j] * c_before[j] * (f[j] * (one - f[j]))
        dc[j] *= f[j]
