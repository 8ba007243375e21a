"""nEMO: nine Polish actors, ninety sentences, six emotions (book: chapter "Corpora").

``data.tsv`` lists the clips of ``samples/``; its speaker ids are padded with blanks, and its
``file_id`` ends in ``.wav`` also where the audio at hand is FLAC.
"""

from __future__ import annotations

import csv
import os
import re
from collections import defaultdict
from pathlib import Path

from ser.corpora.base import Corpus
from ser.corpora.copies import choose
from ser.corpora.problems import Problems
from ser.corpora.readers import finish, open_root, report_unknown, wrong_layout
from ser.corpora.registry import CORPORA
from ser.corpora.scan import below, walk
from ser.errors import CorpusError

INFO = CORPORA["nemo"]
NAME = re.compile(r"([A-Z]{2}\d)_([a-z]+)_(\d+)", re.IGNORECASE)
EMOTION = {"anger": "angry", "happiness": "happy", "neutral": "neutral", "sadness": "sad"}
OTHER = ("fear", "surprised")
NEEDED = ("file_id", "emotion", "speaker_id")


def read(root: str | os.PathLike) -> Corpus:
    """Read nEMO from *root*: the folder that holds ``data.tsv`` and ``samples/``, or one near.

    Returns:
        The corpus; ``text`` is the sentence as written, and the columns ``normalized_text`` and
        ``age`` follow the standard ones. Rows of ``data.tsv`` without audio are in
        ``everything`` only.

    Raises:
        CorpusError: no such folder, no ``data.tsv``, or one that lacks a column.

    Example:
        >>> len(read("data/nemo"))   # doctest: +SKIP
        3076
    """
    root = open_root(INFO, root)
    problems = Problems()
    listing = _listing(root)
    home = listing.parent
    top = home if root.is_relative_to(home) else root
    samples = root if top == home != root else home / "samples"
    groups: dict[str, list[Path]] = defaultdict(list)
    unknown = []
    for path in walk(root):
        name = canonical(path.stem)
        groups[name].append(path) if name else unknown.append(path)
    taken, copies = choose(INFO.name, groups, top)
    report_unknown(unknown, {path.parent for path in taken.values()}, top, problems)
    rows: dict[str, dict] = {}
    for row in _rows(listing, problems):
        name = row["utterance"]
        if name in rows:
            problems.add("duplicate row", f"{name} is listed twice in {listing.name}")
            continue
        row["path"] = str(taken.get(name, samples / row.pop("file")))
        if name in taken or name not in groups:
            rows[name] = row
    for name in sorted(set(taken) - set(rows)):
        text = f"{below(taken[name], top)} is not in {listing.name}; left out"
        problems.add("not listed", text)
    for other in _listings(root):
        if other.read_bytes().splitlines() != listing.read_bytes().splitlines():
            text = f"{below(other, top)} differs from {below(listing, top)}, which was read"
            problems.add("contradiction", text)
    return finish(INFO, top, list(rows.values()), problems, copies)


def canonical(stem: str) -> str:
    """A clip's name as the owners write it, ``""`` where it is none.

    Example:
        >>> canonical("eb0_ANGER_1"), canonical("anger")
        ('EB0_anger_1', '')
    """
    match = NAME.fullmatch(stem)
    return f"{match[1].upper()}_{match[2].lower()}_{match[3]}" if match else ""


def _listing(root: Path) -> Path:
    """The ``data.tsv`` nearest to *root*; that of its parent where it holds none."""
    for path in (*_listings(root), root.parent / "data.tsv"):
        if path.is_file() and (path.parent == root or set(NEEDED) <= set(_columns(path))):
            return path
    raise wrong_layout(INFO, root, ": there is no data.tsv in it")


def _listings(root: Path) -> list[Path]:
    found = [path for path in walk(root, [".tsv"]) if path.name.lower() == "data.tsv"]
    return sorted(found, key=lambda path: (len(path.parts), path.as_posix()))


def _columns(path: Path) -> list[str]:
    with path.open(encoding="utf-8-sig", errors="replace") as stream:
        return [name.strip() for name in stream.readline().split("\t")]


def _rows(listing: Path, problems: Problems) -> list[dict]:
    columns = _columns(listing)
    lacking = [name for name in NEEDED if name not in columns]
    if lacking:
        raise CorpusError(
            f"nemo: {listing} has no column {', '.join(lacking)}; its columns are "
            f"{', '.join(columns)}. {INFO.get}"
        )
    rows = []
    with listing.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        reader = csv.reader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)
        next(reader)
        for number, cells in enumerate(reader, start=2):
            if not any(cell.strip() for cell in cells):
                continue
            cells = [cell.strip() for cell in cells] + [""] * (len(columns) - len(cells))
            row = _row(dict(zip(columns, cells, strict=False)))
            name = row["utterance"]
            if not name or row["label"] not in (*EMOTION, *OTHER):
                what = f"{row['file']!r}, emotion {row['label']!r}"
                problems.add("unknown name", f"{listing.name} line {number}: {what} (left out)")
                continue
            if name.split("_")[:2] != [row["speaker"], row["label"]]:
                problems.add(
                    "contradiction",
                    f"{listing.name} line {number}: {row['file']} is said to be "
                    f"{row['label']} by {row['speaker']}",
                )
            rows.append(row)
    return rows


def _row(cells: dict[str, str]) -> dict:
    file = cells["file_id"].replace("\\", "/").rsplit("/", 1)[-1]
    return {
        "file": file,
        "utterance": canonical(os.path.splitext(file)[0]),
        "emotion": EMOTION.get(cells["emotion"], ""),
        "speaker": cells["speaker_id"],
        "gender": cells.get("gender", "").lower(),
        "text": cells.get("raw_text", ""),
        "label": cells["emotion"],
        "normalized_text": cells.get("normalized_text", ""),
        "age": cells.get("age", ""),
    }
