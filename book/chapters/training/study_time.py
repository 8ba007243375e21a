"""How long the whole study takes on a device, from a record of its epochs.

Book: chapter "Training on a GPU". The records come from ``python -m benchmarks.study`` and lie
under book/results/throughput, beside those of :mod:`chapters.training.throughput_figures`.
"""

from __future__ import annotations

import json
import math
import statistics
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from chapters.shared.speed_records import read_records

ALL = "all networks"
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


def verdicts(record: Mapping[str, Any]) -> str:
    """What was aimed at and what was measured, a line each; and what kind of number it is.

    Args:
        record: one of :func:`load_study_times`.

    Example:
        >>> for record in load_study_times("book/results/throughput"):  # doctest: +SKIP
        ...     print(verdicts(record))
    """
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
    single = [name for name, row in record["rows"].items() if len(row["epochs"]) <= START + 1]
    if single:
        lines.append(f"After the start a single epoch was measured of: {', '.join(single)}.")
    commits: dict[str, list[str]] = {}
    for name, commit in record.get("row_commits", {}).items():
        commits.setdefault(commit or "unknown", []).append(name)
    if len(commits) > 1:
        each = (f"{', '.join(names)} at {commit}" for commit, names in commits.items())
        lines.append(f"Put together from records of several commits: {'; '.join(each)}.")
    missing = [name for name in settings.get("models", []) if name not in record["rows"]]
    if missing:
        lines.append(f"Not in it, for the measurement ended before: {', '.join(missing)}.")
    return "\n".join(lines)


def study_text(record: Mapping[str, Any], width: int = 74) -> str:
    """The commands, the note and :func:`verdicts`, in lines of at most *width* characters.

    Example:
        >>> print(study_text(record))                                  # doctest: +SKIP
        $ python -m benchmarks.study --device cuda --batches similar ...
    """
    lines = [f"$ {command}" for command in record.get("commands", [])]
    lines += [record.get("note") or "no note", *verdicts(record).split("\n")]
    return "\n".join(
        textwrap.fill(line, width, subsequent_indent="    ", break_on_hyphens=False)
        for line in lines
    )


def _verdict(text: str, seconds: float, goal: float) -> str:
    word = "reached" if seconds < goal else "not reached"
    shown = f"{seconds:,.0f}" if seconds >= 100 else f"{seconds:.3g}"
    return f"{text}: {shown} s (goal: under {goal:g} s, {word})"
