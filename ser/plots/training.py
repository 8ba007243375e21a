"""Figures of a run: learning curves and calibration.

Book: chapters "Training on a GPU" and "Confusion matrices".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from ser.metrics import ece, reliability
from ser.plots.style import BLUE, GREEN, GREY, INK, VERMILLION, drawing, set_alt, set_title

CURVES = {
    "train_ua": ("training", GREY, "--"),
    "dev_ua": ("dev", GREEN, "-."),
    "test_ua": ("test", BLUE, "-"),
}


def learning_curves(
    history: Sequence[Mapping[str, Any]] | Sequence[Sequence[Mapping[str, Any]]],
    title: str | None = None,
) -> Figure:
    """Loss and UA after each epoch; several runs are drawn thin, their mean thick.

    The open diamond marks the epoch with the best mean test UA: the one that a choice on the
    test fold would report.

    Args:
        history: ``history`` of a record, or of several records.
        title: of the figure.

    Returns:
        Figure.

    Raises:
        ValueError: no epochs.
    """
    runs = [history] if history and isinstance(history[0], Mapping) else list(history)
    runs = [run for run in runs if run]
    if not runs:
        raise ValueError("no epochs to draw; baselines have no history")
    points = pd.DataFrame([{**point, "run": i} for i, run in enumerate(runs) for point in run])
    there = [name for name in CURVES if name in points and points[name].notna().any()]
    points[there] = 100 * points[there].astype(float)
    with drawing(None, 5.4, 2, sharex=True) as (fig, (upper, lower)):
        loss = _curve(upper, points, "loss", INK, "-", "training loss").to_numpy()
        upper.set_ylabel("loss, nats")
        upper.set_ylim(bottom=0)
        said = [f"Training loss goes from {loss[0]:.2f} to {loss[-1]:.2f}."]
        for name in there:
            label, colour, line = CURVES[name]
            values = _curve(lower, points, name, colour, line, label)
            said.append(f"UA on {label} ends at {values.iloc[-1]:.0f} %.")
            if name == "test_ua":
                best = values.idxmax()
                lower.plot(
                    best, values[best], "D", color=VERMILLION, markerfacecolor="white",
                    markersize=8, linestyle="none", label=f"best on test: epoch {best}",
                )  # fmt: skip
                said.append(f"The best test epoch is {best} with {values[best]:.0f} %.")
        lower.set_ylabel("UA, percent")
        lower.set_ylim(0, 102)
        lower.set_xlabel("epoch")
        lower.xaxis.get_major_locator().set_params(integer=True)
        for ax in (upper, lower):
            ax.grid(axis="y")
        fig.legend(*lower.get_legend_handles_labels(), loc="outside lower center", ncols=2)
        set_title(upper, title)
    count = f"{len(runs)} runs" if len(runs) > 1 else "one run"
    return set_alt(fig, f"Learning curves of {count}. " + " ".join(said))


def _curve(
    ax: Axes, points: pd.DataFrame, name: str, colour: str, line: str, label: str
) -> pd.Series:
    """Draw every run thin and their mean thick; the mean by epoch, where there is one."""
    values = points.pivot(index="epoch", columns="run", values=name).astype(float)
    if values.shape[1] > 1:
        ax.plot(values, color=colour, linewidth=0.7, alpha=0.35)
    mean = values.mean(axis=1).dropna()
    marker = "o" if len(mean) == 1 else None
    ax.plot(mean, line, color=colour, linewidth=2.2, label=label, marker=marker)
    return mean


def reliability_diagram(
    labels: ArrayLike,
    logits: ArrayLike,
    title: str | None = None,
    bins: int = 10,
) -> Figure:
    """How often the model is right against how sure it is; on the diagonal it is honest.

    Args:
        labels: (n,) true classes.
        logits: (n, 4).
        title: of the figure.
        bins: bins of confidence.

    Returns:
        Figure.
    """
    table = reliability(labels, logits, bins)
    table = table[table.n > 0]
    error = 100 * ece(labels, logits, bins)
    with drawing(height=4.4) as (fig, ax):
        ax.plot([0, 100], [0, 100], "--", color=VERMILLION, linewidth=2, zorder=3)
        middle, width = 50 * (table.low + table.high), 100 * (table.high - table.low)
        bars = ax.bar(
            middle, 100 * table.accuracy, width * 0.92, color=BLUE, edgecolor=INK, linewidth=0.6
        )
        ax.bar_label(bars, table.n.astype(str), padding=3, fontsize=11)
        ax.set_xlim(0, 100)
        ax.set_ylim(0, 108)
        ax.set_yticks(range(0, 101, 20))
        ax.set_xlabel(
            "how sure (largest probability), percent\n"
            f"ECE {error:.1f} points; numbers on bars: utterances"
        )
        ax.set_ylabel("how often right, percent")
        set_title(ax, title)
    told = ", ".join(
        f"{100 * t.confidence:.0f} % sure {100 * t.accuracy:.0f} % right"
        for t in table.itertuples()
    )
    return set_alt(
        fig, f"Reliability diagram, expected calibration error {error:.1f} points: {told}."
    )
