"""A faster way is compared with the plain one on a small input before its first use on a device.

Nobody can test on every GPU, compiler and driver, so the proof travels with the code.
Book: chapter "Making it fast".
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable

import torch
from torch import Tensor

log = logging.getLogger(__name__)


def agrees(what: str, deviation: Callable[[str], float], device: str, tolerance: float) -> bool:
    """Whether a way may be used on *device*; where it may not, a warning says why.

    Args:
        what: the way's name in the warning.
        deviation: makes the comparison on a device, forward and backward, and returns the largest
            gap.
        device: as ``torch.device`` takes it; a GPU is the current one meanwhile, autocast is off.
        tolerance: the largest gap that is let through. Not a number is not.

    Example:
        >>> agrees("the fast way", lambda device: 1e-6, "cpu", tolerance=1e-3)
        True
        >>> agrees("the fast way", lambda device: 0.1, "cpu", tolerance=1e-3)
        False
    """
    try:
        kind = torch.device(device).type
        here = torch.cuda.device(device) if kind == "cuda" else contextlib.nullcontext()
        with here, torch.enable_grad(), torch.autocast(kind, enabled=False):
            worst = deviation(device)
        reason = "" if worst <= tolerance else f"results differ by {worst:.2g}"
    except Exception as error:  # compilers and drivers fail in ways of their own
        reason = f"{type(error).__name__}: {str(error)[:200]}"
    if reason:
        log.warning("%s cannot be used on %s (%s); using torch's operators", what, device, reason)
    return not reason


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
