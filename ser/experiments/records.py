"""The record of one run: one JSON file, enough to make every table again (book: "Ablations").

Files are ``<out>/<row>/<protocol>-<preset>-<fold>-seed<k>.json``, written whole or not at all.
Logits of the selected epochs are plain numbers; those of all epochs are packed (float16, zlib,
base64), so that fused rows and other selections can be made from records alone. Sentences, genders
and speakers of the test utterances are stored once each, with a number for every utterance, and
logits that two selections share once (schema 3; schema 1 repeated all of it, schema 2 speakers and
logits). Since schema 4 the last key is a digest of the rest, and a record that was damaged or
edited since is not read. All four are.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import subprocess
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import numpy as np

from ser import __version__, metrics
from ser.errors import RecordError
from ser.experiments.compact import SCHEMA, coded, every_epoch, plain
from ser.experiments.shape import check_scores, check_seal, check_shape
from ser.paths import atomic_write, sealed

SELECTIONS: tuple[str, ...] = ("last", "dev", "test")
REQUIRED = {
    "schema",
    "id",
    "fingerprint",
    "corpus",
    "protocol",
    "preset",
    "model",
    "seed",
    "test",
    "selection",
}


def run_name(protocol: str, preset: str, fold: str, seed: int) -> str:
    """File-system-safe name of a run within its row.

    >>> run_name("loso", "release", "03", 0)
    'loso-release-03-seed0'
    """
    safe = re.sub(r"[^A-Za-z0-9_.-]+", "_", fold)
    if safe != fold:
        safe += "." + hashlib.sha256(fold.encode()).hexdigest()[:6]
    return f"{protocol}-{preset}-{safe}-seed{seed}"


def record_path(out: Path, row: str, name: str) -> Path:
    """Where the record of run *name* of *row* lies."""
    return Path(out) / row / f"{name}.json"


def fingerprint(settings: dict) -> str:
    """SHA-256 over everything that decides a run's result (not where or how fast it ran)."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def write_record(path: Path, record: dict) -> None:
    """Write *record* to *path*, whole or not at all, with its digest."""
    with atomic_write(path, "w") as stream:
        stream.write(sealed(coded(record) | {"schema": SCHEMA}) + "\n")


def read_record(path: Path) -> dict:
    """Read one record.

    Raises:
        RecordError: not JSON, not a record, of a later schema, or damaged.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        record = json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise RecordError(
            f"{path}: not a readable record ({error}); delete it and give the same "
            "'ser run' command again"
        ) from error
    missing = REQUIRED - set(record) if isinstance(record, dict) else REQUIRED
    if missing:
        raise RecordError(f"{path}: not a record of a run; it lacks {', '.join(sorted(missing))}")
    if isinstance(record["schema"], int) and record["schema"] > SCHEMA:
        raise RecordError(f"{path}: written by a later version of ser; update the package")
    try:
        check_shape(record)
        check_seal(record, text)
        record = plain(record)
        check_scores(record)
        return record
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise RecordError(f"{path}: a damaged record ({error}); delete it and run again") from None


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
    same = [
        (p["corpus"]["content_hash"], p["protocol"]["hash"], p["seed"], p["preset"]) for p in parts
    ]
    asked = [[p["test"][k] for k in ("utterances", "speakers", "labels")] for p in parts]
    if len(set(same)) != 1 or any(a != asked[0] for a in asked):
        raise RecordError(f"cannot fuse {row}: its branches were tested on different utterances")
    if len({len(p["history"]) for p in parts}) != 1:
        raise RecordError(f"cannot fuse {row}: its branches were trained for different epochs")
    labels = {"test": np.array(first["test"]["labels"]), "dev": np.array(first["dev_labels"])}
    logits = {
        side: np.mean([every_epoch(p, side, p["id"]) for p in parts], axis=0)
        for side in ("test", "dev")
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
                value = round(metric(labels[side], guess), 6) if known else None
                entry[f"{side}_{name}"] = value
        history.append(entry)
    chosen = [p["selection"].get("last") for p in parts]
    last = np.mean([c["logits"] for c in chosen], axis=0) if all(chosen) else None
    wanted = list(first["selection"])
    record = {k: v for k, v in first.items() if k not in ("epoch_logits", "branches")}
    record |= {
        "id": first["id"].replace(f"/{first['model']}/", f"/{row}/"),
        "fingerprint": fingerprint(settings),
        "model": row,
        "wall_seconds": round(sum(p["wall_seconds"] for p in parts), 3),
        "parameters": sum(p["parameters"] for p in parts),
        "history": history,
        "selection": select(history, logits["test"], wanted, last),
        "fused_from": [p["id"] for p in parts],
    }
    return record


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
