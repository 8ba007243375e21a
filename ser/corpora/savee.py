"""SAVEE: four Englishmen, seven emotions (book: chapter "Corpora").

A file is ``AudioData/DC/a01.wav`` or, in flat copies, ``DC_a01.wav``: speaker, emotion (a d f h
n sa su), number. ``sa`` (sad) and ``su`` (surprise) are looked for before the single letters.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from ser.corpora.base import Corpus
from ser.corpora.registry import CORPORA
from ser.corpora.tables import read_named

SPEAKERS = ("DC", "JE", "JK", "KL")
NAME = re.compile(r"(?:(DC|JE|JK|KL)_)?(sa|su|a|d|f|h|n)(\d\d)", re.IGNORECASE)
EMOTION = {"a": "angry", "h": "happy", "n": "neutral", "sa": "sad"}


def parse(path: Path) -> dict | None:
    """A file's name and folder -> its row, or None where they do not fit.

    Example:
        >>> parse(Path("AudioData/DC/sa01.wav"))["emotion"], parse(Path("JE_su07.wav"))["label"]
        ('sad', 'su')
        >>> parse(Path("AudioData/DC/a01.wav"))["utterance"]
        'DC_a01'
    """
    match = NAME.fullmatch(path.stem)
    if not match:
        return None
    speaker = (match[1] or path.parent.name).upper()
    if speaker not in SPEAKERS:
        return None
    label, number = match[2].lower(), match[3]
    return {
        "utterance": f"{speaker}_{label}{number}",
        "emotion": EMOTION.get(label, ""),
        "speaker": speaker,
        "gender": "male",
        "text": f"{label}{number}",
        "label": label,
    }


def read(root: str | os.PathLike) -> Corpus:
    """Read SAVEE from *root*: the folder that holds ``AudioData``, one inside it, or a flat one.

    Returns:
        The corpus; ``text`` is the sentence's code (emotion and number), which the four
        speakers share.

    Raises:
        CorpusError: no such folder, or nothing in it is named like ``DC/a01.wav``.

    Example:
        >>> read("SAVEE").table.groupby("speaker").size()   # doctest: +SKIP
    """
    return read_named(CORPORA["savee"], root, parse)
