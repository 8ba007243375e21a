"""All time steps of a recurrence captured as one CUDA graph, and who may use it when.

A replay runs on the tensors that it was captured with: inputs are copied in, results out, and
between a forward pass and its backward pass nothing else may use them (:class:`Lease`). Who may is
not guarded against other threads, and a lease ends without waiting for the device: train in one
thread and on one stream of a process.

Book: chapter "Making it fast".
"""

from __future__ import annotations

import contextlib
import functools
import gc
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from ser.nn.cuda import dslstm_triton
from ser.nn.fast import once_differentiable

log = logging.getLogger(__name__)

GRAPHS = 16
"""Captured graphs kept at a time; the one unused for longest goes first."""


@contextlib.contextmanager
def no_collection() -> Iterator[None]:
    """No garbage collection meanwhile: an old graph that is freed during a capture ruins it."""
    gc.collect()
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


@functools.cache
def _side_stream(device: int) -> torch.cuda.Stream:
    """One for all captures on a device: each stream costs a workspace of the libraries' own."""
    return torch.cuda.Stream(device)


class CudaReplay:
    """A function of no arguments, captured as a CUDA graph; ``run()`` does it again in place."""

    def __init__(self, function: Callable[[], tuple[Tensor, ...]]):
        side = _side_stream(torch.cuda.current_device())
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(2):
                function()
        torch.cuda.current_stream().wait_stream(side)
        self.graph = torch.cuda.CUDAGraph()
        with no_collection(), torch.cuda.graph(self.graph, stream=side):
            self.outputs = function()

    def run(self) -> tuple[Tensor, ...]:
        """The same tensors each time, with new contents."""
        self.graph.replay()
        return self.outputs


class Steps:
    """Forward and backward of one recurrence of fixed shapes and sizes, each one replay.

    Args:
        inputs: pre, weight, h0, c0, scale, shift, mean, var, as
            :func:`ser.nn.cpu.dslstm.recurrence_forward` takes them; only shapes matter.
        settings: sizes, eps, training.
    """

    @torch.no_grad()
    def __init__(self, inputs: tuple[Tensor | None, ...], settings: tuple):
        self.inputs = tuple(None if t is None else t.detach().clone() for t in inputs)
        self.free = True
        self.forward = CudaReplay(lambda: dslstm_triton.steps_forward(*self.inputs, *settings))
        outputs = self.forward.outputs
        self.grads = torch.zeros_like(outputs[0]), torch.zeros_like(outputs[1])
        given = outputs[2:], self.inputs[1], *self.inputs[4:6], *self.grads, len(self.inputs[2])
        self.backward = CudaReplay(lambda: dslstm_triton.steps_backward(*given, *settings))

    def run_forward(self, inputs: tuple[Tensor | None, ...]) -> tuple[Tensor, ...]:
        """New h, c, mean and variance, copies."""
        for kept, new in zip(self.inputs, inputs, strict=True):
            if kept is not None:
                kept.copy_(new)
        return tuple(t.clone() for t in self.forward.run()[:4])

    def run_backward(self, grads: tuple[Tensor, ...]) -> tuple[Tensor | None, ...]:
        """New gradients of pre, weight, h0, c0, scale and shift, copies."""
        for kept, new in zip(self.grads, grads, strict=True):
            kept.copy_(new)
        return tuple(None if t is None else t.clone() for t in self.backward.run())


class Lease:
    """Keeps :class:`Steps` from other use between a forward pass and its backward pass."""

    def __init__(self, steps: Steps):
        self.steps, steps.free = steps, False

    def __del__(self) -> None:
        self.steps.free = True


class Graphs:
    """The :class:`Steps` captured so far. A shape is captured the second time it comes.

    Where a capture fails (memory, driver), a warning says so and no other is tried.
    """

    def __init__(self) -> None:
        self.kept: OrderedDict[tuple, list[Steps]] = OrderedDict()
        self.seen: OrderedDict[tuple, None] = OrderedDict()
        self.given_up = False

    def lease(self, inputs: tuple[Tensor | None, ...], settings: tuple) -> Lease | None:
        """Steps for these shapes that nothing else uses, or None: not worth a capture (yet)."""
        if self.given_up:
            return None
        sizes, eps, training = settings
        shapes = tuple(None if t is None else (tuple(t.shape), t.dtype) for t in inputs)
        key = (shapes, tuple(sizes), eps, training, inputs[0].device)
        if key not in self.kept and key not in self.seen:
            self.seen[key] = None
            while len(self.seen) > 8 * GRAPHS:
                self.seen.popitem(last=False)
            return None
        group = self.kept.setdefault(key, [])
        self.kept.move_to_end(key)
        for steps in group:
            if steps.free:
                return Lease(steps)
        while sum(map(len, self.kept.values())) >= GRAPHS and len(self.kept) > 1:
            self.kept.popitem(last=False)
        if len(group) >= GRAPHS:
            return None
        try:
            group.append(Steps(inputs, settings))
        except Exception as error:  # memory and drivers fail in ways of their own
            self.given_up = True
            self.kept.clear()
            torch.cuda.empty_cache()
            device, told = inputs[0].device, f"{type(error).__name__}: {str(error)[:200]}"
            log.warning("no more CUDA graphs on %s (%s); going on without", device, told)
            return None
        return Lease(group[-1])


class GraphRecurrence(Function):
    """:class:`ser.nn.cpu.dslstm.Recurrence` by way of a :class:`Lease`."""

    @staticmethod
    def forward(ctx: Any, lease: Lease, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        """h, c, mean, variance for the inputs of :func:`ser.nn.cpu.dslstm.recurrence_forward`."""
        h, c, mean, var = lease.steps.run_forward(inputs)
        ctx.lease = lease
        ctx.mark_non_differentiable(mean, var)
        return h, c, mean, var

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_h: Tensor, grad_c: Tensor, *_: Any) -> tuple:
        """Gradients of pre, weight, h0, c0, scale and shift; none for the lease and statistics."""
        return None, *ctx.lease.steps.run_backward((grad_h, grad_c)), None, None
