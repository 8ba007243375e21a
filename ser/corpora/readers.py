"""What the readers share: the root, names that say everything, the final tables."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ser.audio import END_TOLERANCE
from ser.corpora.base import Copy, Corpus, make_table
from ser.corpora.copies import copy_problems, names_other_signal
from ser.corpora.emotion_set import FOUR, EmotionSet, counted
from ser.corpora.originals import file_digest, originals
from ser.corpora.problems import ABSENT, Problems
from ser.corpora.registry import CorpusInfo
from ser.corpora.scan import below, find, look, walk
from ser.corpora.speaker_names import alike
from ser.corpora.time_columns import refuse_another_unit
from ser.errors import CorpusError
from ser.paths import quoted

if TYPE_CHECKING:
    import pandas as pd


def open_root(info: CorpusInfo, root: str | os.PathLike) -> Path:
    """*root* as an absolute folder.

    Raises:
        CorpusError: it is not there, or is a file.
    """
    path = Path(os.path.abspath(Path(root).expanduser()))
    if path.is_dir():
        return path
    what = "is a file, not a folder" if path.exists() else "is not there"
    if path.suffix.lower() in (".zip", ".gz", ".tar", ".tgz") and path.exists():
        what = "is an archive: unpack it first"
    raise CorpusError(
        f"{info.name}: {path} {what}. Looked for a folder with {info.layout}. {info.get}"
    )


def wrong_layout(info: CorpusInfo, root: Path, detail: str = "") -> CorpusError:
    """The error for a folder that holds something else; it says what was found instead."""
    return CorpusError(
        f"{info.name}: {root} does not look like this corpus{detail}. Looked for "
        f"{info.layout}; found {_describe(root)}. {info.get}"
    )


def _describe(root: Path) -> str:
    names = sorted(p.name + ("/" if p.is_dir() else "") for p in root.iterdir())
    if not names:
        return "an empty folder"
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    audio = walk(root)
    if not audio:
        return f"{shown} (no audio file below it)"
    return f"{shown} ({len(audio)} audio files, such as {below(audio[0], root)})"


def report_unknown(unknown: list[Path], homes: set[Path], root: Path, problems: Problems) -> None:
    """Names that do not fit, where names that do lie beside them; others are only counted."""
    elsewhere = 0
    for path in unknown:
        if path.parent in homes:
            problems.add("unknown name", f"{below(path, root)} (left out)")
        else:
            elsewhere += 1
    if elsewhere:
        problems.note(f"{elsewhere} audio files in other folders do not belong to it; left out")


def finish(
    info: CorpusInfo,
    root: Path,
    rows: list[dict],
    problems: Problems,
    copies: tuple[Copy, ...] = (),
    chosen: EmotionSet = FOUR,
) -> Corpus:
    """Rows -> :class:`Corpus`: durations from the headers, missing and unreadable files told.

    ``emotion`` of a row is the field's word, ``""`` where its label says none; *chosen* says which
    are wanted and what counts as what.

    A row without audio stays in ``everything`` with its expected path and ``seconds`` NaN, and
    out of ``table``. A file that cannot be read stays in both, with ``seconds`` NaN. ``seconds``
    that a row brings along are kept; those of a segment are held against the file's end.
    *copies* are files that were not taken (see :func:`ser.corpora.copies.choose`).

    Raises:
        CorpusError: nothing of the classes has audio, or nothing of one that was asked for.
    """
    if not rows:
        detail = "; ".join(problem.message for problem in copy_problems(copies, root))
        raise CorpusError(f"{info.name}: {root} holds no clip as recorded: {detail}. {info.get}")
    rows = _in_any_case(rows, problems)
    rows, classes = _classes(rows, chosen, f"{info.name}: {root}")
    rows = [_with_duration(row, root, problems) for row in rows]
    refuse_another_unit(rows, f"{info.name}: {root}")
    for names in alike(row["speaker"] for row in rows):
        problems.add("speakers alike", " = ".join(names) + "?")
    pointers = sum(row["_state"] == "pointer" for row in rows)
    if pointers:
        problems.add(
            "git-lfs pointer",
            f"{pointers} files hold no audio but a pointer to it; type "
            f"`cd {quoted(root)} && git lfs install && git lfs pull`",
        )
    absent = Counter(r["label"] for r in rows if r["_state"] == "missing" and not r["_wanted"])
    if absent:
        kinds = ", ".join(f"{label} {count}" for label, count in sorted(absent.items()))
        text = f"{absent.total()} utterances of other emotions have no audio here: {kinds}"
        problems.add(ABSENT, text)
    everything = make_table(rows)
    here = everything["_state"] != "missing"
    everything = everything[[name for name in everything if not name.startswith("_")]]
    table = everything[here & everything.emotion.isin(classes)].reset_index(drop=True)
    # One's own recordings may lie anywhere; so may the owners', byte for byte.
    if info.total and names_other_signal(root.name) and not _original(info.name, table.path):
        problems.add("other signal", f"{root.name}/ by its name holds no clips as recorded")
    lines = (*map(str, copy_problems(copies, root)), *problems.lines())
    if not len(table):
        first = f" First problem: {lines[0]}." if lines else ""
        raise CorpusError(
            f"{info.name}: {root} lists {len(everything)} utterances, but none is {_any(classes)} "
            f"and has its audio.{_others(everything[here])}{first} Looked for {info.layout}. "
            f"{info.get}"
        )
    return Corpus(
        name=info.name,
        root=root,
        table=table,
        everything=everything,
        licence=info.licence,
        citation=info.citation,
        problems=lines,
        copies=copies,
        reader_problems=dict(problems),
        emotions=classes,
        asked=str(chosen) if chosen.asked else "",
    )


def _classes(
    rows: list[dict], chosen: EmotionSet, whose: str
) -> tuple[list[dict], tuple[str, ...]]:
    """*rows* with their classes as emotions and whether they are wanted, and the classes."""
    chosen.check_merged({row["emotion"] for row in rows}, whose)
    rows = [row | {"emotion": chosen.counts_as(row["emotion"])} for row in rows]
    listed = Counter(row["emotion"] for row in rows)
    here = Counter(row["emotion"] for row in rows if os.path.isfile(row["path"]))
    classes = chosen.classes(here, listed, whose)
    return [row | {"_wanted": row["emotion"] in classes} for row in rows], classes


def _any(classes: tuple[str, ...]) -> str:
    """``angry, happy or sad``; of ``all``, where there is none, an emotion."""
    named = " or ".join(filter(None, [", ".join(classes[:-1]), *classes[-1:]]))
    return named or "an emotion"


def _others(heard: pd.DataFrame) -> str:
    """The emotions of a corpus of which nothing wanted can be heard, and the way out."""
    found = Counter(word for word in heard.emotion if word)
    return f" There are {counted(found)}: name them with --emotions, or all." if found else ""


def _original(corpus: str, paths: Iterable[str]) -> bool:
    """Whether the first file that is there is the owners' own."""
    known, path = originals(corpus), next((Path(p) for p in paths if os.path.isfile(p)), None)
    return (
        known is not None
        and path is not None
        and known.verdict(path.name, file_digest(path)) == "original"
    )


