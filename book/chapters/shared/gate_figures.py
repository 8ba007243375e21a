"""Still figures of gates and other quantities of a recurrent network over time.

Book: chapters "The LSTM" and "The DS-LSTM"; the movable one is
:func:`chapters.ds_lstm.gate_widget.interactive_gates`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from ser.plots.style import BLUE, GREEN, GREY, INK, PURPLE, VERMILLION, drawing, set_alt, set_title

LOOKS = ((BLUE, "-"), (VERMILLION, "--"), (GREEN, "-."), (INK, ":"), (PURPLE, (0, (5, 1, 1, 1))))


def over_time(
    curves: Mapping[str, ArrayLike],
    step_seconds: float,
    ylabel: str,
    *,
    ylim: tuple[float | None, float | None] | None = None,
    colours: Sequence[str] | None = None,
    background: ArrayLike | None = None,
    columns: int = 4,
    title: str | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Curves over time, told apart by colour and by dashes.

    Args:
        curves: name -> (T,) values, at most five.
        step_seconds: seconds from one value to the next.
        ylabel: what they are, with its unit.
        ylim: of the axis; None leaves an end to matplotlib.
        colours: one for each curve instead of the usual ones.
        background: (T,) values drawn as a grey area.
        columns: of the legend.
        title: of the figure.
        ax: axes to draw into.

    Returns:
        Figure.

    Raises:
        ValueError: no curves, more than five, or not a row of values.

    Example:
        >>> from ser.plots import describe
        >>> describe(over_time({"f": [0.0, 1.0, 0.5]}, 0.1, "gate"))
        'Curves of gate over 0.2 s: f 0 to 1, mean 0.5.'
    """
    values = {name: np.asarray(v, dtype=float) for name, v in curves.items()}
    if not 1 <= len(values) <= len(LOOKS) or any(v.ndim != 1 for v in values.values()):
        raise ValueError(f"one to {len(LOOKS)} rows of values are needed")
    longest = max(len(v) for v in values.values())
    with drawing(ax, 3.4) as (fig, ax):
        if background is not None:
            grey = np.asarray(background, dtype=float)
            seconds = step_seconds * np.arange(len(grey))
            ax.fill_between(seconds, grey, color=GREY, alpha=0.3, linewidth=0)
        for k, (name, v) in enumerate(values.items()):
            colour, dash = LOOKS[k]
            colour = colours[k] if colours else colour
            seconds = step_seconds * np.arange(len(v))
            ax.plot(seconds, v, linestyle=dash, color=colour, linewidth=2, label=name)
        if ylim is not None:
            ax.set_ylim(*ylim)
        ax.set_xlabel("time, s")
        ax.set_ylabel(ylabel)
        fig.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=columns)
        set_title(ax, title)
    said = "; ".join(
        f"{name} {v.min():.2g} to {v.max():.2g}, mean {v.mean():.2g}" for name, v in values.items()
    )
    flat = " ".join(ylabel.split())
    return set_alt(fig, f"Curves of {flat} over {step_seconds * (longest - 1):.2g} s: {said}.")


def gate_map(
    gate: ArrayLike,
    step_seconds: float,
    label: str,
    *,
    title: str | None = None,
    ax: Axes | None = None,
) -> Figure:
    """One gate of all units over time: a row for each unit, the mostly open ones at the bottom.

    Args:
        gate: (T, H), values from 0 (dark) to 1 (bright).
        step_seconds: seconds a step.
        label: which gate.
        title: of the figure.
        ax: axes to draw into.

    Returns:
        Figure.

    Raises:
        ValueError: not (T, H).

    Example:
        >>> from ser.plots import describe
        >>> describe(gate_map(np.array([[0.99, 0.0], [0.97, 0.5]]), 0.1, "forget gate"))[:47]
        'Map of the forget gate of 2 units over 0.2 s; 5'
    """
    gate = np.asarray(gate, dtype=float)
    if gate.ndim != 2 or gate.size == 0:
        raise ValueError(f"a gate over time is (T, H), not {gate.shape}")
    order = np.argsort(gate.mean(0), kind="stable")
    with drawing(ax, 3.4) as (fig, ax):
        image = ax.imshow(
            gate[:, order].T,
            aspect="auto",
            cmap=matplotlib.colormaps["cividis"],
            vmin=0,
            vmax=1,
            extent=(0, len(gate) * step_seconds, len(order), 0),
            interpolation="nearest",
        )
        fig.colorbar(image, ax=ax, pad=0.02).set_label(label)
        ax.set_ylabel("units")
        ax.set_yticks([])
        ax.set_xlabel("time, s")
        set_title(ax, title)
    return set_alt(
        fig,
        f"Map of the {label} of {gate.shape[1]} units over {len(gate) * step_seconds:.2g} s; "
        f"{100 * (gate > 0.95).mean():.0f} % of its values above 0.95, "
        f"{100 * (gate < 0.05).mean():.0f} % below 0.05.",
    )
