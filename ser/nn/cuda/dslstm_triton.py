"""The DS-LSTM's time steps on a GPU: one matrix product and one Triton kernel a step.

A step is a product with the recurrent weight (cuBLAS) and one kernel for all the rest:
nonlinearities, the release's batch norm of the gates, memory and output. A program of that
kernel owns a few hidden units and has every sequence of the batch before it, so the means over
the batch that the norm asks for never leave it. Backward is the same the other way round.
:mod:`ser.nn.cuda.dslstm` captures all steps as one CUDA graph; rows, columns and results are
those of :class:`ser.nn.cpu.dslstm.Recurrence`. With TRITON_INTERPRET=1 the kernels run on the CPU,
for tests.

Book: chapter "Making it fast".
"""

from __future__ import annotations

import torch
from torch import Tensor

from ser.nn.cuda import jit, tl, triton
from ser.nn.packing import states_before

UNITS = 8
"""Hidden units a program: 32 bytes side by side, the least that memory is read in."""
LARGEST = 1024
"""Sequences that a program can have before it."""


@jit
def _sigmoid(x):
    return 1.0 / (1.0 + tl.exp(-x))


@jit
def _tanh(x):
    z = x * x
    p = ((-5.70498872745e-3 * z + 2.06390887954e-2) * z - 5.37397155531e-2) * z
    p = (p + 1.33314422036e-1) * z - 3.33332819422e-1  # Cephes' tanhf, for small x
    return tl.where(z < 0.390625, p * z * x + x, 2.0 / (1.0 + tl.exp(-2.0 * x)) - 1.0)


@jit
def _statistics(s, live, mean, var, column, inside, n, eps, OWN: tl.constexpr):
    """Squashed gate (ROWS, UNITS) -> mean and 1 / deviation (1, UNITS) of its columns."""
    if OWN:
        m = tl.sum(tl.where(live, s, 0.0), 0) / n
        z = tl.where(live, s - m[None, :], 0.0)
        v = tl.sum(z * z, 0) / n
        tl.store(mean + column, m, inside)
        tl.store(var + column, v, inside)
    else:
        m = tl.load(mean + column, inside, 0.0)
        v = tl.load(var + column, inside, 1.0)
    return m[None, :], (1.0 / tl.sqrt(v + eps))[None, :]


@jit
def _gate(
    at, live, m, scale, shift, mean, var, column, inside, n, eps,
    NORM: tl.constexpr, OWN: tl.constexpr,
):  # fmt: skip
    """Squash a gate in place and return what multiplies: itself, or itself normalised."""
    s = _sigmoid(tl.load(at, m, 0.0))
    tl.store(at, s, m)
    if NORM:
        middle, rstd = _statistics(s, live, mean, var, column, inside, n, eps, OWN)
        a = tl.load(scale + column, inside, 0.0)[None, :]
        b = tl.load(shift + column, inside, 0.0)[None, :]
        s = b + a * (s - middle) * rstd
    return s


@jit
def _forward(
    act, old_c, new_c, new_h, scale, shift, mean, var, n, eps,
    H: tl.constexpr, COLUMNS: tl.constexpr, TWO: tl.constexpr, NORM: tl.constexpr,
    OWN: tl.constexpr, ROWS: tl.constexpr, BH: tl.constexpr,
):  # fmt: skip
    row = tl.arange(0, ROWS).to(tl.int64)
    unit = tl.program_id(0) * BH + tl.arange(0, BH)
    inside = unit < H
    live = (row < n)[:, None]
    m = live & inside[None, :]
    at = act + row[:, None] * COLUMNS + unit[None, :]
    here = row[:, None] * H + unit[None, :]
    g = _tanh(tl.load(at, m, 0.0))
    tl.store(at, g, m)
    f = _gate(at + H, live, m, scale, shift, mean, var, unit, inside, n, eps, NORM, OWN)
    c = f * tl.load(old_c + here, m, 0.0)
    i = _gate(at + 2 * H, live, m, scale, shift, mean, var, unit + H, inside, n, eps, NORM, OWN)
    c += i * g
    o = _gate(at + 3 * H, live, m, scale, shift, mean, var, unit + 2 * H, inside, n, eps, NORM, OWN)
    if TWO:
        i = _gate(
            at + 4 * H, live, m, scale, shift, mean, var, unit + 3 * H, inside, n, eps, NORM, OWN
        )
        g = _tanh(tl.load(at + 5 * H, m, 0.0))
        tl.store(at + 5 * H, g, m)
        c += i * g
    tl.store(new_c + here, c, m)
    tl.store(new_h + here, o * _tanh(c), m)


