"""The DS-LSTM's time steps as one Triton kernel forward and one backward (no gate norm).

A program takes 16 sequences through all steps: h of the step before is read again by every tile
of the hidden units, the recurrent weights stream from the cache, and a barrier of the program
ends a step. So no step costs a launch. Rows and columns are those of
:mod:`ser.nn.functional`. With TRITON_INTERPRET=1 the kernels run on the CPU, for tests.
"""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from ser.nn.functional import states_before
from ser.nn.triton_steps import _sigmoid, _tanh

try:
    import triton
    import triton.language as tl
except ImportError:  # torch brings it on Linux alone
    triton = tl = None

jit = (lambda function: function) if triton is None else triton.jit

BLOCK_B = 16
"""Sequences a program; the least that tensor cores take."""
LOW = torch.bfloat16
"""Of products asked for in low precision. (Triton's interpreter cannot multiply it; see tests.)"""


@jit
def _forward(
    act, weight, h, c, sizes, starts, befores, steps, batch,
    H: tl.constexpr, COLUMNS: tl.constexpr, TWO: tl.constexpr,
    BB: tl.constexpr, BH: tl.constexpr, BK: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    first = tl.program_id(0) * BB
    rows = (first + tl.arange(0, BB)).to(tl.int64)
    t = 0
    while t < steps:
        n = tl.load(sizes + t)
        if n > first:
            start = tl.load(starts + t)
            before = tl.load(befores + t)
            live = rows < n
            for j in range(0, H, BH):
                unit = j + tl.arange(0, BH)
                inside = unit < H
                a0 = tl.zeros((BB, BH), tl.float32)
                a1 = tl.zeros((BB, BH), tl.float32)
                a2 = tl.zeros((BB, BH), tl.float32)
                a3 = tl.zeros((BB, BH), tl.float32)
                a4 = tl.zeros((BB, BH), tl.float32)
                a5 = tl.zeros((BB, BH), tl.float32)
                for k in range(0, H, BK):
                    inner = k + tl.arange(0, BK)
                    there = inner < H
                    hk = tl.load(
                        h + (before + rows)[:, None] * H + inner[None, :],
                        mask=live[:, None] & there[None, :],
                        other=0.0,
                    ).to(weight.dtype.element_ty)
                    w = weight + unit[None, :] * H + inner[:, None]
                    m = there[:, None] & inside[None, :]
                    a0 = tl.dot(hk, tl.load(w, m, 0.0), a0, input_precision=PRECISION)
                    w += H * H
                    a1 = tl.dot(hk, tl.load(w, m, 0.0), a1, input_precision=PRECISION)
                    w += H * H
                    a2 = tl.dot(hk, tl.load(w, m, 0.0), a2, input_precision=PRECISION)
                    w += H * H
                    a3 = tl.dot(hk, tl.load(w, m, 0.0), a3, input_precision=PRECISION)
                    if TWO:
                        w += H * H
                        a4 = tl.dot(hk, tl.load(w, m, 0.0), a4, input_precision=PRECISION)
                        w += H * H
                        a5 = tl.dot(hk, tl.load(w, m, 0.0), a5, input_precision=PRECISION)
                m = live[:, None] & inside[None, :]
                at = act + (start + rows)[:, None] * COLUMNS + unit[None, :]
                a0 = _tanh(a0 + tl.load(at, m, 0.0))
                a1 = _sigmoid(a1 + tl.load(at + H, m, 0.0))
                a2 = _sigmoid(a2 + tl.load(at + 2 * H, m, 0.0))
                a3 = _sigmoid(a3 + tl.load(at + 3 * H, m, 0.0))
                tl.store(at, a0, m)
                tl.store(at + H, a1, m)
                tl.store(at + 2 * H, a2, m)
                tl.store(at + 3 * H, a3, m)
                old = tl.load(c + (before + rows)[:, None] * H + unit[None, :], m, 0.0)
                new = a1 * old + a2 * a0
                if TWO:
                    a4 = _sigmoid(a4 + tl.load(at + 4 * H, m, 0.0))
                    a5 = _tanh(a5 + tl.load(at + 5 * H, m, 0.0))
                    tl.store(at + 4 * H, a4, m)
                    tl.store(at + 5 * H, a5, m)
                    new += a4 * a5
                to = (batch + start + rows)[:, None] * H + unit[None, :]
                tl.store(c + to, new, m)
                tl.store(h + to, a3 * _tanh(new), m)
            tl.debug_barrier()
        t += 1


@jit
def _backward(
    grad, act, weight, c, grad_h, grad_c, dh, dc, sizes, starts, befores, steps, batch,
    H: tl.constexpr, COLUMNS: tl.constexpr, TWO: tl.constexpr,
    BB: tl.constexpr, BH: tl.constexpr, BK: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    first = tl.program_id(0) * BB
    rows = (first + tl.arange(0, BB)).to(tl.int64)
    kind = weight.dtype.element_ty
    t = steps - 1
    while t >= 0:
        n = tl.load(sizes + t)
        if n > first:
            start = tl.load(starts + t)
            before = tl.load(befores + t)
            live = rows < n
            for j in range(0, H, BH):
                unit = j + tl.arange(0, BH)
                m = live[:, None] & (unit < H)[None, :]
                here = rows[:, None] * H + unit[None, :]
                out = (start + rows)[:, None] * H + unit[None, :]
                d_h = tl.load(dh + here, m, 0.0) + tl.load(grad_h + out, m, 0.0)
                d_c = tl.load(dc + here, m, 0.0) + tl.load(grad_c + out, m, 0.0)
                tanh_c = _tanh(tl.load(c + batch * H + out, m, 0.0))
                old = tl.load(c + (before + rows)[:, None] * H + unit[None, :], m, 0.0)
                place = (start + rows)[:, None] * COLUMNS + unit[None, :]
                g = tl.load(act + place, m, 0.0)
                f = tl.load(act + place + H, m, 0.0)
                it = tl.load(act + place + 2 * H, m, 0.0)
                o = tl.load(act + place + 3 * H, m, 0.0)
                d_c += d_h * o * (1.0 - tanh_c * tanh_c)
                tl.store(grad + place, (d_c * it * (1.0 - g * g)).to(kind), m)
                tl.store(grad + place + H, (d_c * old * f * (1.0 - f)).to(kind), m)
                tl.store(grad + place + 2 * H, (d_c * g * it * (1.0 - it)).to(kind), m)
                tl.store(grad + place + 3 * H, (d_h * tanh_c * o * (1.0 - o)).to(kind), m)
                if TWO:
                    s = tl.load(act + place + 4 * H, m, 0.0)
                    g = tl.load(act + place + 5 * H, m, 0.0)
                    tl.store(grad + place + 4 * H, (d_c * g * s * (1.0 - s)).to(kind), m)
                    tl.store(grad + place + 5 * H, (d_c * s * (1.0 - g * g)).to(kind), m)
                tl.store(dc + here, d_c * f, m)
            tl.debug_barrier()
            for j in range(0, H, BH):
                unit = j + tl.arange(0, BH)
                inside = unit < H
                total = tl.zeros((BB, BH), tl.float32)
                for k in range(0, COLUMNS, BK):
                    inner = k + tl.arange(0, BK)
                    there = inner < COLUMNS
                    d = tl.load(
                        grad + (start + rows)[:, None] * COLUMNS + inner[None, :],
                        mask=live[:, None] & there[None, :],
                        other=0.0,
                    )
                    w = tl.load(
                        weight + inner[:, None] * H + unit[None, :],
                        mask=there[:, None] & inside[None, :],
                        other=0.0,
                    )
                    total = tl.dot(d, w, total, input_precision=PRECISION)
                m = live[:, None] & inside[None, :]
                tl.store(dh + rows[:, None] * H + unit[None, :], total, m)
            tl.debug_barrier()
        t -= 1


def _tables(sizes: list[int], batch: int, device: torch.device) -> list[Tensor]:
    """Of each step: sequences running, its first row, the first row of the states before it."""
    starts = [0, *accumulate(sizes)][:-1]
    befores = [0, *(batch + s for s in starts[:-1])]
    return [torch.tensor(v, dtype=torch.int64, device=device) for v in (sizes, starts, befores)]


def _grid_and_blocks(batch: int, hidden: int, low: bool) -> tuple[tuple[int], dict[str, Any]]:
    """Tiles small enough for 48 KiB of shared memory; float32 products to float32's precision."""
    block = min(64 if low else 32, max(16, triton.next_power_of_2(hidden)))
    blocks = {"BB": BLOCK_B, "BH": block, "BK": min(block, 32), "PRECISION": "tf32x3"}
    return (triton.cdiv(batch, BLOCK_B),), blocks | {"num_stages": 2}


class TritonRecurrence(Function):
    """:class:`ser.nn.functional.Recurrence` without normalisation: h (N, H) and c (N, H).

    Args:
        pre: (N, K * H) float32, contiguous or not.
        weight: (K * H, H) float32.
        h0, c0: (B, H) float32.
        sizes: sequences still running at each step.
        low: make the products with the weight in bfloat16.
    """

    @staticmethod
    def forward(
        ctx: Any, pre: Tensor, weight: Tensor, h0: Tensor, c0: Tensor, sizes: list[int], low: bool
    ) -> tuple[Tensor, Tensor]:
        """pre (sum of sizes, columns), weight (columns, H), h0 and c0 (B, H) -> h, c (sum, H)."""
        if triton is None:
            raise ImportError("Triton is not installed here")
        batch, hidden = h0.shape
        act = pre.detach().clone(memory_format=torch.contiguous_format)
        weight = weight.to(LOW if low else pre.dtype).contiguous()
        h, c = (act.new_empty(batch + len(pre), hidden) for _ in range(2))
        h[:batch], c[:batch] = h0, c0
        tables = _tables(sizes, batch, pre.device)
        grid, blocks = _grid_and_blocks(batch, hidden, weight.dtype == LOW)
        two = len(weight) == 6 * hidden
        _forward[grid](
            act,
            weight,
            h,
            c,
            *tables,
            len(sizes),
            batch,
            H=hidden,
            COLUMNS=len(weight),
            TWO=two,
            **blocks,
        )
        ctx.save_for_backward(act, weight, h, c, *tables)
        ctx.sizes, ctx.batch, ctx.two = sizes, batch, two
        ctx.set_materialize_grads(False)
        return h[batch:], c[batch:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_h: Tensor | None, grad_c: Tensor | None) -> tuple:
        """Gradients of pre, weight, h0 and c0."""
        act, weight, h, c, *tables = ctx.saved_tensors
        batch, hidden = ctx.batch, h.shape[1]
        zeros = act.new_zeros(len(act), hidden)
        grad_h = zeros if grad_h is None else grad_h.contiguous()
        grad_c = zeros if grad_c is None else grad_c.contiguous()
        grad = torch.empty_like(act, dtype=weight.dtype)
        dh, dc = act.new_zeros(batch, hidden), act.new_zeros(batch, hidden)
        grid, blocks = _grid_and_blocks(batch, hidden, weight.dtype == LOW)
        _backward[grid](
            grad, act, weight, c, grad_h, grad_c, dh, dc, *tables, len(ctx.sizes), batch,
            H=hidden, COLUMNS=len(weight), TWO=ctx.two, **blocks,
        )  # fmt: skip
        d_weight = None
        if ctx.needs_input_grad[1]:
            before = states_before(h, ctx.sizes, batch, len(act)).to(weight.dtype)
            d_weight = (grad.t() @ before).to(act.dtype)
        return grad.to(act.dtype), d_weight, dh, dc, None, None
