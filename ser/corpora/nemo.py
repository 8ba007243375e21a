"""nEMO: nine Polish actors, ninety sentences, six emotions (book: chapter "Corpora").

``data.tsv`` lists the clips of ``samples/``; its speaker ids are padded with blanks, and its
``file_id`` ends in ``.wav`` also where the audio at hand is FLAC.
"""

from __future__ import annotations

import csv
import os
import re
from pathlib import Path

from ser.corpora.base import Corpus
from ser.corpora.registry import CORPORA
from ser.corpora.scan import Problems, below, one_each, report_copies, walk
from ser.corpora.tables import finish, open_root, wrong_layout
from ser.errors import CorpusError

INFO = CORPORA["nemo"]
NAME = re.compile(r"([A-Z]{2}\d)_([a-z]+)_(\d+)")
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
    audio = one_each(walk(home), lambda path: path.stem)
    known = {name: group for name, group in audio.items() if NAME.fullmatch(name)}
    report_copies(known.values(), home, problems)
    rows: dict[str, dict] = {}
    for row in _rows(listing, problems):
        name = row["utterance"]
        if name in rows:
            problems.add("duplicate row", f"{name} is listed twice in {listing.name}")
            continue
        found = known.get(name)
        row["path"] = str(found[0] if found else home / "samples" / row.pop("file"))
        row.pop("file", None)
        rows[name] = row
    for name, group in audio.items():
        if name not in rows:
            kind = "not listed" if name in known else "unknown name"
            problems.add(kind, f"{below(group[0], home)} is not in {listing.name}; left out")
    return finish(INFO, home, list(rows.values()), problems)


def _listing(root: Path) -> Path:
    """The ``data.tsv`` nearest to *root*."""
    near = [root, root.parent] if root.name.lower() == "samples" else [root]
    for folder in near:
        if (folder / "data.tsv").is_file():
            return folder / "data.tsv"
    deeper = [path for path in walk(root, [".tsv"]) if path.name.lower() == "data.tsv"]
    for path in sorted(deeper, key=lambda p: (len(p.parts), p.as_posix())):
        if set(NEEDED) <= set(_columns(path)):
            return path
    raise wrong_layout(INFO, root, ": there is no data.tsv in it")


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
            match = NAME.fullmatch(row["utterance"])
            if not match or row["label"] not in (*EMOTION, *OTHER):
                what = f"{row['file']!r}, emotion {row['label']!r}"
                problems.add("unknown name", f"{listing.name} line {number}: {what} (left out)")
                continue
            if match[2] != row["label"] or match[1] != row["speaker"]:
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
        "utterance": os.path.splitext(file)[0],
        "emotion": EMOTION.get(cells["emotion"], ""),
        "speaker": cells["speaker_id"],
        "gender": cells.get("gender", "").lower(),
        "text": cells.get("raw_text", ""),
        "label": cells["emotion"],
        "normalized_text": cells.get("normalized_text", ""),
        "age": cells.get("age", ""),
    }
