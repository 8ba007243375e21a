"""Figures of the options that may lift a network: what they do to an input, and what they gain.

What colour says, shape says again. Book: chapter "What lifts it, honestly".
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from ser.plots.style import BLUE, CARD, INK, VERMILLION, drawing, set_alt, set_title


def feature_panels(
    panels: Mapping[str, ArrayLike],
    unit: str,
    xlabel: str = "frame",
    ylabel: str = "mel band",
    title: str | None = None,
    limits: tuple[float, float] | None = None,
) -> Figure:
    """Versions of one spectrogram below each other, on one colour scale.

    Args:
        panels: name -> (bands, frames); low bands at the bottom.
        unit: of the colour bar.
        xlabel, ylabel: of the axes.
        title: of the figure.
        limits: of the colours; the 1st and 99th percentile of all panels if not given.

    Returns:
        Figure.

    Raises:
        ValueError: no panel.

    Example:
        >>> from ser.plots import describe
        >>> fig = feature_panels({"raw": np.eye(3), "louder": np.eye(3) + 6}, "dB")
        >>> describe(fig)
        '3 bands by 3 frames. raw: mean 0.3, deviation 0.5 dB. louder: mean 6.3, deviation 0.5 dB.'
    """
    arrays = {name: np.asarray(values, dtype=float) for name, values in panels.items()}
    if not arrays:
        raise ValueError("a panel is needed")
    everything = np.concatenate([a.ravel() for a in arrays.values()])
    low, high = limits or np.quantile(everything, [0.01, 0.99])
    if low == high:
        high = low + 1
    with drawing(None, 0.9 + 1.75 * len(arrays), len(arrays), sharex=True, squeeze=False) as (
        fig,
        grid,
    ):
        for ax, (name, values) in zip(grid[:, 0], arrays.items(), strict=True):
            image = ax.imshow(
                values, origin="lower", aspect="auto", cmap="magma", vmin=low, vmax=high,
                interpolation="nearest",
            )  # fmt: skip
            ax.set_ylabel(ylabel)
            set_title(ax, name)
        grid[-1, 0].set_xlabel(xlabel)
        bar = fig.colorbar(image, ax=list(grid[:, 0]), label=unit, shrink=0.8)
        bar.ax.tick_params(labelsize=11, colors=INK)
        if title:
            fig.suptitle(title)
    bands, frames = next(iter(arrays.values())).shape
    said = ". ".join(
        f"{name}: mean {a.mean():.1f}, deviation {a.std():.1f} {unit}" for name, a in arrays.items()
    )
    return set_alt(fig, f"{bands} bands by {frames} frames. {said}.")


def recipe_gains(table: pd.DataFrame, title: str | None = None) -> Figure:
    """What every recipe gains over the base on the test speakers, with its interval.

    Args:
        table: of :func:`chapters.recipe.gains.recipe_table`.
        title: of the figure.

    Returns:
        Figure; transductive recipes have an open square.

    Raises:
        ValueError: no recipe beside the base.
    """
    there = table[table.gain_low.notna()] if "gain_low" in table else table[:0]
    if there.empty:
        raise ValueError("no recipe to compare with the base")
    labels = [textwrap.fill(str(n), 20) for n in there.index]
    rooms = np.array([max(0.42, 0.1 + 0.19 * len(label.split("\n"))) for label in labels])
    at = np.cumsum(rooms) - rooms / 2
    looks = {False: (BLUE, "o", BLUE), True: (VERMILLION, "s", CARD)}
    names = {False: "inductive", True: "transductive"}
    with drawing(None, 1.9 + rooms.sum()) as (fig, ax):
        ax.axvline(0, color=INK, linewidth=1)
        for kind, (colour, marker, face) in looks.items():
            mine = (there.transductive == kind).to_numpy(dtype=bool)
            if not mine.any():
                continue
            part = there[mine]
            ax.hlines(at[mine], part.gain_low, part.gain_high, color=colour, linewidth=2.2)
            ax.plot(
                part.gain, at[mine], marker, color=colour, markerfacecolor=face, markersize=8,
                markeredgewidth=1.6, label=names[kind],
            )  # fmt: skip
        ax.set_yticks(at, labels)
        ax.set_ylim(rooms.sum(), 0)
        ax.tick_params(axis="y", length=0)
        ax.grid(axis="x")
        ax.set_xlabel("gain in UA on test speakers, points")
        fig.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2)
        set_title(ax, title)
    said = " ".join(
        f"{r.Index}: {r.gain:+.1f} points, {r.gain_low:+.1f} to {r.gain_high:+.1f}"
        f"{', transductive' if r.transductive else ''}."
        for r in there.itertuples()
    )
    base = table.index[table.gain_low.isna()][0]
    return set_alt(fig, f"Gain in UA over {base}, with 95 percent intervals over speakers. {said}")
