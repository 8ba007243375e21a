"""Whether a faster way may stand in for a layer's equations, decided in one place.

The layers of :mod:`ser.nn` are plain torch: any device, any format, as many derivatives as one
asks for. Beside them, :data:`WAYS` lists at most one faster way a layer and device. A layer calls
:func:`choose` and gets the module of that way, or None: then its equations run.

Every way is a module with ``why_not(...)``, which says what keeps it from these inputs and is
empty where nothing does. It is imported when it is first asked for. With ``SER_LOG=info`` the
``ser`` command says once which way each layer went; in Python,
``logging.basicConfig(level="INFO")`` does.

Book: chapter "Making it fast".
"""

from __future__ import annotations

import functools
import importlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any
from weakref import WeakSet

import torch
from torch import Tensor, nn

from ser.nn.transforms import transformed

log = logging.getLogger(__name__)

_EQUATIONS = "DSLSTM(reference=True), FrontEnd(fast=False) or lstm_output(fast=False)"
_TOLD: WeakSet[nn.Module] = WeakSet()


@dataclass(frozen=True)
class Way:
    """A faster way of one layer on one kind of device.

    Attributes:
        layer: what :func:`choose` is asked for.
        device: ``cpu``, ``cuda``, or ``any``: every device that has no way of its own, or on which
            that one does not fit.
        module: where it is.
        does: what it does otherwise than the equations.
        when: when it is taken.
        gain: how many times faster, and what was measured.
        proof: the tests that compare it with the equations.
    """

    layer: str
    device: str
    module: str
    does: str
    when: str
    gain: str
    proof: str


WAYS = (
    Way(
        "first block", "cpu", "ser.nn.cpu.first_block",
        "convolution, batch norm, pool and ReLU in one pass, by loops that numba compiles",
        "1 channel in, 8 taps, float32, no gradient of the input",
        "a training step of ds-lstm 3.4 times, of dual 2.6 times as fast (AVX-512, one thread)",
        "tests/test_frontend.py",
    ),
    Way(
        "first block", "cuda", "ser.nn.cuda.first_block",
        "the same in Triton",
        "1 channel in, 8 taps, 16 to 128 channels out, float32, no lengths",
        "front_end in book/results/benchmarks/h200.json",
        "tests/test_cuda_front.py, and on the device before its first use",
    ),
    Way(
        "DS-LSTM", "cuda", "ser.nn.cuda.dslstm",
        "a step is a matrix product and one Triton kernel; all steps are one CUDA graph",
        "float32, at most 1024 sequences",
        "ds_lstm_against_cudnn in book/results/benchmarks/h200.json",
        "tests/test_cuda_recurrence.py, and on the device before its first use",
    ),
    Way(
        "DS-LSTM", "any", "ser.nn.cpu.dslstm",
        "products with the inputs before the loop, no padding, the backward pass by hand",
        "always",
        "a training step of ds-lstm 1.3 times as fast (AVX-512, one thread)",
        "tests/test_dslstm.py",
    ),
    Way(
        "LSTM", "cpu", "ser.nn.cpu.lstm",
        "torch's LSTM over a batch that shrinks as its sequences end",
        "one direction, lengths given",
        "a training step of mfcc-lstm 12 times as fast (AVX-512, one thread)",
        "tests/test_lstm.py",
    ),
)  # fmt: skip
"""Every faster way there is; a layer on a device takes the first that fits."""


def choose(
    layer: str, module: nn.Module, asked: bool, called: str, *given: Tensor | None
) -> ModuleType | None:
    """The module of the way that stands in for the equations here, or None: nothing does.

    Args:
        layer: as in :data:`WAYS`.
        module: who asks, with the layer's weights.
        asked: whether its user wants a faster way at all.
        called: what of it must be called and not stood in for (:mod:`ser.nn.hooks`), empty where
            nothing is; that is told once for each module.
        given: the inputs; the first one's device counts. A way's ``why_not`` takes the module and
            these.
    """
    if not asked:
        return None
    if called:
        if module not in _TOLD:
            _TOLD.add(module)
            log.warning(
                "a layer (%s) is called as it is written, which is slower than the fast path: %s",
                layer, called,
            )  # fmt: skip
        return None
    if reason := transformed(module, *given):
        if not torch.compiler.is_compiling():
            _say(layer, given[0].device.type, "the equations", reason)
        return None
    device = given[0].device.type
    for way in WAYS:
        if way.layer == layer and way.device in (device, "any"):
            found = importlib.import_module(way.module)
            reason = found.why_not(module, *given)
            if not reason:
                _say(layer, device, way.module, "")
                return found
    _say(layer, device, "the equations", reason)
    return None


@functools.cache
def _say(layer: str, device: str, way: str, reason: str) -> None:
    """Says once which way runs."""
    log.info("%s on %s: %s%s", layer, device, way, f" ({reason})" if reason else "")


def once_differentiable(backward: Callable[..., Any]) -> Callable[..., Any]:
    """For the ``backward`` of a ``torch.autograd.Function`` that has no derivative of its own.

    torch's own ``once_differentiable`` raises under ``backward()``, but with
    ``torch.autograd.grad`` a second derivative through such a function is silently left out of the
    sum.

    Raises:
        RuntimeError: when it runs with ``create_graph=True``.

    Example:
        >>> class Square(torch.autograd.Function):
        ...     @staticmethod
        ...     def forward(ctx, x):
        ...         ctx.save_for_backward(x)
        ...         return x * x
        ...
        ...     @staticmethod
        ...     @once_differentiable
        ...     def backward(ctx, grad):
        ...         return 2 * grad * ctx.saved_tensors[0]
        >>> x = torch.tensor(3.0, requires_grad=True)
        >>> torch.autograd.grad(Square.apply(x), x)
        (tensor(6.),)
    """

    @functools.wraps(backward)
    def once(ctx: Any, *grads: Any) -> Any:
        """The backward pass, where nobody asks for its derivative."""
        functorch = torch._C._functorch
        for grad in grads:
            if grad is not None and (
                functorch.is_batchedtensor(grad) or functorch.is_legacy_batchedtensor(grad)
            ):
                raise RuntimeError(
                    "the fast path's backward takes one gradient at a time, not a batch of them "
                    "(is_grads_batched, jacobian(vectorize=True)); use torch.func.jacrev, or "
                    f"{_EQUATIONS}"
                )
        if torch.is_grad_enabled():
            raise RuntimeError(
                f"the fast path has no second derivative (create_graph=True); use {_EQUATIONS}"
            )
        return backward(ctx, *grads)

    return once
