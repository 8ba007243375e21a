"""Recordings of your own: a CSV file with a row an utterance (book: chapter "Corpora").

::

    path,emotion,speaker,gender,text
    clips/anna 1.wav,angry,anna,female,I told you so.

Columns ``path`` (or ``file``, ``filename``, ``wav``, ``audio``), ``emotion`` and ``speaker`` are
needed; ``gender``, ``session``, ``text`` and times are welcome, others are kept. Paths are relative
to the CSV file's folder or absolute. An emotion may be any word once a set of emotions is named
(:mod:`ser.corpora.emotion_set`); without, a word that nobody knows is taken for a slip of the pen.

With times a row is a part of its file: ``start`` and ``end``, or ``start`` and ``seconds``, under
any name of :mod:`ser.corpora.time_columns`. An empty start is 0; an end or a length that is empty
or NaT is the end of the file, so a row with neither is the whole file. ``seconds`` alone counts
from 0; a ``duration`` without any start or end must be the file's own, and says nothing more. An
end and a length of one row must agree. A column that speaks of time and is not understood is an
error.
"""

from __future__ import annotations

import contextlib
import csv
import io
import math
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ser.audio import END_TOLERANCE
from ser.corpora.base import COLUMNS, Corpus
from ser.corpora.emotion_names import accepted, plain, word_of
from ser.corpora.emotion_set import ALL, FOUR, EmotionSet
from ser.corpora.problems import Problems
from ser.corpora.readers import finish
from ser.corpora.registry import CORPORA
from ser.corpora.scan import Listings, below, find
from ser.corpora.speaker_names import alike, names_nobody
from ser.corpora.time_columns import TimeColumn, looks_like_a_time, read_span, time_columns
from ser.errors import CorpusError

INFO = CORPORA["manifest"]
NEEDED = ("path", "emotion", "speaker")
OPTIONAL = ("gender", "session", "text")
PATHS = re.compile(r"(?:(?:audio|wav|sound)?_?file_?(?:name|path)?|(?:audio|wav)(?:_?path)?)")
"""Other names of the column ``path``."""
GENDER = dict.fromkeys(("female", "f", "w", "woman"), "female") | dict.fromkeys(
    ("male", "m", "man"), "male"
)


def read(root: str | os.PathLike, chosen: EmotionSet = FOUR) -> Corpus:
    """Read the utterances that the CSV file *root* lists.

    Commas, semicolons or tabs part the columns (Excel's first line ``sep=;`` is heeded); UTF-8
    (with or without a byte-order mark) and Windows' 1252 are understood; backslashes in paths work
    on every system.

    Args:
        root: the CSV file, or a folder that holds one CSV file.
        chosen: the emotions wanted; their words may be the table's own.

    Returns:
        The corpus; ``utterance`` is the path without its ending, for segments followed by
        ``#start+seconds``. Rows whose file is missing are in ``everything`` only.

    Raises:
        CorpusError: no such file, a missing column, no rows, an emotion nobody knows, a row
            without path or speaker, a number that is none; the message names file and line.

    Example:
        >>> import tempfile
        >>> import numpy, soundfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> soundfile.write(folder / "a.wav", numpy.zeros(16000), 16000)
        >>> _ = (folder / "mine.csv").write_text("path,emotion,speaker\\na.wav,joy,me\\n")
        >>> read(folder / "mine.csv").table[["utterance", "emotion", "seconds"]].values.tolist()
        [['a', 'happy', 1.0]]
    """
    file = _find(root)
    problems = Problems()
    columns, lines = _open(file, problems)
    times = time_columns(columns, f"manifest: {file}")
    rows: dict[tuple, dict] = {}
    folders: Listings = {}
    for number, cells in lines:
        row = _row(dict(zip(columns, cells, strict=False)), times, file, number, problems, chosen)
        key = _identity(Path(row["path"]), folders), row["start"], str(row["seconds"])
        known = rows.setdefault(key, row)
        if known is row:
            continue
        if (known["emotion"], known["speaker"]) == (row["emotion"], row["speaker"]):
            problems.add("duplicate row", f"line {number} lists {row['utterance']} again")
        else:
            problems.add(
                "contradiction",
                f"line {number} lists {row['utterance']} again as {row['label']} by "
                f"{row['speaker']}; the first, {known['label']} by {known['speaker']}, was taken",
            )
    if not rows:
        raise CorpusError(f"manifest: {file} lists no utterance below its header. {INFO.get}")
    if nobody := [row for row in rows.values() if names_nobody(row["speaker"])]:
        one = [" = ".join(names) + "?" for names in alike(r["speaker"] for r in rows.values())]
        raise CorpusError(
            f"manifest: {file.parent / nobody[0]['_where']}: the speaker {nobody[0]['speaker']!r} "
            f"names nobody ({len(nobody)} such rows); say who speaks (a made-up name will do, one "
            "a person), or leave such rows out"
            + (f". Look also at speakers alike: {'; '.join(one[:4])}" if one else "")
        )
    listed = _unique(list(rows.values()))
    corpus = finish(INFO, file.parent, listed, problems, chosen=chosen)
    _check_whole(corpus, listed)
    return corpus


