"""From a sequence to one vector: mean over time, mean and deviation, or a learnt weighting."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ser.errors import ModelError
from ser.nn.inputs import check_lengths, check_tensors

ATTENTION = 64
"""Size of the hidden layer that scores a step."""


POOLINGS: tuple[str, ...] = ("mean", "mean-deviation", "attention")
"""Ways of :class:`TimePool`."""


def pooled_size(hidden: int, pooling: str) -> int:
    """Numbers that :class:`TimePool` makes of *hidden* a step.

    >>> pooled_size(64, "mean"), pooled_size(64, "mean-deviation")
    (64, 128)
    """
    return 2 * hidden if pooling == "mean-deviation" else hidden


def mean_over_time(steps: Tensor, lengths: Tensor | None = None) -> Tensor:
    """(B, T, H) -> (B, H), over the valid steps.

    Raises:
        TypeError: no tensor of floating point numbers.
        ValueError: no (B, T, H), or lengths that are not B whole numbers from 1 to T.

    Example:
        >>> mean_over_time(torch.tensor([[[1.0], [3.0], [9.0]]]), torch.tensor([2]))
        tensor([[2.]])
    """
    return _mean(*clean(steps, lengths))


def mean_and_deviation(steps: Tensor, lengths: Tensor | None = None) -> Tensor:
    """(B, T, H) -> (B, 2H): means over the valid steps, then standard deviations.

    The deviation is ``sqrt(variance + 1e-5)``: its gradient stays finite where nothing moves.

    Raises:
        TypeError, ValueError: as :func:`mean_over_time`.

    Example:
        >>> steps = torch.tensor([[[1.0], [3.0], [9.0]]])
        >>> mean_and_deviation(steps, torch.tensor([2])).round(decimals=3)
        tensor([[2., 1.]])
    """
    steps, padding = clean(steps, lengths)
    mean = _mean(steps, padding)
    away = (steps - mean[:, None]).square()
    if padding is not None:
        away = away.masked_fill(padding[:, :, None], 0.0)
    return torch.cat([mean, (_mean(away, padding) + 1e-5).sqrt()], dim=1)


def _mean(steps: Tensor, padding: Tensor | None) -> Tensor:
    """(B, T, H), zero where *padding* (B, T) says so -> the mean of the others, (B, H)."""
    if padding is None:
        return steps.mean(1)
    return steps.sum(1) / (~padding).sum(1, keepdim=True).to(steps.dtype)


def clean(steps: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Steps (B, T, H) with zeros beyond the lengths, and where that is (B, T); None: nowhere.

    Raises:
        TypeError, ValueError: as :func:`mean_over_time`.
    """
    check_tensors(None, steps=steps)
    if steps.dim() != 3 or steps.shape[1] == 0:
        raise ValueError(f"expected steps (B, T, H), at least one, got {tuple(steps.shape)}")
    if lengths is None:
        return steps, None
    lengths = check_lengths(lengths, len(steps), steps.shape[1]).to(steps.device)
    padding = torch.arange(steps.shape[1], device=steps.device) >= lengths[:, None]
    return steps.masked_fill(padding[:, :, None], 0.0), padding


class TimePool(nn.Module):
    """Steps (B, T, H) -> one vector (B, size), with dropout after it in training.

    Its size is H, and 2H for ``mean-deviation`` (:func:`pooled_size`).

    Attention (Mirsamadi et al. 2017, with a hidden layer): weights a_t = softmax over the valid
    steps of v . tanh(W h_t + b), pooled = sum of a_t h_t.

    Args:
        hidden: H.
        pooling: ``"mean"``, ``"mean-deviation"`` (neither has parameters) or ``"attention"``.
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
        if pooling not in POOLINGS:
            raise ModelError(f"unknown pooling {pooling!r}; there are {', '.join(POOLINGS)}")
        self.hidden, self.pooling, self.dropout = hidden, pooling, dropout
        if pooling == "attention":
            self.project = nn.Linear(hidden, ATTENTION)
            self.score = nn.Linear(ATTENTION, 1, bias=False)

    def forward(self, steps: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(B, T, H), lengths (B,) valid steps (None: all are) -> (B, size).

        Raises:
            TypeError, ValueError: as :func:`mean_over_time`.
        """
        check_tensors(self, steps=steps)
        if steps.shape[-1] != self.hidden:
            raise ValueError(f"expected steps (B, T, {self.hidden}), got {tuple(steps.shape)}")
        if self.pooling == "mean":
            pooled = mean_over_time(steps, lengths)
        elif self.pooling == "mean-deviation":
            pooled = mean_and_deviation(steps, lengths)
        else:
            steps, padding = clean(steps, lengths)
            scores = self.score(torch.tanh(self.project(steps)))
            if padding is not None:
                scores = scores.masked_fill(padding[:, :, None], -torch.inf)
            pooled = (scores.softmax(1) * steps).sum(1)
        return drop(pooled, self.dropout, self.training)


def drop(values: Tensor, share: float, training: bool) -> Tensor:
    """Dropout; untouched, and no random number drawn, where *share* is 0."""
    return nn.functional.dropout(values, share, training) if share and training else values
