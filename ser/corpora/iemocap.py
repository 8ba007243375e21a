"""IEMOCAP: five sessions, ten actors, scripted and improvised dialogues (book: "Corpora").

The labels stand in ``Session*/dialog/EmoEvaluation/*.txt``, a block a turn::

    [6.2901 - 8.2357]	Ses01F_impro01_F000	neu	[2.5000, 2.5000, 2.5000]
    C-E2:	Neutral;	()
    A-E3:	val 3; act 2; dom  2;	()

The letter after ``Ses01`` is the actor who wore the markers; who *talks* is the last group,
``_F000``. The speaker is therefore session and last letter: ``Ses01F``, ``Ses01M``.
"""

from __future__ import annotations

import math
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from ser.corpora.base import Copy, Corpus
from ser.corpora.copies import choose
from ser.corpora.emotion_set import FOUR, EmotionSet
from ser.corpora.problems import Problems
from ser.corpora.readers import finish, open_root, wrong_layout
from ser.corpora.registry import CORPORA, CorpusInfo
from ser.corpora.scan import below, find, walk

WORDS = CORPORA["iemocap"].words

TURN = re.compile(r"(Ses0[1-5])[FM]_(?:(impro)\d\d[ab]?|(script\d\d_\d)[ab]?)_([FM])\d{3}")
HEAD = re.compile(r"\[\s*(\d[\d.]*)\s*-\s*(\d[\d.]*)\s*\]\s+(\S+)\s+(\S+)\s*(?:\[([^\]]*)\])?\s*")
RATER = re.compile(r"C-([EFM]\d+)\s*:\s*([^()]*)")
SPOKEN = re.compile(r"(Ses\S+)\s+\[[^\]]*\]\s*:\s*(.*)")
BULKY = ("sentences", "avi", "lab", "wav", "mocap_hand", "mocap_head", "mocap_rotated")
"""Folders of the release with very many files and no labels; the search stays out of them."""

GENDER = {"F": "female", "M": "male"}


def read(
    root: str | os.PathLike, info: CorpusInfo | None = None, chosen: EmotionSet = FOUR
) -> Corpus:
    """Read IEMOCAP, or a corpus in its layout, from *root*.

    Args:
        root: ``IEMOCAP_full_release``, its parent, or one ``Session`` folder.
        info: the registry entry of another corpus in this layout (the synthetic one).
        chosen: the emotions wanted; excited counts as happy unless it is named.

    Returns:
        The corpus. After the standard columns: ``dialog``, ``improvised`` (bool), ``script``
        (the scene's code, ``""`` if improvised), ``valence``, ``activation``, ``dominance``
        (1 to 5), ``raters`` (how many chose categories), ``rater_labels`` (their choices,
        ``Neutral;Frustration | Neutral``), ``self_labels`` (the actor's own). ``start`` and
        ``seconds`` come from the label file; the audio file is the whole utterance. ``text`` is
        the transcription; without one, the scene's code, as scenes are shared by the sessions.

    Raises:
        CorpusError: no such folder, or no ``dialog/EmoEvaluation`` with label files below it.

    Example:
        >>> corpus = read("IEMOCAP_full_release")          # doctest: +SKIP
        >>> len(corpus.everything), len(corpus.table)      # doctest: +SKIP
        (10039, 5531)
    """
    info = info or CORPORA["iemocap"]
    root = open_root(info, root)
    problems = Problems()
    files = _label_files(root)
    if not files:
        raise wrong_layout(info, root, ": no dialog/EmoEvaluation/*.txt below it")
    rows: dict[str, dict] = {}
    origin: dict[str, Path] = {}
    doubles: dict[Path, int] = {}
    for file in files:
        session = file.parents[2]
        for row in read_labels(file, problems, root):
            name = row["utterance"]
            if name not in rows:
                rows[name], origin[name] = row, session
            elif origin[name] != session:
                doubles[session] = doubles.get(session, 0) + 1
                if row["label"] != rows[name]["label"]:
                    text = f"{name} is {row['label']} in {below(file, root)}, but "
                    problems.add("contradiction", f"{text}{rows[name]['label']} was read first")
            else:
                problems.add("duplicate row", f"{name} has a second label in {below(file, root)}")
    if not rows:
        raise wrong_layout(info, root, ": no turn in its label files could be read")
    for session, count in doubles.items():
        problems.add(
            "nested copy", f"{count} turns of {below(session, root)} were read already elsewhere"
        )
    sessions = sorted({*origin.values(), *doubles})
    audio, copies, texts = *_audio(sessions, root, rows, problems), {}
    passed_over = {copy.path.stem.lower() for copy in copies if copy.taken is None}
    rows = {name: row for name, row in rows.items() if name.lower() not in passed_over}
    for session in sorted(set(origin.values())):
        texts |= _transcriptions(session)
    for name, row in rows.items():
        expected = origin[name] / "sentences" / "wav" / row["dialog"] / f"{name}.wav"
        row["path"] = str(audio.get(name, expected))
        row["text"] = texts.get(name) or row["script"]
    return finish(info, root, list(rows.values()), problems, copies, chosen)


