"""The benchmark record as tables and figures (book: chapter "Making it fast").

Records of ``python -m benchmarks`` lie under book/results/benchmarks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from ser.plots.html import Html
from ser.plots.style import BLUE, GREEN, MUTED, VERMILLION, drawing, set_alt, set_title

from chapters.shared.speed_records import read_records

AXES = {
    "T": "steps T",
    "batch": "utterances a step (batch size)",
    "hidden": "hidden size H",
    "utterances": "utterances in the corpus",
}
"""What a record's rows are varied along, and how an axis of a figure says it."""


def load_benchmarks(folder: str | Path) -> list[dict]:
    """Every benchmark record in *folder*; other files are passed over.

    Args:
        folder: where ``*.json`` lie; it need not exist.

    Example:
        >>> load_benchmarks("nowhere")
        []
    """
    return read_records(folder, lambda record: {"command", "machine", "rows"} <= set(record))


def machine_text(record: Mapping[str, Any]) -> str:
    """Machine, versions, day, load and command of a record, a line each; a GPU comes first."""
    machine, versions = record["machine"], record["versions"]
    cpu = f"{_processor(machine)}, {machine['threads']} of {machine['cores']} cores used"
    lines = [
        f"{machine['gpu']}, beside {cpu}" if machine["gpu"] else f"{cpu}, GPU: none",
        f"torch {versions['torch']}, Python {versions['python']}, {record['date'][:10]}",
    ]
    if record.get("commit"):
        lines[-1] += f", commit {record['commit'][:7]}"
    if machine.get("load"):
        lines.append(f"load at the end: {machine['load'][0]:.1f} (0 is an idle machine)")
    return "\n".join([*lines, f"command: {record['command']}"])


def _processor(machine: Mapping[str, Any]) -> str:
    """Its name, and the widest vector instructions that torch uses on it, where that was kept."""
    return machine["cpu"] + (f" ({machine['vectors']})" if machine.get("vectors") else "")


def reached(row: Mapping[str, Any]) -> str:
    """``yes`` or ``no`` where a row of a record has a goal, else an empty string.

    >>> reached({"kind": "cost", "ratio": 2.1, "goal": 2.2}), reached({"goal": None})
    ('yes', '')
    """
    if row.get("limit_seconds") is not None:
        return "yes" if row["seconds"] <= row["limit_seconds"] else "no"
    if row.get("goal") is None:
        return ""
    good = row["ratio"] <= row["goal"] if row["kind"] == "cost" else row["ratio"] >= row["goal"]
    return "yes" if good else "no"


