"""A layer of the DS-LSTM over packed sequences, in torch alone; on any device without another way.

The products with x and y of all steps are made before the loop, the gradients of the weights after
it, and no step computes padding.

Book: chapter "Making it fast".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function

from ser.nn.fast import once_differentiable
from ser.nn.packing import states_before

if TYPE_CHECKING:
    from ser.nn.dslstm import DSLSTM


def why_not(lstm: DSLSTM, x: Tensor, *_: Tensor) -> str:
    """What keeps :func:`layer` from standing in; nothing does."""
    return ""


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
    """One layer over packed x (N, X) and y (N, Y).

    Under autocast to bfloat16 the products with x and y are made in it, and nothing else.

    Args:
        weights: W, b, W_T, b_T, W_F, b_F of :class:`ser.nn.DSLSTMCell`.
        h0, c0: (B, H), in packed order.
        norm: scale, shift, mean and var of the gates' norm, or four None.
        sizes: rows of each step.
        eps, training: of that norm.

    Returns:
        As :class:`Recurrence`.
    """
    pre, recurrent, state = projections(x, y, weights, h0, c0)
    return Recurrence.apply(pre, recurrent, *state, *norm, sizes, eps, training)


def projections(
    x: Tensor, y: Tensor, weights: tuple[Tensor | None, ...], h0: Tensor, c0: Tensor
) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
    """What all steps need of x and y, the weight that h meets, and the state in its format."""
    weight, bias, weight_x, bias_x, weight_y, bias_y = weights
    X, Y, H = x.shape[1], y.shape[1], len(weight_x)
    gates_x, gates_y, gates_h = weight.split([X, Y, H], 1)
    candidate_x, candidate_h = weight_x.split([X, H], 1)
    of_x, of_y, of_h = [candidate_x, gates_x], [gates_y], [candidate_h, gates_h]
    biases = [bias_x, bias]
    if weight_y is not None:
        candidate_y, other_h = weight_y.split([Y, H], 1)
        of_y, of_h, biases = [*of_y, candidate_y], [*of_h, other_h], [*biases, bias_y]
    of_x, of_y, of_h = (torch.cat(parts) for parts in (of_x, of_y, of_h))
    of_bias = None if bias is None else torch.cat(biases)
    by_x, by_y = (F.linear(*pair).to(weight.dtype) for pair in ((x, of_x), (y, of_y)))
    # x meets the rows of gT and the gates, y those of the gates and gF.
    only_x, gates_by_x = by_x.split([H, len(of_x) - H], 1)
    gates_by_y, only_y = by_y.split([len(of_x) - H, len(of_y) - len(of_x) + H], 1)
    pre = torch.cat([only_x, gates_by_x + gates_by_y, only_y], 1)
    if of_bias is not None:
        pre += of_bias
    return pre, of_h, (h0.to(weight.dtype), c0.to(weight.dtype))


class Recurrence(Function):
    """h and c of all steps from the input projections of all steps.

    Columns of ``pre`` (N, K * H): gT, the gates f, iT, o[, iF], and gF if there is iF, before
    their nonlinearity and without the part of h. One matrix product a step adds that part; the
    gradient of its weight is one product after the loop. With ``scale``, the gates are batch
    normalised after the sigmoid (``mean``, ``var`` (T, G) are the running statistics, used in
    evaluation and where a step has one sequence).

    Returns h (N, H), c (N, H), and the batch mean and variance (T, G) of the gates (empty without
    normalisation, not differentiable).
    """

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Arguments as :func:`recurrence_forward`."""
        h, c, means, variances, *saved = recurrence_forward(*inputs)
        _, weight, h0, _, scale, *_, sizes, _, training = inputs
        ctx.save_for_backward(weight, scale, *saved)
        ctx.settings = len(h0), sizes, training
        ctx.mark_non_differentiable(means, variances)
        ctx.set_materialize_grads(False)
        return h, c, means, variances

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_h: Tensor | None, grad_c: Tensor | None, *_: Any) -> tuple:
        """Gradients of pre, weight, h0, c0, scale and shift, in the order of the inputs."""
        weight, scale, *saved = ctx.saved_tensors
        grads = recurrence_backward(tuple(saved), weight, scale, grad_h, grad_c, *ctx.settings)
        return *grads, None, None, None, None, None


