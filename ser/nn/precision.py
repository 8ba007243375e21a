"""The choice of number format for training and testing (book: chapter "Making it fast").

``float32`` is exact to rounding; ``bfloat16`` makes matrix products and convolutions with 8 bits
of mantissa and sums them in float32. Weights, optimiser, states of the recurrence and statistics
of the batch norms are float32 in both.
"""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager

import torch

PRECISIONS = ("float32", "bfloat16")
"""Formats that a network can be trained in."""

BFLOAT16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16")
"""torch's words for instructions that multiply bfloat16: Intel and AMD, Intel, ARM."""


def precision_context(precision: str, device: torch.device | str) -> AbstractContextManager:
    """What to run a forward pass in; the backward pass follows it.

    Args:
        precision: one of :data:`PRECISIONS`.
        device: ``cpu``, ``cuda``, ``cuda:1``...

    Raises:
        ValueError: another precision.

    Example:
        >>> with precision_context("bfloat16", "cpu"):
        ...     (torch.ones(2, 2) @ torch.ones(2, 2)).dtype
        torch.bfloat16
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, not {precision!r}")
    if precision == "float32":
        return contextlib.nullcontext()
    kind = torch.device(device).type
    # A weight rounded before a CUDA graph's capture must not be taken from a cache inside it.
    return torch.autocast(kind, torch.bfloat16, cache_enabled=kind != "cuda")


def in_software(precision: str, device: torch.device | str) -> bool:
    """Whether *device* has no instructions for *precision*, so that torch does it number by number.

    That is several times slower than float32. Most processors multiply float32 only; AVX-512 by
    itself is no help.

    Example:
        >>> in_software("float32", "cpu")
        False
    """
    if precision == "float32" or torch.device(device).type != "cpu":
        return False
    try:
        has = torch.cpu.get_capabilities()
    except (AttributeError, RuntimeError):  # an older torch
        return False
    return not any(has.get(name) for name in BFLOAT16_INSTRUCTIONS)


def autocast(kind: str) -> bool:
    """Whether autocast is on for devices of this kind; there are some that have none.

    Example:
        >>> autocast("meta")
        False
    """
    return torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)


def lowered(kind: str) -> bool:
    """Whether autocast to bfloat16 is on for devices of this kind (``cpu``, ``cuda``)."""
    return autocast(kind) and torch.get_autocast_dtype(kind) == torch.bfloat16
