"""RAVDESS, its speech part: 24 actors, two sentences, eight emotions (book: "Corpora").

A name such as ``03-01-05-01-02-01-12`` is seven numbers: modality (03 audio only), channel (01
speech, 02 song), emotion, intensity, statement, repetition, actor (odd male, even female).
Many copies going round hold the whole tree twice; each clip is taken once.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from ser.corpora.base import Corpus
from ser.corpora.registry import CORPORA
from ser.corpora.tables import read_named

NAME = re.compile(r"(0[1-3])-(0[12])-(0[1-8])-(0[12])-(0[12])-(0[12])-(0[1-9]|1\d|2[0-4])")

LABEL = {
    "01": "neutral",
    "02": "calm",
    "03": "happy",
    "04": "sad",
    "05": "angry",
    "06": "fearful",
    "07": "disgust",
    "08": "surprised",
}
EMOTION = ("angry", "happy", "neutral", "sad")
SENTENCES = {"01": "Kids are talking by the door.", "02": "Dogs are sitting by the door."}


def parse(path: Path) -> dict | str | None:
    """A file's name -> its row, a reason to leave it out, or None where the name does not fit.

    Example:
        >>> row = parse(Path("Actor_12/03-01-05-01-02-01-12.wav"))
        >>> row["speaker"], row["gender"], row["emotion"], row["text"]
        ('12', 'female', 'angry', '02')
        >>> parse(Path("Actor_12/03-02-05-01-02-01-12.wav"))
        'song, not speech'
    """
    match = NAME.fullmatch(path.stem)
    if not match:
        return None
    modality, channel, emotion, intensity, statement, repetition, actor = match.groups()
    if channel == "02":
        return "song, not speech"
    if modality != "03":
        return "the sound of a video, not the audio-only recording"
    label = LABEL[emotion]
    return {
        "utterance": path.stem,
        "emotion": label if label in EMOTION else "",
        "speaker": actor,
        "gender": "male" if int(actor) % 2 else "female",
        "text": statement,
        "label": label,
        "sentence": SENTENCES[statement],
        "intensity": "strong" if intensity == "02" else "normal",
        "repetition": int(repetition),
    }


def read(root: str | os.PathLike) -> Corpus:
    """Read RAVDESS's speech from *root*: the folder that holds ``Actor_01``, or a parent.

    Returns:
        The corpus; ``text`` is the statement's code, and the columns ``sentence`` (its words),
        ``intensity`` and ``repetition`` follow the standard ones.

    Raises:
        CorpusError: no such folder, or nothing in it is named like ``03-01-05-01-01-01-01.wav``.

    Example:
        >>> read("Audio_Speech_Actors_01-24").table   # doctest: +SKIP
    """
    return read_named(CORPORA["ravdess"], root, parse)
