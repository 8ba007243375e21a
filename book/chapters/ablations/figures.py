"""How many speakers show a gain, and who gains. Book: chapter "Ablations"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from ser.plots.style import BLUE, GREEN, INK, ORANGE, VERMILLION, drawing, set_alt

LOOKS = ((ORANGE, "o-"), (BLUE, "s--"), (GREEN, "^:"), (VERMILLION, "D-."))


def power_curves(
    counts: Sequence[int], curves: Mapping[float, Sequence[float]], speakers: int
) -> Figure:
    """The chance of finding a gain over the number of speakers, a line a gain.

    Args:
        counts: numbers of speakers.
        curves: true gain in points -> chance (0 to 1) at each count; at most four.
        speakers: how many there are, a dashed line.

    Raises:
        ValueError: more curves than looks.
    """
    if len(curves) > len(LOOKS):
        raise ValueError(f"at most {len(LOOKS)} curves can be told apart")
    with drawing(height=3.8) as (fig, ax):
        for (gain, chance), (colour, line) in zip(curves.items(), LOOKS, strict=False):
            percent = 100 * np.asarray(chance)
            ax.plot(counts, percent, line, color=colour, label=f"true gain {gain:g} points")
        ax.axhline(80, color=INK, linewidth=1)
        ax.axvline(speakers, color=INK, linewidth=1, linestyle="--")
        ax.set(xscale="log", ylim=(0, 104), xlabel="speakers", ylabel="gain found, % of tries")
        ticks = [n for n in (6, 10, 20, 50, 100, 200, 500) if n <= max(counts)]
        ax.set_xticks(ticks, [str(n) for n in ticks])
        ax.minorticks_off()
        ax.legend()
    said = " ".join(
        f"Gain of {gain:g} points: {100 * chance[0]:.0f} % with {counts[0]} speakers, "
        f"{100 * chance[-1]:.0f} % with {counts[-1]}."
        for gain, chance in curves.items()
    )
    return set_alt(fig, f"Chance of finding a gain over the number of speakers. {said}")


def who_gains(each: pd.DataFrame) -> Figure:
    """A dot for each speaker and comparison, speakers in the order of the first.

    Args:
        each: speakers × comparisons, points of UA.
    """
    each = each.sort_values(each.columns[0])
    with drawing(height=3.8) as (fig, ax):
        ax.axvline(0, color=INK, linewidth=1)
        for name, colour, marker in zip(each, (BLUE, ORANGE, GREEN), "oD^", strict=False):
            ax.plot(each[name], range(len(each)), marker, color=colour, label=name)
        ax.set_yticks(range(len(each)), each.index)
        ax.grid(axis="both")
        ax.set(xlabel="difference, points of UA", ylabel="speaker")
        fig.legend(loc="outside lower center", ncols=2)
    said = "; ".join(
        f"{speaker}: " + ", ".join(f"{k} {v:+.1f}" for k, v in line.items())
        for speaker, line in each.iterrows()
    )
    return set_alt(fig, f"Difference in UA of each speaker, points. {said}.")
