"""How long the whole study takes on a device, from a record of its epochs.

Book: chapter "Training on a GPU". The records come from ``python -m benchmarks.study`` and lie
under book/results/throughput, beside those of :mod:`ser.plots.throughput`.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ser.plots.record_files import read_records

ALL = "all networks"


def load_study_times(folder: str | Path) -> list[dict]:
    """Every record of the study's time in *folder*, GPUs first; other files are passed over.

    Args:
        folder: where ``*.json`` lie; it need not exist.

    Example:
        >>> load_study_times("nowhere")
        []
    """
    found = read_records(folder, lambda record: record.get("kind") == "study-time")
    return sorted(found, key=lambda r: (r["device"]["type"] != "cuda", r["device"]["name"]))


def totals(record: Mapping[str, Any]) -> pd.DataFrame:
    """Seconds of an epoch and of the study, a row for each network and each row fused from two.

    Args:
        record: of ``python -m benchmarks.study``.

    Returns:
        indexed by row: ``epoch`` over all utterances and ``fold epoch`` (four fifths trained, one
        tested; both the median without the first; the slowest of several folds that ran at once),
        ``start`` (what the very first epoch took longer) and ``study``, all folds with all their
        epochs and starts, in as many rounds as they need. A fused row has its
        branches' epochs added up and no study, since its branches are in the table; the last row,
        the sum over the networks, is the study.
    """
    settings, rows = record["settings"], {}
    for name, row in record["rows"].items():
        at_once = row.get("together_epochs") or [row["fold_epochs"]]
        folds = [max(seconds) for seconds in zip(*at_once, strict=True)]
        epoch, fold = (statistics.median(seconds[1:]) for seconds in (row["epochs"], folds))
        start = max(0.0, row["epochs"][0] - epoch)
        again = max(0.0, folds[0] - fold)
        rounds = math.ceil(settings["folds"] / len(at_once))
        study = start + rounds * (again + settings["study_epochs"] * fold)
        rows[name] = {"epoch": epoch, "fold epoch": fold, "start": start, "study": study}
    networks = list(rows)
    for name, branches in record["fused"].items():
        if set(branches) <= set(networks):
            both = {k: sum(rows[b][k] for b in branches) for k in ("epoch", "fold epoch")}
            rows[name] = {**both, "start": float("nan"), "study": float("nan")}
    columns = ["epoch", "fold epoch", "start", "study"]
    rows[ALL] = {c: sum(rows[n][c] for n in networks) for c in columns}
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def verdicts(record: Mapping[str, Any]) -> str:
    """What was aimed at and what was measured, a line each; and what kind of number it is."""
    table, goals, settings = totals(record), record["goals"], record["settings"]
    lines = []
    if "dual" in table.index:
        count = max(row["utterances"] for row in record["rows"].values())
        text = f"an epoch of dual over {count:,} utterances"
        lines.append(_verdict(text, table.loc["dual", "epoch"], goals["epoch_seconds"]))
    text = f"{len(record['rows'])} networks, {settings['folds']} folds, "
    text += f"{settings['study_epochs']} epochs"
    if settings.get("batches", "shuffled") != "shuffled":
        text += ", batches of similar length"
    if settings.get("together", 1) > 1:
        text += f", {settings['together']} folds at once"
    lines.append(_verdict(text, table.loc[ALL, "study"], goals["study_seconds"]))
    lines.append("The study is a sum of measured epochs; it was not run whole.")
    missing = [name for name in settings.get("models", []) if name not in record["rows"]]
    if missing:
        lines.append(f"Not in it, for the measurement ended before: {', '.join(missing)}.")
    return "\n".join(lines)


def _verdict(text: str, seconds: float, goal: float) -> str:
    word = "reached" if seconds < goal else "not reached"
    shown = f"{seconds:,.0f}" if seconds >= 100 else f"{seconds:.3g}"
    return f"{text}: {shown} s (goal: under {goal:g} s, {word})"
