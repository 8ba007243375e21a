"""CPU kernels of one time step: all that is not a matrix product (compiled by numba, cached).

Rows are sequences. Columns of ``act`` (rows, K * H), K = 6 or, without y-candidate, 4:

    gT | f | iT | o | iF | gF          gT | f | iT | o

"""

from __future__ import annotations

import math

import numpy as np

from ser.compiling import compiled
from ser.nn.elementwise import (
    add_product,
    copy,
    load,
    product,
    scale_add,
    sigmoid,
    store,
    tanh,
    tanh_of,
)


@compiled
def forward_step(act, part, c, tanh_c, h, low, gates, norm, stats, start, before, n, own, eps):
    """One step of n sequences; rows ``start`` of ``act`` on, ``before`` the rows of c before it.

    Args:
        act: (N, K * H), in: what does not depend on h; out: activations, the gates' before a
            normalisation.
        part: (n or more, K * H), the product with h.
        c, h: (B + N, H), row B + k belongs to row k of act; the first B are the initial state.
        tanh_c: (N, H).
        low: (B + N, H) uint16, h in bfloat16; empty if not wanted.
        gates: (n or more, G) room for normalised gates; G = 0: no normalisation.
        norm: (2, G) scale and shift.
        stats: (3, T, G) mean, 1 / sqrt(var + eps), var; written at step ``own`` if that is not
            negative, otherwise read at step -own - 1.
    """
    size = tanh_c.shape[1]
    columns = act.shape[1]
    first = len(c) - len(act)
    two = columns == 6 * size
    last = columns - size if two else columns
    normal = gates.shape[1] > 0
    count = own >= 0 and normal
    first_row = act[start, size:last]
    sums = np.zeros((2, gates.shape[1]), gates.dtype)
    for i in range(n):
        row = start + i
        tanh(act[row, :size], part[i, :size])
        sigmoid(act[row, size:last], part[i, size:last])
        if two:
            tanh(act[row, last:], part[i, last:])
        if count and i > 0:
            _add_difference(sums[0], act[row, size:last], first_row)
            _add_square(sums[1], act[row, size:last], first_row)
    if count:
        _statistics(sums, first_row, n, stats[:, own], eps)
    if normal:
        step = own if own >= 0 else -own - 1
        scale = norm[0] * stats[1, step]
        for i in range(n):
            scale_add(gates[i], act[start + i, size:last], stats[0, step], scale, norm[1])
    for i in range(n):
        row, to = start + i, first + start + i
        gate = gates[i, :] if normal else act[row, size:last]
        new = c[to]
        product(new, gate[:size], c[before + i])
        add_product(new, gate[size : 2 * size], act[row, :size])
        if two:
            add_product(new, gate[3 * size :], act[row, last:])
        tanh_of(tanh_c[row], new)
        product(h[to], gate[2 * size : 3 * size], tanh_c[row])
        if len(low) > 0:
            copy(low[to], h[to])


@compiled
def _add(out, a):
    for j in range(out.size):
        out[j] += a[j]


@compiled
def _add_difference(out, a, b):
    for j in range(out.size):
        out[j] += a[j] - b[j]


@compiled
def _add_square(out, a, b):
    for j in range(out.size):
        out[j] += (a[j] - b[j]) * (a[j] - b[j])


@compiled
def _statistics(sums, pivot, n, stats, eps):
    """Mean, 1 / sqrt(var + eps) and var, from sums of differences from one of the rows.

    A row lies near the mean, as the spread of the rows goes: so the squares may be summed in the
    same pass, while a row is at hand, and little is lost in the subtraction.
    """
    one = sums.dtype.type(1)
    share = one / sums.dtype.type(n)
    mean, rstd, var = stats[0], stats[1], stats[2]
    for j in range(pivot.size):
        mean[j] = sums[0, j] * share
    for j in range(pivot.size):
        var[j] = max(sums[1, j] * share - mean[j] * mean[j], sums.dtype.type(0))
    for j in range(pivot.size):
        mean[j] += pivot[j]
        rstd[j] = one / math.sqrt(var[j] + sums.dtype.type(eps))


