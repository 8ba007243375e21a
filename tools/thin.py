"""Make records smaller before they are committed: ``python -m tools.thin --help``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from ser.errors import RecordError, SerError
from ser.experiments.compact import thinned
from ser.experiments.records import read_record, write_record
from ser.report.load import SKIPPED

EPILOG = """examples:
  python -m tools.thin book/results
      Writes each record in the newest, smallest form; what it tells stays the same.
  python -m tools.thin --chosen book/results/nemo-loso-dev-hidden323
      Also forgets the logits of epochs that no selection chose. Tables, intervals and calibration
      stay; rows that are fused ("dual") can't be made from these records any more, so this is for
      rows that none is made from."""


def records(folder: Path) -> Iterator[Path]:
    """The records of runs below *folder*: ``<out>/<row>/<run>-seed<k>.json``."""
    if not folder.is_dir():
        raise RecordError(f"no such folder: {folder}")
    for path in sorted(folder.rglob("*-seed*.json")):
        if not any(
            part in SKIPPED or part.startswith(".") for part in path.relative_to(folder).parts
        ):
            yield path


def thin(folder: Path, chosen: bool = False) -> tuple[int, int, int]:
    """Rewrite the records below *folder*; their number, and their bytes before and after.

    Records that a fused row there was made from keep all: its calibration needs their logits.
    """
    count = before = after = 0
    parts: set[str] = set()
    if chosen:
        for path in records(folder):
            parts.update(read_record(path).get("fused_from") or ())
    for path in records(folder):
        record, size = read_record(path), path.stat().st_size
        whole = not chosen or record["id"] in parts
        write_record(path, record if whole else thinned(record))
        count, before, after = count + 1, before + size, after + path.stat().st_size
    return count, before, after


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.thin",
        description="Make records of 'ser run' smaller.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="of records")
    parser.add_argument(
        "--chosen", action="store_true", help="keep the logits of chosen epochs alone"
    )
    options = parser.parse_args(arguments)
    try:
        for folder in options.folders:
            count, before, after = thin(folder, options.chosen)
            print(f"{folder}: {count} records, {before / 1e6:.1f} MB, now {after / 1e6:.1f} MB")
    except SerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
