"""Figures of measured training steps: batch size, memory, and where the time goes.

Book: chapter "Training on a GPU". The records come from ``python -m benchmarks.throughput``, the
profiles from there or from :func:`chapters.shared.profiling.profile_work`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from ser.plots.style import BLUE, GREEN, GREY, INK, PURPLE, VERMILLION, drawing, set_alt, set_title

from chapters.shared.speed_records import read_records

COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, GREY)
DASHES = ("-", "--", ":", "-.")
MARKERS = ("o", "s", "^", "D")


def load_records(folder: str | Path) -> list[dict]:
    """Every record of throughput in *folder*, GPUs first; other files are passed over.

    Args:
        folder: where ``*.json`` lie; it need not exist.

    Example:
        >>> load_records("nowhere")
        []
    """
    records = read_records(folder, lambda record: record.get("kind") == "throughput")
    return sorted(records, key=lambda r: (r["device"]["type"] != "cuda", device_name(r)))


def device_name(record: Mapping[str, Any]) -> str:
    """The device of a record in a few words; of a CPU with its number of threads.

    >>> device_name({"device": {"name": "Some CPU", "type": "cpu", "threads": 2}})
    'Some CPU, 2 threads'
    """
    device = record["device"]
    if device["type"] == "cuda":
        return device["name"]
    return f"{device['name']}, {device['threads']} thread{'s' * (device['threads'] > 1)}"


def cells(records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """A row for each measurement of the records; those that failed are left out.

    Returns:
        columns ``device``, ``model``, ``batch``, ``precision``, ``data``,
        ``utterances_per_second``, ``low``, ``high``, ``step_seconds``, ``batch_seconds``,
        ``epoch_seconds``, ``step_mib``.
    """
    columns = ["model", "batch", "precision", "data", "utterances_per_second", "low", "high"]
    columns += ["step_seconds", "batch_seconds", "epoch_seconds"]
    rows = []
    for record in records:
        for cell in record["cells"].values():
            if "error" not in cell:
                size = cell["step_bytes"]
                mib = None if size is None else size / 2**20
                row = {"device": device_name(record), "step_mib": mib}
                rows.append(row | {c: cell[c] for c in columns})
    return pd.DataFrame(rows, columns=["device", *columns, "step_mib"])


def by_batch(records: Sequence[Mapping[str, Any]], title: str | None = None) -> Figure:
    """Utterances a second and memory against the batch size, float32, data on the device.

    Colour is the model, dash and marker are the device; a vertical line spans the rounds.

    Args:
        records: at most four, see :func:`load_records`.
        title: of the figure.

    Returns:
        Figure.

    Raises:
        ValueError: no measurement to draw, or more than four devices.
    """
    table = cells(records)
    table = table[(table.precision == "float32") & (table.data == "device")]
    devices, models = table.device.unique(), table.model.unique()
    if table.empty or len(devices) > len(DASHES):
        raise ValueError(f"one to {len(DASHES)} records with float32 measurements are needed")
    said = []
    with drawing(None, 6.4, 2, sharex=True) as (fig, (upper, lower)):
        for (device, model), part in table.groupby(["device", "model"], sort=False):
            part, d = part.sort_values("batch"), list(devices).index(device)
            colour = COLOURS[list(models).index(model) % len(COLOURS)]
            look = {"color": colour, "linestyle": DASHES[d], "marker": MARKERS[d], "linewidth": 2}
            label = model if len(devices) == 1 else f"{model}, {device}"
            rate = part.utterances_per_second
            spread = [rate - part.low, part.high - rate]
            upper.errorbar(part.batch, rate, yerr=spread, label=label, capsize=3, **look)
            lower.plot(part.batch, part.step_mib.astype(float), **look)
            first, last = part.iloc[0], part.iloc[-1]
            said.append(
                f"{model} on {device}: {first.utterances_per_second:.0f} utterances a second at "
                f"batch {first.batch}, {last.utterances_per_second:.0f} at {last.batch}."
            )
        sizes = sorted(table.batch.unique())
        for ax in (upper, lower):
            _logarithmic(ax, sizes)
        if len(devices) == 1:
            upper.set_yscale("linear")
            upper.set_ylim(bottom=0)
        upper.set_ylabel("utterances/s")
        lower.set_ylabel("memory, MiB")
        lower.set_xlabel("utterances a step (batch size)")
        columns = 3 if len(devices) == 1 else 1
        handles = upper.get_legend_handles_labels()
        fig.legend(*handles, loc="outside lower center", ncols=columns)
        set_title(upper, title)
    return set_alt(fig, "Throughput and memory against batch size. " + " ".join(said))


def _logarithmic(ax: Axes, sizes: Sequence[int]) -> None:
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.set_xticks(sizes, [str(s) for s in sizes])
    ax.minorticks_off()
    ax.grid(axis="y")


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
