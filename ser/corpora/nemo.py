"""nEMO: nine Polish actors, ninety sentences, six emotions (book: chapter "Corpora").

``data.tsv`` lists the clips of ``samples/``; its speaker ids are padded with blanks, and its
``file_id`` ends in ``.wav`` also where the audio at hand is FLAC.
"""

from __future__ import annotations

import csv
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from ser.corpora.base import Corpus
from ser.corpora.copies import choose
from ser.corpora.emotion_set import FOUR, EmotionSet
from ser.corpora.problems import Problems
from ser.corpora.readers import finish, open_root, report_unknown, wrong_layout
from ser.corpora.registry import CORPORA
from ser.corpora.scan import below, walk
from ser.errors import CorpusError

INFO = CORPORA["nemo"]
NAME = re.compile(r"([A-Z]{2}\d)_([a-z]+)_(\d+)", re.IGNORECASE)
NEEDED = ("file_id", "emotion", "speaker_id")


def read(root: str | os.PathLike, chosen: EmotionSet = FOUR) -> Corpus:
    """Read nEMO from *root*: the folder that holds ``data.tsv`` and ``samples/``, or one near.

    Args:
        root: the folder.
        chosen: the emotions wanted.

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
    listings = [path for path in walk(root, [".tsv"]) if path.name.lower() == "data.tsv"]
    listings.sort(key=lambda path: (len(path.parts), path.as_posix()))
    tables = {path: _table(path) for path in (*listings, root.parent / "data.tsv")}
    for listing, table in tables.items():
        if table is not None and (listing.parent == root or set(NEEDED) <= set(table)):
            break
    else:
        raise wrong_layout(INFO, root, ": there is no data.tsv in it")
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
    for row in _rows(listing, table, problems):
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
    for other in listings:
        if not table.equals(tables[other]):
            text = f"{below(other, top)} differs from {below(listing, top)}, which was read"
            problems.add("contradiction", text)
    return finish(INFO, top, list(rows.values()), problems, copies, chosen)


def canonical(stem: str) -> str:
    """A clip's name as the owners write it, ``""`` where it is none.

    Example:
        >>> canonical("eb0_ANGER_1"), canonical("anger")
        ('EB0_anger_1', '')
    """
    match = NAME.fullmatch(stem)
    return f"{match[1].upper()}_{match[2].lower()}_{match[3]}" if match else ""


def _table(path: Path) -> pd.DataFrame | None:
    """A ``data.tsv`` as text without blanks around it, None where there is none."""
    if not path.is_file():
        return None
    try:
        table = pd.read_csv(
            path, sep="\t", dtype=str, keep_default_na=False, quoting=csv.QUOTE_NONE,
            skip_blank_lines=False, index_col=False, encoding="utf-8-sig",
            encoding_errors="replace",
        )  # fmt: skip
    except ValueError as error:
        raise CorpusError(f"nemo: {path} is no table ({str(error).strip()}). {INFO.get}") from None
    table = table.rename(columns=str.strip).apply(lambda column: column.str.strip()).fillna("")
    return table[(table != "").any(axis=1)]


def _rows(listing: Path, table: pd.DataFrame, problems: Problems) -> Iterator[dict]:
    if lacking := [name for name in NEEDED if name not in table]:
        raise CorpusError(
            f"nemo: {listing} has no column {', '.join(lacking)}; its columns are "
            f"{', '.join(table)}. {INFO.get}"
        )
    for number, cells in zip(table.index, table.to_dict("records"), strict=True):
        where, label = f"{listing.name} line {number + 2}", cells["emotion"]
        file = cells["file_id"].replace("\\", "/").rpartition("/")[2]
        name = canonical(os.path.splitext(file)[0])
        if not name or label not in INFO.words:
            text = f"{where}: {file!r}, emotion {label!r} (left out)"
            problems.add("unknown name", text)
            continue
        speaker = cells["speaker_id"]
        if name.split("_")[:2] != [speaker, label]:
            problems.add("contradiction", f"{where}: {file} is said to be {label} by {speaker}")
        yield {
            "file": file,
            "utterance": name,
            "emotion": INFO.words[label],
            "speaker": speaker,
            "gender": cells.get("gender", "").lower(),
            "text": cells.get("raw_text", ""),
            "label": label,
            "normalized_text": cells.get("normalized_text", ""),
            "age": cells.get("age", ""),
        }