@jit
def _value(
    s, scale, shift, mean, var, column, inside, eps, NORM: tl.constexpr
):  # fmt: skip
    """From a squashed gate: what multiplied, the gate about its mean in deviations, its factor."""
    z = s
    factor = s * 0.0 + 1.0
    if NORM:
        a = tl.load(scale + column, inside, 0.0)[None, :]
        b = tl.load(shift + column, inside, 0.0)[None, :]
        middle = tl.load(mean + column, inside, 0.0)[None, :]
        rstd = (1.0 / tl.sqrt(tl.load(var + column, inside, 1.0) + eps))[None, :]
        z = (s - middle) * rstd
        s = b + a * z
        factor = factor * (a * rstd)
    return s, z, factor


@jit
def _to_gate(
    d, s, z, factor, to, live, m, d_scale, d_shift, column, inside, n,
    NORM: tl.constexpr, OWN: tl.constexpr,
):  # fmt: skip
    """Gradient of what multiplied -> of the gate before its sigmoid, stored at ``to``."""
    if NORM:
        d = tl.where(live, d, 0.0)
        plain = tl.sum(d, 0)
        along = tl.sum(d * z, 0)
        tl.store(d_shift + column, tl.load(d_shift + column, inside, 0.0) + plain, inside)
        tl.store(d_scale + column, tl.load(d_scale + column, inside, 0.0) + along, inside)
        if OWN:
            d = d - (plain / n)[None, :] - z * (along / n)[None, :]
        d = d * factor
    tl.store(to, d * s * (1.0 - s), m)


@jit
def _backward(
    grad, act, old_c, new_c, grad_h, grad_c, dh, dc,
    scale, shift, mean, var, d_scale, d_shift, n, eps,
    H: tl.constexpr, COLUMNS: tl.constexpr, TWO: tl.constexpr, NORM: tl.constexpr,
    OWN: tl.constexpr, ROWS: tl.constexpr, BH: tl.constexpr,
):  # fmt: skip
    row = tl.arange(0, ROWS).to(tl.int64)
    unit = tl.program_id(0) * BH + tl.arange(0, BH)
    inside = unit < H
    live = (row < n)[:, None]
    m = live & inside[None, :]
    place = row[:, None] * COLUMNS + unit[None, :]
    here = row[:, None] * H + unit[None, :]
    at, to = act + place, grad + place
    tanh_c = _tanh(tl.load(new_c + here, m, 0.0))
    d_h = tl.load(dh + here, m, 0.0) + tl.load(grad_h + here, m, 0.0)
    d_c = tl.load(dc + here, m, 0.0) + tl.load(grad_c + here, m, 0.0)

    s = tl.load(at + 3 * H, m, 0.0)
    o, z, factor = _value(s, scale, shift, mean, var, unit + 2 * H, inside, eps, NORM)
    _to_gate(
        d_h * tanh_c, s, z, factor, to + 3 * H, live, m,
        d_scale, d_shift, unit + 2 * H, inside, n, NORM, OWN,
    )  # fmt: skip
    d_c += d_h * o * (1.0 - tanh_c * tanh_c)

    s = tl.load(at + H, m, 0.0)
    f, z, factor = _value(s, scale, shift, mean, var, unit, inside, eps, NORM)
    _to_gate(
        d_c * tl.load(old_c + here, m, 0.0), s, z, factor, to + H, live, m,
        d_scale, d_shift, unit, inside, n, NORM, OWN,
    )  # fmt: skip
    tl.store(dc + here, d_c * f, m)

    g = tl.load(at, m, 0.0)
    s = tl.load(at + 2 * H, m, 0.0)
    i, z, factor = _value(s, scale, shift, mean, var, unit + H, inside, eps, NORM)
    tl.store(to, d_c * i * (1.0 - g * g), m)
    _to_gate(
        d_c * g, s, z, factor, to + 2 * H, live, m,
        d_scale, d_shift, unit + H, inside, n, NORM, OWN,
    )  # fmt: skip
    if TWO:
        g = tl.load(at + 5 * H, m, 0.0)
        s = tl.load(at + 4 * H, m, 0.0)
        i, z, factor = _value(s, scale, shift, mean, var, unit + 3 * H, inside, eps, NORM)
        tl.store(to + 5 * H, d_c * i * (1.0 - g * g), m)
        _to_gate(
            d_c * g, s, z, factor, to + 4 * H, live, m,
            d_scale, d_shift, unit + 3 * H, inside, n, NORM, OWN,
        )  # fmt: skip


