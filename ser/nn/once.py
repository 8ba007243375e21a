"""Backward passes written by hand: a first derivative, and a clear word where a second is asked.

torch's own ``once_differentiable`` raises under ``backward()``, but with ``torch.autograd.grad`` a
second derivative through such a function is silently left out of the sum.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch


def once_differentiable(backward: Callable[..., Any]) -> Callable[..., Any]:
    """For the ``backward`` of a ``torch.autograd.Function`` that has no derivative of its own.

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
        if torch.is_grad_enabled():
            raise RuntimeError(
                "the fast path has no second derivative (create_graph=True); use "
                "DSLSTM(reference=True), FrontEnd(fast=False) or lstm_output(fast=False)"
            )
        return backward(ctx, *grads)

    return once
