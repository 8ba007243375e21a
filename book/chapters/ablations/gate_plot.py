"""What a cell's doors do for each emotion: means and differences with their intervals.

Draws :func:`chapters.ablations.gate_means.gates_by_emotion`. Book: chapter "Ablations".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from ser.corpora.base import EMOTIONS
from ser.plots import Html, show
from ser.plots.style import (
    BLUE,
    GREEN,
    MUTED,
    PURPLE,
    VERMILLION,
    drawing,
    set_alt,
    set_title,
)

from chapters.ablations.gate_means import INFLOWS, SHARE, gates_by_emotion, load_gates

LOOKS = ((BLUE, "o"), (VERMILLION, "s"), (GREEN, "^"), (PURPLE, "D"))

COLUMNS: dict[str, tuple[str, str, str]] = {
    "mean": ("mean", "low", "high"),
    "difference": ("difference", "difference_low", "difference_high"),
}


def gate_plot(
    table: pd.DataFrame,
    quantities: Sequence[str] = ("iT", "iF"),
    of: str = "mean",
    xlabel: str | None = None,
    title: str | None = None,
) -> Figure:
    """A panel for each layer: the emotions, and for each of them some quantities with intervals.

    Args:
        table: of :func:`chapters.ablations.gate_means.gates_by_emotion`.
        quantities: one to four of its quantities, told apart by colour and by shape.
        of: ``"mean"``, or ``"difference"`` of each emotion from the mean of the others, with a
            line at 0.
        xlabel: what the numbers are; default: says the same in general.
        title: of the figure.

    Returns:
        Figure; bars are the 95 % intervals of the table.

    Raises:
        ValueError: no such quantity in the table, too many, or another *of*.

    Example:
        >>> import numpy as np
        >>> from ser.plots import describe
        >>> from chapters.ablations.gate_means import gates_by_emotion, gates_table
        >>> keys = {"emotion": ["angry", "sad"] * 2, "speaker": ["A", "A", "B", "B"]}
        >>> values = np.arange(4.0)[:, None, None] * np.ones((4, 1, 14))
        >>> by = gates_by_emotion(gates_table(values, utterance=list("abcd"), **keys))
        >>> describe(gate_plot(by, ["iT"]))[-70:]
        'Layer 1: angry iT 1.000, 0.000 to 2.000; sad iT 2.000, 1.000 to 3.000.'
    """
    there = set(table.index.get_level_values("quantity"))
    if not 1 <= len(quantities) <= len(LOOKS) or not set(quantities) <= there:
        raise ValueError(f"one to {len(LOOKS)} quantities of the table, please, not {quantities}")
    if of not in COLUMNS:
        raise ValueError(f"what is drawn is {' or '.join(COLUMNS)}, not {of!r}")
    layers = sorted(set(table.index.get_level_values("layer")))
    names = [e for e in EMOTIONS if e in set(table.index.get_level_values("emotion"))]
    table, step = table.sort_index(), 0.6 / len(quantities)
    sign = "+" if of == "difference" else ""
    whole = f"{of} over speakers" + (" of the distance to the others" if of != "mean" else "")
    said = []
    height = 1.5 + len(layers) * (0.5 + len(names) * (0.2 + 0.16 * len(quantities)))
    with drawing(None, height, len(layers), sharex=True, squeeze=False) as (fig, grid):
        axes = grid[:, 0]
        for ax, layer in zip(axes, layers, strict=True):
            if of == "difference":
                ax.axvline(0, color=MUTED, linewidth=1)
            words: dict[str, list[str]] = {name: [] for name in names}
            for k, quantity in enumerate(quantities):
                part = table.loc[(layer, quantity)].reindex(names)
                middle, low, high = (part[c].to_numpy(float) for c in COLUMNS[of])
                at = np.arange(len(names)) + (k - (len(quantities) - 1) / 2) * step
                colour, marker = LOOKS[k]
                ax.hlines(at, low, high, color=colour, linewidth=2.2)
                ax.plot(middle, at, marker, color=colour, markersize=6.5, label=quantity)
                for name, m, a, b in zip(names, middle, low, high, strict=True):
                    words[name].append(f"{quantity} {m:{sign}.3f}, {a:{sign}.3f} to {b:{sign}.3f}")
            ax.set_yticks(range(len(names)), names)
            ax.set_ylim(len(names) - 0.45, -0.55)
            ax.tick_params(axis="y", length=0)
            ax.grid(axis="x")
            ax.locator_params(axis="x", nbins=5)
            ax.set_ylabel(f"layer {layer}")
            each = "; ".join(f"{name} {', '.join(parts)}" for name, parts in words.items())
            said.append(f"Layer {layer}: {each}.")
        axes[-1].set_xlabel(xlabel or whole)
        fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
        set_title(axes[0], title)
    what = " and ".join(quantities)
    told = "of each emotion minus the mean of the others, " if of == "difference" else ""
    return set_alt(
        fig, f"Means of {what} {told}with 95 percent intervals over speakers. {' '.join(said)}"
    )


STATES = {"before": "emodb-untrained", "after": "emodb"}
"""Before or after training -> record of gates."""


def inflow_plots(folder: Path) -> tuple[dict[str, pd.DataFrame], list[Html]]:
    """What each gate lets into the memory by emotion, before and after training.

    Args:
        folder: of the records of gates.

    Returns:
        Tables of :func:`chapters.ablations.gate_means.gates_by_emotion` by state, and the figures.
    """
    tables, figures = {}, []
    for state, name in STATES.items():
        record = load_gates(folder / f"{name}.json")
        tables[state] = gates_by_emotion(record.table, INFLOWS)
        figure = gate_plot(
            tables[state], INFLOWS, of="difference", xlabel="minus the speaker's other emotions"
        )
        caption = (
            f"{record.data['corpus']['name']}, unseen speakers, {state} training: size of what "
            "each gate adds to the memory in one step, each emotion minus the same speaker's "
            "others; means over speakers, 95 % intervals."
        )
        figures.append(show(figure, caption=caption))
    return tables, figures


LEVELS = (
    "iT sigmoid", "iF sigmoid", "iT", "iF", "iT outside", "iF outside", *INFLOWS, SHARE,
)  # fmt: skip


def gate_levels(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Means over all utterances: a line a quantity, a column a state and layer.

    Args:
        tables: state -> table of :func:`chapters.ablations.gate_means.gates_table`.
    """
    means = {k: t.groupby("layer")[list(LEVELS)].mean().T for k, t in tables.items()}
    return pd.concat(means, axis=1)


def by_emotion_table(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Both input gates and the share of the second by emotion, as text with intervals.

    Args:
        tables: state -> table of :func:`chapters.ablations.gate_means.gates_by_emotion`.
    """
    columns = {}
    for state, table in tables.items():
        part = table.loc[(slice(None), ["iT", "iF", SHARE]), :]
        words = part[["difference", "difference_low", "difference_high"]].map("{:+.3f}".format)
        middle, low, high = (words[c] for c in words)
        columns[state] = middle + " (" + low + " to " + high + ")"
    return pd.DataFrame(columns).sort_index(level="layer")
