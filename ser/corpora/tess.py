"""TESS: two actresses, 200 words after "Say the word", seven emotions (book: "Corpora").

A name such as ``OAF_back_angry`` says speaker (OAF the older, YAF the younger actress), word
and emotion (``ps``: pleasant surprise). With two speakers no speaker-disjoint split says much.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from ser.corpora.base import Corpus
from ser.corpora.registry import CORPORA
from ser.corpora.tables import read_named

NAME = re.compile(
    r"(OAF?|YAF?)_([a-z][a-z' -]*)_(angry|disgust|fear|happy|neutral|ps|sad)", re.IGNORECASE
)
EMOTION = ("angry", "happy", "neutral", "sad")


def parse(path: Path) -> dict | None:
    """A file's name -> its row, or None where the name does not fit.

    One file of the copies going round is called ``OA_bite_neutral``; it is OAF's.

    Example:
        >>> row = parse(Path("OAF_back_angry.wav"))
        >>> row["speaker"], row["gender"], row["text"], row["emotion"]
        ('OAF', 'female', 'back', 'angry')
        >>> parse(Path("YAF_back_ps.wav"))["emotion"]
        ''
    """
    match = NAME.fullmatch(path.stem)
    if not match:
        return None
    speaker = match[1].upper()[0] + "AF"
    word, label = match[2].lower(), match[3].lower()
    return {
        "utterance": f"{speaker}_{word}_{label}",
        "emotion": label if label in EMOTION else "",
        "speaker": speaker,
        "gender": "female",
        "text": word,
        "label": label,
        "sentence": f"Say the word {word}.",
        "age": "older" if speaker == "OAF" else "younger",
    }


def read(root: str | os.PathLike) -> Corpus:
    """Read TESS from *root*: all files in one folder, or sorted into folders such as OAF_angry.

    Returns:
        The corpus; ``text`` is the word, and the columns ``sentence`` and ``age`` (older,
        younger) follow the standard ones.

    Raises:
        CorpusError: no such folder, or nothing in it is named like ``OAF_back_angry.wav``.

    Example:
        >>> read("TESS").table.speaker.unique()   # doctest: +SKIP
        array(['OAF', 'YAF'], dtype=object)
    """
    return read_named(CORPORA["tess"], root, parse)