def _check_whole(corpus: Corpus, rows: list[dict]) -> None:
    """Refuse whole files that do not last as long as the table says."""
    lasts = corpus.everything.set_index("utterance").seconds
    for row in rows:
        said, length = row["_whole"], lasts[row["utterance"]]
        if said is not None and not row["segment"] and abs(said - length) > END_TOLERANCE:
            raise CorpusError(
                f"manifest: {corpus.root / row['_where']}: the length is {said:g} s, but the file "
                f"{below(Path(row['path']), corpus.root)} lasts {length:.2f} s; for a part of it "
                "give a start (0 for its beginning), else take the column out"
            )


def _identity(path: Path, folders: Listings) -> object:
    """What is equal for two names of one file: links, hard links, another case."""
    with contextlib.suppress(OSError):
        found = path if path.exists() else find(Path(path.anchor), *path.parts[1:], known=folders)
        state = os.stat(found)
        if state.st_ino:
            return state.st_dev, state.st_ino
    return str(path)


def _unique(rows: list[dict]) -> list[dict]:
    """Rows whose names would be equal (``a.wav`` and ``a.flac``) get their path's ending back."""
    count = Counter(row["utterance"] for row in rows)
    for row in rows:
        if count[row["utterance"]] > 1:
            row["utterance"] += Path(row["path"]).suffix
    for name, times in Counter(row["utterance"] for row in rows).items():
        same = [row for row in rows if times > 1 and row["utterance"] == name]
        for number, row in enumerate(same, start=1):
            row["utterance"] += f"~{number}"
    return rows


def _find(root: str | os.PathLike) -> Path:
    path = Path(os.path.abspath(Path(root).expanduser()))
    if path.is_dir():
        files = sorted(p for p in path.iterdir() if p.suffix.lower() in (".csv", ".tsv"))
        if len(files) == 1:
            return files[0]
        what = f"{len(files)} CSV files" if files else "no CSV file"
        raise CorpusError(f"manifest: the folder {path} holds {what}; name the one. {INFO.get}")
    if not path.is_file():
        raise CorpusError(f"manifest: no file {path}. {INFO.get}")
    return path


