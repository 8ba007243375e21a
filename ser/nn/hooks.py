"""Whether a part of a network is the one that a faster way stands in for, and nobody listens to it.

A faster way computes what the part's class would, and does not call it: a subclass, another module
put in its place, a forward of its own, a hook and a parametrization would go unheard.
"""

from __future__ import annotations

from torch import nn
from torch.nn.modules import module as torch_module

_HOOKS = "_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks"


class Standard:
    """Knows a class as it was when this was made, and whether a module is one of it and no more.

    Example:
        >>> standard = Standard(nn.Linear)
        >>> changed = nn.utils.parametrizations.weight_norm(nn.Linear(1, 1))
        >>> standard.why_not(nn.Linear(1, 1)), standard.why_not(changed)
        ('', 'it is a ParametrizedLinear')
    """

    def __init__(self, kind: type[nn.Module]):
        self.kind, self.forward = kind, kind.forward

    def why_not(self, part: nn.Module) -> str:
        """What must be called, and not stood in for; empty where nothing is."""
        if type(part) is not self.kind:
            return f"it is a {type(part).__name__}"
        if "forward" in vars(part) or self.kind.forward is not self.forward:
            return "its forward was replaced"
        for name in _HOOKS:
            if getattr(part, name) or getattr(torch_module, f"_global{name}"):
                return "it has hooks"
        return ""


def not_standard(parts: list[tuple[str, Standard, nn.Module | None]]) -> str:
    """The first of (name, what it should be, what it is) that must be called, and why; or empty.

    Example:
        >>> not_standard([("conv", CONV, nn.Linear(1, 1))])
        'conv: it is a Linear'
    """
    for name, standard, part in parts:
        why = "" if part is None else standard.why_not(part)
        if why:
            return f"{name}: {why}"
    return ""


LSTM, CONV, NORM = Standard(nn.LSTM), Standard(nn.Conv2d), Standard(nn.BatchNorm2d)
