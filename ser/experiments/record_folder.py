"""A folder of runs: one file of records, and one small file for each run since (``ser run --out``).

A run that is done leaves ``<out>/<row>/<run>.parquet``, a table of one row, so that a kill at any
time loses nothing; the command takes these into ``<out>/records.parquet`` when it ends, or the next
one does. Whoever reads a folder reads both. Writers hold a lock.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ser.errors import RecordError
from ser.experiments.record_table import FILE, SCHEMA, RecordFile, write_table

SKIPPED = ("work", "models")
"""Sub-folders of a results folder that hold checkpoints and networks, not records."""


def run_name(protocol: str, preset: str | None, fold: str, seed: int) -> str:
    """File-system-safe name of a run within its row.

    >>> run_name("loso", "release", "03", 0)
    'loso-release-03-seed0'
    """
    safe = re.sub(r"[^A-Za-z0-9_.-]+", "_", fold)
    if safe != fold:
        safe += "." + hashlib.sha256(fold.encode()).hexdigest()[:6]
    return f"{protocol}-{preset}-{safe}-seed{seed}"


def record_path(out: Path, row: str, name: str) -> Path:
    """Where run *name* of *row* leaves its record when it is done."""
    return Path(out) / row / f"{name}{Path(FILE).suffix}"


def name_of(record: dict[str, Any]) -> str:
    """The :func:`run_name` of a record."""
    protocol = record["protocol"]
    return run_name(protocol["name"], record["preset"], protocol["fold"], record["seed"])


def record_files(root: Path) -> Iterator[Path]:
    """*root* itself, or the files of records below it: ``records.parquet``, those of runs since.

    Sub-folders named ``work`` and ``models`` and hidden ones are passed over.

    Raises:
        RecordError: a JSON file of an older schema, which is not read any more.
    """
    for folder, below, names in (
        [(root.parent, [], [root.name])] if root.is_file() else os.walk(root)
    ):
        below[:] = sorted(d for d in below if d not in SKIPPED and not d.startswith("."))
        for path in (Path(folder) / name for name in sorted(names) if not name.startswith(".")):
            if path.suffix == Path(FILE).suffix:
                yield path
            elif path.suffix == ".json":
                _refuse_old(path)


def _refuse_old(path: Path) -> None:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return
    if isinstance(told, dict) and {"schema", "fingerprint", "selection"} <= told.keys():
        raise RecordError(
            f"{path} is a record of schema {told['schema']!r} in JSON; this version reads schema "
            f"{SCHEMA} in {FILE}. Report the folder with the version that wrote it, or delete the "
            "file and run its command again, which makes it anew"
        )


@contextlib.contextmanager
def locked(out: Path) -> Iterator[None]:
    """Nobody else writes records into *out* meanwhile.

    Raises:
        RecordError: somebody does, or *out* is no folder.
    """
    try:
        (out / "work").mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise RecordError(
            f"{out} is a file, or below one: name a folder for the records"
        ) from error
    try:
        with FileLock(out / "work" / "lock").acquire(timeout=0):
            for half in [*out.glob("*/.*.tmp"), *out.glob(f".{FILE}.*.tmp")]:
                half.unlink(missing_ok=True)  # what a kill has left half written
            yield
    except Timeout as error:
        raise RecordError(
            f"{out}: another 'ser run' is writing here; wait for it, or choose another --out"
        ) from error


def stored_records(out: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """(row, name of the run) -> record, of all runs that are done in *out*.

    Raises:
        RecordError: a damaged file, or a run that both files have with other answers.
    """
    return _stored(out)[0]


def fold_records(out: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """Take the records that runs have left one by one into the folder's one file.

    Call it under :func:`locked`. The one file is written before the small ones are deleted.

    Returns:
        As :func:`stored_records`.

    Raises:
        RecordError: as :func:`stored_records`; everything is left as it was.
    """
    records, loose = _stored(out)
    if loose:
        write_table(out / FILE, [records[key] for key in sorted(records)])
    for path in loose:
        path.unlink()
        with contextlib.suppress(OSError):  # something else lies there too
            path.parent.rmdir()
    return records


def _stored(out: Path) -> tuple[dict[tuple[str, str], dict[str, Any]], list[Path]]:
    found = {}
    if (out / FILE).exists():
        found = {(r["model"], name_of(r)): r for r in RecordFile(out / FILE).whole()}
    loose = [p for p in record_files(out) if p.parent.parent == out and p.name != FILE]
    for path in loose:
        (record,) = RecordFile(path).whole()
        other = found.setdefault((record["model"], name_of(record)), record)
        if any(other[k] != record[k] for k in ("fingerprint", "selection")):
            raise RecordError(
                f"one run with two outcomes: {path} and another file in {out} both have "
                f"{record['id']}; delete {path} if the other is right"
            )
    return found, loose
