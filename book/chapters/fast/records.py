"""Records of ``python -m benchmarks`` as two tables (book: chapter "Making it fast").

They lie under book/results/benchmarks. Every number in them is a ratio within one run; here all
of them say how many times as fast the package is, so below 1 it is slower.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from chapters.shared.speed_records import read_records

CHOSEN = {
    "training step of `dual`, float32": r"training_step\[dual-float32-False",
    "training step of `dual`, bfloat16": r"training_step\[dual-bfloat16-False",
    "training step of `ds-lstm`, float32": r"training_step\[ds-lstm-float32-False",
    "front end of S1": r"front_end.*s1\]",
    "DS-LSTM, against an LSTM on both inputs": r"ds_lstm_against\w*\[32-equations",
    "LSTM, utterances of mixed lengths": r"lstm_of_lengths\[32",
}
"""What a reader sees first: a line of the table, and the name of the row it is taken from."""


def load_benchmarks(folder: str | Path) -> list[dict]:
    """Every benchmark record in *folder*, processors first; other files are passed over.

    Args:
        folder: where ``*.json`` lie; it need not exist.

    Example:
        >>> load_benchmarks("nowhere")
        []
    """
    found = read_records(folder, lambda record: {"command", "machine", "rows"} <= set(record))
    return sorted(found, key=lambda record: record["machine"]["gpu"] or "")


def machine_name(record: Mapping[str, Any]) -> str:
    """The GPU of a record, or its processor; of a processor its vector instructions, if noted.

    >>> machine_name({"machine": {"cpu": "Intel(R) Xeon(R) Processor", "gpu": None}})
    'Intel Xeon'
    >>> machine_name({"machine": {"cpu": "A CPU", "vectors": "AVX2", "gpu": None}})
    'A CPU (AVX2)'
    >>> machine_name({"machine": {"cpu": "A CPU", "vectors": "AVX2", "gpu": None,
    ...                           "held_to": {"ONEDNN_MAX_CPU_ISA": "AVX2"}}})
    'A CPU (held to AVX2)'
    """
    machine = record["machine"]
    if machine["gpu"]:
        return machine["gpu"]
    cpu = re.sub(r"\((R|TM)\)| Processor$", "", machine["cpu"])
    held = "held to " * bool(machine.get("held_to"))
    return cpu + (f" ({held}{machine['vectors']})" if machine.get("vectors") else "")


def times_as_fast(row: Mapping[str, Any]) -> float:
    """The ratio of a row, the right way round whatever the row calls it.

    >>> times_as_fast({"kind": "cost", "ratio": 2.0}), times_as_fast({"kind": "x", "ratio": 2.0})
    (0.5, 2.0)
    """
    return 1 / row["ratio"] if row["kind"] == "cost" else row["ratio"]


def all_ratios(records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Times as fast, a row for each benchmark and what it is compared with, a column a machine.

    Benchmarks along an axis (steps, batch, hidden size) are left out: see :func:`slopes`.
    """
    columns = {}
    for record in records:
        rows = [r for r in record["rows"] if "ratio" in r and ("points" in r or not r.get("axis"))]
        columns[machine_name(record)] = {
            (row["name"], row["against"]): times_as_fast(row) for row in rows
        }
    index = dict.fromkeys(key for column in columns.values() for key in column)
    names = pd.MultiIndex.from_tuples(list(index), names=["benchmark", "against"])
    values = {m: [column.get(key, np.nan) for key in index] for m, column in columns.items()}
    return pd.DataFrame(values, index=names)


def chosen_ratios(records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """The lines of :data:`CHOSEN`, a column a machine; NaN where a record has no such row."""
    table = all_ratios(records)
    rows = {}
    for line, pattern in CHOSEN.items():
        here = [bool(re.match(pattern, name)) for name in table.index.get_level_values(0)]
        rows[line] = table[here].bfill().iloc[0] if any(here) else {}
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(table.columns)).astype(float)


def slopes(records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """How seconds grow along each axis: the slope on logarithmic axes, from end to end."""
    found = {}
    for record in records:
        points: dict[str, list[tuple[float, float]]] = {}
        for row in record["rows"]:
            if axis := row.get("axis"):
                each = row.get("points") or [row]
                points.setdefault(axis, []).extend((p["value"], p["seconds"]) for p in each)
        ends = {axis: (min(p), max(p)) for axis, p in points.items() if len(p) > 1}
        found[machine_name(record)] = {
            axis: float(np.log(last[1] / first[1]) / np.log(last[0] / first[0]))
            for axis, (first, last) in ends.items()
        }
    return pd.DataFrame(found).rename_axis("axis")


def trained_otherwise(names: Sequence[str]) -> pd.DataFrame:
    """UA of EmoDB's runs that were trained otherwise, against the same runs as they were.

    Args:
        names: endings of folders of records: ``bfloat16`` for ``results/emodb-loso-bfloat16``.

    Returns:
        a row for each ending and model: ``before``, ``after``, their ``difference`` and ``low``
        and ``high`` of its 95 % interval over speakers, all in percent; last epoch.
    """
    from ser.report import compare, load_records, make_report

    from chapters.shared.paired_questions import beside_page

    def runs(name: str) -> list:
        return load_records(beside_page(f"results/emodb-loso-{name}"))

    before, rows = runs("dev"), {}
    for name in names:
        after = runs(name)
        seeds = {run.seed for run in after}
        was = make_report([run for run in before if run.seed in seeds], "last")
        now = make_report(after, "last")
        for model in dict.fromkeys(run.data["model"] for run in after):
            pair = compare(now.row(model), was.row(model)).result
            rows[f"{name}, {model}"] = {
                "before": pair.ua_b,
                "after": pair.ua_a,
                "difference": pair.ua_difference,
                "low": pair.ua_low,
                "high": pair.ua_high,
            }
    return 100 * pd.DataFrame(rows).T