def recurrence_forward(
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
    """The loop of :class:`Recurrence`: h, c, mean, variance, and seven tensors for backward."""
    (batch, hidden), rows, columns = h0.shape, len(pre), pre.shape[1]
    two = columns == 6 * hidden
    middle = slice(hidden, columns - hidden if two else columns)
    norm = scale is not None
    act = torch.empty_like(pre)
    # Row B + k belongs to row k of pre; the first B are the initial state.
    h_all, c_all = (pre.new_empty(batch + rows, hidden) for _ in range(2))
    h_all[:batch], c_all[:batch] = h0, c0
    tanh_c = pre.new_empty(rows, hidden)
    xhat, normal = (pre.new_empty(rows if norm else 0, middle.stop - hidden) for _ in range(2))
    means = mean.clone() if norm else pre.new_empty(0)
    variances = var.clone() if norm else pre.new_empty(0)
    rstd = torch.rsqrt(var + eps) if norm else pre.new_empty(0)
    turned, start, before = weight.t(), 0, 0
    for t, n in enumerate(sizes):
        now, after = slice(start, start + n), slice(batch + start, batch + start + n)
        a = torch.addmm(pre[now], h_all[before : before + n], turned, out=act[now])
        a[:, :hidden].tanh_()
        gate = a[:, middle].sigmoid_()
        if two:
            a[:, middle.stop :].tanh_()
        if norm:
            own = training and n > 1
            z = xhat[now]
            if own:
                torch.mean(gate, dim=0, out=means[t])
                torch.sub(gate, means[t], out=z)
                torch.mean(z * z, dim=0, out=variances[t])
                rstd[t] = torch.rsqrt(variances[t] + eps)
            else:
                torch.sub(gate, means[t], out=z)
            gate = torch.addcmul(shift, z.mul_(rstd[t]), scale, out=normal[now])
        f, i, o, *other = gate.split(hidden, dim=1)
        c = torch.mul(f, c_all[before : before + n], out=c_all[after])
        c.addcmul_(i, a[:, :hidden])
        if two:
            c.addcmul_(other[0], a[:, middle.stop :])
        torch.mul(o, torch.tanh(c, out=tanh_c[now]), out=h_all[after])
        start, before = start + n, batch + start
    saved = act, h_all, c_all, tanh_c, xhat, rstd, normal
    return h_all[batch:], c_all[batch:], means, variances, *saved


def recurrence_backward(
    saved: tuple[Tensor, ...],
    weight: Tensor,
    scale: Tensor | None,
    grad_h: Tensor | None,
    grad_c: Tensor | None,
    batch: int,
    sizes: list[int],
    training: bool,
) -> tuple[Tensor | None, ...]:
    """Gradients of pre, weight, h0, c0, scale and shift from those of h and c."""
    act, h_all, c_all, tanh_c, xhat, rstd, normal = saved
    norm, (rows, hidden), columns = scale is not None, tanh_c.shape, act.shape[1]
    two = columns == 6 * hidden
    middle = slice(hidden, columns - hidden if two else columns)
    gates = act[:, middle]
    f, i, o, *other = (normal if norm else gates).split(hidden, dim=1)
    one = act.new_ones(1)
    slope = torch.addcmul(gates, gates, gates, value=-1)
    # What the gradient of c (of h, for o) is multiplied by, block for block of the columns; where
    # the gates are normalised, their slope comes after the norm's gradient.
    factor = torch.empty_like(act).view(rows, columns // hidden, hidden)
    candidates = [(0, act[:, :hidden], i)]
    multiplied = [states_before(c_all, sizes, batch, rows), act[:, :hidden], tanh_c]
    if two:
        candidates.append((5, act[:, middle.stop :], other[0]))
        multiplied.append(act[:, middle.stop :])
    for k, g, by in candidates:
        torch.mul(torch.addcmul(one, g, g, value=-1), by, out=factor[:, k])
    for k, by in enumerate(multiplied):
        factor[:, 1 + k] = by if norm else by * slope[:, k * hidden : (k + 1) * hidden]
    to_c = o * torch.addcmul(one, tanh_c, tanh_c, value=-1)
    grad = torch.empty_like(act)
    blocks = grad.view_as(factor)
    grad_gates = grad.new_empty(rows, middle.stop - hidden) if norm else None
    dh, dc = act.new_zeros(batch, hidden), act.new_zeros(batch, hidden)
    start = rows
    for t in range(len(sizes) - 1, -1, -1):
        n = sizes[t]
        now, start = slice(start - n, start), start - n
        dh_t, dc_t = dh[:n], dc[:n]
        if grad_h is not None:
            dh_t.add_(grad_h[now])
        if grad_c is not None:
            dc_t.add_(grad_c[now])
        dc_t.addcmul_(dh_t, to_c[now])
        torch.mul(factor[now], dc_t[:, None], out=blocks[now])
        torch.mul(factor[now, 3], dh_t, out=blocks[now, 3])
        d = grad[now]
        if norm:
            gate = d[:, middle]
            grad_gates[now] = gate
            if training and n > 1:
                z = xhat[now]
                along = torch.mul(gate, z).mean(0)
                gate.sub_(gate.mean(0)).addcmul_(z, along, value=-1)
            gate.mul_(scale * rstd[t]).mul_(slope[now])
        dc_t.mul_(f[now])
        torch.mm(d, weight, out=dh_t)
    d_weight = grad.t() @ states_before(h_all, sizes, batch, rows)
    d_scale = (grad_gates * xhat).sum(0) if norm else None
    d_shift = grad_gates.sum(0) if norm else None
    return grad, d_weight, dh, dc, d_scale, d_shift