def _label_files(root: Path) -> list[Path]:
    """``dialog/EmoEvaluation/*.txt``: only at that level, its sub-folders are not wanted."""
    return sorted(
        (
            path
            for path in walk(root, [".txt"], skip=BULKY)
            if path.parent.name.lower() == "emoevaluation"
            and path.parents[1].name.lower() == "dialog"
        ),
        key=lambda path: (len(path.parts), path.as_posix()),
    )


def read_labels(file: Path, problems: Problems, root: Path) -> Iterator[dict]:
    """The turns of one label file, without their audio.

    Lines of an unknown form, names that do not fit and labels that nobody knows go to
    *problems*; a turn with such a label is still given, with ``emotion`` empty.
    """
    row: dict | None = None
    text = file.read_bytes().decode("utf-8", errors="replace")
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.strip()
        if line.startswith("["):
            if row:
                yield row
            row = _head(line)
            where = f"{below(file, root)} line {number}"
            if row is None:
                problems.add("unknown name", f"{where}: {line[:80]!r} (left out)")
            elif row["label"] not in WORDS:
                problems.add("unknown label", f"{where}: {row['label']!r}")
        elif row and (match := RATER.match(line)):
            labels = ";".join(part.strip() for part in match[2].split(";") if part.strip())
            if match[1].startswith("E"):
                row["raters"] += 1
                row["rater_labels"] += f"{' | ' if row['rater_labels'] else ''}{labels}"
            else:
                row["self_labels"] = labels
    if row:
        yield row


def _head(line: str) -> dict | None:
    head = HEAD.fullmatch(line)
    turn = TURN.fullmatch(head[3]) if head else None
    if not turn:
        return None
    try:
        start, end = float(head[1]), float(head[2])
        levels = [float(value) for value in (head[5] or "").split(",") if value.strip()]
    except ValueError:
        return None
    valence, activation, dominance = (levels + [math.nan] * 3)[:3]
    session, improvised, script, talker = turn.groups()
    return {
        "utterance": head[3],
        "emotion": WORDS.get(head[4], ""),
        "speaker": session + talker,
        "gender": GENDER[talker],
        "session": session,
        "start": start,
        "seconds": end - start if end > start else math.nan,  # then the file's own
        "label": head[4],
        "dialog": head[3].rsplit("_", 1)[0],
        "improvised": bool(improvised),
        "script": script or "",
        "valence": valence,
        "activation": activation,
        "dominance": dominance,
        "raters": 0,
        "rater_labels": "",
        "self_labels": "",
    }


def _audio(
    sessions: list[Path], root: Path, rows: dict[str, dict], problems: Problems
) -> tuple[dict[str, Path], tuple[Copy, ...]]:
    names = {name.lower(): name for name in rows}
    groups: dict[str, list[Path]] = defaultdict(list)
    for session in sessions:
        for path in walk(find(session, "sentences", "wav")):
            if name := names.get(path.stem.lower()):
                groups[name].append(path)
            else:
                kind = "not listed" if TURN.fullmatch(path.stem) else "unknown name"
                problems.add(kind, f"{below(path, root)} has no label; left out")
    return choose("iemocap", groups, root)


def _transcriptions(session: Path) -> dict[str, str]:
    texts = {}
    for file in walk(find(session, "dialog", "transcriptions"), [".txt"]):
        for line in file.read_bytes().decode("utf-8", errors="replace").splitlines():
            if match := SPOKEN.match(line.strip()):
                texts[match[1]] = match[2].strip()
    return texts