def figures(record: Mapping[str, Any]) -> pd.DataFrame:
    """What the record says, a row for each benchmark that is a figure of its own.

    Returns:
        indexed by name: ``against``, ``ms`` (median), ``against, ms``, ``ratio`` (times as fast,
        or for a cost times as long), ``low`` and ``high`` (quartiles of the rounds, where there
        are any), ``goal`` in words and ``reached``. Rows along an axis are :func:`scaling`'s,
        the corpus sizes excepted, whose largest is a figure as well.
    """
    rows = {}
    for row in record["rows"]:
        if "ratio" not in row or (row.get("axis") and "points" not in row):
            continue
        goal = ""
        if row.get("limit_seconds") is not None:
            goal = f"at most {row['limit_seconds']:g} s"
        elif row.get("goal") is not None:
            goal = f"{'at most' if row['kind'] == 'cost' else 'at least'} {row['goal']:g}x"
        rows[row["name"]] = {
            "against": row["against"],
            "ms": 1000 * row["seconds"],
            "against, ms": 1000 * row["plain_seconds"],
            "ratio": row["ratio"],
            "low": row.get("low", np.nan),
            "high": row.get("high", np.nan),
            "kind": row["kind"],
            "goal": goal,
            "reached": reached(row),
        }
    columns = ["against", "ms", "against, ms", "ratio", "low", "high", "kind", "goal", "reached"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def figures_table(record: Mapping[str, Any]) -> Html:
    """:func:`figures` as a table for a page, narrow enough for a telephone."""
    body = []
    for name, row in figures(record).iterrows():
        spread = "" if np.isnan(row.low) else f"<br><small>{row.low:.2f} to {row.high:.2f}</small>"
        sign = "x as long" if row.kind == "cost" else "x as fast"
        goal = f"{row.goal}<br><small>{'' if row.reached == 'yes' else 'not '}reached</small>"
        cells = (
            f"{escape(name.replace('_', ' '))}<br><small>against {escape(row.against)}</small>",
            f"{row.ratio:.2f}{sign}{spread}<br><small>{_time(row.ms)} against "
            f"{_time(row['against, ms'])}</small>",
            goal if row.goal else "none",
        )
        body.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    head = "<tr><th>what</th><th>ratio, and its quartiles</th><th>goal</th></tr>"
    html = f'<table class="dataframe">{head}{"".join(body)}</table>'
    short = figures(record)[["ratio", "kind", "goal", "reached"]].round(2)
    return Html(html, short.to_string())


def devices(record: Mapping[str, Any]) -> dict[str, str]:
    """``cpu`` and ``cuda``, where the record has rows of them, and what the device is called.

    >>> devices({"rows": [{"device": "cuda"}], "machine": {"cpu": "a CPU", "gpu": "a GPU"}})
    {'cuda': 'a GPU'}
    """
    machine = record["machine"]
    names = {"cpu": _processor(machine), "cuda": machine["gpu"]}
    there = {row.get("device", "cpu") for row in record["rows"]}
    return {kind: name for kind, name in names.items() if kind in there}


def against_cudnn(record: Mapping[str, Any], operations: float) -> pd.DataFrame:
    """How far the DS-LSTM on a GPU is from what its operations cost in cuDNN's LSTM.

    Args:
        record: of the benchmarks, with rows of a GPU (else the table is empty).
        operations: of a DS-LSTM, in LSTMs of the same input and hidden sizes.

    Returns:
        a row for each measurement, indexed by batch, norms and digits: ``ms``, ``cuDNN, ms``,
        ``times as long``, ``operations`` and ``times as counted``, the one by the other.
    """
    rows, columns = {}, ["ms", "cuDNN, ms", "times as long", "operations", "times as counted"]
    for row in record["rows"]:
        if row.get("device") == "cuda" and row["name"].startswith("ds_lstm_against_cudnn["):
            batch, norms, _ = row["name"].split("[")[1].rstrip("]").split("-", 2)
            digits = "cuDNN in TF32" if row["cudnn_tf32"] else "both in float32"
            times = [1000 * row["seconds"], 1000 * row["plain_seconds"], row["ratio"]]
            shown = f"batch {batch}, {norms}, {digits}"
            rows[shown] = [*times, operations, row["ratio"] / operations]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def scaling(record: Mapping[str, Any], axis: str, device: str = "cpu") -> pd.DataFrame:
    """Measurements along *axis*, in seconds.

    Args:
        record: of the benchmarks.
        axis: ``"T"``, ``"batch"``, ``"hidden"`` or ``"utterances"`` (the latter with
            ``megabytes``, the most memory held).
        device: ``"cpu"`` or ``"cuda"``: whose rows.

    Returns:
        ``value``, ``ours`` and, where there is one, ``plain`` with ``against``, what it is;
        ordered by value, empty where the record has nothing along the axis.
    """
    rows = []
    for row in record["rows"]:
        if row.get("axis") != axis or row.get("device", "cpu") != device:
            continue
        if "points" in row:
            rows += [
                {
                    "value": point["value"],
                    "ours": point["seconds"],
                    "megabytes": point.get("megabytes_read_back"),
                }
                for point in row["points"]
            ]
        else:
            told = {"value": row["value"], "ours": row["seconds"], "plain": row["plain_seconds"]}
            rows.append({**told, "against": row["against"]})
    table = pd.DataFrame(rows, columns=None if rows else ["value", "ours"])
    return table.sort_values("value", ignore_index=True)


def scaling_plot(
    record: Mapping[str, Any],
    axis: str,
    expected: Mapping[float, float] | None = None,
    title: str | None = None,
    device: str = "cpu",
) -> Figure:
    """Cost against a size, both axes logarithmic, with the expected course beside.

    Args:
        record, axis, device: see :func:`scaling`.
        expected: size -> operations (any unit; its course is drawn through the last point of
            ours). Not said: a line of slope 1.
        title: of the figure.

    Returns:
        Figure; its description tells the slope measured between first and last size.

    Raises:
        ValueError: the record has fewer than two sizes along the axis.
    """
    table = scaling(record, axis, device)
    if len(table) < 2:
        raise ValueError(f"the record has {len(table)} sizes along {axis}; two make a slope")
    sizes = table.value.to_numpy(float)
    if expected is None:
        course = sizes
    else:
        course = np.array([expected[value] for value in table.value], dtype=float)
    course = course * (table.ours.iloc[-1] / course[-1])
    memory = "megabytes" in table and table.megabytes.notna().all()
    said = [f"ours: slope {_slope(sizes, table.ours):.2f}, expected {_slope(sizes, course):.2f}."]
    with drawing(None, 5.6 if memory else 3.8, 2 if memory else 1) as (fig, axes):
        upper = np.atleast_1d(axes)[0]
        upper.plot(sizes, course, ":", color=MUTED, linewidth=2, label="expected")
        upper.plot(sizes, table.ours, "o-", color=BLUE, linewidth=2, label="ours")
        if "plain" in table:
            against = table.against.iloc[0]
            upper.plot(sizes, table.plain, "s--", color=VERMILLION, linewidth=2, label=against)
            said.append(f"what it is compared with: slope {_slope(sizes, table.plain):.2f}.")
        _log_log(upper, sizes)
        _log_ticks(upper)
        upper.set_ylabel("seconds")
        if memory:
            axes[1].plot(sizes, table.megabytes, "D-", color=GREEN, linewidth=2)
            _log_log(axes[1], sizes)
            axes[1].set_yscale("linear")
            axes[1].set_ylim(0, 1.15 * table.megabytes.max())
            axes[1].set_ylabel("memory, MB")
            ends = table.megabytes.iloc[[0, -1]]
            said.append(f"memory: {ends.iloc[0]:.0f} MB at the first size, {ends.iloc[1]:.0f} at "
                        "the last.")  # fmt: skip
        np.atleast_1d(axes)[-1].set_xlabel(AXES.get(axis, axis))
        fig.legend(*upper.get_legend_handles_labels(), loc="outside lower left", ncols=1)
        set_title(upper, title)
    where = f"{AXES.get(axis, axis)} from {sizes[0]:g} to {sizes[-1]:g}"
    return set_alt(fig, f"Cost against {where}, on logarithmic axes. " + " ".join(said))


def _time(milliseconds: float) -> str:
    """Three digits, with the unit that suits.

    >>> _time(0.42), _time(12.345), _time(61234.0)
    ('0.42 ms', '12.3 ms', '61.2 s')
    """
    value, unit = (milliseconds, "ms") if milliseconds < 1000 else (milliseconds / 1000, "s")
    digits = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:.{digits}f} {unit}"


def _slope(sizes: np.ndarray, values: Sequence[float]) -> float:
    values = np.asarray(values, dtype=float)
    return float(np.log(values[-1] / values[0]) / np.log(sizes[-1] / sizes[0]))


def _log_log(ax: Axes, sizes: Sequence[float]) -> None:
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xticks(sizes, [f"{size:g}" for size in sizes])
    ax.minorticks_off()
    ax.grid(axis="y")


def _log_ticks(ax: Axes) -> None:
    """1, 2 and 5 of each power of ten from below the lowest value to above the highest."""
    values = np.concatenate([line.get_ydata() for line in ax.get_lines()]).astype(float)
    powers = np.arange(np.floor(np.log10(values.min())), np.ceil(np.log10(values.max())) + 1)
    marks = np.sort(np.outer(10.0**powers, [1, 2, 5]).ravel())
    first = np.searchsorted(marks, values.min(), "right") - 1
    last = np.searchsorted(marks, values.max(), "left")
    marks = marks[max(first, 0) : last + 1]
    ax.set_yticks(marks, [f"{mark:g}" for mark in marks])
    ax.set_ylim(marks[0] / 1.1, marks[-1] * 1.1)
