"""A layer of the DS-LSTM on a GPU without a Python loop a step, and the proof before use.

A step is a matrix product and one Triton kernel (:mod:`ser.nn.cuda.dslstm_triton`). Shapes that
come for the first time take one step after the other; from the second time on all their steps are
captured as a CUDA graph, which is replayed.

The first use on a device compares this with the plain loop on a small input; where it does not
compile or does not agree, a warning says so once and the plain loop is used.

Book: chapter "Making it fast".
"""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.autograd import Function

from ser.nn.cpu.dslstm import Recurrence, projections
from ser.nn.cuda import dslstm_triton
from ser.nn.cuda.graphs import GraphRecurrence, Graphs, Lease, Steps
from ser.nn.cuda.verify import agrees, largest_gap
from ser.nn.fast import once_differentiable

if TYPE_CHECKING:
    from ser.nn.dslstm import DSLSTM

TOLERANCE = 2e-3
"""Largest deviation in the proof: kernels and the loop differ by the order of their sums."""


def why_not(lstm: DSLSTM, x: Tensor, *_: Tensor) -> str:
    """What keeps :func:`layer` from standing in; empty where nothing does."""
    weight = lstm.layers[0].cell.W
    if weight.dtype != torch.float32:
        return "it is not float32"
    if not dslstm_triton.fits(x.shape[1]):
        return "Triton is missing, or the batch too large or empty"
    where = str(x.device)
    return "" if proven(where) else "its kernels do not agree with torch here"


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
    """As :func:`ser.nn.cpu.dslstm.layer`; the products with h are made in float32."""
    pre, recurrent, state = projections(x, y, weights, h0, c0)
    settings = sizes, eps, training
    inputs = pre, recurrent, *state, *norm
    with torch.cuda.device(pre.device) if pre.is_cuda else contextlib.nullcontext():
        if not torch.cuda.is_current_stream_capturing():
            lease = _graphs().lease(inputs, settings)
            if lease is not None:
                return GraphRecurrence.apply(lease, *inputs)
        return StepsRecurrence.apply(*inputs, *settings)


class StepsRecurrence(Function):
    """:class:`ser.nn.cpu.dslstm.Recurrence` by Triton's steps, for shapes not worth a capture."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> tuple[Tensor, ...]:
        """Arguments and results as :class:`ser.nn.cpu.dslstm.Recurrence`."""
        *tensors, sizes, eps, training = inputs
        outputs = dslstm_triton.steps_forward(*inputs)
        ctx.save_for_backward(*tensors, *outputs[2:])
        ctx.settings = sizes, eps, training
        ctx.mark_non_differentiable(*outputs[2:4])
        return outputs[:4]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_h: Tensor, grad_c: Tensor, *_: Any) -> tuple:
        """Gradients of pre, weight, h0, c0, scale and shift."""
        _, weight, h0, _, scale, shift, _, _, *saved = ctx.saved_tensors
        given = tuple(saved), weight, scale, shift, grad_h, grad_c, len(h0)
        grads = dslstm_triton.steps_backward(*given, *ctx.settings)
        return *grads, None, None, None, None, None


@functools.cache
def _graphs() -> Graphs:
    return Graphs()


@functools.cache
def proven(device: str) -> bool:
    """Whether graphs of Triton's steps agree with the plain loop; tried once."""
    return agrees("the kernels of the DS-LSTM", deviation, device, TOLERANCE)


def deviation(device: str) -> float:
    """Largest difference of values and gradients between the graphs and the plain loop."""
    cases = [(blocks, normed) for blocks in (6, 4) for normed in (False, True)]
    return max(_deviation(device, *case) for case in cases)


def _deviation(device: str, blocks: int, normed: bool) -> float:
    draw = torch.Generator().manual_seed(0)
    sizes, batch, hidden = [19, 19, 1], 19, 12
    shapes = [(sum(sizes), blocks * hidden), (blocks * hidden, hidden), *[(batch, hidden)] * 2]
    inputs = [torch.randn(s, generator=draw).mul_(0.3).to(device) for s in shapes]
    norm: list[Tensor | None] = [None] * 4
    if normed:
        full = torch.full((len(sizes), (blocks // 3 + 2) * hidden), 0.5, device=device)
        norm = [full[0] * 0.2, full[0] * 0, full, full]
    settings = (sizes, 1e-5, normed)

    def replayed(*tensors: Tensor) -> tuple:
        lease = Lease(Steps((*tensors, *norm), settings))
        return GraphRecurrence.apply(lease, *tensors, *norm)

    def plain(*tensors: Tensor) -> tuple:
        return Recurrence.apply(*tensors, *norm, *settings)

    found = []
    for function in (replayed, plain):
        leaves = [t.clone().requires_grad_() for t in inputs]
        if normed:
            norm[0], norm[1] = (t.detach().clone().requires_grad_() for t in norm[:2])
        h, c, *_ = function(*leaves)
        (h.square().sum() + c.sum()).backward()
        scale = [norm[0].grad, norm[1].grad] if normed else []
        found.append([h, c, *(leaf.grad for leaf in leaves), *scale])
    return largest_gap(zip(*found, strict=True))
