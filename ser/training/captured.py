"""On a GPU, a branch's forward and backward pass as CUDA graphs: two launches instead of hundreds.

A small network leaves a GPU waiting for the program that feeds it. Where a training batch always
has the same shapes (spectrograms squashed to fixed frames), all kernels of a branch are captured
once and replayed. What does not fit (MFCCs of their own lengths, a last batch of another size,
a processor) runs as it always did, and so does everything where capturing fails.

Book: chapter "Making it fast".
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

from ser.batch import Batch
from ser.nn.cuda_graphs import no_collection
from ser.nn.fusion import Fused
from ser.nn.hooks import hooked
from ser.nn.once import once_differentiable

log = logging.getLogger(__name__)

SHAPES = 2
"""Captures a branch: one for full batches, one for the last of an epoch."""
TOLERANCE = 1e-2
"""Largest difference of a captured branch's logits from its own, as a share of the largest."""
PARTS = ("s1", "s2")


class _OfTensors(nn.Module):
    """A branch that is given the spectrograms it needs, one tensor each."""

    def __init__(self, branch: nn.Module, names: tuple[str, ...]):
        super().__init__()
        self.branch, self.names = branch, names

    def forward(self, *spectrograms: Tensor) -> Tensor:
        """Spectrograms (B, n_mels, T) in the order of ``names`` -> logits (B, classes)."""
        return self.branch(Batch(**dict(zip(self.names, spectrograms, strict=True))))


class Replayed:
    """A module's forward and backward pass, captured for the shapes of *sample*.

    ``torch.cuda.make_graphed_callables`` keeps the autograd graph of its capture, and with it
    nodes of another stream that every later backward pass must wait for; this one lets it go.

    Args:
        module: maps tensors of these shapes to one tensor; all its parameters take part.
        sample: tensors on the GPU; they belong to the graph from then on.
    """

    def __init__(self, module: nn.Module, sample: tuple[Tensor, ...]):
        self.given, self.parameters = sample, tuple(module.parameters())
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                found = module(*sample)
                torch.autograd.grad(found, self.parameters, torch.zeros_like(found))
            del found
        torch.cuda.current_stream().wait_stream(side)
        self.forward, self.backward = torch.cuda.CUDAGraph(), torch.cuda.CUDAGraph()
        with no_collection():
            with torch.cuda.graph(self.forward):
                found = module(*sample)
            self.grad = torch.zeros_like(found)
            with torch.cuda.graph(self.backward, pool=self.forward.pool()):
                self.grads = torch.autograd.grad(found, self.parameters, self.grad)
        self.found = found.detach()
        self.turn = 0

    def __call__(self, *tensors: Tensor) -> Tensor:
        """The module's result for *tensors*."""
        return _Replay.apply(self, *tensors, *self.parameters)


class _Replay(Function):
    @staticmethod
    def forward(ctx: Any, replayed: Replayed, *tensors: Tensor) -> Tensor:
        """The given tensors, then all parameters (for their gradients) -> a copy of the result."""
        ctx.replayed, ctx.given = replayed, len(replayed.given)
        for kept, new in zip(replayed.given, tensors, strict=False):
            kept.copy_(new)
        replayed.forward.replay()
        replayed.turn += 1
        ctx.turn = replayed.turn
        return replayed.found.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of the parameters; none for the given tensors."""
        replayed = ctx.replayed
        if ctx.turn != replayed.turn:
            raise RuntimeError(
                "a captured branch keeps what its last forward pass computed, and there was one "
                "more since this one: call backward after each"
            )
        replayed.grad.copy_(grad)
        replayed.backward.replay()
        # A new object for the same memory is taken as .grad without another copy.
        return None, *[None] * ctx.given, *(g.detach() for g in replayed.grads)


class Captured:
    """The branches of a model in training, each captured where that can be done.

    Args:
        model: a :class:`ser.nn.Fused`, on its device and in training mode when called.
        capture: makes a callable of the same results from a module and sample tensors;
            :class:`Replayed`, or a stand-in where there is no GPU.

    Example:
        >>> logits = Captured(model)(batch)                          # doctest: +SKIP
    """

    def __init__(self, model: Fused, capture: Callable[..., Any] | None = None):
        self.model = model
        self.capture = capture or Replayed
        self.made: dict[tuple, Callable] = {}
        self.seen: set[tuple] = set()
        self.given_up = False

    def __call__(self, batch: Batch) -> list[Tensor]:
        """The logits (B, classes) of each branch, in the order of ``model.branches``."""
        parts = zip(self.model.names, self.model.parts, strict=True)
        return [self._branch(name, part, batch) for name, part in parts]

    def _branch(self, name: str, part: nn.Module, batch: Batch) -> Tensor:
        names = tuple(p for p in PARTS if p in part.needs)
        given = [getattr(batch, p) for p in names]
        fixed = all(getattr(batch, f"{p}_lengths") is None for p in names)
        heard = any(map(hooked, part.modules()))  # a replay calls no hook
        if self.given_up or heard or not fixed or set(names) != set(part.needs):
            return part(batch)
        key = (
            name,
            *(tuple(t.shape) for t in given),
            torch.is_autocast_enabled(given[0].device.type),
        )
        if key not in self.made:
            captures = sum(k[0] == name for k in self.made)
            if key not in self.seen or captures >= SHAPES:
                self.seen.add(key)
                return part(batch)
            try:
                self.made[key] = self._capture(part, names, given)
            except Exception as error:  # drivers and libraries fail in ways of their own
                self.given_up = True
                log.warning(
                    "training steps of %s cannot be captured as a CUDA graph (%s: %s); "
                    "going on without",
                    name, type(error).__name__, str(error)[:200],
                )  # fmt: skip
                return part(batch)
        return self.made[key](*given)

    def _capture(
        self, part: nn.Module, names: tuple[str, ...], given: list[Tensor]
    ) -> Callable[..., Tensor]:
        """Capture *part*; running statistics and random numbers are then as they were before."""
        device = given[0].device
        before = {k: b.clone() for k, b in part.named_buffers()}
        devices = [device] if device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            expected = part(Batch(**dict(zip(names, given, strict=True)))).detach()
            module = _OfTensors(part, names).train()
            sample = tuple(t.detach().clone() for t in given)
            made = self.capture(module, sample)
            found = made(*given).detach()
        with torch.no_grad():
            for key, buffer in part.named_buffers():
                buffer.copy_(before[key])
        random = any(float(getattr(module, "dropout", 0.0)) for module in part.modules())
        scale = max(float(expected.abs().max()), 1.0)
        if not random and not float((found - expected).abs().max()) <= TOLERANCE * scale:
            raise RuntimeError("its results differ")
        return made


def training_forward(
    model: nn.Module, device: torch.device | str, capture: bool = True
) -> Callable[[Any], list[Tensor]]:
    """What maps a training batch to the logits of each branch, captured on a GPU.

    Args:
        model: a :class:`ser.nn.Fused`, or any module from a batch to logits.
        device: where it lies.
        capture: False never captures (a profiler sees the operators then).

    Example:
        >>> forward = training_forward(nn.Linear(2, 4), "cpu")
        >>> [logits.shape for logits in forward(torch.ones(3, 2))]
        [torch.Size([3, 4])]
    """
    if capture and torch.device(device).type == "cuda" and isinstance(model, Fused):
        return Captured(model)
    return functools.partial(branch_logits, model)


def branch_logits(model: nn.Module, batch: Any) -> list[Tensor]:
    """The logits of each branch of a fused model; of a model alone, its own."""
    if hasattr(model, "branches"):
        return list(model.branches(batch).values())
    return [model(batch)]
