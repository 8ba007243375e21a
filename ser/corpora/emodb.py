"""EmoDB: German actors, ten sentences, seven emotions (book: chapter "Corpora").

A name such as ``03a01Fa`` says it all: speaker 03, text a01, emotion F (Freude, happiness),
version a. The speakers' genders do not alternate; they are listed.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from ser.corpora.base import Corpus
from ser.corpora.registry import CORPORA
from ser.corpora.tables import read_named

NAME = re.compile(r"(\d\d)([ab]\d\d)([WLEAFTN])([a-z]?)", re.IGNORECASE)

EMOTION = {"W": "angry", "F": "happy", "N": "neutral", "T": "sad"}
OTHER = {"L": "boredom", "E": "disgust", "A": "fear"}

GENDER = dict.fromkeys(("03", "10", "11", "12", "15"), "male") | dict.fromkeys(
    ("08", "09", "13", "14", "16"), "female"
)

SENTENCES = {
    "a01": "Der Lappen liegt auf dem Eisschrank.",
    "a02": "Das will sie am Mittwoch abgeben.",
    "a04": "Heute abend könnte ich es ihm sagen.",
    "a05": "Das schwarze Stück Papier befindet sich da oben neben dem Holzstück.",
    "a07": "In sieben Stunden wird es soweit sein.",
    "b01": "Was sind denn das für Tüten, die da unter dem Tisch stehen?",
    "b02": "Sie haben es gerade hochgetragen und jetzt gehen sie wieder runter.",
    "b03": "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes besucht.",
    "b09": "Ich will das eben wegbringen und dann mit Karl was trinken gehen.",
    "b10": "Die wird auf dem Platz sein, wo wir sie immer hinlegen.",
}


def parse(path: Path) -> dict | None:
    """A file's name -> its row, or None where the name does not fit.

    Example:
        >>> row = parse(Path("wav/08b10Wa.wav"))
        >>> row["speaker"], row["gender"], row["text"], row["emotion"]
        ('08', 'female', 'b10', 'angry')
        >>> parse(Path("wav/08B10WA.WAV"))["utterance"]
        '08b10Wa'
    """
    match = NAME.fullmatch(path.stem)
    if not match or match[1] not in GENDER:
        return None
    speaker, text, letter, version = match.groups()
    text, letter, version = text.lower(), letter.upper(), version.lower()
    return {
        "utterance": f"{speaker}{text}{letter}{version}",
        "emotion": EMOTION.get(letter, ""),
        "speaker": speaker,
        "gender": GENDER[speaker],
        "text": text,
        "label": letter,
        "sentence": SENTENCES.get(text, ""),
        "version": version,
    }


def read(root: str | os.PathLike) -> Corpus:
    """Read EmoDB from *root*: the folder that holds ``wav/``, ``wav/`` itself, or a parent.

    Returns:
        The corpus; ``text`` is the sentence's code, and the columns ``sentence`` (its words)
        and ``version`` follow the standard ones.

    Raises:
        CorpusError: no such folder, or nothing in it is named like ``03a01Fa.wav``.

    Example:
        >>> read("data/emodb").table.emotion.value_counts()   # doctest: +SKIP
    """
    return read_named(CORPORA["emodb"], root, parse)
