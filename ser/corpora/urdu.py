"""URDU: 400 clips of talk shows, four emotions (book: chapter "Corpora").

A name such as ``SM1_F10_A010`` says speaker (M or F, number), file and emotion (A, H, N, S).
The names know 29 speakers, 26 of whom appear in one class only: who talks gives the class away,
so that a random split measures the speaker and not the emotion.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from ser.corpora.base import Corpus
from ser.corpora.registry import CORPORA
from ser.corpora.scan import Problems
from ser.corpora.tables import open_root, read_named

INFO = CORPORA["urdu"]
NAME = re.compile(r"(S([MF])\d+)_F(\d+)_([AHNS])(\d+)")
EMOTION = {"A": "angry", "H": "happy", "N": "neutral", "S": "sad"}
GENDER = {"F": "female", "M": "male"}


def parse(path: Path) -> dict | None:
    """A file's name -> its row, or None where the name does not fit.

    Example:
        >>> row = parse(Path("Angry/SM1_F10_A010.wav"))
        >>> row["utterance"], row["speaker"], row["gender"], row["emotion"]
        ('SM1_F10_A010', 'SM1', 'male', 'angry')
    """
    name = path.stem.upper()
    match = NAME.fullmatch(name)
    if not match:
        return None
    speaker, gender, _, letter, _ = match.groups()
    return {
        "utterance": name,
        "emotion": EMOTION[letter],
        "speaker": speaker,
        "gender": GENDER[gender],
        "label": letter,
    }


def read(root: str | os.PathLike) -> Corpus:
    """Read URDU from *root*: the folder that holds Angry, Happy, Neutral and Sad, or a parent.

    Raises:
        CorpusError: no such folder, or nothing in it is named like ``SM1_F10_A010.wav``.

    Example:
        >>> len(read("URDU-Dataset"))   # doctest: +SKIP
        400
    """
    folder = open_root(INFO, root)
    problems = Problems()

    def checked(path: Path) -> dict | None:
        """The row of a file; a folder that contradicts its name is noted."""
        row = parse(path)
        said = path.parent.name.lower()
        if row and said in EMOTION.values() and said != row["emotion"]:
            problems.add(
                "contradiction",
                f"{path.parent.name}/{path.name}: the folder says {said}, the name "
                f"{row['emotion']}; the name was taken",
            )
        return row

    return read_named(INFO, folder, checked, problems)