def fits(batch: int) -> bool:
    """Whether the kernels can take so many sequences."""
    return triton is not None and 0 < batch <= LARGEST


def _blocks(batch: int, hidden: int) -> tuple[tuple[int], dict[str, int]]:
    """Programs, and the sizes of each: about eight numbers of a tile for each thread."""
    rows = max(16, triton.next_power_of_2(batch))
    return (triton.cdiv(hidden, UNITS),), {
        "ROWS": rows,
        "BH": UNITS,
        "num_warps": max(1, rows * UNITS // 256),
    }


def steps_forward(
    pre: Tensor,
    weight: Tensor,
    h0: Tensor,
    c0: Tensor,
    scale: Tensor | None,
    shift: Tensor | None,
    mean: Tensor | None,
    var: Tensor | None,
    sizes: list[int],
    eps: float,
    training: bool,
) -> tuple[Tensor, ...]:
    """h, c, mean and variance as :func:`ser.nn.cpu.dslstm.recurrence_forward`, and what is kept.

    Kept for :func:`steps_backward`: the squashed gates and candidates, h and c from the first
    state on, and the statistics that the gates were normalised by.
    """
    batch, hidden = h0.shape
    norm, two = scale is not None, pre.shape[1] == 6 * hidden
    act = pre.clone(memory_format=torch.contiguous_format)
    h, c = (act.new_empty(batch + len(pre), hidden) for _ in range(2))
    h[:batch], c[:batch] = h0, c0
    means = mean.clone() if norm else act.new_empty(0)
    variances = var.clone() if norm else act.new_empty(0)
    weight_t = weight.t()
    grid, blocks = _blocks(batch, hidden)
    start, before = 0, 0
    for t, n in enumerate(sizes):
        now, out = slice(start, start + n), slice(batch + start, batch + start + n)
        gates = act[now]
        gates.addmm_(h[before : before + n], weight_t)  # in place: else a copy a step is captured
        _forward[grid](
            gates, c[before:], c[out], h[out], scale, shift,
            means[t] if norm else None, variances[t] if norm else None, n, eps,
            H=hidden, COLUMNS=act.shape[1], TWO=two, NORM=norm, OWN=training and n > 1, **blocks,
        )  # fmt: skip
        start, before = start + n, batch + start
    return h[batch:], c[batch:], means, variances, act, h, c


def steps_backward(
    saved: tuple[Tensor, ...],
    weight: Tensor,
    scale: Tensor | None,
    shift: Tensor | None,
    grad_h: Tensor,
    grad_c: Tensor,
    batch: int,
    sizes: list[int],
    eps: float,
    training: bool,
) -> tuple[Tensor | None, ...]:
    """Gradients of pre, weight, h0, c0, scale and shift from those of h and c.

    Args:
        saved: mean, variance and the last three results of :func:`steps_forward`.
    """
    means, variances, act, h, c = saved
    hidden = h.shape[1]
    norm, two = scale is not None, act.shape[1] == 6 * hidden
    grad_h, grad_c = grad_h.contiguous(), grad_c.contiguous()
    grad = torch.empty_like(act)
    dh, dc = act.new_zeros(batch, hidden), act.new_zeros(batch, hidden)
    d_scale, d_shift = (torch.zeros_like(scale) if norm else None for _ in range(2))
    grid, blocks = _blocks(batch, hidden)
    start = len(act)
    for t in range(len(sizes) - 1, -1, -1):
        n = sizes[t]
        now, start = slice(start - n, start), start - n
        before = batch + start - sizes[t - 1] if t else 0
        _backward[grid](
            grad[now], act[now], c[before:], c[batch + start :], grad_h[now], grad_c[now], dh, dc,
            scale, shift, means[t] if norm else None, variances[t] if norm else None,
            d_scale, d_shift, n, eps,
            H=hidden, COLUMNS=act.shape[1], TWO=two, NORM=norm, OWN=training and n > 1, **blocks,
        )  # fmt: skip
        torch.mm(grad[now], weight, out=dh[:n])
    d_weight = grad.t() @ states_before(h, sizes, batch, len(act))
    return grad, d_weight, dh, dc, d_scale, d_shift
