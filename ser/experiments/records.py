"""What goes into the record of a run: settings' hash, chosen epochs, fusion, provenance.

Its form is :mod:`ser.experiments.record_schema`, its place :mod:`ser.experiments.record_folder`.
Book: chapter "Ablations".
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from ser import __version__, metrics
from ser.errors import RecordError
from ser.experiments.record_table import SELECTIONS, emotions_of


def fingerprint(settings: dict) -> str:
    """SHA-256 over everything that decides a run's result (not where or how fast it ran)."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def select(
    history: Sequence[dict],
    test_logits: np.ndarray,
    wanted: Sequence[str] = ("last", "test"),
    last_logits: np.ndarray | None = None,
) -> dict[str, dict]:
    """Choose an epoch by each rule and keep its test logits.

    ``last`` takes the last epoch; ``dev`` the epoch of the best dev UA; ``test`` the epoch of the
    best test UA, which is what the paper did and no estimate of anything. Ties go to the earlier
    epoch. *last_logits* replaces the last epoch's logits where they are known more exactly.
    """
    chosen: dict[str, dict] = {}
    for rule in SELECTIONS:
        if rule not in wanted:
            continue
        index = len(history) - 1
        if rule != "last":
            scores = [entry.get(f"{rule}_ua") for entry in history]
            if any(s is None for s in scores):
                continue
            index = int(np.argmax(scores))
        values = test_logits[index]
        if last_logits is not None and index == len(history) - 1:
            values = last_logits
        chosen[rule] = {
            "epoch": int(history[index]["epoch"]),
            "logits": [[round(float(v), 5) for v in row] for row in values],
        }
    return chosen


def fuse_records(row: str, parts: Sequence[dict], settings: dict) -> dict:
    """The record of a fused row from its branches' records of the same fold and seed.

    Logits are averaged epoch by epoch; the epoch is chosen on the averaged logits.

    Raises:
        RecordError: branches of different folds, seeds, utterances or epochs.
    """
    first = parts[0]
    _check_alike(row, parts, ("seed", "preset"))
    if len({len(p["history"]) for p in parts}) != 1:
        raise RecordError(f"cannot fuse {row}: its branches were trained for different epochs")
    labels = {"test": np.array(first["test"]["labels"]), "dev": np.array(first["dev_labels"])}
    logits = {
        side: np.mean([every_epoch(p, side) for p in parts], axis=0) for side in ("test", "dev")
    }
    if not all(np.isfinite(values).all() for values in logits.values()):
        raise RecordError(
            f"cannot fuse {row}: a branch keeps the logits of its chosen epochs alone; delete "
            f"the records of {' and '.join(p['id'] for p in parts)} and run the row again"
        )
    history = []
    for index, entries in enumerate(zip(*(p["history"] for p in parts), strict=True)):
        entry = {k: entries[0][k] for k in ("epoch", "lr")}
        entry["loss"] = round(float(np.mean([e["loss"] for e in entries])), 6)
        entry["train_ua"] = None
        for side in ("test", "dev"):
            known = logits[side].shape[0] > 0 and len(labels[side]) > 0
            guess = logits[side][index].argmax(1) if known else None
            for name, metric in (("ua", metrics.ua), ("wa", metrics.wa)):
                classes = len(emotions_of(first))
                value = round(metric(labels[side], guess, classes), 6) if known else None
                entry[f"{side}_{name}"] = value
        history.append(entry)
    chosen = [p["selection"].get("last") for p in parts]
    last = np.mean([c["logits"] for c in chosen], axis=0) if all(chosen) else None
    selection = select(history, logits["test"], list(first["selection"]), last)
    return _fused(row, parts, settings, first) | {"history": history, "selection": selection}


def normaliser_of(record: Mapping[str, Any]) -> str:
    """Who normalises a run's features; records from before it was a fact say it in their settings.

    Example:
        >>> normaliser_of({"config": {"normalise": "speaker"}}), normaliser_of({"config": {}})
        ('speaker', 'none')
    """
    told = (record.get("config") or {}).get("normalise") or "none"
    return record.get("normaliser") or str(told)


