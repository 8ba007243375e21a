"""How long an epoch and the whole study take on a device, from records of measured epochs.

Book: chapter "Training on a GPU". The records come from ``python -m benchmarks.throughput`` and
``python -m benchmarks.study`` and lie under book/results/throughput.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from chapters.shared.speed_records import read_records

ALL = "all networks"
SHOWN = ("mfcc-lstm", "ds-lstm", "dual")
"""Rows of the results whose epochs are shown; ``dual`` is the sum of the two."""
START = 2
"""Epochs that belong to the start: a shape is captured as a CUDA graph the second time it comes,
and an epoch's last batch has a shape of its own, so the second epoch captures too."""


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


def combined(records: Sequence[Mapping[str, Any]]) -> list[dict]:
    """Records of one device and the same settings as one: each network as last measured.

    A measurement that ended early is finished by another of the networks that were left. Which
    models and how many epochs were measured may differ, and the commit; the device with its
    processor and threads, the version of torch and its use of TF32 may not.

    Returns:
        one record a device and settings, in the order of *records*; ``row_commits`` tells the
        commit that each network was measured at, ``commands`` has what was typed, ``note`` all
        their notes.
    """
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        same = {k: v for k, v in record["settings"].items() if k not in ("models", "epochs")}
        torch = record.get("versions", {}).get("torch")
        key = json.dumps([record["device"], same, torch, record.get("tf32")], sort_keys=True)
        groups.setdefault(key, []).append(record)
    found = []
    for group in groups.values():
        group.sort(key=lambda record: record.get("started", ""))
        rows, commits, models = {}, {}, {}
        for record in group:
            rows |= record["rows"]
            commits |= dict.fromkeys(record["rows"], record.get("package", {}).get("commit"))
            models |= dict.fromkeys(record["settings"].get("models", record["rows"]))
        settings = {**group[-1]["settings"], "models": list(models)}
        note = "; ".join(dict.fromkeys(r["note"] for r in group if r.get("note")))
        typed = [record["command"] for record in group if "command" in record]
        more = {"settings": settings, "rows": rows, "row_commits": commits, "note": note}
        found.append({**group[-1], **more, "commands": typed})
    return found


def _steady(epochs: Sequence[float]) -> tuple[float, float]:
    """The median epoch once all is captured, and what the epochs of the start took longer."""
    first = min(START, len(epochs) - 1)
    epoch = statistics.median(epochs[first:])
    return epoch, max(0.0, sum(epochs[:first]) - first * epoch)


def totals(record: Mapping[str, Any]) -> pd.DataFrame:
    """Seconds of an epoch and of the study, a row for each network and each row fused from two.

    Args:
        record: of ``python -m benchmarks.study``.

    Returns:
        indexed by row: ``epoch`` over all utterances and ``fold epoch`` (four fifths trained, one
        tested; both the median without the first :data:`START`; the slowest of several folds that
        ran at once), ``start`` (what the first :data:`START` took longer) and ``study``, all folds
        with all their epochs and starts, in as many rounds as they need. A fused row has its
        branches' epochs added up and no study, since its branches are in the table; the last row,
        the sum over the networks, is the study.
    """
    settings, rows = record["settings"], {}
    for name, row in record["rows"].items():
        at_once = row.get("together_epochs") or [row["fold_epochs"]]
        folds = [max(seconds) for seconds in zip(*at_once, strict=True)]
        (epoch, start), (fold, again) = _steady(row["epochs"]), _steady(folds)
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


def epoch_table(folder: str | Path) -> pd.DataFrame:
    """Seconds of an epoch over IEMOCAP's number of utterances, a row for each device with a record.

    Of a processor, ``python -m benchmarks.throughput`` measured steps at several batch sizes: the
    fastest counts. Of a GPU, ``python -m benchmarks.study`` measured whole epochs.

    Args:
        folder: where ``*.json`` lie; it need not exist.

    Returns:
        indexed by device: an epoch of each of :data:`SHOWN` (NaN where it was not measured),
        ``batches``, the whole ``study`` where all its networks were measured, all in float32.

    Example:
        >>> epoch_table("nowhere").empty
        True
    """
    rows: dict[str, dict[str, Any]] = {}
    for record in read_records(folder, lambda record: record.get("kind") == "throughput"):
        cells = [c for c in record["cells"].values() if "error" not in c]
        cells = [c for c in cells if (c["precision"], c["data"]) == ("float32", "device")]
        times = {m: [c["epoch_seconds"] for c in cells if c["model"] == m] for m in SHOWN}
        found = {model: min(each) for model, each in times.items() if each}
        rows[_called(record["device"])] = {**found, "batches": "shuffled"}
    for record in combined(load_study_times(folder)):
        table, settings = totals(record), record["settings"]
        found = {model: table.epoch[model] for model in SHOWN if model in table.index}
        kind = settings.get("batches", "shuffled")
        whole = set(settings.get("models", [])) <= set(record["rows"])
        study = {"study": table.study[ALL]} if whole else {}
        rows[_called(record["device"])] = {**found, "batches": kind, **study}
    columns = [*SHOWN, "batches", "study"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("device")


def _called(device: Mapping[str, Any]) -> str:
    """A GPU by its name, a processor by its name and the threads that were used."""
    if device["type"] == "cuda":
        return device["name"]
    return f"{device['name']}, {device['threads']} thread{'s' * (device['threads'] > 1)}"
