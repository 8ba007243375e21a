"""From two frame rates to one (Wang et al. 2020, section 2.3).

Book: chapter "The CNN front end and alignment".
"""

from __future__ import annotations

import torch
from torch import Tensor

from ser.errors import FeatureError
from ser.nn.inputs import check_lengths, check_tensors
from ser.nn.transforms import readable


def aligned_lengths(x_lengths: Tensor | int, y_lengths: Tensor | int) -> Tensor | int:
    """Steps that :func:`align` gives for x of T1 and y of T2 steps: min(T2, T1 // 2 - 1).

    >>> aligned_lengths(56, 29)
    27
    """
    if isinstance(x_lengths, int) and isinstance(y_lengths, int):
        return min(y_lengths, x_lengths // 2 - 1)
    if isinstance(x_lengths, torch.SymInt):  # traced with any number of steps
        return torch.sym_min(y_lengths, x_lengths // 2 - 1)
    return torch.minimum(torch.as_tensor(y_lengths), torch.as_tensor(x_lengths) // 2 - 1)


def align(
    x: Tensor,
    y: Tensor,
    x_lengths: Tensor | None = None,
    y_lengths: Tensor | None = None,
) -> tuple[Tensor, Tensor] | tuple[Tensor, Tensor, Tensor]:
    """Averages x over windows of three steps, every second step, to go with y.

    x'_t = mean(x_2t, x_2t+1, x_2t+2), y'_t = y_t, for t < T3 = min(T2, T1 // 2 - 1).

    Args:
        x: (B, T1, X), the time-fine sequence, T1 about 2 T2.
        y: (B, T2, Y), the frequency-fine one.
        x_lengths, y_lengths: (B,) valid steps of each, both or neither.

    Returns:
        x' (B, T3, X) and y' (B, T3, Y); with lengths also those of the result (B,).

    Raises:
        TypeError: no tensors of floating point numbers.
        ValueError: shapes that do not fit, or a sequence too short for one step.

    Example:
        >>> x, y = align(torch.randn(2, 56, 5), torch.randn(2, 29, 7))
        >>> x.shape, y.shape
        (torch.Size([2, 27, 5]), torch.Size([2, 27, 7]))
    """
    check_tensors(None, x=x, y=y)
    if x.dim() != 3 or y.dim() != 3 or len(x) != len(y):
        raise ValueError(f"x and y must be (B, T, size), got {tuple(x.shape)} and {tuple(y.shape)}")
    if (x_lengths is None) != (y_lengths is None):
        raise ValueError("give the lengths of both sequences or of neither")
    lengths = None
    steps = aligned_lengths(x.shape[1], y.shape[1])
    shortest = steps
    if x_lengths is not None:
        lengths = aligned_lengths(
            check_lengths(x_lengths, *x.shape[:2], name="x_lengths", least=0),
            check_lengths(y_lengths, *y.shape[:2], name="y_lengths", least=0),
        )
        if len(lengths) and readable(lengths):
            shortest = min(shortest, int(lengths.min()))
            steps = min(steps, int(lengths.max()))
    if shortest < 1:
        raise FeatureError(
            f"too short to align: x has {x.shape[1]} steps and y {y.shape[1]}, the shortest clip "
            f"{shortest} after alignment; a clip must be long enough for 4 steps of x and 1 of y"
        )
    x, y = x[:, : 2 * steps + 1], y[:, :steps]
    x = (x[:, 0 : 2 * steps : 2] + x[:, 1 : 2 * steps : 2] + x[:, 2 : 2 * steps + 1 : 2]) / 3
    return (x, y) if lengths is None else (x, y, lengths)
