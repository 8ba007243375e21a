"""Figures of spread: several intervals of one score, and a number for each speaker.

Book: chapter "Confusion matrices". The table of results with its intervals is
:func:`ser.plots.results_table_plot`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from ser.plots.style import (
    BLUE,
    GREEN,
    GREY,
    MUTED,
    ORANGE,
    PURPLE,
    VERMILLION,
    drawing,
    set_alt,
    set_title,
)

LOOKS = ((BLUE, "o"), (VERMILLION, "s"), (GREEN, "D"), (ORANGE, "^"), (PURPLE, "v"), (GREY, "P"))


def interval_plot(
    groups: Mapping[str, Mapping[str, tuple[float, float, float]]],
    xlabel: str,
    title: str | None = None,
    line: float | None = None,
) -> Figure:
    """Several intervals of the same thing, group by group.

    Args:
        groups: group -> kind -> (middle, low, high), in percent; at most six kinds.
        xlabel: what it is, with its unit.
        title: of the figure.
        line: a dashed line, for example chance.

    Returns:
        Figure.

    Raises:
        ValueError: nothing to draw, or too many kinds.

    Example:
        >>> from ser.plots import describe
        >>> fig = interval_plot({"dual": {"Wilson": (80, 75, 84)}}, "WA, percent")
        >>> describe(fig)
        'Intervals of WA, percent. dual: Wilson 75.0 to 84.0.'
    """
    kinds = list(dict.fromkeys(k for each in groups.values() for k in each))
    if not kinds or len(kinds) > len(LOOKS):
        raise ValueError(f"one to {len(LOOKS)} kinds of interval can be drawn, not {len(kinds)}")
    step = 0.7 / len(kinds)
    with drawing(None, 1.6 + len(groups) * (0.25 + 0.24 * len(kinds))) as (fig, ax):
        if line is not None:
            ax.axvline(line, color=MUTED, linestyle="--", linewidth=1)
        for number, kind in enumerate(kinds):
            colour, marker = LOOKS[number]
            there = [(y, each[kind]) for y, each in enumerate(groups.values()) if kind in each]
            y = [at + (number - (len(kinds) - 1) / 2) * step for at, _ in there]
            middle, low, high = np.array([values for _, values in there], dtype=float).T
            ax.hlines(y, low, high, color=colour, linewidth=2.2)
            ax.plot(middle, y, marker, color=colour, markersize=6.5, label=kind)
        ax.set_yticks(range(len(groups)), list(groups))
        ax.set_ylim(len(groups) - 0.45, -0.55)
        ax.tick_params(axis="y", length=0)
        ax.grid(axis="x")
        ax.set_xlabel(xlabel)
        columns = 2 if len(kinds) > 1 else 1
        fig.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=columns)
        set_title(ax, title)
    said = ". ".join(
        f"{group}: " + ", ".join(f"{k} {low:.1f} to {high:.1f}" for k, (_, low, high) in e.items())
        for group, e in groups.items()
    )
    return set_alt(fig, f"Intervals of {xlabel}. {said}.")


def dots_by_group(
    values: Mapping[str, Mapping[str, float]],
    xlabel: str,
    title: str | None = None,
    group_name: str = "speaker",
) -> Figure:
    """A number for each speaker, of one or several kinds, sorted by the first kind.

    Args:
        values: kind (for example ``"before"``) -> speaker -> value; all kinds have the same
            speakers; at most six kinds.
        xlabel: what the number is, with its unit.
        title: of the figure.
        group_name: what the groups are.

    Returns:
        Figure; a line at 0.

    Raises:
        ValueError: nothing to draw, too many kinds, or kinds with different speakers.

    Example:
        >>> from ser.plots import describe
        >>> fig = dots_by_group({"before": {"Ada": 12.0, "Bo": -1.0}}, "gap, points")
        >>> describe(fig)
        'Gap, points, by speaker. Bo: before -1.0. Ada: before 12.0.'
    """
    kinds = list(values)
    if not 1 <= len(kinds) <= len(LOOKS) or not values[kinds[0]]:
        raise ValueError(f"one to {len(LOOKS)} kinds of values are needed")
    first = values[kinds[0]]
    if any(set(each) != set(first) for each in values.values()):
        raise ValueError("every kind needs a value for the same groups")
    names = sorted(first, key=lambda name: (first[name], name))
    with drawing(None, 1.7 + 0.3 * len(names)) as (fig, ax):
        ax.axvline(0, color=MUTED, linewidth=1)
        for (colour, marker), kind in zip(LOOKS, kinds, strict=False):
            x = [values[kind][name] for name in names]
            ax.plot(x, range(len(names)), marker, color=colour, markersize=7, label=kind)
        ax.set_yticks(range(len(names)), names)
        ax.set_ylabel(group_name)
        ax.set_xlabel(xlabel)
        ax.grid(axis="both")
        fig.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=3)
        set_title(ax, title)
    said = ". ".join(
        f"{name}: " + ", ".join(f"{kind} {values[kind][name]:.1f}" for kind in kinds)
        for name in names
    )
    return set_alt(fig, f"{xlabel[:1].upper()}{xlabel[1:]}, by {group_name}. {said}.")
