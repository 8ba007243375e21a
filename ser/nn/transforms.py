"""Whether torch does more with a computation than to compute it: then the equations are taken.

A fast way hands memory to a kernel and comes with one backward pass. A transform of
:mod:`torch.func`, forward-mode differentiation, ``torch.compile``, ``torch.export``,
``torch.jit.trace``, a dispatch mode (``FakeTensorMode``, a counter of operations), the meta device
and subclasses of tensors follow torch's own operations instead. The equations consist of nothing
else, so all of these work on them; every fast way asks here before it is taken.

Registering the fast ways by ``torch.library.custom_op`` would not do: with ``register_autograd``
such an operator returns a tangent of zero from ``torch.func.jvp``, ``jacfwd`` and ``linearize``,
and loses it under ``torch.autograd.forward_ad``, without a word (torch 2.11).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.utils._python_dispatch import _get_current_dispatch_mode

PLAIN = (Tensor, nn.Parameter)


def transformed(*given: Tensor | nn.Module | None) -> str:
    """What torch does with this computation beyond computing it; empty where it does nothing.

    Args:
        given: the tensors that enter, and modules whose weights do.

    Example:
        >>> x = torch.ones(2)
        >>> transformed(x), transformed(x.to("meta")), transformed(nn.Linear(1, 1), x, None)
        ('', 'its tensors are on the meta device', '')
        >>> def square(x):
        ...     print(transformed(x))
        ...     return x.square().sum()
        >>> torch.func.grad(square)(x)
        a transform of torch.func looks at it
        tensor([2., 2.])
    """
    if torch.compiler.is_compiling():
        return "torch.compile or torch.export traces it"
    if torch.jit.is_tracing():
        return "torch.jit traces it"
    if torch._C._are_functorch_transforms_active():
        return "a transform of torch.func looks at it"
    if forward_ad._current_level >= 0:
        return "it is differentiated in forward mode"
    if (mode := _get_current_dispatch_mode()) is not None:
        return f"it runs under {type(mode).__name__}"
    for one in given:
        for tensor in one.parameters() if isinstance(one, nn.Module) else (one,):
            if tensor is None:
                continue
            if type(tensor) not in PLAIN:
                return f"its tensors are of class {type(tensor).__name__}"
            if tensor.is_meta:
                return "its tensors are on the meta device"
    return ""


def readable(tensor: Tensor) -> bool:
    """Whether the numbers of a tensor are there to be looked at, while a network runs.

    They are not while it is traced, under a dispatch mode, on the meta device, or where
    ``torch.func.vmap`` has another number for each example.

    Example:
        >>> readable(torch.tensor([3])), readable(torch.tensor([3], device="meta"))
        (True, False)
    """
    if torch.compiler.is_compiling() or _get_current_dispatch_mode() is not None:
        return False
    return not (
        type(tensor) not in PLAIN or tensor.is_meta or torch._C._functorch.is_batchedtensor(tensor)
    )


def counted(steps: int | torch.SymInt) -> int:
    """The number of steps of a loop over time; an export writes each of them out.

    Raises:
        ValueError: an export leaves the number open. Where nobody objects, torch (2.11, with
            ``Dim.AUTO``) fixes it and still tells the file to take any: the answers are wrong.

    Example:
        >>> counted(3)
        3
    """
    if isinstance(steps, torch.SymInt) and torch.compiler.is_exporting():
        raise ValueError(
            "a loop over time is exported step by step, so their number must be fixed; for any "
            "number put ser.nn.exported.ScannedDSLSTM in the place of a DSLSTM and OnnxLSTM in "
            "that of an nn.LSTM, as `ser export` does"
        )
    return steps
