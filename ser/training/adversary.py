"""A second answer that must fail: who speaks, from what the last layer is given.

Ganin et al., "Domain-Adversarial Training of Neural Networks", Journal of Machine Learning Research
17(59), 2016. A head beside each branch's last linear layer learns to name the training speaker; on
the way back its gradient is reversed, so that the branch learns to keep the speaker out of what
both are given. The head is thrown away with the training: what is saved, tested and dev-chosen is
the network alone. Book: "The recipe in full".
"""

from __future__ import annotations

import math
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from ser.errors import TrainingError
from ser.training.config import derived_seed

HIDDEN = 64
"""Of a head's one hidden layer."""


class _Reversed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: float) -> Tensor:
        ctx.weight = weight
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return -ctx.weight * gradient, None


def reversed_gradient(values: Tensor, weight: float = 1.0) -> Tensor:
    """*values* as they are; their gradient comes back times ``-weight``.

    Example:
        >>> x = torch.ones(2, requires_grad=True)
        >>> (3 * reversed_gradient(x, 0.5)).sum().backward()
        >>> x.grad
        tensor([-1.5000, -1.5000])
    """
    return _Reversed.apply(values, weight)


def strength(done: float) -> float:
    """Share of the weight that counts when *done* (0 to 1) of the run is over, Ganin's schedule.

    Example:
        >>> strength(0.0), round(strength(0.5), 3), round(strength(1.0), 3)
        (0.0, 0.987, 1.0)
    """
    return 2 / (1 + math.exp(-10 * done)) - 1


class Adversaries(nn.Module):
    """A head for each branch of a network, and the loss of them all.

    Used as a context, it sees what the branches' last linear layers are given.

    Args:
        model: of :func:`ser.models.build_model`; not changed.
        speakers: how many there are on the training side, at least two.
        seed: of the heads' first weights; torch's own generator stays as it was.

    Raises:
        TrainingError: fewer than two speakers, or a branch without a linear layer.

    Example:
        >>> net = nn.Sequential(nn.Linear(3, 5), nn.Linear(5, 4))
        >>> heads = Adversaries(net, speakers=2, seed=0)
        >>> with heads:
        ...     _ = net(torch.ones(6, 3))
        >>> heads.loss(torch.tensor([0, 1] * 3), 1.0).ndim
        0
    """

    def __init__(self, model: nn.Module, speakers: int, seed: int) -> None:
        super().__init__()
        if speakers < 2:
            raise TrainingError(
                f"a speaker-adversarial head tells training speakers apart, and there is {speakers}"
            )
        parts = dict(zip(getattr(model, "names", ()), getattr(model, "parts", ()), strict=True))
        # held in a tuple: the branches are not modules of this one
        parts = parts or {"": model}
        self._layers = tuple(_last_linear(part, name) for name, part in parts.items())
        self.heads = nn.ModuleList()
        with torch.random.fork_rng(devices=[]):
            for name, layer in zip(parts, self._layers, strict=True):
                torch.manual_seed(derived_seed("adversary", seed, name))
                first, last = nn.Linear(layer.in_features, HIDDEN), nn.Linear(HIDDEN, speakers)
                self.heads.append(nn.Sequential(first, nn.ReLU(), last))
        self._given: list[Tensor] = []
        self._open = ExitStack()

    def __enter__(self) -> Adversaries:
        self._given = []
        for layer in self._layers:
            hook = layer.register_forward_pre_hook(lambda _, given: self._given.append(given[0]))
            self._open.callback(hook.remove)
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def loss(self, speakers: Tensor, weight: float, mixed: Tensor | None = None,
             share: float = 1.0) -> Tensor:  # fmt: skip
        """Mean cross entropy of the heads' answers to what was seen last.

        Args:
            speakers: (B,) numbers of who speaks.
            weight: of the reversed gradient.
            mixed, share: as :class:`ser.batch.Batch` has them: the mixture of both speakers.
        """
        total = 0.0
        for head, given in zip(self.heads, self._given, strict=True):
            logits = head(reversed_gradient(given.float(), weight))
            own = nn.functional.cross_entropy(logits, speakers)
            if mixed is not None:
                other = nn.functional.cross_entropy(logits, speakers[mixed])
                own = share * own + (1 - share) * other
            total = total + own
        return total / len(self.heads)


def _last_linear(part: nn.Module, name: str) -> nn.Linear:
    layer = getattr(part, "linear", None)
    if not isinstance(layer, nn.Linear):
        every = [m for m in part.modules() if isinstance(m, nn.Linear)]
        layer = every[-1] if every else None
    if layer is None:
        raise TrainingError(f"{name or 'the network'} has no linear layer to put a head beside")
    return layer
