"""Where the time of a training step goes, as a figure (book: chapter "Training on a GPU").

The profiles come from :func:`chapters.shared.profiling.profile_work`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from ser.plots.style import BLUE, INK, drawing, set_alt, set_title


def where_time_goes(
    profiles: Mapping[str, Mapping[str, Any]], clock: str = "cpu_ms", title: str | None = None
) -> Figure:
    """Milliseconds and calls of each kind of work, a panel for each profile.

    Args:
        profiles: name -> result of :func:`chapters.shared.profiling.profile_work`.
        clock: ``cpu_ms``, or ``device_ms`` for the time of a GPU's kernels.
        title: of the figure.

    Returns:
        Figure.

    Raises:
        ValueError: no profiles.
    """
    if not profiles:
        raise ValueError("no profiles to draw")
    said = []
    sums = {name: _sums(profile["operators"], clock) for name, profile in profiles.items()}
    lines = sum(len(s) for s in sums.values())
    with drawing(
        None,
        0.7 + 0.34 * lines + 0.5 * len(sums),
        len(sums),
        squeeze=False,
        gridspec_kw={"height_ratios": [len(s) for s in sums.values()]},
    ) as (fig, grid):
        for ax, (name, table) in zip(grid[:, 0], sums.items(), strict=True):
            total = table[clock].sum()
            ax.barh(table.index, table[clock], color=BLUE, edgecolor=INK, linewidth=0.6)
            for y, (milliseconds, calls) in enumerate(zip(table[clock], table.calls, strict=True)):
                text = f" {milliseconds / total:.0%}, {calls:,} calls"
                ax.text(milliseconds, y, text, va="center", fontsize=10.5)
            ax.set_xlim(0, 1.75 * table[clock].max())
            ax.invert_yaxis()
            ax.tick_params(axis="y", length=0)
            set_title(ax, f"{title}\n{name}" if title and ax is grid[0, 0] else name)
            parts = ", ".join(
                f"{k} {v / total:.0%} in {c:,} calls"
                for k, v, c in zip(table.index, table[clock], table.calls, strict=True)
            )
            said.append(f"{name}: {parts}.")
        grid[-1, 0].set_xlabel("time of one step, ms")
    return set_alt(fig, "Where the time of a step goes. " + " ".join(said))


def _sums(operators: Sequence[Mapping[str, Any]], clock: str) -> pd.DataFrame:
    """Time and calls of each kind, longest first."""
    table = pd.DataFrame(operators).groupby("kind")[[clock, "calls"]].sum()
    return table[(table[clock] > 0)].sort_values(clock, ascending=False)