@compiled
def _start(dh, part, grad_h, row, there):
    if there:
        for j in range(dh.size):
            dh[j] = load(part, j)
    else:
        dh[:] = 0
    if len(grad_h) > 0:
        _add(dh, grad_h[row])


@compiled
def _through_h(dc, dh, o, tanh_c):
    one = dc.dtype.type(1)
    for j in range(dc.size):
        dc[j] += dh[j] * o[j] * (one - tanh_c[j] * tanh_c[j])


@compiled
def _candidate(grad, dc, gate, g):
    one = dc.dtype.type(1)
    for j in range(dc.size):
        store(grad, j, dc[j] * gate[j] * (one - g[j] * g[j]))


@compiled
def _gate(grad, d, s):
    one = d.dtype.type(1)
    for j in range(d.size):
        store(grad, j, d[j] * (s[j] * (one - s[j])))


@compiled
def backward_step(
    grad, act, grad_h, grad_c, part, dc, c, tanh_c, room, norm, stats, sums, start, before, n,
    running, step, own,
):  # fmt: skip
    """The step's gradient before the nonlinearities, (N, K * H) -> ``grad``; moves ``dc``.

    Args:
        grad: (N, K * H) written at the step's rows; uint16 for bfloat16.
        grad_h, grad_c: (N, H) gradients of the outputs, or empty.
        part: (n or more, H), gradient of h from the step after, valid in its first ``running``
            rows.
        dc: (B, H), the same of c, zero in its other rows.
        room: (n or more, 2 * G) or, without normalisation, (1, 2 * gates).
        norm, stats: as in :func:`forward_step`, at step ``step``.
        sums: (2, G), gradients of scale and shift, added to.
        own: whether the statistics are the batch's, so that they have gradients.
    """
    size = tanh_c.shape[1]
    columns = act.shape[1]
    two = columns == 6 * size
    last = columns - size if two else columns
    total = last - size
    normal = norm.shape[1] > 0
    dh = np.empty(size, act.dtype)
    scale = norm[0] * stats[1, step] if normal else norm[0]
    column = np.zeros((2, norm.shape[1]), act.dtype)
    for i in range(n):
        row = start + i
        d, d_c, candidate, s = room[i if normal else 0], dc[i], act[row, :size], act[row, size:last]
        out, gate = d[:total], d[total:]
        if normal:
            scale_add(gate, s, stats[0, step], scale, norm[1])
        else:
            gate = s
        _start(dh, part[i], grad_h, row, i < running)
        if len(grad_c) > 0:
            _add(d_c, grad_c[row])
        _through_h(d_c, dh, gate[2 * size : 3 * size], tanh_c[row])
        product(out[:size], d_c, c[before + i])
        product(out[size : 2 * size], d_c, candidate)
        product(out[2 * size : 3 * size], dh, tanh_c[row])
        _candidate(grad[row, :size], d_c, gate[size : 2 * size], candidate)
        if two:
            other = act[row, last:]
            product(out[3 * size :], d_c, other)
            _candidate(grad[row, last:], d_c, gate[3 * size :], other)
        for j in range(size):
            d_c[j] *= gate[j]
        if normal:
            _add_along(column[0], out, s, stats[0, step], stats[1, step])
            _add(column[1], out)
        else:
            _gate(grad[row, size:last], out, s)
    if normal:
        _add(sums[0], column[0])
        _add(sums[1], column[1])
        column *= act.dtype.type(1) / act.dtype.type(n) if own else act.dtype.type(0)
        column[0] *= stats[1, step]
        for i in range(n):
            s = act[start + i, size:last]
            _without_mean(room[i, :total], s, stats[0, step], column[0], column[1], scale)
            _gate(grad[start + i, size:last], room[i, :total], s)


@compiled
def _add_along(column, out, s, mean, rstd):
    for j in range(column.size):
        column[j] += out[j] * ((s[j] - mean[j]) * rstd[j])


@compiled
def _without_mean(out, s, mean, along, plain, scale):
    """out = (out - plain - (s - mean) * along) * scale"""
    for j in range(out.size):
        out[j] = (out[j] - plain[j] - (s[j] - mean[j]) * along[j]) * scale[j]
