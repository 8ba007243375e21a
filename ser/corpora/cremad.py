"""CREMA-D: 91 actors, twelve sentences, six emotions (book: chapter "Corpora").

A name such as ``1001_IEO_ANG_HI`` says actor, sentence, emotion and level. The corpus lives in
a git-lfs repository: a clone that was not pulled holds pointers instead of audio. The actors'
sex stands in ``VideoDemographics.csv`` and is known only where that file lies in the tree.
"""

from __future__ import annotations

import csv
import os
import re
from pathlib import Path

from ser.corpora.base import Corpus
from ser.corpora.registry import CORPORA
from ser.corpora.scan import Problems, walk
from ser.corpora.tables import open_root, read_named

INFO = CORPORA["cremad"]
NAME = re.compile(r"(1\d{3})_([A-Z]{3})_(ANG|DIS|FEA|HAP|NEU|SAD)_(LO|MD|HI|XX|X)")
EMOTION = {"ANG": "angry", "HAP": "happy", "NEU": "neutral", "SAD": "sad"}
LEVEL = {"LO": "low", "MD": "medium", "HI": "high"}
SENTENCES = {
    "IEO": "It's eleven o'clock.",
    "TIE": "That is exactly what happened.",
    "IOM": "I'm on my way to the meeting.",
    "IWW": "I wonder what this is about.",
    "TAI": "The airplane is almost full.",
    "MTI": "Maybe tomorrow it will be cold.",
    "IWL": "I would like a new alarm clock.",
    "ITH": "I think I have a doctor's appointment.",
    "DFA": "Don't forget a jacket.",
    "ITS": "I think I've seen this before.",
    "TSI": "The surface is slick.",
    "WSI": "We'll stop in a couple of minutes.",
}


def parse(path: Path) -> dict | None:
    """A file's name -> its row, or None where the name does not fit.

    Example:
        >>> row = parse(Path("AudioWAV/1001_IEO_ANG_HI.wav"))
        >>> row["speaker"], row["emotion"], row["text"], row["level"]
        ('1001', 'angry', 'IEO', 'high')
    """
    name = path.stem.upper()
    match = NAME.fullmatch(name)
    if not match:
        return None
    actor, sentence, label, level = match.groups()
    return {
        "utterance": name,
        "emotion": EMOTION.get(label, ""),
        "speaker": actor,
        "text": sentence,
        "label": label,
        "sentence": SENTENCES.get(sentence, ""),
        "level": LEVEL.get(level, ""),
    }


def read(root: str | os.PathLike) -> Corpus:
    """Read CREMA-D from *root*: the repository's folder, ``AudioWAV`` itself, or a parent.

    Returns:
        The corpus; ``text`` is the sentence's code, and the columns ``sentence`` (its words)
        and ``level`` (low, medium, high or ``""``) follow the standard ones. Pointer files are
        listed with ``seconds`` NaN, and a problem says how to pull the audio.

    Raises:
        CorpusError: no such folder, or nothing in it is named like ``1001_IEO_ANG_HI.wav``.

    Example:
        >>> read("CREMA-D").table   # doctest: +SKIP
    """
    folder = open_root(INFO, root)
    problems = Problems()
    genders = _genders(folder)
    if not genders:
        problems.note("no VideoDemographics.csv beside the audio: genders are unknown")

    def with_gender(path: Path) -> dict | None:
        row = parse(path)
        return row and row | {"gender": genders.get(row["speaker"], "")}

    return read_named(INFO, folder, with_gender, problems)


def _genders(folder: Path) -> dict[str, str]:
    """Actor -> ``female`` or ``male``; empty without a readable ``VideoDemographics.csv``."""
    name = "VideoDemographics.csv"
    near = [folder / name]
    if folder.name.lower() in ("audiowav", "audiomp3"):
        near.append(folder.parent / name)
    near += [path for path in walk(folder, [".csv"]) if path.name.lower() == name.lower()]
    for path in near:
        if path.is_file():
            with path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
                rows = list(csv.DictReader(stream))
            return {
                (row.get("ActorID") or "").strip(): sex
                for row in rows
                if (sex := (row.get("Sex") or "").strip().lower()) in ("female", "male")
            }
    return {}
