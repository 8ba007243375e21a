"""Input gates against the level of the voice, inputs held still, and what a forget gate keeps."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from chapters.ds_lstm.control import (
    STILL,
    Gates,
    compared,
    held_still,
    input_gates,
    leans_on,
    written_over,
)  # fmt: skip
from chapters.ds_lstm.forgetting import forget_gates, kept, with_statistics
from torch import nn

from ser.batch import Batch
from ser.nn import DSLSTM, align, mean_over_time

STEPS = 60


class Small(nn.Module):
    """A DS-LSTM on both spectrograms as they are, two bands each; four scores."""

    needs = frozenset({"s1", "s2"})

    def __init__(self, **norms):
        super().__init__()
        self.lstm = DSLSTM(2, 2, 4, batch_first=True, max_steps=64, **norms)
        self.linear = nn.Linear(4, 4)

    def sequences(self, batch):
        s1, s2 = ((s.mT - 50) / 25 for s in (batch.s1, batch.s2))
        return align(s1, s2, batch.s1_lengths, batch.s2_lengths)

    def forward(self, batch):
        x, y, lengths = self.sequences(batch)
        return self.linear(mean_over_time(self.lstm(x, y, lengths)[0], lengths))


def batch(count: int = 6) -> Batch:
    """Noise whose level goes up and down, in both spectrograms alike."""
    level = 50 + 25 * torch.sin(torch.linspace(0, 12, STEPS + 2))[None] * torch.ones(count, 1)
    level += torch.randn(count, STEPS + 2, generator=torch.Generator().manual_seed(0))
    s1 = level.repeat_interleave(2, 1)[:, None].repeat(1, 2, 1)
    return Batch(
        s1=s1, s2=level[:, None].repeat(1, 2, 1), labels=torch.arange(count) % 4,
        s1_lengths=torch.full((count,), s1.shape[2]), s2_lengths=torch.full((count,), STEPS + 2),
    )  # fmt: skip


def following(sign: float) -> Small:
    """Input gates that rise (or fall) with the level of both inputs and look at nothing else."""
    model = Small()
    cell = model.lstm.layers[0].cell
    for parameter in cell.parameters():
        nn.init.zeros_(parameter)
    with torch.no_grad():
        cell.W[4:8, :4] = cell.W[12:16, :4] = 0.3 * sign
    return model


def test_gates_that_follow_the_level_are_found_to():
    up, down = input_gates(following(1), batch()), input_gates(following(-1), batch())
    assert min(up.iT, up.iF) > 0.95
    assert max(down.iT, down.iF) < -0.95
    assert 0 < up.lowest < 0.5 < up.highest < 1


def test_a_row_for_each_seed():
    table = compared([Gates(0.5, -0.5, 0.4, 0.6)] * 2, [Gates(0.9, 0.8, 0.1, 0.95)] * 2)
    assert table.index.tolist() == [0, 1]
    assert table["iF", "untrained"].tolist() == ["-0.50"] * 2
    assert table["range", "trained"].tolist() == ["0.10 to 0.95"] * 2


class Reads(nn.Module):
    """Answers from S2 alone; a still S2 is always the first class."""

    def forward(self, batch):
        found = torch.zeros(len(batch.labels), dtype=torch.long)
        if not bool((batch.s2 == STILL).all()):
            found = batch.labels
        return nn.functional.one_hot(found, 4).float()


def test_an_input_held_still_costs_where_it_is_read():
    scores = pd.DataFrame([held_still(Reads(), batch(8))])
    assert scores.iloc[0].tolist() == [100, 100, 25]
    table, told = leans_on(scores)
    assert table["S2 held still"].tolist() == [25]
    assert "changes by +0 to +0 points" in told.text
    assert "rises for 0 of 1 networks" in told.text
    assert told.text.endswith("it changes by -75 to -75.")


def test_what_is_kept_is_the_product_of_the_gates():
    model = following(1)  # its forget gate stands at one half
    assert kept(model, batch(), [1, 2, 4]) == pytest.approx([50, 25, 6.25])


def test_forget_gates_are_told_before_and_after():
    norms = {"gate_norm": True, "output_norm": True}
    torch.manual_seed(0)
    fresh = with_statistics(Small(**norms), batch())
    figure, told = forget_gates(
        {"equations": (following(1), following(1)), "as released": (fresh, fresh)}, batch()
    )
    assert "equations, trained: mean 0.50, standard deviation 0.00, 0 % negative" in figure.html
    assert "By the equations none is negative, and after training the mean is 0.50." in told.text
    share = int(told.text.split("As released, ")[1].split(" %")[0])
    assert 30 < share < 70, "normalised to mean 0"


def test_what_is_written():
    written = {"T": torch.full((5,), 0.25), "F": torch.tensor(np.linspace(0, 1, 5))}
    figure, told = written_over(written, 0.016)
    assert "S1 writes 0.25 a step and S2 0.50" in told.text
    assert figure.text.startswith("[figure] What S1 (T) and S2 (F) write")
