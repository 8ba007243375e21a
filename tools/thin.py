"""Bring records into their smallest form: ``python -m tools.thin --help``."""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ser.errors import RecordError, SerError
from ser.experiments.record_folder import fold_records, locked, record_files
from ser.experiments.record_table import FILE, write_table

EPILOG = """examples:
  python -m tools.thin book/results
      Takes the files that runs of a killed command left, a file a run, into the folder's one;
      what they tell stays the same.
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
        if study is not None:
            records = {key: record | {"study": study} for key, record in records.items()}
        kept = [thinned(r, fused[r["id"]]) if chosen else r for r in records.values()]
        if kept:
            write_table(folder / FILE, kept)
    return len(kept), before, _size(folder)


def thinned(record: dict[str, Any], also: Iterable[int] = ()) -> dict[str, Any]:
    """*record* with the logits of no other epochs than those that a selection chose.

    Tables, intervals and calibration stay as they were. What is lost: the row can't be fused with
    another any more, and no other epoch can be chosen. A record without logits of its epochs (a
    baseline's, a fused row's) comes back as it is. Where no dev speakers were held out, none are
    kept: those of the test are in the selections, and calibration needs the others.

    Args:
        record: of a run.
        also: epochs that a row fused from it has chosen; their logits stay as well.

    Raises:
        RecordError: a selection of an epoch that is not in the record's history.
    """
    if "epoch_logits" not in record:
        return record
    if not record["dev_labels"]:
        return {k: v for k, v in record.items() if k != "epoch_logits"}
    epochs = [entry["epoch"] for entry in record["history"]]
    chosen = {s["epoch"] for s in record["selection"].values() if s}
    if not chosen <= set(epochs):
        raise RecordError(f"{record['id']}: it chose an epoch which is not in its history")
    chosen |= set(also)
    kept = {side: np.array(logits) for side, logits in record["epoch_logits"].items()}
    for logits in kept.values():
        if len(logits) == len(epochs):
            logits[[epoch not in chosen for epoch in epochs]] = np.nan
    return record | {"epoch_logits": kept}


def _size(folder: Path) -> int:
    files = record_files(folder)
    return sum(p.stat().st_size for p in files if folder in (p.parent, p.parent.parent))


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.thin",
        description="Bring records of 'ser run' into their smallest form.",
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
