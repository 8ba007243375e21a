"""The DS-LSTM's time steps on a GPU without a Python loop a step, and the proof before use.

Without gate norm the steps are one Triton kernel (:mod:`ser.nn.triton_recurrence`). With it, each
step needs means over the batch, which no block of sequences has alone: there, the plain loop of
:mod:`ser.nn.functional` is captured once for its shapes as a CUDA graph and replayed. The first
use on a device compares either with the plain loop on a small input; where it does not compile
or does not agree, a warning says so once and the plain loop is used.
"""

from __future__ import annotations

import functools
import logging
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from ser.nn.functional import Recurrence, recurrence_backward, recurrence_forward

log = logging.getLogger(__name__)

GRAPHS = 16
"""Captured graphs kept at a time; the one unused for longest goes first."""
TOLERANCE = 2e-3
"""Largest deviation in the proof: graphs differ in nothing, kernels by their order of sums."""


class CudaReplay:
    """A function of no arguments, captured as a CUDA graph; ``run()`` does it again in place."""

    def __init__(self, function: Callable[[], tuple[Tensor, ...]]):
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(2):
                function()
        torch.cuda.current_stream().wait_stream(side)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.outputs = function()

    def run(self) -> tuple[Tensor, ...]:
        """The same tensors each time, with new contents."""
        self.graph.replay()
        return self.outputs


class Replay:
    """What :class:`CudaReplay` does, on any device, by calling the function again."""

    def __init__(self, function: Callable[[], tuple[Tensor, ...]]):
        self.function, self.outputs = function, function()

    def run(self) -> tuple[Tensor, ...]:
        """The same tensors each time, with new contents."""
        for kept, new in zip(self.outputs, self.function(), strict=True):
            kept.copy_(new)
        return self.outputs


class Steps:
    """Forward and backward of one recurrence of fixed shapes and sizes, each one replay.

    Args:
        inputs: pre, weight, h0, c0, scale, shift, mean, var, as
            :func:`ser.nn.functional.recurrence_forward` takes them; only shapes matter.
        settings: sizes, eps, training.
        replay: :class:`CudaReplay`, or :class:`Replay` where there is no GPU.
    """

    @torch.no_grad()
    def __init__(self, inputs: tuple[Tensor, ...], settings: tuple, replay: Callable):
        self.inputs = tuple(t.detach().clone() for t in inputs)
        self.free = True
        self.forward = replay(lambda: recurrence_forward(*self.inputs, *settings))
        h, c, _, _, *saved = self.forward.outputs
        self.grads = torch.zeros_like(h), torch.zeros_like(c)
        weight, scale = self.inputs[1], self.inputs[4]
        batch, (sizes, _, training) = len(self.inputs[2]), settings
        self.backward = replay(
            lambda: recurrence_backward(
                tuple(saved), weight, scale, *self.grads, batch, sizes, training
            )
        )

    def run_forward(self, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """New h, c, mean and variance, copies."""
        for kept, new in zip(self.inputs, inputs, strict=True):
            kept.copy_(new)
        return tuple(t.clone() for t in self.forward.run()[:4])

    def run_backward(self, grads: tuple[Tensor | None, ...]) -> tuple[Tensor, ...]:
        """New gradients of pre, weight, h0, c0, scale and shift, copies."""
        for kept, new in zip(self.grads, grads, strict=True):
            kept.zero_() if new is None else kept.copy_(new)
        return tuple(t.clone() for t in self.backward.run())


class Lease:
    """Keeps :class:`Steps` from other use between a forward pass and its backward pass."""

    def __init__(self, steps: Steps):
        self.steps, steps.free = steps, False

    def __del__(self) -> None:
        self.steps.free = True


class Graphs:
    """The :class:`Steps` captured so far. A shape is captured the second time it comes."""

    def __init__(self, replay: Callable, limit: int = GRAPHS):
        self.replay, self.limit = replay, limit
        self.kept: OrderedDict[tuple, list[Steps]] = OrderedDict()
        self.seen: OrderedDict[tuple, None] = OrderedDict()

    def lease(self, inputs: tuple[Tensor, ...], settings: tuple) -> Lease | None:
        """Steps for these shapes that nothing else uses, or None: not worth a capture yet."""
        sizes, eps, training = settings
        shapes = tuple((tuple(t.shape), t.dtype) for t in inputs)
        key = (shapes, tuple(sizes), eps, training, inputs[0].device)
        if key not in self.kept and key not in self.seen:
            self.seen[key] = None
            while len(self.seen) > 8 * self.limit:
                self.seen.popitem(last=False)
            return None
        group = self.kept.setdefault(key, [])
        self.kept.move_to_end(key)
        for steps in group:
            if steps.free:
                return Lease(steps)
        while sum(map(len, self.kept.values())) >= self.limit and len(self.kept) > 1:
            self.kept.popitem(last=False)
        if len(group) >= self.limit:
            return None
        group.append(Steps(inputs, settings, self.replay))
        return Lease(group[-1])


class GraphRecurrence(Function):
    """:class:`ser.nn.functional.Recurrence` by way of a :class:`Lease`."""

    @staticmethod
    def forward(ctx: Any, lease: Lease, *inputs: Tensor) -> tuple[Tensor, ...]:
        """h, c, mean, variance for the inputs of :func:`ser.nn.functional.recurrence_forward`."""
        h, c, mean, var = lease.steps.run_forward(inputs)
        ctx.lease = lease
        ctx.mark_non_differentiable(mean, var)
        ctx.set_materialize_grads(False)
        return h, c, mean, var

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_h: Tensor | None, grad_c: Tensor | None, *_: Any) -> tuple:
        """Gradients of pre, weight, h0, c0, scale and shift; none for the lease and statistics."""
        return None, *ctx.lease.steps.run_backward((grad_h, grad_c)), None, None


