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
from ser.plots.style import BLUE, CARD, INK, MUTED, ORANGE, VERMILLION, drawing, set_alt, set_title


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


def weights_over_time(
    level: ArrayLike, weights: Mapping[str, ArrayLike], title: str | None = None
) -> Figure:
    """Level of an utterance over time, and below it how much each step counts.

    Args:
        level: (T,) dB of every step.
        weights: name -> (T,) weights that sum to 1; at most three.
        title: of the figure.

    Returns:
        Figure.

    Example:
        >>> from ser.plots import describe
        >>> describe(weights_over_time([1.0, 2.0], {"mean": [0.5, 0.5]}))
        'Level and weights of 2 steps. mean: largest weight 0.500 at step 0.'
    """
    level = np.asarray(level, dtype=float)
    looks = ((BLUE, "--"), (VERMILLION, "-"), (ORANGE, ":"))
    with drawing(None, 4.4, 2, sharex=True) as (fig, (above, below)):
        above.plot(level, color=INK, linewidth=1.6)
        above.set_ylabel("level, dB")
        for (name, values), (colour, line) in zip(weights.items(), looks, strict=False):
            below.plot(np.asarray(values), line, color=colour, linewidth=2, label=name)
        below.set_ylabel("weight")
        below.set_xlabel("step")
        below.set_ylim(bottom=0)
        fig.legend(*below.get_legend_handles_labels(), loc="outside lower center", ncols=3)
        set_title(above, title)
    said = ". ".join(
        f"{name}: largest weight {np.max(values):.3f} at step {int(np.argmax(values))}"
        for name, values in weights.items()
    )
    return set_alt(fig, f"Level and weights of {len(level)} steps. {said}.")


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
    at = np.arange(len(there))
    looks = {False: (BLUE, "o", BLUE), True: (VERMILLION, "s", CARD)}
    names = {False: "inductive", True: "transductive"}
    with drawing(None, 1.9 + 0.42 * len(there)) as (fig, ax):
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
        ax.set_yticks(at, [textwrap.fill(str(n), 20) for n in there.index])
        ax.set_ylim(len(there) - 0.5, -0.5)
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


def dev_against_test(dev: pd.DataFrame, test: pd.DataFrame, title: str | None = None) -> Figure:
    """Gain on dev speakers against gain on test speakers, a point for each recipe and fold.

    Args:
        dev, test: gains over the base in points; a line a fold, a column a recipe.
        title: of the figure.

    Returns:
        Figure; large markers are the means over folds.

    Raises:
        ValueError: nothing to draw, or tables of different shape.

    Example:
        >>> from ser.plots import describe
        >>> gains = pd.DataFrame({"average": [1.0, 3.0]})
        >>> describe(dev_against_test(gains, -gains))
        'Gain on dev and on test speakers in points. average: dev +2.0, test -2.0.'
    """
    if dev.empty or dev.shape != test.shape:
        raise ValueError("gains on dev and on test are needed, of the same folds and recipes")
    from chapters.shared.interval_figures import LOOKS

    with drawing(None, 4.9) as (fig, ax):
        ax.axhline(0, color=MUTED, linewidth=1)
        ax.axvline(0, color=MUTED, linewidth=1)
        for number, name in enumerate(dev.columns):
            # After one round every colour has another shape, so that 36 recipes differ.
            turn = number // len(LOOKS)
            colour, marker = LOOKS[number % len(LOOKS)][0], LOOKS[(number + turn) % len(LOOKS)][1]
            look = {"color": colour, "linestyle": "", "marker": marker}
            ax.plot(dev[name], test[name], markersize=4.5, alpha=0.6, **look)
            ax.plot(
                dev[name].mean(), test[name].mean(), markersize=10, markeredgecolor=INK,
                label=name, **look,
            )  # fmt: skip
        ax.set_xlabel("gain on the fold's dev speakers, points")
        ax.set_ylabel("gain on its test speakers, points")
        ax.grid()
        fig.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2)
        set_title(ax, title)
    said = ". ".join(
        f"{name}: dev {dev[name].mean():+.1f}, test {test[name].mean():+.1f}"
        for name in dev.columns
    )
    return set_alt(fig, f"Gain on dev and on test speakers in points. {said}.")
