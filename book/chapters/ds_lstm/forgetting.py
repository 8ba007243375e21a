"""The forget gate by the equations and as released, before and after training.

Book: chapter "The DS-LSTM".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from ser.batch import Batch
from ser.plots import show
from ser.plots.html import Html
from ser.plots.style import drawing, set_alt
from torch import Tensor, nn

from chapters.ds_lstm.control import steps_of
from chapters.shared.seen import Seen, seen
from chapters.shared.svg import colour

__all__ = ["forget_gates", "forget_histograms", "kept", "with_statistics"]

LOOKS = {"equations": colour("forget"), "as released": colour("output")}


def with_statistics(model: nn.Module, batch: Batch) -> nn.Module:
    """An untrained network whose gate norms have the statistics of one batch."""
    for layer in model.lstm.layers:
        layer.gate_norm.momentum = 1.0
    with torch.no_grad():
        model.train()(batch)
    return model


def forget_gates(
    kinds: Mapping[str, tuple[nn.Module, nn.Module]], batch: Batch
) -> tuple[Html, Seen]:
    """The forget gate of two kinds of cell before and after training, as a figure and in words.

    Args:
        kinds: ``"equations"`` and ``"as released"`` -> the network untrained and trained.
        batch: utterances that it is measured on.
    """
    values: dict[str, dict[str, Tensor]] = {}
    for kind, both in kinds.items():
        values[kind] = {}
        for when, model in zip(("untrained", "trained"), both, strict=True):
            steps, valid, _ = steps_of(model, batch)
            values[kind][when] = steps["f"][valid]
    before, after = (values["as released"][when] for when in ("untrained", "trained"))
    caption = (
        "Values of the forget gate over all steps, units and utterances of the unseen speakers. "
        "Above: by the paper's equations; below: as released. Outline: untrained. Filled: trained."
    )
    told = (
        f"As released, {_negative(before):.0f} % of the forget gate's values are negative before "
        f"training and {_negative(after):.0f} % after it; then their mean is {after.mean():.2f}. "
        f"By the equations none is negative, and after training the mean is "
        f"{values['equations']['trained'].mean():.2f}."
    )
    return show(forget_histograms(values), caption), seen(told)


def _negative(values: Tensor) -> float:
    return 100 * (values < 0).float().mean().item()


def forget_histograms(gates: Mapping[str, Mapping[str, Tensor]]) -> Figure:
    """Two panels, each an untrained gate as an outline and a trained one filled.

    Args:
        gates: kind of cell -> ``"untrained"`` and ``"trained"`` -> values, any shape.
    """
    bins, said = np.linspace(-0.8, 1.2, 81), []
    with drawing(None, 4.6, 2, sharex=True) as (fig, axes):
        for ax, (kind, both) in zip(axes, gates.items(), strict=True):
            for when, values in both.items():
                flat = values.flatten().numpy()
                look = {"histtype": "step", "linewidth": 2} if when == "untrained" else {}
                ax.hist(
                    flat, bins, weights=np.full(len(flat), 100 / len(flat)), label=when,
                    color=LOOKS[kind], alpha=1 if look else 0.55, **look,
                )  # fmt: skip
                said.append(
                    f"{kind}, {when}: mean {flat.mean():.2f}, standard deviation {flat.std():.2f}, "
                    f"{100 * (flat < 0).mean():.0f} % negative"
                )
            ax.set_title(kind)
            ax.set_ylabel("percent")
            ax.legend()
        axes[1].set_xticks([-0.5, 0, 0.5, 1])
        axes[1].set_xlabel("forget gate f")
    return set_alt(fig, f"Histograms of the forget gate. {'; '.join(said)}.")


def kept(model: nn.Module, batch: Batch, spans: Sequence[int], start: int = 8) -> list[float]:
    """Mean size of the product of k forget gates in percent, for each k of *spans*.

    Args:
        model, batch: utterances that are long enough for every span count.
        spans: numbers of steps.
        start: the step that the products begin at.
    """
    steps, valid, _ = steps_of(model, batch)
    f = steps["f"][start:, valid[start + max(spans) - 1]]
    return [100 * f[:k].prod(0).abs().mean().item() for k in spans]
