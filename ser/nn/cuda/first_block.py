"""The passes of :mod:`ser.nn.first_block` on a GPU, and the proof before use.

The kernels are in :mod:`ser.nn.cuda.first_block_triton`.
Book: chapter "Making it fast".
"""

from __future__ import annotations

import functools
import logging
import sys
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ser.nn.cuda import first_block_triton
from ser.nn.cuda.first_block_triton import conv_pool_relu, conv_pool_relu_grad, patch_moments
from ser.nn.cuda.verify import disagreement, largest_gap
from ser.nn.first_block import one_pass, why_not_these

if TYPE_CHECKING:
    from ser.nn.frontend import ConvBlock

__all__ = ["conv_pool_relu", "conv_pool_relu_grad", "patch_moments", "proven", "why_not"]

log = logging.getLogger(__name__)

TOLERANCE = 2e-3
"""Largest deviation in the proof, as a share of the largest value."""


def why_not(block: ConvBlock, x: Tensor, lengths: Tensor | None) -> str:
    """What keeps the kernels from a block's input; empty where nothing does."""
    if lengths is not None:
        return "utterances have lengths of their own"
    if not first_block_triton.fits(x, block.conv.out_channels):
        return "Triton is missing, or its kernels do not take so many channels"
    why = why_not_these(block, x)
    return why or ("" if proven(str(x.device)) else "its kernels do not agree with torch here")


@functools.cache
def proven(device: str) -> bool:
    """Whether the kernels agree with torch on *device*; tried once."""
    reason = disagreement(lambda: deviation(device), device, TOLERANCE)
    if reason:
        log.warning(
            "the front end's kernels cannot be used on %s (%s); using torch's operators",
            device, reason,
        )  # fmt: skip
    return not reason


def deviation(device: str) -> float:
    """Largest difference of values, gradients and running statistics from torch's, relative."""
    from ser.nn.frontend import ConvBlock

    worst = 0.0
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(0)  # the device's own goes on as it was
        x = (50 + 20 * torch.randn(3, 1, 22, 41)).to(device)
        for kernel in ((4, 2), (2, 4)):
            ours = ConvBlock(1, 64, kernel).to(device)
            plain = ConvBlock(1, 64, kernel, fast=False).to(device)
            plain.load_state_dict(ours.state_dict())
            outputs = one_pass(sys.modules[__name__], ours, x, None), plain(x)
            for output in outputs:
                (output.square().sum() + output.sum()).backward()
            pairs = [outputs]
            pairs += zip(ours.buffers(), plain.buffers(), strict=True)
            pairs += [
                (a.grad, b.grad)
                for (name, a), b in zip(ours.named_parameters(), plain.parameters(), strict=True)
                if name != "conv.bias"  # zero, to rounding: the norm takes it away
            ]
            worst = max(worst, largest_gap(pairs))
    return worst
