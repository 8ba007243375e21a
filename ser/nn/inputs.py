"""What a network is given, looked at before anything is computed: errors that say what to do."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from ser.nn.precision import autocast
from ser.nn.transforms import readable

LOW = {torch.float32, torch.bfloat16, torch.float16}
"""What autocast brings to one format by itself."""


def check_tensors(module: nn.Module | None, **given: Any) -> None:
    """Whether all are tensors that the module's weights can be multiplied with.

    Args:
        module: whose first parameter says format and device; None: any.
        given: by the names that messages use.

    Raises:
        TypeError: no tensor, or of another format than the weights.
        ValueError: on another device.

    Example:
        >>> check_tensors(nn.Linear(1, 1), x=torch.zeros(1).double())
        Traceback (most recent call last):
        TypeError: x is torch.float64, the module torch.float32: use x.to(torch.float32) or ...
    """
    weight = None if module is None else next(module.parameters(), None)
    for name, value in given.items():
        if isinstance(value, PackedSequence):
            raise TypeError(
                f"{name} is a PackedSequence: give the padded tensor and its lengths, as "
                "torch.nn.utils.rnn.pad_packed_sequence returns them"
            )
        if not isinstance(value, Tensor):
            kind = type(value).__name__
            raise TypeError(f"{name} must be a tensor, not {kind}; torch.as_tensor makes one")
        if value.is_nested or value.layout != torch.strided:
            raise TypeError(f"{name} must be a dense tensor: give it padded, with lengths")
        if not value.is_floating_point():
            raise TypeError(f"{name} is {value.dtype}: give numbers as {name}.float() has them")
        if weight is None:
            continue
        if value.device != weight.device:
            raise ValueError(
                f"{name} is on {value.device}, the module on {weight.device}: use "
                f"{name}.to({str(weight.device)!r})"
            )
        if value.dtype != weight.dtype and not (
            {value.dtype, weight.dtype} <= LOW and autocast(value.device.type)
        ):
            raise TypeError(
                f"{name} is {value.dtype}, the module {weight.dtype}: use {name}.to({weight.dtype})"
                f" or module.to({value.dtype})"
            )


def check_size(name: str, size: Any) -> None:
    """Raises TypeError where a size is no whole number, ValueError where it is below 1."""
    if not isinstance(size, Integral):
        raise TypeError(f"{name} must be a whole number, got {size!r}")
    if size < 1:
        raise ValueError(f"{name} must be at least 1, got {size}")


def check_lengths(
    lengths: Tensor | Sequence[int], batch: int, steps: int, name: str = "lengths", least: int = 1
) -> Tensor:
    """(batch,) whole numbers, each *least* to *steps*, as a tensor of 64-bit integers.

    Where a transform of torch hides the numbers (:func:`ser.nn.transforms.readable`), their bounds
    are not looked at.

    Raises:
        TypeError: no numbers.
        ValueError: no whole numbers, another count of them, or one out of bounds.

    Example:
        >>> check_lengths([3, 1], batch=2, steps=3)
        tensor([3, 1])
    """
    try:
        found = torch.as_tensor(lengths)
        found = found if found.numel() else found.long()
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(
            f"{name} must be {batch} whole numbers, got a {type(lengths).__name__} of other things"
        ) from None
    if found.is_floating_point() or found.is_complex() or found.dtype == torch.bool:
        raise ValueError(f"{name} must be whole numbers, got {found.dtype}")
    if found.shape != (batch,):
        turned = "lengths" in name and found.shape == (steps,)
        hint = "; is the batch in the other dimension (batch_first)?" if turned else ""
        raise ValueError(f"{name} must be ({batch},), got {tuple(found.shape)}{hint}")
    if found.is_meta:
        raise ValueError(f"{name} must be numbers, and on the meta device there are none")
    if batch and readable(found) and (int(found.min()) < least or int(found.max()) > steps):
        raise ValueError(f"{name} must lie in {least} to {steps}, got {found.tolist()}")
    return found.long()


def check_pair(state: Any, module: nn.Module | None) -> None:
    """Raises TypeError where a state is no pair (h, c) of tensors; see :func:`check_tensors`."""
    if not isinstance(state, (tuple, list)) or len(state) != 2:
        raise TypeError(f"state must be a pair (h, c) of tensors, got a {type(state).__name__}")
    check_tensors(module, h=state[0], c=state[1])


def check_state(state: tuple[Tensor, Tensor], shape: tuple[int, ...]) -> None:
    """Raises ValueError where h or c has another shape."""
    if any(s.shape != shape for s in state):
        got = [tuple(s.shape) for s in state]
        raise ValueError(f"state must be two tensors {shape}, got {got}")


def check_features(module: nn.Module, x: Tensor, y: Tensor) -> None:
    """Raises ValueError where the last axes of x and y are not x_size and y_size."""
    if x.shape[-1] != module.x_size or y.shape[-1] != module.y_size:
        raise ValueError(
            f"expected x with {module.x_size} and y with {module.y_size} features, got x "
            f"{tuple(x.shape)} and y {tuple(y.shape)}"
        )


def field_of(batch: Any, name: str) -> Any:
    """What a batch holds under a name.

    Raises:
        TypeError: no :class:`ser.batch.Batch`.
        ValueError: it holds nothing there.
    """
    if not hasattr(batch, name):
        raise TypeError(f"expected a ser.batch.Batch with {name}, got a {type(batch).__name__}")
    if getattr(batch, name) is None:
        raise ValueError(f"the batch has no {name}: give Batch({name}=...)")
    return getattr(batch, name)
