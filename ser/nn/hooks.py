"""Whether someone listens to a part of a network."""

from __future__ import annotations

from torch import nn


def hooked(part: nn.Module) -> bool:
    """Whether the part has hooks of its own, which hear nothing where the part is not called.

    Example:
        >>> part = nn.Linear(1, 1)
        >>> handle = part.register_forward_hook(print)
        >>> hooked(part), hooked(nn.Linear(1, 1))
        (True, False)
    """
    return bool(
        part._forward_hooks
        or part._forward_pre_hooks
        or part._backward_hooks
        or part._backward_pre_hooks
    )
