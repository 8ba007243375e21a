"""Figures of the CNN front end: its filters, what they answer, and whose time a step stands for.

Book: chapter "The CNN front end and alignment"; the network is :class:`ser.nn.FrontEnd`
(Wang et al. 2020, section 2.3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from ser.plots.style import BLUE, GRID, INK, ORANGE, drawing, set_alt, set_title

DIVERGING = "PuOr_r"
"""Purple below zero, orange above, pale at zero: told apart by colour-blind readers."""


def filter_grid(
    weights: Mapping[str, ArrayLike], columns: int = 16, limit: float | None = None
) -> Figure:
    """Filters as small pictures, low mel bands at the bottom, time to the right.

    Args:
        weights: name -> (filters, bands, frames); a panel each, on one scale of colours.
        columns: filters in a row.
        limit: the colours reach from ``-limit`` to ``limit``; default the largest weight.

    Returns:
        Figure.

    Raises:
        ValueError: no filters, or not three axes.

    Example:
        >>> from ser.plots import describe
        >>> describe(filter_grid({"untrained": np.ones((2, 4, 2))}))[:47]
        'untrained: 2 filters of 4 mel bands by 2 frames'
    """
    panels = {name: np.asarray(w, dtype=float) for name, w in weights.items()}
    if not panels or any(w.ndim != 3 or w.size == 0 for w in panels.values()):
        raise ValueError("filters are (filters, bands, frames), at least one")
    limit = limit or max(float(np.abs(w).max()) for w in panels.values()) or 1.0
    rows = [-(-len(w) // columns) for w in panels.values()]
    bands, frames = next(iter(panels.values())).shape[1:]
    height = 0.8 + sum(0.35 + 4.4 * r * (bands + 1) / (columns * (frames + 1)) for r in rows)
    said = []
    with drawing(None, min(height, 9), len(panels), squeeze=False) as (fig, grid):
        for ax, (name, w) in zip(grid[:, 0], panels.items(), strict=True):
            image = ax.imshow(
                np.ma.masked_invalid(_mosaic(w, columns)),
                cmap=matplotlib.colormaps[DIVERGING],
                vmin=-limit,
                vmax=limit,
                interpolation="nearest",
            )
            ax.set_xticks([])
            ax.set_yticks([])
            ax.spines[:].set_visible(False)
            set_title(ax, name)
            said.append(
                f"{name}: {len(w)} filters of {w.shape[1]} mel bands by {w.shape[2]} frames, "
                f"weights {w.min():.2g} to {w.max():.2g}."
            )
        bar = fig.colorbar(image, ax=grid[:, 0], pad=0.02, shrink=0.8, location="bottom")
        bar.set_label("weight (no unit)")
    return set_alt(fig, " ".join(said))


def _mosaic(w: np.ndarray, columns: int) -> np.ndarray:
    """(filters, bands, frames) -> one picture, NaN between the filters, band 0 at the bottom."""
    count, bands, frames = w.shape
    columns = min(columns, count)
    rows = -(-count // columns)
    out = np.full((rows * (bands + 1) - 1, columns * (frames + 1) - 1), np.nan)
    for k, each in enumerate(w):
        top, left = (k // columns) * (bands + 1), (k % columns) * (frames + 1)
        out[top : top + bands, left : left + frames] = each[::-1]
    return out


def response_maps(
    maps: Mapping[str, ArrayLike],
    seconds: float,
    signed: bool | Sequence[bool] = True,
    unit: str = "",
    height: float = 1.45,
) -> Figure:
    """Pictures of one utterance, one below the other, over the same seconds.

    Args:
        maps: name -> (bands, frames); low bands are drawn at the bottom.
        seconds: duration of the utterance.
        signed: True: colours diverge around zero; False: dark to bright. One for all, or one each.
        unit: of the values, for the description.
        height: inches a panel.

    Returns:
        Figure; each panel has its own scale of colours.

    Raises:
        ValueError: nothing to draw, or not (bands, frames).

    Example:
        >>> from ser.plots import describe
        >>> describe(response_maps({"onsets": [[-1.0, 2.0]]}, 0.5))
        'onsets: 1 bands by 2 frames over 0.50 s, values -1 to 2.'
    """
    values = {name: np.asarray(m, dtype=float) for name, m in maps.items()}
    if not values or any(m.ndim != 2 or m.size == 0 for m in values.values()):
        raise ValueError("a map is (bands, frames), and at least one is needed")
    kinds = [signed] * len(values) if isinstance(signed, bool) else list(signed)
    said = []
    with drawing(None, 0.7 + height * len(values), len(values), sharex=True, squeeze=False) as (
        fig,
        grid,
    ):
        for ax, (name, m), diverging in zip(grid[:, 0], values.items(), kinds, strict=True):
            look = {"cmap": "magma", "vmin": max(m.min(), m.max() - 80), "vmax": m.max()}
            if diverging:
                reach = float(np.quantile(np.abs(m), 0.99)) or 1.0
                look = {"cmap": DIVERGING, "vmin": -reach, "vmax": reach}
            look["cmap"] = matplotlib.colormaps[look["cmap"]]
            ax.imshow(
                m,
                origin="lower",
                aspect="auto",
                interpolation="nearest",
                extent=(0, seconds, 0, len(m)),
                **look,
            )
            ax.set_ylabel("band")
            set_title(ax, name, 46)
            said.append(
                f"{name}: {m.shape[0]} bands by {m.shape[1]} frames over {seconds:.2f} s, "
                f"values {m.min():.2g} to {m.max():.2g}{' ' + unit if unit else ''}."
            )
        grid[-1, 0].set_xlabel("time, s")
    return set_alt(fig, " ".join(said))


def two_clocks(
    x: ArrayLike, y: ArrayLike, steps: int, offset: float = 0.0, taps: Sequence[int] = (0, 1, 2)
) -> Figure:
    """Steps of two sequences on one axis of time, and which steps of x go with which of y.

    Args:
        x: (T1, 3) start, centre and end in ms of what each step of x has heard.
        y: (T2, 3) the same for y.
        steps: steps of y to draw, from the first.
        offset: ms to add to every time.
        taps: which of ``x[2t], x[2t + 1], ...`` are averaged.

    Returns:
        Figure: bars are what a step has heard, marks their centres; thin lines join a step of
        y to the steps of x that are averaged for it.

    Raises:
        ValueError: not (T, 3), or too few steps.

    Example:
        >>> from ser.plots import describe
        >>> x = [[16 * k, 16 * k + 8, 16 * k + 16] for k in range(5)]
        >>> y = [[0, 16, 32], [32, 48, 64]]
        >>> describe(two_clocks(x, y, 2))[:51]
        'Steps on an axis of time. Step 0 of y, centre 16 ms'
    """
    x, y = (np.asarray(v, dtype=float) + offset for v in (x, y))
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != 3 or y.shape[1] != 3:
        raise ValueError("steps are (T, 3): start, centre and end in ms")
    if not 1 <= steps <= len(y) or 2 * (steps - 1) + max(taps) >= len(x):
        raise ValueError(f"{steps} steps are more than there are to align")
    said = []
    with drawing(None, 4.2) as (fig, ax):
        shown = 2 * (steps - 1) + max(taps) + 1
        for values, level, colour, count in ((x, 1, BLUE, shown), (y, 0, ORANGE, steps)):
            for k, (start, centre, end) in enumerate(values[:count]):
                at = _height(level, k)
                ax.plot([start, end], [at, at], color=colour, linewidth=3, alpha=0.6)
                ax.plot(centre, at, "o" if level else "s", color=colour, markeredgecolor=INK)
                ax.annotate(
                    f"{'x' if level else 'y'}{k}",
                    (centre, at),
                    (0, 6 if level else -15),
                    textcoords="offset points",
                    ha="center",
                    fontsize=11,
                )
        for t in range(steps):
            chosen = [x[2 * t + k, 1] for k in taps]
            for k, centre in zip(taps, chosen, strict=True):
                ends = [_height(1, 2 * t + k), _height(0, t)]
                ax.plot([centre, y[t, 1]], ends, color=INK, linewidth=0.8, zorder=0)
            said.append(
                f"Step {t} of y, centre {y[t, 1]:.0f} ms, goes with the mean of "
                f"{len(taps)} of x, centre {np.mean(chosen):.0f} ms."
            )
        ax.set_ylim(-0.65, 1.55)
        ax.set_yticks([0, 1], ["y (S2)", "x (S1)"])
        ax.set_xlabel("time, ms")
        ax.grid(axis="x", color=GRID)
    return set_alt(fig, "Steps on an axis of time. " + " ".join(said))


def _height(level: int, step: int) -> float:
    """Spans overlap, so neighbours lie at different heights: three of x (1), four of y (0)."""
    return level + (0.13 * (step % 3) if level else -0.13 * (step % 4))