def _in_any_case(rows: list[dict], problems: Problems) -> list[dict]:
    """*rows* whose file is not there with the file that differs from it in case only."""
    found, known = [], {}
    for row in rows:
        path = Path(row["path"])
        if not path.exists():
            path = find(Path(path.anchor), *path.parts[1:], known=known)
        found.append(row | {"path": str(path)})
    if other := sum(one["path"] != two["path"] for one, two in zip(rows, found, strict=True)):
        problems.note(f"{other} files are there under names in another case than listed")
    return found


def _with_duration(row: dict, root: Path, problems: Problems) -> dict:
    """*row* with ``seconds``, and with ``_state``: ``""``, ``missing`` or the kind of problem."""
    path = Path(row["path"])
    name = below(path, root)
    row = row | {"_length": math.nan, "_end": math.nan}
    if not path.is_file():
        if row["_wanted"]:
            problems.add("missing", f"{name} ({row['emotion']}) is listed but not there")
        return row | {"seconds": math.nan, "_state": "missing"}
    length, kind, reason = look(path)
    if kind:
        if kind != "pointer":
            problems.add(kind, f"{name}: {reason}")
        return row | {"seconds": math.nan, "_state": kind}
    seconds = row.get("seconds", math.nan)
    start = row.get("start", 0.0) if row.get("segment") else 0.0
    end = start if math.isnan(seconds) else start + seconds
    told = f" ({row['_where']})" if "_where" in row else ""
    if math.isnan(seconds):
        seconds = length - start
    elif row.get("segment") and end > length:
        seconds = length - start
        if seconds > 0 and end > length + END_TOLERANCE:
            text = f"{name}: ends at {end:.2f} s, the file at {length:.2f} s; cut{told}"
            problems.add("segment", text)
    if seconds <= 0:
        text = f"{name}: starts at {start:.2f} s, the file ends at {length:.2f} s{told}"
        problems.add("segment", text)
        seconds = math.nan
    return row | {"seconds": seconds, "_state": "", "_length": length, "_end": end}