def _open(file: Path, problems: Problems) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Column names in small letters, and the rows that hold something, with line numbers."""
    data = file.read_bytes()
    try:
        utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
        text = data.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
        problems.note(f"{file.name} is not UTF-8; it was read as Windows-1252")
    if "\0" in text:
        raise CorpusError(f"manifest: {file} is not a text file. {INFO.get}")
    declared, text = _declared_delimiter(text)
    header = text.lstrip().partition("\n")[0]
    delimiter = declared or max(",;\t", key=header.count)
    # Strict: a quote that is never closed would swallow all rows after it.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    columns: list[str] = []
    lines = []
    try:
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            if not any(cells):
                continue
            if not columns:
                columns = [cell.lower() for cell in cells]
            elif len(cells) > len(columns) and any(cells[len(columns) :]):
                raise CorpusError(
                    f"manifest: {file} line {reader.line_num} has {len(cells)} cells, its header "
                    f"{len(columns)}; put texts that hold a {delimiter!r} in double quotes"
                )
            else:
                lines.append((reader.line_num, cells + [""] * (len(columns) - len(cells))))
    except csv.Error as error:
        raise CorpusError(f"manifest: {file} line {reader.line_num}: {error}") from error
    twice = [name for name, times in Counter(columns).items() if name and times > 1]
    if twice:
        raise CorpusError(f"manifest: {file} has two columns {twice[0]!r}; rename one")
    paths = [name for name in columns if PATHS.fullmatch(name)]
    if "path" not in columns and len(paths) > 1:
        names = " and ".join(map(repr, paths))
        raise CorpusError(f"manifest: {file} has the columns {names}; call the right one 'path'")
    columns = ["path" if [name] == paths and "path" not in columns else name for name in columns]
    lacking = [name for name in NEEDED if name not in columns]
    if lacking:
        raise CorpusError(
            f"manifest: {file} has no column {' and no column '.join(map(repr, lacking))}; "
            f"its columns are {', '.join(map(repr, columns)) or 'none (the file is empty)'}. "
            f"{INFO.get}"
        )
    return columns, lines


def _declared_delimiter(text: str) -> tuple[str, str]:
    """Excel's first line ``sep=;``: the delimiter, and the text with that line left empty."""
    found = re.match(r"\s*sep=([,;\t])\r?\n", text, re.IGNORECASE)
    return (found[1], "\n" + text[found.end() :]) if found else ("", text)


def _row(
    cells: dict[str, str],
    times: Sequence[TimeColumn],
    file: Path,
    number: int,
    problems: Problems,
    chosen: EmotionSet,
) -> dict:
    where = f"manifest: {file} line {number}"
    for name in ("path", "speaker"):
        if not cells[name]:
            raise CorpusError(f"{where}: the column {name!r} is empty")
    emotion = _emotion(cells["emotion"], chosen, where)
    gender = GENDER.get(cells.get("gender", "").lower(), "")
    if cells.get("gender") and not gender:
        problems.note(f"line {number}: gender {cells['gender']!r} is neither female nor male")
    start, seconds, whole = read_span(cells, times, where)
    segment = start is not None
    path = _locate(cells["path"], file.parent)
    name = os.path.splitext(below(path, file.parent))[0]
    if segment:
        name += f"#{start or 0:.3f}" + ("" if seconds is None else f"+{seconds:.3f}")
    used = {*NEEDED, *OPTIONAL, *COLUMNS, *(column.name for column in times), ""}
    extra = {name: cell for name, cell in cells.items() if name not in used}
    for column, cell in extra.items():
        if looks_like_a_time(cell):
            raise CorpusError(
                f"{where}: the column {column!r} holds the time {cell!r}; if it is where a row "
                "begins or ends, call it start or end, else take it out"
            )
    return {
        "utterance": name,
        "path": str(path),
        "emotion": emotion,
        "speaker": cells["speaker"],
        "gender": gender,
        "session": cells.get("session", ""),
        "text": cells.get("text", ""),
        "start": start or 0.0,
        "seconds": math.nan if seconds is None else seconds,
        "segment": segment,
        "label": cells["emotion"],
        "_where": f"{file.name} line {number}",
        "_whole": whole,
    } | extra


def _emotion(label: str, chosen: EmotionSet, where: str) -> str:
    """The word for a row's label: the field's, or the table's own where a set was named."""
    word, own = word_of(label), plain(label)
    if word is not None:
        return word
    if not own or not chosen.asked:
        also = f". A word of your own: name the set it is in, as --emotions {own},..., or all"
        raise CorpusError(
            f"{where}: nobody knows the emotion {label!r}. Accepted: {accepted()}{also * bool(own)}"
        )
    if own == ALL or set(own) & set(",="):
        raise CorpusError(
            f"{where}: the emotion {label!r} cannot be named in a set (a comma, an equals sign, or "
            "'all'); call it something else"
        )
    return own


def _locate(text: str, folder: Path) -> Path:
    path = Path(text).expanduser()
    if not (folder / path).exists() and "\\" in text:
        path = Path(text.replace("\\", "/"))
    return Path(os.path.abspath(folder / path))
