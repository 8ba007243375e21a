"""A faster way is compared with the plain one on a small input before its first use on a device.

Nobody can test on every GPU, compiler and driver, so the proof travels with the code.
Book: chapter "Making it fast".
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable

import torch
from torch import Tensor


def disagreement(deviation: Callable[[], float], device: str, tolerance: float) -> str:
    """Why a way must not be used on *device*; empty where it may.

    Args:
        deviation: makes the comparison, forward and backward, and returns the largest gap.
        device: as ``torch.device`` takes it; a GPU is the current one meanwhile, autocast is off.
        tolerance: the largest gap that is let through. Not a number is not.

    Example:
        >>> disagreement(lambda: 1e-6, "cpu", tolerance=1e-3)
        ''
        >>> disagreement(lambda: 0.1, "cpu", tolerance=1e-3)
        'results differ by 0.1'
        >>> disagreement(lambda: 1 / 0, "cpu", tolerance=1e-3)
        'ZeroDivisionError: division by zero'
    """
    try:
        kind = torch.device(device).type
        here = torch.cuda.device(device) if kind == "cuda" else contextlib.nullcontext()
        with here, torch.enable_grad(), torch.autocast(kind, enabled=False):
            worst = deviation()
    except Exception as error:  # compilers and drivers fail in ways of their own
        return f"{type(error).__name__}: {str(error)[:200]}"
    return "" if worst <= tolerance else f"results differ by {worst:.2g}"


def largest_gap(pairs: Iterable[tuple[Tensor, Tensor]]) -> float:
    """Largest difference of two tensors, as a share of the second's largest value or of 1.

    Args:
        pairs: tensors of equal shapes. Where one is not a number, the gap is infinite.

    Example:
        >>> largest_gap([(torch.tensor([1.0, 4.0]), torch.tensor([1.0, 5.0]))])
        0.2
    """
    worst = 0.0
    for a, b in pairs:
        a, b = a.detach().double(), b.detach().double()
        gap = float((a - b).abs().max() / b.abs().max().clamp_min(1.0))
        worst = max(worst, gap if gap == gap else float("inf"))
    return worst
