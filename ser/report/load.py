"""Reading records from disk: what is broken is named, runs under other settings are told apart."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ser.errors import RecordError
from ser.experiments.record_folder import record_files
from ser.experiments.record_table import RecordFile
from ser.report.record import Record
from ser.report.variants import tagged

log = logging.getLogger(__name__)

Source = str | os.PathLike | Iterable[str | os.PathLike | Record]
"""A folder of results, several, or records already loaded."""


def load_records(folders: str | os.PathLike | Iterable[str | os.PathLike]) -> list[Record]:
    """Read every record below the folders.

    Sub-folders named ``work`` and ``models`` and hidden files are passed over. A run found twice
    with the same answers (a copied folder) counts once. Runs of one row with another hidden size,
    frames or permuted labels are kept apart, see :mod:`ser.report.variants`.

    Args:
        folders: a results folder, or several; a single record file will do as well.

    Returns:
        Records sorted by group, seed and fold.

    Raises:
        RecordError: no such folder, no record in it, a file cut short, inconsistent or of another
            schema, or one run with two different outcomes. The message names the file and the
            way out.

    Example:
        >>> load_records("no such folder")
        Traceback (most recent call last):
        ...
        ser.errors.RecordError: no such folder of results: no such folder...
    """
    roots = [Path(f) for f in ([folders] if isinstance(folders, str | os.PathLike) else folders)]
    records: dict[tuple, Record] = {}
    for record in tagged(_read_all(roots)):
        key = (record.group, record.seed, record.fold)
        if key in records:
            _same_outcome(records[key], record)
            log.info("%s repeats %s; counted once", record.source, records[key].source)
        records.setdefault(key, record)
    if not records:
        where = ", ".join(map(str, roots)) or "(no folder given)"
        out = roots[0] if roots else "DIR"
        raise RecordError(
            f"no records in {where}; 'ser run' makes them, for example: "
            f'ser run --model mfcc-lstm --protocol speakers --epochs 5 --out "{out}"'
        )
    return [records[key] for key in sorted(records)]


def records_of(source: Source) -> list[Record]:
    """Records as they are given, and those of folders that are given."""
    items = [source] if isinstance(source, str | os.PathLike) else list(source)
    folders = [item for item in items if not isinstance(item, Record)]
    records = [item for item in items if isinstance(item, Record)]
    return records + (load_records(folders) if folders or not records else [])


def read_file(path: Path) -> list[Record]:
    """The records of one file.

    Raises:
        RecordError: a damaged file, or one of a later version of the package.
    """
    file = RecordFile(path)
    return [Record(file, index) for index in range(len(file.records))]


def _files(root: Path) -> Iterable[Path]:
    if not root.exists():
        raise RecordError(
            f"no such folder of results: {root}. Give the folder that 'ser run --out' wrote"
        )
    return record_files(root)


def _read_all(roots: list[Path]) -> list[Record]:
    for again in (True, False):
        files = sorted({p.resolve(): p for root in roots for p in _files(root)}.values())
        try:
            return [record for path in files for record in read_file(path)]
        except RecordError:
            # a command that ended meanwhile has taken the small files into the one
            if not again or all(path.exists() for path in files):
                raise
    raise AssertionError


def _same_outcome(first: Record, second: Record) -> None:
    same = first.logits.keys() == second.logits.keys() and all(
        np.array_equal(first.logits[k], second.logits[k]) for k in first.logits
    )
    if not same or first.data["test"] != second.data["test"]:
        raise RecordError(
            f"one run with two outcomes: {first.source} and {second.source} are both "
            f"{first.data['id']}; report the folders one at a time, or delete the one that does "
            "not belong"
        )
