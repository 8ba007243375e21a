"""A small network of TIM-Net's kind: both directions of time, many scales, MFCCs alone.

Run by ``ser run --rows book/chapters/what_came_after/temporal_net.py --model temporal-net``.
Book: chapter "What came after".

Source: Ye et al., "Temporal Modeling Matters: A Novel Temporal Emotional Modeling Approach for
Speech Emotion Recognition", ICASSP 2023. Other than there: this book's 39 MFCCs, a batch norm of
what enters, statistics over frames that are no padding, no dropout, no label smoothing.

The frames of all utterances of a batch stand one after another, (N, C), without padding; *place*
(N,) is each one's position in its utterance.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from ser.batch import Batch
from ser.models import add_row
from torch import Tensor, nn


class Block(nn.Module):
    """Frames times a gate that hears them up to 2 * dilation frames back.

    The gate is the sigmoid of a rectified number: it lies between 0.5 and 1.
    """

    def __init__(self, size: int, dilation: int):
        super().__init__()
        self.dilation = dilation
        self.convolutions = nn.ModuleList(nn.Linear(2 * size, size) for _ in range(2))
        self.norms = nn.ModuleList(nn.BatchNorm1d(size) for _ in range(2))

    def forward(self, frames: Tensor, place: Tensor) -> Tensor:
        """Frames (N, C) and their places (N,) -> frames (N, C)."""
        gate, heard = frames, (place >= self.dilation)[:, None]
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            past = F.pad(gate, (0, 0, self.dilation, 0))[: len(gate)] * heard
            gate = F.relu(norm(convolution(torch.cat([gate, past], dim=1))))
        return frames * torch.sigmoid(gate)


class TemporalNet(nn.Module):
    """MFCC -> blocks of growing dilation, forward and backward -> weighted scales -> logits."""

    needs = frozenset({"mfcc"})

    def __init__(self, classes: int = 4, size: int = 39, blocks: int = 8):
        super().__init__()
        self.norm = nn.BatchNorm1d(39)
        self.enter = nn.ModuleList(nn.Linear(39, size) for _ in range(2))
        self.ways = nn.ModuleList(
            nn.ModuleList(Block(size, 2**j) for j in range(blocks)) for _ in range(2)
        )
        self.scales = nn.Parameter(torch.full((blocks,), 1 / blocks))
        self.linear = nn.Linear(size, classes)

    def forward(self, batch: Batch) -> Tensor:
        """Batch with mfcc (B, T, 39) and mfcc_lengths (B,) -> logits (B, classes)."""
        lengths = batch.mfcc_lengths.to(batch.mfcc.device)
        frames, owner, place = packed(batch.mfcc, lengths)
        turned = frames[
            torch.arange(len(frames), device=frames.device) + turn(place, lengths[owner])
        ]
        means = 0
        for enter, blocks, seen in zip(self.enter, self.ways, (frames, turned), strict=True):
            seen, scales = enter(self.norm(seen)), []
            for block in blocks:
                seen = block(seen, place)
                scales.append(mean_of_each(seen, owner, lengths))
            means = means + torch.stack(scales, dim=1)
        return self.linear(self.scales @ means)


def packed(mfcc: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(B, T, C) -> its valid frames (N, C), each one's utterance (N,) and place (N,).

    >>> frames, owner, place = packed(torch.tensor([[[5.0], [6.0]], [[7.0], [0.0]]]),
    ...                               torch.tensor([2, 1]))
    >>> frames.flatten().tolist(), owner.tolist(), place.tolist()
    ([5.0, 6.0, 7.0], [0, 0, 1], [0, 1, 0])
    """
    steps = torch.arange(mfcc.shape[1], device=mfcc.device)
    owner, place = (steps < lengths[:, None]).nonzero(as_tuple=True)
    return mfcc[owner, place], owner, place


def turn(place: Tensor, lengths: Tensor) -> Tensor:
    """How many frames further on the one lies that comes here when time runs backward.

    >>> turn(torch.tensor([0, 1, 2]), torch.tensor([3, 3, 3])).tolist()
    [2, 0, -2]
    """
    return lengths - 1 - 2 * place


def mean_of_each(frames: Tensor, owner: Tensor, lengths: Tensor) -> Tensor:
    """Mean over time of every utterance: (N, C) -> (B, C)."""
    sums = frames.new_zeros(len(lengths), frames.shape[1]).index_add(0, owner, frames)
    return sums / lengths[:, None]


if __name__ == "__main__":
    add_row("temporal-net", TemporalNet, "dilated convolutions, both ways, on MFCCs")
