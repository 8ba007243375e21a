"""What choosing on the test adds, and how far few speakers carry (book: "The protocol
laboratory")."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from ser.metrics import speaker_counts
from ser.metrics.scores import count_ua
from ser.plots.style import BLUE, ORANGE, SKY, drawing, set_alt
from ser.report import Record
from ser.report.pool import Row

__all__ = ["climb", "climbs", "speakers_drawn", "spread_figure"]


def climb(records: Iterable[Record]) -> np.ndarray:
    """Best of the last k epochs minus the last, for k = 1, 2, ...: points, mean over the runs."""
    runs = [r.data["history"] for r in records if r.data["history"]]
    k = min(map(len, runs))
    ua = np.array([[e["test_ua"] for e in run[-k:]] for run in runs])
    best = np.maximum.accumulate(ua[:, ::-1], axis=1)
    return 100 * (best - ua[:, -1:]).mean(0)


def climbs(groups: Mapping[str, Sequence[Record]]) -> tuple[Figure, dict[str, dict[str, float]]]:
    """:func:`climb` of each corpus, unseen speakers against random folds.

    Returns:
        The figure, and corpus -> protocol -> the climb over all epochs, in points.
    """
    ends: dict[str, dict[str, float]] = {}
    size = 1.2 + 2.3 * len(groups)
    with drawing(None, size, len(groups), squeeze=False) as (fig, axes):
        for ax, (name, records) in zip(axes[:, 0], groups.items(), strict=True):
            ends[name] = {}
            sides = (("unseen speakers", ORANGE, "-"), ("random folds", BLUE, "--"))
            for label, colour, line in sides:
                mixed = label == "random folds"
                side = [r for r in records if (r.data["protocol"]["name"] == "random") == mixed]
                rise = climb(side)
                ax.plot(range(1, len(rise) + 1), rise, line, color=colour, label=label)
                ends[name][label] = float(rise[-1])
            ax.set_title(name)
            ax.set_ylabel("points")
            ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes[-1, 0].set_xlabel("epochs among which the test chooses")
        axes[0, 0].legend()
    said = "; ".join(
        f"{name}, {label}: {value:.1f} points"
        for name, sides in ends.items()
        for label, value in sides.items()
    )
    return set_alt(fig, f"Curves that rise from zero to {said}."), ends


def speakers_drawn(
    row: Row, amounts: Sequence[int] = (2, 3, 5, 10, 20, 50, 100), draws: int = 2000
) -> dict[int, tuple[float, float, float]]:
    """Where UA lands when so many of a row's speakers are drawn, with replacement.

    Returns:
        Number of speakers -> 2.5th, 50th and 97.5th percentile of UA, percent; mean over seeds.
    """
    _, counts = speaker_counts(row.labels, row.predictions, row.speakers)
    rng, found = np.random.default_rng(0), {}
    for amount in amounts:
        drawn = rng.integers(len(counts), size=(draws, amount))
        values = 100 * count_ua(counts[drawn].sum(1)).mean(-1)
        found[amount] = tuple(np.nanquantile(values, [0.025, 0.5, 0.975]))
    return found


def spread_figure(found: Mapping[int, tuple[float, float, float]]) -> Figure:
    """:func:`speakers_drawn` as a band that narrows."""
    amounts, (low, middle, high) = list(found), np.array(list(found.values())).T
    with drawing(None, 3.4) as (fig, ax):
        ax.fill_between(amounts, low, high, color=SKY, alpha=0.5)
        ax.plot(amounts, middle, "o-", color=BLUE)
        ax.set_xscale("log")
        ax.set_xticks(amounts, amounts)
        ax.minorticks_off()
        ax.set_xlabel("speakers tested")
        ax.set_ylabel("UA, percent")
    said = ", ".join(f"{n} speakers {a:.0f} to {b:.0f}" for n, (a, _, b) in found.items())
    return set_alt(fig, f"A band that narrows: {said}.")
