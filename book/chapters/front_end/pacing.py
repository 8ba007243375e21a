"""A small DS-LSTM on the sequences of trained front ends, for each way to bring x to y's pace.

Book: chapter "The CNN front end and alignment".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from ser.batch import Dataset
from ser.metrics import ua
from ser.nn import DSLSTM, aligned_lengths, mean_over_time
from torch import Tensor, nn


class Sequences(NamedTuple):
    """What the front ends make of one side: x (B, T1, X), y (B, T2, Y), aligned steps, labels."""

    x: Tensor
    y: Tensor
    lengths: Tensor
    labels: Tensor


@torch.no_grad()
def sequences(branch: nn.Module, side: Dataset) -> Sequences:
    """All utterances of a side through the two front ends of a ``cnn-lstm-pair``, in evaluation."""
    fronts, batch = (branch.eval().s1.front, branch.s2.front), side.batch()
    given = ((batch.s1, batch.s1_lengths), (batch.s2, batch.s2_lengths))
    x, y = (front(*each) for front, each in zip(fronts, given, strict=True))
    ends = (front.out_lengths(n) for front, (_, n) in zip(fronts, given, strict=True))
    return Sequences(x, y, aligned_lengths(*ends), batch.labels)


def paced(
    x: Tensor, y: Tensor, lengths: Tensor, taps: Sequence[int], backwards: bool = False
) -> tuple[Tensor, Tensor]:
    """x at the pace of y: the mean of x[2t + k] over k in *taps*; and y, if asked, backwards."""
    steps = int(lengths.max())
    x = sum(x[:, k : k + 2 * steps : 2] for k in taps) / len(taps)
    if backwards:
        t = (lengths[:, None] - 1 - torch.arange(steps)).clamp_min(0)
        y = y[torch.arange(len(y))[:, None], t]
    return x, y[:, :steps]


def heard_together(
    train: Sequences,
    test: Sequences,
    taps: Sequence[int],
    seed: int,
    epochs: int,
    backwards: bool = False,
    hidden: int = 32,
) -> float:
    """UA in percent on *test* of a small DS-LSTM trained on *train* for so many epochs."""
    torch.manual_seed(seed)
    lstm = DSLSTM(train.x.shape[2], train.y.shape[2], hidden, batch_first=True)
    linear = nn.Linear(hidden, 4)
    adam = torch.optim.Adam([*lstm.parameters(), *linear.parameters()], lr=3e-3)

    def logits(side: Sequences, rows: Tensor) -> Tensor:
        lengths = side.lengths[rows]
        output, _ = lstm(*paced(side.x[rows], side.y[rows], lengths, taps, backwards), lengths)
        return linear(mean_over_time(output, lengths))

    for _ in range(epochs):
        for rows in torch.randperm(len(train.labels)).split(32):
            loss = nn.functional.cross_entropy(logits(train, rows), train.labels[rows])
            adam.zero_grad()
            loss.backward()
            adam.step()
    with torch.no_grad():
        answers = logits(test, torch.arange(len(test.labels))).argmax(1)
    return 100 * ua(test.labels.numpy(), answers.numpy())
