"""What the input gates follow, and which input a network leans on: trained and untrained alike.

For networks with ``sequences(batch)`` -> x, y, lengths and a :class:`ser.nn.DSLSTM` as ``lstm``.
Book: chapter "The DS-LSTM".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd
import torch
from ser.batch import Batch
from ser.metrics import ua
from ser.plots import show
from ser.plots.html import Html
from torch import Tensor, nn

from chapters.shared.gate_figures import over_time
from chapters.shared.gate_trace import trace
from chapters.shared.seen import Seen, seen
from chapters.shared.svg import colour

__all__ = [
    "Gates", "compared", "held_still", "input_gates", "leans_on", "steps_of", "told", "written_over"
]  # fmt: skip

STILL = 50.0
"""Decibels at which a spectrogram is held still: a middling level."""


@dataclass(frozen=True)
class Gates:
    """The two input gates, each the mean over the units, over all steps of all utterances.

    Attributes:
        iT, iF: correlation of each with the level of its step, -1 to 1.
        lowest, highest: the least and the greatest value of the two.
    """

    iT: float
    iF: float
    lowest: float
    highest: float


@torch.no_grad()
def steps_of(model: nn.Module, batch: Batch) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    """Gates (T, B, H) of the first layer, which steps are valid (T, B), and y (T, B, Y)."""
    x, y, lengths = model.eval().sequences(batch)
    steps = trace(model.lstm.layers[0], x.transpose(0, 1), y.transpose(0, 1))
    return steps, torch.arange(x.shape[1])[:, None] < lengths, y.transpose(0, 1)


def input_gates(model: nn.Module, batch: Batch) -> Gates:
    """What the input gates do over a batch; the level of a step is the mean of its bands of y.

    The first step of each utterance is left out: there the cell has heard nothing before.
    """
    steps, valid, y = steps_of(model, batch)
    valid = valid[1:]
    level = y.mean(2)[1:][valid]
    means = {name: steps[name].mean(2)[1:][valid] for name in ("iT", "iF")}
    follows = {
        name: torch.corrcoef(torch.stack([gate, level]))[0, 1].item()
        for name, gate in means.items()
    }
    both = torch.cat(list(means.values()))
    return Gates(**follows, lowest=both.min().item(), highest=both.max().item())


@torch.no_grad()
def held_still(model: nn.Module, batch: Batch) -> dict[str, float]:
    """UA in percent with both spectrograms, with S1 held still, and with S2 held still."""
    inputs = {"both": batch}
    for name in ("s1", "s2"):
        still = torch.full_like(getattr(batch, name), STILL)
        inputs[f"{name.upper()} held still"] = replace(batch, **{name: still})
    truth = batch.labels.numpy()
    return {
        name: 100 * ua(truth, model.eval()(heard).argmax(1).numpy())
        for name, heard in inputs.items()
    }


def compared(untrained: Sequence[Gates], trained: Sequence[Gates]) -> pd.DataFrame:
    """A row for each seed: how each gate follows the level, and its range, before and after."""
    columns = {}
    for when, gates in (("untrained", untrained), ("trained", trained)):
        for name in ("iT", "iF"):
            columns[name, when] = [f"{getattr(g, name):.2f}" for g in gates]
    for when, gates in (("untrained", untrained), ("trained", trained)):
        columns["range", when] = [f"{g.lowest:.2f} to {g.highest:.2f}" for g in gates]
    return pd.DataFrame(columns, index=pd.RangeIndex(len(untrained), name="seed"))


def told(gates: Sequence[Gates]) -> str:
    """Correlations and ranges of several networks, in words.

    Example:
        >>> told([Gates(0.9, -0.5, 0.4, 0.6), Gates(0.2, 0.1, 0.5, 0.52)])
        'correlations from -0.50 to 0.90, 1 of 4 negative, and gates between 0.40 and 0.60'
    """
    follows = [value for g in gates for value in (g.iT, g.iF)]
    negative = sum(value < 0 for value in follows)
    return (
        f"correlations from {min(follows):.2f} to {max(follows):.2f}, {negative} of "
        f"{len(follows)} negative, and gates between {min(g.lowest for g in gates):.2f} and "
        f"{max(g.highest for g in gates):.2f}"
    )


def leans_on(scores: pd.DataFrame) -> tuple[pd.DataFrame, Seen]:
    """A row for each seed, and what holding an input still changes, in words.

    Args:
        scores: rows of :func:`held_still`.
    """
    first, second = (scores[f"S{k} held still"] - scores["both"] for k in (1, 2))
    told = (
        f"With S1 held still the score changes by {first.min():+.0f} to {first.max():+.0f} points, "
        f"depending on the seed; it rises for {(first > 0).sum()} of {len(scores)} networks. With "
        f"S2 held still it changes by {second.min():+.0f} to {second.max():+.0f}."
    )
    return scores.round().astype(int).rename_axis("seed"), seen(told)


def written_over(written: Mapping[str, Tensor], step_seconds: float) -> tuple[Html, Seen]:
    """What each sequence writes into the memory over time.

    Args:
        written: ``"T"`` and ``"F"`` -> (T,) mean size of gate times candidate.
        step_seconds: seconds a step.
    """
    figure = over_time(
        {f"|i{k} g{k}|": values for k, values in written.items()}, step_seconds,
        "written, mean", ylim=(0, None), colours=[colour("time"), colour("frequency")],
    )  # fmt: skip
    caption = (
        "What S1 (T) and S2 (F) write into the memory: input gate times candidate, absolute value, "
        "mean over the units."
    )
    mean = {k: values.mean().item() for k, values in written.items()}
    told = (
        f"Over the utterance, S1 writes {mean['T']:.2f} a step and S2 {mean['F']:.2f}, on average "
        "over steps and units."
    )
    return show(figure, caption), seen(told)
