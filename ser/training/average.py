"""The running average of a network's weights (Polyak and Juditsky 1992, with exponential decay)."""

from __future__ import annotations

import copy

import torch
from torch import nn


class WeightAverage:
    """A second network whose weights follow the first one's slowly.

    After step t each weight is moved by 1 - d towards the live one, d = min(decay, (1 + t) /
    (10 + t)), so that the start is soon forgotten. Buffers (batch norm's running statistics) are
    the live ones.

    Args:
        model: the network that is trained.
        decay: 0 < decay < 1.

    Example:
        >>> live = nn.Linear(1, 1, bias=False)
        >>> average = WeightAverage(live, decay=0.9)
        >>> _ = live.weight.data.add_(1.0)
        >>> average.update(live)
        >>> bool(average.model.weight < live.weight)
        True
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = copy.deepcopy(model).requires_grad_(False)
        self.decay, self.steps = decay, 0

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take in the weights of *model* after one more step."""
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        self.steps += 1
        pairs = zip(self.model.parameters(), model.parameters(), strict=True)
        for mean, live in pairs:
            mean.lerp_(live, 1 - decay)
        for mean, live in zip(self.model.buffers(), model.buffers(), strict=True):
            mean.copy_(live)

    def state(self) -> dict[str, torch.Tensor]:
        """Everything that a checkpoint has to keep."""
        return {**self.model.state_dict(), "steps": torch.tensor(self.steps)}

    def load(self, state: dict[str, torch.Tensor]) -> None:
        """Go on from :meth:`state`."""
        self.steps = int(state["steps"])
        self.model.load_state_dict({k: v for k, v in state.items() if k != "steps"})
