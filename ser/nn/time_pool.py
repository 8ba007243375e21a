"""From a sequence to one vector: the mean over time, or a learnt weighting of the steps."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ser.errors import ModelError

ATTENTION = 64
"""Size of the hidden layer that scores a step."""


def mean_over_time(steps: Tensor, lengths: Tensor | None = None, clean: bool = False) -> Tensor:
    """(B, T, H) -> (B, H), over the valid steps.

    ``clean`` says that steps are zero beyond the lengths, as those of our layers are.

    >>> mean_over_time(torch.tensor([[[1.0], [3.0], [9.0]]]), torch.tensor([2]))
    tensor([[2.]])
    """
    if lengths is None:
        return steps.mean(1)
    lengths = lengths.to(steps.device)
    if clean:
        return steps.sum(1) / lengths[:, None].to(steps.dtype)
    valid = torch.arange(steps.shape[1], device=steps.device) < lengths[:, None]
    total = steps.masked_fill(~valid[:, :, None], 0.0).sum(1)
    return total / lengths[:, None].to(steps.dtype)


class TimePool(nn.Module):
    """Steps (B, T, H) -> one vector (B, H), with dropout after it in training.

    Attention (Mirsamadi et al. 2017, with a hidden layer): weights a_t = softmax over the valid
    steps of v . tanh(W h_t + b), pooled = sum of a_t h_t.

    Args:
        hidden: H.
        pooling: ``"mean"`` (no parameters) or ``"attention"``.
        dropout: share of the pooled numbers set to 0 in training.

    Raises:
        ModelError: another pooling.

    Example:
        >>> pool = TimePool(8, "attention")
        >>> pool(torch.randn(2, 5, 8), torch.tensor([5, 3])).shape
        torch.Size([2, 8])
    """

    def __init__(self, hidden: int, pooling: str = "mean", dropout: float = 0.0):
        super().__init__()
        if pooling not in ("mean", "attention"):
            raise ModelError(f"unknown pooling {pooling!r}; there are mean, attention")
        self.pooling, self.dropout = pooling, dropout
        if pooling == "attention":
            self.project = nn.Linear(hidden, ATTENTION)
            self.score = nn.Linear(ATTENTION, 1, bias=False)

    def forward(self, steps: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(B, T, H), zero beyond the valid steps (B,) (None: all are) -> (B, H)."""
        if self.pooling == "mean":
            pooled = mean_over_time(steps, lengths, clean=True)
            return drop(pooled, self.dropout, self.training)
        scores = self.score(torch.tanh(self.project(steps)))
        if lengths is not None:
            time = torch.arange(steps.shape[1], device=steps.device)
            padding = time >= lengths.to(steps.device)[:, None]
            scores = scores.masked_fill(padding[:, :, None], -torch.inf)
            steps = steps.masked_fill(padding[:, :, None], 0.0)
        pooled = (scores.softmax(1) * steps).sum(1)
        return drop(pooled, self.dropout, self.training)


def drop(values: Tensor, share: float, training: bool) -> Tensor:
    """Dropout; untouched, and no random number drawn, where *share* is 0."""
    return nn.functional.dropout(values, share, training) if share and training else values