def fuse_probabilities(row: str, parts: Sequence[dict], settings: dict) -> dict:
    """The record of a row that averages the probabilities of others, networks and classifiers.

    Its logits are the logarithms of the mean probabilities. Selections and seed are those of the
    first network; a classifier has one answer, which goes with each.

    Raises:
        RecordError: branches of different folds or utterances.
    """
    first = next((p for p in parts if p["history"]), parts[0])
    _check_alike(row, parts)
    chosen = {}
    for rule, own in first["selection"].items():
        every = [p["selection"].get(rule) or p["selection"]["last"] for p in parts]
        mean = np.mean([metrics.softmax(e["logits"]) for e in every], axis=0)
        logits = np.log(np.maximum(mean, 1e-30))
        chosen[rule] = {
            "epoch": own["epoch"],
            "logits": [[round(float(v), 5) for v in line] for line in logits],
        }
    return _fused(row, parts, settings, first) | {"history": [], "selection": chosen}


def _check_alike(row: str, parts: Sequence[dict], keys: Sequence[str] = ()) -> None:
    """Refuse parts that were tested on different utterances, or differ in one of *keys*."""
    told = [
        [
            *(p["corpus"]["content_hash"], p["protocol"]["hash"], emotions_of(p)),
            *(p["test"][key] for key in ("utterances", "speakers", "labels")),
            *(p[key] for key in keys),
        ]
        for p in parts
    ]
    if any(one != told[0] for one in told):
        raise RecordError(f"cannot fuse {row}: its branches were tested on different utterances")


def _fused(row: str, parts: Sequence[dict], settings: dict, first: dict) -> dict:
    """The record of a fused row but for its history and selection; of *first* where not of all."""
    record = {k: v for k, v in first.items() if k not in ("epoch_logits", "branches")}
    told = [p["config"]["channels"] for p in parts if "channels" in (p["config"] or {})]
    return record | {
        "id": first["id"].replace(f"/{first['model']}/", f"/{row}/"),
        "fingerprint": fingerprint(settings),
        "model": row,
        "normaliser": ", ".join(dict.fromkeys(map(normaliser_of, parts))),
        "wall_seconds": round(sum(p["wall_seconds"] for p in parts), 3),
        "parameters": sum(p["parameters"] for p in parts),
        "config": first["config"] | ({"channels": told[0]} if told else {}),  # of a front end
        "fused_from": [p["id"] for p in parts],
    }


def every_epoch(record: Mapping[str, Any], side: str) -> np.ndarray:
    """(epochs, utterances, classes) logits of a record's ``test`` or ``dev`` side, float32.

    Raises:
        RecordError: it has none.
    """
    try:
        logits = np.asarray(record["epoch_logits"][side], np.float32)
        return logits if logits.size else np.zeros((0, 0, len(emotions_of(record))), np.float32)
    except KeyError as error:
        raise RecordError(
            f"{record['id']}: a record without {error}; choose another --out and run it again"
        ) from None


def provenance() -> dict:
    """Package version, commit and library versions.

    The commit is that of the clone the package lies in, as git names it. Only where git knows of
    none (a copy of a clone on another machine) is it the environment variable ``SER_COMMIT``, so
    that whoever makes the copy can say what it was made from.
    """
    versions = {"python": platform.python_version()}
    for name in ("torch", "numpy", "scikit-learn", "soundfile", "opensmile"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {"package": {"version": __version__, "commit": _commit()}, "versions": versions}


def _commit() -> str | None:
    return _commit_of_clone() or os.environ.get("SER_COMMIT", "").strip() or None


def _commit_of_clone() -> str | None:
    here = Path(__file__).resolve().parent
    command = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=5)
        top = subprocess.run(
            [*command[:3], "ls-files", "--error-unmatch", __file__], capture_output=True, timeout=5
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip() or None if top.returncode == 0 else None
