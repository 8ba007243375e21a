"""One recurrent layer on the CPU, forward and backward: products by torch, the rest by numba.

The input projections of all steps are one product, the recurrent one is made step by step, and
everything else of a step is one call of :mod:`ser.nn.step_kernels`.
"""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function

from ser.compiling import load_kernels
from ser.nn.functional import Recurrence, states_before
from ser.nn.fused import as_numpy
from ser.nn.once import once_differentiable
from ser.nn.precision import lowered

ROUND = 8
"""In bfloat16 a step's rows are made a multiple of this: oneDNN prepares for each number anew."""


def _kernels() -> Any:
    return load_kernels("ser.nn.step_kernels")


def layer(
    x: Tensor,
    y: Tensor,
    weights: tuple[Tensor | None, ...],
    h0: Tensor,
    c0: Tensor,
    norm: tuple[Tensor | None, ...],
    sizes: list[int],
    eps: float,
    training: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """One layer over packed sequences, by the fastest way there is; arguments as :class:`Layer`.

    Under autocast to bfloat16 the matrix products are made in it, and nothing else; on a GPU those
    with h stay in float32.
    """
    weight, bias, weight_x, bias_x, weight_y, bias_y = weights
    low = lowered(x.device.type)
    state = h0.to(weight.dtype), c0.to(weight.dtype)
    if applies(x, weight):
        return Layer.apply(x, y, *weights, *state, *norm, sizes, eps, training, low)
    X, Y = x.shape[1], y.shape[1]
    parts = [
        F.linear(x, weight_x[:, :X], bias_x),
        F.linear(x, weight[:, :X], bias) + F.linear(y, weight[:, X : X + Y]),
    ]
    recurrent = [weight_x[:, X:], weight[:, X + Y :]]
    if weight_y is not None:
        parts.append(F.linear(y, weight_y[:, :Y], bias_y))
        recurrent.append(weight_y[:, Y:])
    pre = torch.cat(parts, dim=1).to(weight.dtype)
    settings = sizes, eps, training
    if pre.device.type == "cuda":
        from ser.nn.cuda_recurrence import recurrence

        return recurrence(pre, torch.cat(recurrent), *state, norm, settings)
    return Recurrence.apply(pre, torch.cat(recurrent), *state, *norm, *settings)


def applies(x: Tensor, weight: Tensor) -> bool:
    """Whether :class:`Layer` can compute this: on the CPU, in float32 or float64."""
    return (
        x.device.type == "cpu"
        and weight.dtype in (torch.float32, torch.float64)
        and x.dtype in (weight.dtype, torch.bfloat16)
        and _kernels() is not None
    )


class Layer(Function):
    """Packed x (N, X) and y (N, Y) -> packed h and c (N, H), and the gates' mean and variance.

    Weights as in :class:`ser.nn.DSLSTMCell`: ``weight`` (G, X + Y + H), ``weight_x`` (H, X + H),
    ``weight_y`` (H, Y + H) and their biases; the last is None without y-candidate. ``scale``,
    ``shift``, ``mean`` and ``var`` as in :class:`ser.nn.functional.Recurrence`. ``low`` makes the
    matrix products in bfloat16; inputs, outputs, states and gradients stay as they are.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        y: Tensor,
        weight: Tensor,
        bias: Tensor,
        weight_x: Tensor,
        bias_x: Tensor,
        weight_y: Tensor | None,
        bias_y: Tensor | None,
        h0: Tensor,
        c0: Tensor,
        scale: Tensor | None,
        shift: Tensor | None,
        mean: Tensor | None,
        var: Tensor | None,
        sizes: list[int],
        eps: float,
        training: bool,
        low: bool,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Shapes as in the class's docstring; the last two results have no gradient."""
        ctx.given = x.dtype, y.dtype
        dtype = torch.bfloat16 if low else weight.dtype
        x, y = x.to(dtype), y.to(dtype)
        rows, (batch, hidden) = len(x), h0.shape
        last = hidden + len(weight)
        # Rows of the product with x: gT and gates, with y: gates and gF, with h: all.
        parts = [w.split(sizes, 1) for w, sizes in _blocks(x, y, weight, weight_x, weight_y)]
        weight_x = _joined([parts[0][0], parts[1][0]], dtype)
        weight_y = _joined([parts[1][1], *(p[0] for p in parts[2:])], dtype)
        weight_h = _joined([p[-1] for p in parts], dtype)
        columns = len(weight_h)

        act = h0.new_empty(rows, columns)
        _affine(act[:, :last], x, weight_x, torch.cat([bias_x, bias]))
        if bias_y is not None:
            act[:, last:] = bias_y
        _add_product(act[:, hidden:], y, weight_y)
        h, c = (act.new_empty(batch + rows, hidden) for _ in range(2))
        h[:batch], c[:batch] = h0, c0
        h_low = h.new_zeros(batch + rows + ROUND if low else 0, hidden, dtype=torch.bfloat16)
        h_low[:batch] = h0[: len(h_low)]
        tanh_c = act.new_empty(rows, hidden)
        gates, norm, stats = _norm_arrays(act, batch, scale, shift, mean, var, eps)
        part = x.new_empty(batch, columns)
        step = _kernels().forward_step
        arrays = [as_numpy(a) for a in (act, part, c, tanh_c, h, h_low, gates, norm, stats)]
        source = h_low if low else h
        weight_t = weight_h.t()
        starts = [0, *accumulate(sizes)]
        before = 0
        for t, n in enumerate(sizes):
            wide = min(batch, -(-n // ROUND) * ROUND) if low else n
            torch.mm(source[before : before + wide], weight_t, out=part[:wide])
            own = t if training and n > 1 else -t - 1
            step(*arrays, starts[t], before, n, own, eps)
            before = batch + starts[t]
        ctx.save_for_backward(
            x, y, weight_x, weight_y, weight_h, act, source, c, tanh_c, norm, stats
        )
        ctx.sizes, ctx.starts, ctx.training, ctx.batch = sizes, starts, training, batch
        means, variances = stats[0].clone(), stats[2].clone()
        ctx.mark_non_differentiable(means, variances)
        ctx.set_materialize_grads(False)
        return h[batch:], c[batch:], means, variances

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_h: Tensor | None, grad_c: Tensor | None, *_: Any) -> tuple:
        """Gradients of x, y, weights, biases, h0, c0, scale and shift, where they are needed."""
        x, y, weight_x, weight_y, *_ = ctx.saved_tensors
        grad, before, d_h0, d_c0, d_norm = _steps_backward(ctx, grad_h, grad_c)
        hidden, last = before.shape[1], len(weight_x)
        gates = last - hidden
        from_x, from_y = grad[:, :last], grad[:, hidden:]
        needs, full = ctx.needs_input_grad, d_c0.dtype
        d_x = (from_x @ weight_x).to(ctx.given[0]) if needs[0] else None
        d_y = (from_y @ weight_y).to(ctx.given[1]) if needs[1] else None
        by_x, by_y, by_h = from_x.t() @ x, from_y.t() @ y, grad.t() @ before
        d_bias = grad.sum(0, dtype=full)
        weights = [
            _joined([by_x[hidden:], by_y[:gates], by_h[hidden:last]], full, 1),
            d_bias[hidden:last],
            _joined([by_x[:hidden], by_h[:hidden]], full, 1),
            d_bias[:hidden],
            _joined([by_y[gates:], by_h[last:]], full, 1) if len(by_h) > last else None,
            d_bias[last:] if len(by_h) > last else None,
        ]
        return d_x, d_y, *weights, d_h0, d_c0, *d_norm, None, None, None, None, None, None


def _steps_backward(ctx: Any, grad_h: Tensor | None, grad_c: Tensor | None) -> tuple:
    """Gradients before the nonlinearities, h before each step, gradients of h0, c0 and norm."""
    *_, weight_h, act, h, c, tanh_c, norm, stats = ctx.saved_tensors
    batch, (rows, hidden) = ctx.batch, tanh_c.shape
    none = act.new_empty(0, hidden)
    grad_h = none if grad_h is None else grad_h.contiguous()
    grad_c = none if grad_c is None else grad_c.contiguous()
    low = h.dtype == torch.bfloat16
    grad = act.new_empty(rows + (ROUND if low else 0), len(weight_h), dtype=h.dtype)
    grad[rows:] = 0
    part = h.new_zeros(batch, hidden)
    dc = act.new_zeros(batch, hidden)
    sums = torch.zeros_like(norm)
    gates = len(weight_h) // hidden // 3 + 2  # 4 of 6, 3 of 4
    room = act.new_empty(batch if norm.shape[1] else 1, 2 * gates * hidden)
    step = _kernels().backward_step
    tensors = (grad, act, grad_h, grad_c, part, dc, c, tanh_c, room, norm, stats, sums)
    arrays = [as_numpy(a) for a in tensors]
    running = 0
    for t in range(len(ctx.sizes) - 1, -1, -1):
        n, start = ctx.sizes[t], ctx.starts[t]
        before = batch + ctx.starts[t - 1] if t else 0
        own = ctx.training and n > 1
        step(*arrays, start, before, n, running, t, own)
        # Rows beyond n belong to the step after: computed in vain, never read.
        wide = min(batch, -(-n // ROUND) * ROUND) if low else n
        torch.mm(grad[start : start + wide], weight_h, out=part[:wide])
        running = n
    d_norm = (sums[0], sums[1]) if norm.shape[1] else (None, None)
    h_before = states_before(h, ctx.sizes, batch, rows)
    return grad[:rows], h_before, part.to(act.dtype), dc, d_norm


def _blocks(x: Tensor, y: Tensor, weight: Tensor, weight_x: Tensor, weight_y: Tensor | None):
    """The cell's matrices in the order of their rows, each with the sizes of what it multiplies."""
    X, Y, H = x.shape[1], y.shape[1], len(weight_x)
    blocks = [(weight_x, [X, H]), (weight, [X, Y, H])]
    return blocks if weight_y is None else [*blocks, (weight_y, [Y, H])]


def _joined(parts: list[Tensor], dtype: torch.dtype, dim: int = 0) -> Tensor:
    """torch.cat into another dtype, in one pass."""
    shape = list(parts[0].shape)
    shape[dim] = sum(part.shape[dim] for part in parts)
    out, start = parts[0].new_empty(shape, dtype=dtype), 0
    for part in parts:
        out.narrow(dim, start, part.shape[dim]).copy_(part)
        start += part.shape[dim]
    return out


def _affine(out: Tensor, x: Tensor, weight: Tensor, bias: Tensor) -> None:
    if x.dtype == out.dtype:
        torch.addmm(bias, x, weight.t(), out=out)
    else:
        torch.add(x @ weight.t(), bias, out=out)


def _add_product(out: Tensor, x: Tensor, weight: Tensor) -> None:
    if x.dtype == out.dtype:
        out.addmm_(x, weight.t())
    else:
        out.add_(x @ weight.t())


def _norm_arrays(
    act: Tensor,
    batch: int,
    scale: Tensor | None,
    shift: Tensor | None,
    mean: Tensor | None,
    var: Tensor | None,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    if scale is None:
        empty = act.new_empty(2, 0)
        return act.new_empty(batch, 0), empty, act.new_empty(3, 0, 0)
    stats = torch.stack([mean, torch.rsqrt(var + eps), var])
    return act.new_empty(batch, len(scale)), torch.stack([scale, shift]), stats
