"""Figures of speed: the rungs of a ladder, and the roof over them (book: "Making it fast").

What the benchmarks measured elsewhere: :mod:`chapters.fast.records`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from ser.plots.style import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    PURPLE,
    VERMILLION,
    drawing,
    set_alt,
    set_title,
)

LOOKS = ((VERMILLION, "o"), (ORANGE, "s"), (GREEN, "^"), (BLUE, "D"), (PURPLE, "v"))


def ladder(rungs: pd.DataFrame, title: str | None = None) -> Figure:
    """How many times as fast each rung is as the rung that it replaces, with its range.

    Args:
        rungs: indexed by name, columns ``times as fast``, ``low``, ``high`` (as from
            :func:`chapters.fast.speed_ladder.faster`).
        title: of the figure.

    Returns:
        Figure.

    Raises:
        ValueError: no rungs.
    """
    if rungs.empty:
        raise ValueError("a ladder needs a rung")
    with drawing(None, 1.4 + 0.5 * len(rungs)) as (fig, ax):
        y = np.arange(len(rungs))
        ax.axvline(1, color=MUTED, linestyle="--", linewidth=1)
        ax.hlines(y, rungs.low, rungs.high, color=BLUE, linewidth=2.4)
        ax.plot(rungs["times as fast"], y, "o", color=BLUE, markersize=8)
        ax.set_yticks(y, list(rungs.index))
        ax.set_ylim(len(rungs) - 0.5, -0.5)
        ax.set_xscale("log", base=2)
        low, high = min(0.5, rungs.low.min() / 1.1), max(4.0, rungs.high.max() * 1.1)
        ticks = 2.0 ** np.arange(np.floor(np.log2(low)), np.ceil(np.log2(high)) + 1)
        ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        ax.set_xlim(low, high)
        ax.minorticks_off()
        ax.tick_params(axis="y", length=0)
        ax.grid(axis="x")
        ax.set_xlabel("times as fast as before")
        set_title(ax, title)
    said = "; ".join(
        f"{name}: {row['times as fast']:.1f} ({row.low:.1f} to {row.high:.1f})"
        for name, row in rungs.iterrows()
    )
    return set_alt(fig, f"Times as fast as before, median and quartiles. {said}.")


def roofline(
    work: Mapping[str, tuple[float, float]],
    bandwidth: float,
    peak: float,
    title: str | None = None,
) -> Figure:
    """Operations a second against operations a byte, below the two limits of a machine.

    Args:
        work: name -> (operations a byte moved, operations a second reached).
        bandwidth: bytes a second that the memory gives; the sloping part of the roof.
        peak: operations a second that the processor can do; the flat part.
        title: of the figure.

    Returns:
        Figure.

    Raises:
        ValueError: nothing to draw, or a number that is not positive.

    Source: Williams, Waterman and Patterson (2009).
    """
    numbers = np.array([bandwidth, peak, *(v for pair in work.values() for v in pair)])
    if not work or not (numbers > 0).all():
        raise ValueError("a roofline needs work, and positive numbers")
    ridge = peak / bandwidth
    x = np.array([pair[0] for pair in work.values()])
    ends = min(x.min(), ridge) / 3, max(x.max(), ridge) * 6
    line = np.geomspace(*ends, 200)
    with drawing(None, 4.2) as (fig, ax):
        ax.plot(line, np.minimum(peak, bandwidth * line) / 1e9, color=INK, linewidth=2)
        ax.axvline(ridge, color=MUTED, linestyle=":", linewidth=1)
        for (name, (at, got)), (colour, marker) in zip(
            work.items(), (LOOKS * (1 + len(work) // len(LOOKS))), strict=False
        ):
            ax.plot(at, got / 1e9, marker, color=colour, markersize=9, label=name)
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xlabel("operations for a byte moved")
        ax.set_ylabel("operations a second, billions")
        fig.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2)
        set_title(ax, title)
    said = "; ".join(
        f"{name}: {at:.2g} operations a byte, {got / min(peak, bandwidth * at):.0%} of the roof"
        for name, (at, got) in work.items()
    )
    return set_alt(
        fig, f"The roof slopes up to {ridge:.2g} operations a byte and is flat from there. {said}."
    )


def layer_table(
    operations: Sequence[float], moved: Sequence[float], seconds: pd.Series
) -> pd.DataFrame:
    """What layers compute, move and take: in millions, by the byte, and in percent of the whole.

    Args:
        operations, moved: of each layer; bytes moved.
        seconds: of each layer, indexed by its name.

    Example:
        >>> layer_table([2e6], [4e6], pd.Series({"ReLU": 0.1})).loc["ReLU"].tolist()
        [2.0, 4.0, 0.5, 100.0]
    """
    table = pd.DataFrame(
        {
            "operations (million)": np.divide(operations, 1e6),
            "bytes (million)": np.divide(moved, 1e6),
            "operations a byte": np.divide(operations, moved),
            "time (%)": (100 * seconds / seconds.sum()).to_numpy(),
        },
        index=seconds.index,
    )
    return table.round(dict.fromkeys(table, 1) | {"operations a byte": 2})


def in_words(row: pd.Series) -> str:
    """A row of :func:`chapters.fast.speed_ladder.faster` as words of a sentence.

    Example:
        >>> in_words(pd.Series({"times as fast": 2.04, "low": 1.9, "high": 2.2}))
        '2.0 times as fast (quartiles 1.9 to 2.2)'
    """
    return f"{row['times as fast']:.1f} times as fast (quartiles {row.low:.1f} to {row.high:.1f})"
