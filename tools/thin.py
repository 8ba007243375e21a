"""Bring records into their newest, smallest form: ``python -m tools.thin --help``."""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ser.errors import ProtocolError, RecordError, SerError
from ser.experiments.record_folder import fold_records, locked, record_files
from ser.experiments.record_table import FILE, emotions_of, write_table
from ser.experiments.records import thinned

EPILOG = """examples:
  python -m tools.thin book/results
      Takes records that are JSON files, a file a run, into one file a folder; what they tell
      stays the same. Of runs from before records named the dev speakers, these are found by
      dividing the corpus again, and believed where the hash of the fold is the record's.
  python -m tools.thin --study variants book/results/nemo-loso-dev-hidden323
      Also says what these runs were made for, as 'ser run --study' does.
  python -m tools.thin --chosen book/results/nemo-loso-dev-hidden323
      Also forgets the logits of epochs that neither a row's own selections chose nor those of a
      row fused from it there ("dual"). Tables, intervals and calibration stay; another row can't
      be fused from these records any more."""


def folders(below: Path) -> list[Path]:
    """The folders of runs at or below *below*."""
    if not below.is_dir():
        raise RecordError(f"no such folder: {below}")
    found = {p.parent if p.name == FILE else p.parent.parent for p in record_files(below)}
    return sorted(f for f in found if f.is_relative_to(below))


def thin(folder: Path, chosen: bool = False, study: str | None = None) -> tuple[int, int, int]:
    """Rewrite the records in *folder*; their number, and their bytes before and after.

    A record keeps the logits of the epochs that a row fused from it there has chosen, too: that
    row's calibration needs them.
    """
    with locked(folder):
        before = _size(folder)
        records = fold_records(folder)
        fused: dict[str, set[int]] = defaultdict(set)
        for record in records.values():
            for part in record.get("fused_from") or ():
                fused[part] |= {s["epoch"] for s in record["selection"].values() if s}
        speakers = dev_speakers(records.values())
        for record in records.values():
            protocol = record["protocol"]
            if protocol.get("dev_speakers") is None and protocol["hash"] in speakers:
                protocol["dev_speakers"] = speakers[protocol["hash"]]
            if study is not None:
                record["study"] = study
        kept = [thinned(r, fused[r["id"]]) if chosen else r for r in records.values()]
        if kept:
            write_table(folder / FILE, kept)
    return len(kept), before, _size(folder)


def dev_speakers(records: Iterable[dict[str, Any]]) -> dict[str, list[str]]:
    """Hash of a fold -> who was held out of its training side to choose an epoch.

    All test sides of a grid together are the corpus, so it is divided again here; a fold is told
    only if the hash of its division is the record's.

    Args:
        records: of one folder.
    """
    from ser.protocols import split

    grids: dict[tuple, dict[str, dict[str, Any]]] = defaultdict(dict)
    for record in records:
        about = record["protocol"]
        if about["name"] != "cross" and about.get("dev"):
            grids[about["name"], about["folds"], about["dev_share"]][about["fold"]] = record
    found: dict[str, list[str]] = {}
    for (name, folds, share), runs in grids.items():
        tests = [pd.DataFrame(run["test"]) for run in runs.values()]
        names = np.array(emotions_of(next(iter(runs.values()))))
        table = pd.concat(tests).sort_values("utterances", kind="stable", ignore_index=True)
        table = table.rename(columns={"utterances": "utterance", "speakers": "speaker"})
        table["emotion"], table["session"] = names[table.labels], ""
        try:
            parts = split(table, name, folds, dev=share, distinct_speakers=True)
        except ProtocolError:
            continue
        hashes = {run["protocol"]["hash"] for run in runs.values()}
        for part in parts:
            if part.hash in hashes:
                found[part.hash] = sorted(set(table.speaker.iloc[part.dev]))
    return found


def _size(folder: Path) -> int:
    files = record_files(folder)
    return sum(p.stat().st_size for p in files if folder in (p.parent, p.parent.parent))


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.thin",
        description="Bring records of 'ser run' into their newest, smallest form.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="of records")
    parser.add_argument("--study", metavar="WORD", help="what the runs were made for")
    parser.add_argument(
        "--chosen", action="store_true", help="keep the logits of chosen epochs alone"
    )
    options = parser.parse_args(arguments)
    try:
        for folder in (f for given in options.folders for f in folders(given)):
            count, before, after = thin(folder, options.chosen, options.study)
            if count:
                sizes = f"{before / 1e6:.1f} MB, now {after / 1e6:.1f} MB"
                print(f"{folder}: {count} records, {sizes}")
    except SerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
