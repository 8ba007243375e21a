"""torch.nn.LSTM in float32 on the CPU: products with the input by torch, the steps by numba.

The input's part of all steps is one product for each layer. The recurrence is one call for each
thread, which takes its share of the sequences through all steps (:mod:`ser.nn.lstm_kernels`); and
no step is computed beyond a sequence's end.

Book: chapter "Making it fast".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

from ser.compiling import load_kernels
from ser.nn.functional import Packing
from ser.nn.hooks import LSTM
from ser.nn.once import once_differentiable
from ser.nn.precision import lowered
from ser.threads import in_shares

EACH = 4
"""Sequences of a thread at least: with fewer, reading the weights takes longer than using them."""


def _kernels() -> Any:
    return load_kernels("ser.nn.lstm_kernels")


def applies(lstm: nn.LSTM, x: Tensor) -> bool:
    """Whether :func:`output` can and should stand in: float32, one direction, whole panels.

    An LSTM that has hooks is called, so that they hear it, and so is one of another class or with a
    forward of its own.
    """
    if LSTM.why_not(lstm) or x.device.type != "cpu" or _kernels() is None:
        return False
    tiles = load_kernels("ser.nn.tiles")
    return (
        x.dtype == lstm.weight_hh_l0.dtype == torch.float32
        and not (lstm.bidirectional or lstm.proj_size or (lstm.dropout and lstm.training))
        and 4 * lstm.hidden_size % tiles.WIDTH == 0
        and x.numel() > 0
        and not lowered("cpu")
        and tiles.worthwhile()
    )


def output(lstm: nn.LSTM, x: Tensor, lengths: Tensor | None = None) -> Tensor:
    """``lstm(x)[0]`` of padded x (B, T, size), zeros beyond the lengths (B,).

    Args:
        lstm: with ``batch_first=True``.
        x: (B, T, size), float32.
        lengths: valid steps, or None: all.

    Returns:
        (B, T, hidden).

    Example:
        >>> lstm, x = nn.LSTM(39, 8, 2, batch_first=True), torch.randn(2, 50, 39)
        >>> bool((output(lstm, x) - lstm(x)[0]).abs().max() < 1e-6)
        True
    """
    packing = Packing.make(x.shape[1], len(x), lengths, x.device)
    h = packing.pack(x.transpose(0, 1))
    for k in range(lstm.num_layers):
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        weights = [getattr(lstm, f"{name}_l{k}", None) for name in names]
        h = _Layer.apply(h, *weights, packing.sizes, len(x))
    return packing.unpack(h).transpose(0, 1)


class _Layer(Function):
    """One layer over packed sequences: x (N, size) -> h (N, H), from states of zeros."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        recurrent: Tensor,
        bias: Tensor | None,
        other_bias: Tensor | None,
        sizes: list[int],
        batch: int,
    ) -> Tensor:
        """weight (4 H, size) and recurrent (4 H, H), as torch.nn.LSTM has them, and two biases."""
        from ser.nn.tiles import panels_of

        hidden, rows = recurrent.shape[1], len(x)
        act = x.new_empty(rows, 4 * hidden)
        if bias is None:
            torch.mm(x, weight.t(), out=act)
        else:
            torch.addmm(bias + other_bias, x, weight.t(), out=act)
        before, h, tanh_c = (x.new_empty(rows, hidden) for _ in range(3))
        c = x.new_empty(batch + rows, hidden)
        before[:batch] = c[:batch] = 0
        steps = torch.tensor(sizes)
        tensors = act, before, h, c, tanh_c, panels_of(recurrent.t()), steps
        _in_shares(batch, _kernels().forward, tensors)
        ctx.save_for_backward(x, weight, recurrent, act, before, c, tanh_c, steps)
        ctx.batch, ctx.biased = batch, bias is not None
        return h

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_h: Tensor) -> tuple[Tensor | None, ...]:
        """grad_h (N, H) -> gradients of x, the weights and the biases."""
        from ser.nn.tiles import WIDTH, panels_of

        x, weight, recurrent, act, before, c, tanh_c, steps = ctx.saved_tensors
        hidden, batch = recurrent.shape[1], ctx.batch
        grad = torch.empty_like(act)
        dh = grad.new_zeros(batch, -(-hidden // WIDTH) * WIDTH)
        dc = grad.new_zeros(batch, hidden)
        panels = panels_of(recurrent)
        tensors = grad, act, grad_h.contiguous(), c, tanh_c, dh, dc, panels, steps
        _in_shares(batch, _kernels().backward, tensors)
        needs = ctx.needs_input_grad
        d_bias = grad.sum(0) if ctx.biased else None
        return (
            grad @ weight if needs[0] else None,
            grad.t() @ x if needs[1] else None,
            grad.t() @ before if needs[2] else None,
            d_bias,
            d_bias,
            None,
            None,
        )


def _in_shares(batch: int, run: Callable[..., None], tensors: tuple[Tensor, ...]) -> None:
    """run(*arrays, share, shares) in torch's number of threads, a few sequences each."""
    arrays = [t.detach().numpy() for t in tensors]
    in_shares(-(-batch // EACH), lambda share, shares: run(*arrays, share, shares))
