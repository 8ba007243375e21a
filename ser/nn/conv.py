"""Backward of the front end's second convolution as matrix products, on the CPU.

With the gradient's values under the kernel side by side in one matrix G, a row for every place of
the input and a column for every tap and output channel, both gradients are products with it:

    d_input = G @ weight        d_weight = G.T @ input

G has as many columns as taps times output channels (128 in the released net; of the input it
would be 512). In float32 a kernel reads it out of the gradient itself, whose rows overlap
(:mod:`ser.nn.conv_kernels`); otherwise it is made a few thousand rows at a time, so that it stays
in the caches.

Book: chapter "Making it fast".
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

from ser.compiling import load_kernels
from ser.nn.hooks import CONV
from ser.nn.once import once_differentiable
from ser.nn.precision import lowered
from ser.threads import share_work

PLACES = 2048
"""Rows of G at a time: fewer cost more calls, more fall out of the caches."""


@functools.cache
def worthwhile() -> bool:
    """Whether torch's vector instructions are AVX2's, where products were found to beat oneDNN.

    oneDNN chooses by itself: where ``ATEN_CPU_CAPABILITY`` holds torch down it is not asked.
    """
    return torch.backends.cpu.get_cpu_capability() == "AVX2"


def applies(conv: nn.Conv2d, x: Tensor) -> bool:
    """Whether :func:`convolution` can and should stand in for ``conv(x)``: CPU, stride 1, zeros."""
    return (
        not CONV.why_not(conv)
        and x.device.type == "cpu"
        and x.dtype == conv.weight.dtype
        and x.dtype in (torch.float32, torch.float64)
        and x.requires_grad
        and x.numel() > 0
        and conv.stride == conv.dilation == (1, 1)
        and conv.groups == 1
        and conv.padding_mode == "zeros"
        and isinstance(conv.padding, tuple)
        and all(p < k for p, k in zip(conv.padding, conv.kernel_size, strict=True))
        and not lowered("cpu")
        and worthwhile()
    )


def convolution(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """``conv(x)``, with the backward of this module.

    Args:
        conv: of stride 1.
        x: (B, C, rows, cols); channels last in memory spares a copy.

    Returns:
        (B, C', rows', cols').

    Example:
        >>> conv, x = nn.Conv2d(3, 2, (4, 2), padding=(1, 0)), torch.randn(2, 3, 9, 7)
        >>> torch.equal(convolution(conv, x), conv(x))
        True
    """
    return _Convolution.apply(x, conv.weight, conv.bias, conv.padding)


class _Convolution(Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, padding: tuple[int, int]
    ) -> Tensor:
        """x (B, C, rows, cols), weight (C', C, h, w) -> (B, C', rows', cols')."""
        ctx.save_for_backward(x, weight)
        ctx.padding = padding
        return torch.conv2d(x, weight, bias, padding=padding)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple:
        """grad (B, C', rows', cols') -> gradients of x, weight and bias."""
        x, weight = ctx.saved_tensors
        data, grad = (t.permute(0, 2, 3, 1).contiguous() for t in (x, grad))
        run = by_tiles if tiles_fit(data) else products
        d_x, d_weight, d_bias = run(data, grad, weight, ctx.padding)
        return (
            d_x.permute(0, 3, 1, 2),
            d_weight,
            d_bias if ctx.needs_input_grad[2] else None,
            None,
        )


def tiles_fit(x: Tensor) -> bool:
    """Whether :func:`by_tiles` can take x (B, rows, cols, C): float32, C in whole panels."""
    if x.dtype != torch.float32 or load_kernels("ser.nn.conv_kernels") is None:
        return False
    from ser.nn import tiles

    return x.shape[3] % tiles.WIDTH == 0 and tiles.worthwhile()


def by_tiles(
    x: Tensor, grad: Tensor, weight: Tensor, padding: tuple[int, int]
) -> tuple[Tensor, Tensor, Tensor]:
    """As :func:`products`, without G: the kernel reads its rows out of the gradient.

    Example:
        >>> x, weight = torch.randn(2, 5, 6, 64), torch.randn(3, 64, 2, 2)
        >>> given = x, torch.randn(2, 4, 5, 3), weight, (0, 0)
        >>> pairs = zip(by_tiles(*given), products(*given))
        >>> all(torch.allclose(a, b, atol=1e-4) for a, b in pairs)
        True
    """
    from ser.nn.tiles import WIDTH, panels_of

    batch, channels, outputs = len(x), x.shape[3], grad.shape[3]
    height, width = weight.shape[2:]
    taps, top, left = _taps(weight, padding)
    panels = panels_of(taps).view(-1, height, width * outputs, WIDTH)
    d_x = torch.empty_like(x)
    d_taps = x.new_zeros(batch, height, width * outputs, channels)
    d_bias = torch.zeros(batch, outputs, dtype=torch.float64)
    given = [t.numpy() for t in (x, grad, panels)]
    made = [t.numpy() for t in (d_x, d_taps, d_bias)]
    run = load_kernels("ser.nn.conv_kernels").gradients
    share_work(batch, lambda start, stop: run(*given, top, left, *made, start, stop))
    return d_x, _as_weight(d_taps, weight), d_bias.sum(0).to(x.dtype)


def _taps(weight: Tensor, padding: tuple[int, int]) -> tuple[Tensor, int, int]:
    """weight (C', C, h, w) as (h * w * C', C), and the zeros above and left of the gradient."""
    _, channels, height, width = weight.shape
    taps = weight.flip(2, 3).permute(2, 3, 0, 1).reshape(-1, channels)
    return taps, height - 1 - padding[0], width - 1 - padding[1]


def _as_weight(d_taps: Tensor, weight: Tensor) -> Tensor:
    """Gradients of the taps of all utterances, each (h * w * C', C), summed and like weight."""
    outputs, channels, height, width = weight.shape
    by_tap = d_taps.sum(0).view(height, width, outputs, channels)
    return by_tap.permute(2, 3, 0, 1).flip(2, 3)


def products(
    x: Tensor, grad: Tensor, weight: Tensor, padding: tuple[int, int]
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of x, weight and bias, from that of the output.

    Args:
        x: (B, rows, cols, C).
        grad: (B, rows', cols', C').
        weight: (C', C, h, w).
        padding: rows and columns of zeros on every side of x.

    Every utterance has sums of its own, so the result does not depend on the number of threads.
    """
    batch, rows, cols, channels = x.shape
    outputs, _, height, width = weight.shape
    taps, top, left = _taps(weight, padding)
    wide = (cols + width - 1) * outputs
    at_once = max(1, PLACES // cols)
    d_x, d_taps = torch.empty_like(x), x.new_zeros(batch, *taps.shape)

    def work(start: int, stop: int) -> None:
        """Utterances start to stop, each into its own d_x[b] and d_taps[b]; G as ``under``."""
        padded = x.new_zeros(rows + height - 1, cols + width - 1, outputs)
        inside = padded[top : top + grad.shape[1], left : left + grad.shape[2]]
        room = x.new_empty(min(at_once, rows), cols, height, width * outputs)
        for b in range(start, stop):
            inside.copy_(grad[b])
            for r in range(0, rows, at_once):
                here = slice(r, min(r + at_once, rows))
                under = room[: here.stop - r]
                under.copy_(padded.as_strided(under.shape, (wide, outputs, wide, 1), r * wide))
                matrix, values = under.view(-1, len(taps)), x[b, here].view(-1, channels)
                torch.mm(matrix, taps, out=d_x[b, here].view(-1, channels))
                d_taps[b].addmm_(matrix.t(), values)

    share_work(batch, work, alone=True)
    return d_x, _as_weight(d_taps, weight), grad.sum((0, 1, 2))
