"""Which device computes: the processor, or an NVIDIA GPU where there is one."""

from __future__ import annotations

from ser.errors import SerError


def resolve_device(device: str = "auto") -> str:
    """``auto`` becomes ``cuda`` where PyTorch sees one, else ``cpu``; ``cpu`` needs no PyTorch.

    Args:
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.

    Raises:
        SerError: a device this computer lacks.

    Example:
        >>> resolve_device("cpu")
        'cpu'
    """
    if device == "cpu":
        return device
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        wanted = torch.device(device)
        if wanted.type not in ("cpu", "cuda"):
            raise RuntimeError("neither a CPU nor an NVIDIA GPU")
    except RuntimeError as error:
        raise SerError(f"unknown device {device!r}; use auto, cpu, cuda or cuda:0") from error
    if wanted.type == "cuda" and not torch.cuda.is_available():
        raise SerError(f"device {device!r}: PyTorch sees no GPU here; use --device cpu or auto")
    if wanted.type == "cuda" and (wanted.index or 0) >= torch.cuda.device_count():
        raise SerError(f"device {device!r}: there are {torch.cuda.device_count()} GPUs, from 0 on")
    return device
