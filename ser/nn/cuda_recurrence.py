"""The DS-LSTM's time steps on a GPU without a Python loop a step, and the proof before use.

A step is a matrix product and one Triton kernel (:mod:`ser.nn.triton_steps`), or where Triton is
missing the operations of :mod:`ser.nn.functional`. Shapes that come for the first time take one
step after the other; from the second time on all their steps are captured as a CUDA graph, which
is replayed.

The first use on a device compares each way with the plain loop on a small input; where it does
not compile or does not agree, a warning says so once and the next is used.
"""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import Callable

import torch
from torch import Tensor

from ser.nn import triton_steps
from ser.nn.cuda_graphs import (
    LOOPS,
    CudaReplay,
    GraphRecurrence,
    Graphs,
    Lease,
    Steps,
    StepsRecurrence,
)
from ser.nn.functional import Recurrence
from ser.nn.proof import doubt, largest_gap

log = logging.getLogger(__name__)

TOLERANCE = 2e-3
"""Largest deviation in the proof: kernels and the loop differ by the order of their sums."""


def recurrence(
    pre: Tensor,
    weight: Tensor,
    h0: Tensor,
    c0: Tensor,
    norm: tuple[Tensor | None, ...],
    settings: tuple,
) -> tuple[Tensor, ...]:
    """What ``Recurrence.apply`` computes for tensors on a GPU, by the fastest proven way.

    Args:
        norm: scale, shift, mean, var, or four None.
        settings: sizes, eps, training.
    """
    inputs, where = (pre, weight, h0, c0, *norm), str(pre.device)
    with torch.cuda.device(pre.device) if pre.is_cuda else contextlib.nullcontext():
        if pre.dtype == torch.float32 and len(h0) > 0 and len(settings[0]) > 0:
            fused = triton_steps.fits(len(h0), pre.dtype) and proven("steps", where)
            way = "steps" if fused else "graph"
            if not torch.cuda.is_current_stream_capturing() and proven(way, where):
                lease = _graphs(way).lease(inputs, settings)
                if lease is not None:
                    return GraphRecurrence.apply(lease, *inputs)
            if fused:
                return StepsRecurrence.apply(*inputs, *settings)
        return Recurrence.apply(*inputs, *settings)


@functools.cache
def _graphs(way: str) -> Graphs:
    return Graphs(CudaReplay, loop=LOOPS[way])


@functools.cache
def proven(way: str, device: str) -> bool:
    """Whether ``steps`` or ``graph`` agrees with the plain loop; tried once."""
    reason = doubt(lambda: deviation(way, device), device, TOLERANCE)
    if reason:
        log.warning(
            "the %s path of the DS-LSTM cannot be used on %s (%s); using a slower one",
            way, device, reason,
        )  # fmt: skip
    return not reason


def deviation(way: str, device: str, replay: Callable | None = None) -> float:
    """Largest difference of values and gradients between *way* and the plain loop.

    ``replay`` stands in for :class:`~ser.nn.cuda_graphs.CudaReplay` where there is no GPU.
    """
    cases = [(blocks, normed) for blocks in (6, 4) for normed in (False, True)]
    return max(_deviation(way, device, replay or CudaReplay, *case) for case in cases)


def _deviation(way: str, device: str, replay: Callable, blocks: int, normed: bool) -> float:
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
        lease = Lease(Steps(LOOPS[way], (*tensors, *norm), settings, replay))
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
