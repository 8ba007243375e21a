"""The fast path of the DS-LSTM: packed sequences and one recurrence with a hand-written backward.

Sequences of a batch are sorted by length, longest first, and their valid steps laid one after
another in time order: step t owns ``sizes[t]`` rows. Padding is never computed.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from ser.nn.once import once_differentiable


@dataclass(frozen=True)
class Packing:
    """Where the valid steps of a padded batch lie in its packed form.

    Attributes:
        sizes: sequences still running at each step, longest first.
        rows: packed row -> row of the flattened (T * B) batch; None if nothing is padded.
        order: sorted position -> sequence in the batch; None if unsorted.
        last: sequence -> packed row of its last valid step.
        flip: packed row -> the row that takes its place when time runs backwards.
    """

    sizes: list[int]
    steps: int
    batch: int
    rows: Tensor | None
    order: Tensor | None
    last: Tensor
    flip: Tensor

    @classmethod
    def make(cls, steps: int, batch: int, lengths: Tensor | None, device: torch.device) -> Packing:
        """lengths (B,) of valid steps, each 1 to ``steps``; None: all steps of all sequences."""
        if lengths is None:
            index = torch.arange(steps * batch, device=device).view(steps, batch)
            flip = index.flip(0).flatten()
            return cls([batch] * steps, steps, batch, None, None, index[-1], flip)
        lengths = lengths.to("cpu", torch.long)
        ordered, order = torch.sort(lengths, descending=True, stable=True)
        time = torch.arange(int(ordered[0]) if batch else 0)
        valid = time[:, None] < ordered
        sizes = valid.sum(1).tolist()
        rows = (time[:, None] * batch + order)[valid]
        position = torch.full(valid.shape, -1)
        position[valid] = torch.arange(len(rows))
        column = torch.arange(batch)
        last = torch.empty(batch, dtype=torch.long)
        last[order] = position[ordered - 1, column]
        mirrored = (ordered - 1 - time[:, None]).clamp_min(0)
        flip = position[mirrored, column.expand_as(mirrored)][valid]
        moved = (t.to(device) for t in (rows, order, last, flip))
        return cls(sizes, steps, batch, *moved)

    def pack(self, padded: Tensor) -> Tensor:
        """(T, B, F) -> (N, F)."""
        flat = padded.reshape(self.steps * self.batch, padded.shape[-1])
        return flat if self.rows is None else flat.index_select(0, self.rows)

    def unpack(self, packed: Tensor) -> Tensor:
        """(N, F) -> (T, B, F), zeros at the padding."""
        if self.rows is None:
            return packed.view(self.steps, self.batch, packed.shape[1])
        flat = packed.new_zeros(self.steps * self.batch, packed.shape[1])
        return flat.index_copy(0, self.rows, packed).view(self.steps, self.batch, packed.shape[1])

    def sort(self, state: Tensor) -> Tensor:
        """State (B, H) in the packed order."""
        return state if self.order is None else state.index_select(0, self.order)


def states_before(h: Tensor, sizes: list[int], batch: int, rows: int) -> Tensor:
    """h before each row's step: (rows, H), from initial states (B) and those of all rows."""
    if not sizes or sizes[-1] == batch:
        return h[:rows]
    blocks, before = [], 0
    for start, n in zip([0, *accumulate(sizes)], sizes, strict=False):
        blocks.append(h[before : before + n])
        before = batch + start
    return torch.cat(blocks)


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
    hidden = h0.shape[1]
    two = pre.shape[1] == 6 * hidden
    gates = (4 if two else 3) * hidden
    act = torch.empty_like(pre)
    h_all = pre.new_empty(len(pre), hidden)
    h_before = torch.empty_like(h_all)
    c_all, tanh_c, c_before = (torch.empty_like(h_all) for _ in range(3))
    norm = scale is not None
    sigma = pre.new_empty(len(pre) if norm else 0, gates)
    xhat = torch.empty_like(sigma)
    means = mean.clone() if norm else pre.new_empty(0)
    variances = var.clone() if norm else pre.new_empty(0)
    rstd = torch.rsqrt(var + eps) if norm else pre.new_empty(0)
    weight_t = weight.t()
    h, c = h0, c0
    start = 0
    for t, n in enumerate(sizes):
        now = slice(start, start + n)
        start += n
        h_before[now], c_before[now] = h[:n], c[:n]
        a = torch.addmm(pre[now], h[:n], weight_t, out=act[now])
        gate = a[:, hidden : hidden + gates]
        a[:, :hidden].tanh_()
        a[:, hidden + gates :].tanh_()
        if norm:
            s = torch.sigmoid(gate, out=sigma[now])
            own = training and n > 1
            if own:
                torch.mean(s, dim=0, out=means[t])
            z = torch.sub(s, means[t], out=xhat[now])
            if own:
                torch.mean(z * z, dim=0, out=variances[t])
                rstd[t] = torch.rsqrt(variances[t] + eps)
            z.mul_(rstd[t])
            torch.addcmul(shift, z, scale, out=gate)
        else:
            gate.sigmoid_()
        part = a.split(hidden, dim=1)
        c = torch.mul(part[1], c[:n], out=c_all[now])
        c.addcmul_(part[2], part[0])
        if two:
            c.addcmul_(part[4], part[5])
        h = torch.mul(part[3], torch.tanh(c, out=tanh_c[now]), out=h_all[now])
    return h_all, c_all, means, variances, act, h_before, c_before, tanh_c, sigma, xhat, rstd


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
    act, h_before, c_before, tanh_c, sigma, xhat, rstd = saved
    norm = scale is not None
    hidden = tanh_c.shape[1]
    two = act.shape[1] == 6 * hidden
    gates = (4 if two else 3) * hidden
    grad = torch.empty_like(act)
    slope = 1 - act * act
    middle = slice(hidden, hidden + gates)
    squashed = sigma if norm else act[:, middle]
    slope[:, middle] = squashed - squashed * squashed
    to_c = act[:, 3 * hidden : 4 * hidden] * (1 - tanh_c * tanh_c)
    grad_gates = grad.new_empty(len(grad), gates) if norm else None
    dh = act.new_zeros(batch, hidden)
    dc = act.new_zeros(batch, hidden)
    start = len(act)
    for t in range(len(sizes) - 1, -1, -1):
        n = sizes[t]
        now = slice(start - n, start)
        start -= n
        dh_t, dc_t = dh[:n], dc[:n]
        if grad_h is not None:
            dh_t.add_(grad_h[now])
        if grad_c is not None:
            dc_t.add_(grad_c[now])
        dc_t.addcmul_(dh_t, to_c[now])
        part = act[now].split(hidden, dim=1)
        d = grad[now]
        out = d.split(hidden, dim=1)
        torch.mul(dc_t, part[2], out=out[0])
        torch.mul(dc_t, c_before[now], out=out[1])
        torch.mul(dc_t, part[0], out=out[2])
        torch.mul(dh_t, tanh_c[now], out=out[3])
        if two:
            torch.mul(dc_t, part[5], out=out[4])
            torch.mul(dc_t, part[4], out=out[5])
        if norm:
            gate = d[:, middle]
            grad_gates[now] = gate
            if training and n > 1:
                z = xhat[now]
                along = torch.mul(gate, z).mean(0)
                gate.sub_(gate.mean(0)).addcmul_(z, along, value=-1)
            gate.mul_(scale * rstd[t])
        d.mul_(slope[now])
        dc_t.mul_(part[1])
        torch.mm(d, weight, out=dh_t)
    d_scale = (grad_gates * xhat).sum(0) if norm else None
    d_shift = grad_gates.sum(0) if norm else None
    return grad, grad.t() @ h_before, dh, dc, d_scale, d_shift


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