def recurrence(
    pre: Tensor,
    weight: Tensor,
    h0: Tensor,
    c0: Tensor,
    norm: tuple[Tensor | None, ...],
    settings: tuple,
    low: bool,
) -> tuple[Tensor, ...]:
    """What ``Recurrence.apply`` computes for tensors on a GPU, by the fastest proven way.

    Args:
        norm: scale, shift, mean, var, or four None.
        settings: sizes, eps, training.
        low: bfloat16 for the products with ``weight``, where Triton makes them.
    """
    sizes = settings[0]
    device, wanted = pre.device, pre.dtype == torch.float32 and len(h0) > 0 and len(sizes) > 0
    if norm[0] is None:
        if wanted and proven("triton", str(device)):
            from ser.nn.triton_recurrence import TritonRecurrence

            with torch.cuda.device(device):
                h, c = TritonRecurrence.apply(pre, weight, h0, c0, sizes, low)
            return h, c, pre.new_empty(0), pre.new_empty(0)
    elif wanted and not torch.cuda.is_current_stream_capturing() and proven("graph", str(device)):
        inputs = (pre, weight, h0, c0, *norm)
        with torch.cuda.device(device):
            lease = _graphs().lease(inputs, settings)
            if lease is not None:
                return GraphRecurrence.apply(lease, *inputs)
    return Recurrence.apply(pre, weight, h0, c0, *norm, *settings)


@functools.cache
def _graphs() -> Graphs:
    return Graphs(CudaReplay)


@functools.cache
def proven(way: str, device: str) -> bool:
    """Whether ``triton`` or ``graph`` agrees with the plain loop on *device*; tried once."""
    try:
        with torch.enable_grad(), torch.autocast(torch.device(device).type, enabled=False):
            worst = deviation(way, device)
        if worst <= TOLERANCE:
            return True
        reason = f"results differ by {worst:.2g}"
    except Exception as error:  # compilers and drivers fail in ways of their own
        reason = f"{type(error).__name__}: {str(error)[:200]}"
    log.warning(
        "the %s path of the DS-LSTM cannot be used on %s (%s); using the slower plain one",
        way, device, reason,
    )  # fmt: skip
    return False


def deviation(way: str, device: str, replay: Callable | None = None) -> float:
    """Largest difference of values and gradients between *way* and the plain loop.

    ``replay`` stands in for :class:`CudaReplay` where there is no GPU.
    """
    draw = torch.Generator().manual_seed(0)
    sizes, batch, hidden, worst = [19, 19, 7, 1], 19, 40, 0.0
    for blocks in (6, 4):
        shapes = [(sum(sizes), blocks * hidden), (blocks * hidden, hidden)]
        shapes += [(batch, hidden)] * 2
        inputs = [torch.randn(s, generator=draw).mul_(0.3).to(device) for s in shapes]
        gates = blocks // 3 + 2
        norm: list[Tensor | None] = [None] * 4
        if way == "graph":
            full = torch.full((len(sizes), gates * hidden), 0.5, device=device)
            norm = [full[0] * 0.2, full[0] * 0, full, full]
        settings = (sizes, 1e-5, way == "graph")
        steps = None
        if way == "graph":
            steps = Steps((*inputs, *norm), settings, replay or CudaReplay)

        def other(*tensors: Tensor, norm=norm, settings=settings, steps=steps) -> tuple:
            if steps is not None:
                return GraphRecurrence.apply(Lease(steps), *tensors, *norm)
            from ser.nn.triton_recurrence import TritonRecurrence

            return TritonRecurrence.apply(*tensors, settings[0], False)

        def plain(*tensors: Tensor, norm=norm, settings=settings) -> tuple:
            return Recurrence.apply(*tensors, *norm, *settings)

        found = []
        for function in (other, plain):
            leaves = [t.clone().requires_grad_() for t in inputs]
            h, c, *_ = function(*leaves)
            (h.square().sum() + c.sum()).backward()
            found.append([h, c, *(leaf.grad for leaf in leaves)])
        for a, b in zip(*found, strict=True):
            scale = float(b.detach().abs().max().clamp_min(1.0))
            gap = float((a - b).detach().abs().max()) / scale
            worst = max(worst, gap if gap == gap else float("inf"))
    return worst
