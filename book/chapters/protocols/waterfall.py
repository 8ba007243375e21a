"""What each kindness of a protocol adds to a score, as a waterfall (book: "The protocol
laboratory")."""

from __future__ import annotations

import textwrap

import pandas as pd
from matplotlib.figure import Figure
from ser.plots.style import BLUE, GREY, INK, MUTED, ORANGE, VERMILLION, drawing, set_alt, set_title


def waterfall(steps: pd.DataFrame, title: str | None = None, chance: float = 25.0) -> Figure:
    """The first score as a bar, then a floating bar for what each step adds to the one before.

    The whisker is the 95 % interval of the *step*, drawn from where the step begins: one that
    reaches back over its own beginning is not settled.

    Args:
        steps: as :func:`chapters.protocols.ladder.gains` returns it; fractions of 1.
        title: of the figure.
        chance: the dashed line, in percent.

    Returns:
        Figure.

    Raises:
        ValueError: no steps.

    Example:
        >>> from chapters.protocols.ladder import gains
        >>> from ser.plots import describe
        >>> rungs = {"half": [0, 0] * 4, "all": [0, 1] * 4}
        >>> describe(waterfall(gains([0, 1] * 4, rungs, list("AABBCCDD"))))[:49]
        'UA step by step: half 50.0 %; all adds +50.0 poin'
    """
    if steps.empty:
        raise ValueError("no steps to draw")
    lines = list(steps.itertuples(index=False))
    said = [f"{lines[0].name} {100 * lines[0].ua:.1f} %"]
    right = 100 * max([steps.ua.max(), *(s.ua - s.gain + s.gain_high for s in lines[1:])])
    with drawing(None, 1.5 + 0.62 * len(lines)) as (fig, ax):
        first = lines[0]
        ax.barh(0, 100 * first.ua, height=0.55, color=GREY)
        ax.hlines(0, 100 * first.low, 100 * first.high, color=INK, linewidth=1.6)
        for y, step in enumerate(lines[1:], start=1):
            start, end = 100 * (step.ua - step.gain), 100 * step.ua
            colour = VERMILLION if step.gain >= 0 else BLUE
            ax.vlines(start, y - 1 + 0.28, y + 0.28, color=MUTED, linewidth=1, linestyle=":")
            ax.barh(y, end - start, left=start, height=0.55, color=colour)
            whisker = [start + 100 * v for v in (step.gain_low, step.gain_high)]
            ax.hlines(y, *whisker, color=INK, linewidth=1.6)
            said.append(
                f"{step.name} adds {100 * step.gain:+.1f} points "
                f"({100 * step.gain_low:+.1f} to {100 * step.gain_high:+.1f})"
            )
        for y, step in enumerate(lines):
            reach = step.high if y == 0 else max(step.ua, step.ua - step.gain + step.gain_high)
            text = f"{100 * step.ua:.1f}" if y == 0 else f"{100 * step.gain:+.1f}"
            ax.annotate(
                text, (100 * reach, y), (5, 0), textcoords="offset points", va="center", fontsize=11
            )
        last = len(lines)
        ax.barh(last, 100 * lines[-1].ua, height=0.55, color=ORANGE)
        ax.hlines(last, 100 * lines[-1].low, 100 * lines[-1].high, color=INK, linewidth=1.6)
        ax.annotate(
            f"{100 * lines[-1].ua:.1f}", (100 * lines[-1].high, last), (5, 0),
            textcoords="offset points", va="center", fontsize=11,
        )  # fmt: skip
        ax.axvline(chance, color=MUTED, linestyle="--", linewidth=1)
        names = [s.name if y == 0 else f"+ {s.name}" for y, s in enumerate(lines)] + ["as reported"]
        ax.set_yticks(range(last + 1), [textwrap.fill(n, 16) for n in names])
        ax.tick_params(axis="y", length=0)
        ax.set_ylim(last + 0.6, -0.6)
        ax.set_xlim(0, max(right, 100 * lines[-1].high) + 14)
        ax.set_xlabel("UA in percent (dashed: chance)")
        ax.grid(axis="x")
        set_title(ax, title)
    said.append(f"in the end {100 * lines[-1].ua:.1f} %")
    return set_alt(fig, "UA step by step: " + "; ".join(said) + ".")
