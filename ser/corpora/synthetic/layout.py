"""The synthetic corpus on paper: dialogues, turns, raters and texts as IEMOCAP writes them.

Every session's two speakers say the sentences in dialogues of :data:`SCENE` sentences, half of
them called improvised and half scripted. Each turn has three simulated raters; at least two of
them hear the emotion that was acted, so the majority label is the acted one.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from ser.corpora.synthetic.script import FACTORS, SENTENCES, VOICES, Line, stream

SCENE = 3
"""Sentences in one dialogue."""

FACTOR_COLUMNS: tuple[str, ...] = (
    "utterance",
    "speaker",
    "emotion",
    "label",
    "sentence",
    "take",
    "intensity",
    *FACTORS,
)

_WORDS = {
    "ang": "Anger",
    "hap": "Happiness",
    "exc": "Excited",
    "neu": "Neutral",
    "sad": "Sadness",
}
_HEARD_INSTEAD = {
    "ang": ("Frustration", "Neutral", "Disgust"),
    "hap": ("Excited", "Neutral", "Surprise"),
    "exc": ("Happiness", "Surprise", "Neutral"),
    "neu": ("Frustration", "Sadness", "Happiness"),
    "sad": ("Neutral", "Frustration", "Other"),
}
# Valence, activation, dominance on IEMOCAP's scale from 1 to 5.
_PLAIN = np.array([3.0, 2.6, 2.7])
_FULL = {
    "angry": np.array([1.7, 4.1, 4.0]),
    "happy": np.array([4.3, 3.7, 3.3]),
    "neutral": _PLAIN,
    "sad": np.array([1.9, 1.9, 2.0]),
}


@dataclass(frozen=True)
class Turn:
    """A line with its place in a dialogue.

    Attributes:
        line: what is said and how.
        dialog: e.g. ``"Ses01F_impro01"``.
        utterance: e.g. ``"Ses01F_impro01_M003"``.
    """

    line: Line
    dialog: str
    utterance: str

    @property
    def session(self) -> str:
        return f"Session{int(self.dialog[3:5])}"

    @property
    def wav(self) -> str:
        """Path below the root, with forward slashes."""
        return f"{self.session}/sentences/wav/{self.dialog}/{self.utterance}.wav"


def stage(lines: Iterable[Line]) -> list[Turn]:
    """Give every line its dialogue and its number; turns come in the order they are spoken.

    >>> from ser.corpora.synthetic.script import plan
    >>> stage(plan(2, 1))[0].dialog
    'Ses01F_impro01'
    """
    scenes: dict[tuple[str, int], list[Line]] = {}
    for line in lines:
        key = (VOICES[line.voice].speaker[:5], line.sentence // SCENE)
        scenes.setdefault(key, []).append(line)
    turns = []
    for (session, scene), spoken in sorted(scenes.items()):
        number = scene // 2 + 1
        name = f"script{number:02d}_1" if scene % 2 else f"impro{number:02d}"
        genders = sorted({VOICES[line.voice].speaker[-1] for line in spoken})
        dialog = f"{session}{genders[scene % len(genders)]}_{name}"
        count = dict.fromkeys(genders, 0)
        for i in stream("order", dialog, len(spoken)).permutation(len(spoken)):
            talker = VOICES[spoken[i].voice].speaker[-1]
            turns.append(Turn(spoken[i], dialog, f"{dialog}_{talker}{count[talker]:03d}"))
            count[talker] += 1
    return turns


def documents(turns: list[Turn], seconds: Mapping[str, float]) -> dict[str, str]:
    """The text files of the corpus.

    Args:
        turns: from :func:`stage`.
        seconds: utterance -> duration of its recording.

    Returns:
        path below the root -> text, with ``\\n`` at the ends of lines.
    """
    files: dict[str, str] = {}
    dialogs: dict[str, list[Turn]] = {}
    for turn in turns:
        dialogs.setdefault(turn.dialog, []).append(turn)
    for dialog, spoken in dialogs.items():
        labels = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n"]
        texts = []
        now = 1.0
        for turn in spoken:
            end = now + seconds[turn.utterance]
            labels.append(_evaluation(turn, now, end))
            text = SENTENCES[turn.line.sentence]
            texts.append(f"{turn.utterance} [{now:08.4f}-{end:08.4f}]: {text}\n")
            now = end + 0.5
        folder = f"{spoken[0].session}/dialog"
        files[f"{folder}/EmoEvaluation/{dialog}.txt"] = "\n".join(labels) + "\n"
        files[f"{folder}/transcriptions/{dialog}.txt"] = "".join(texts)
    files["factors.csv"] = _factors(turns)
    files["README.txt"] = README
    return files


def _evaluation(turn: Turn, start: float, end: float) -> str:
    """One record of the evaluation file: the turn, three raters and the actor."""
    line, label = turn.line, turn.line.label
    random = stream("raters", *line.key)
    heard = [_WORDS[label]] * 3
    # The third rater is the surer of it, the stronger the acting.
    if random.random_sample() > 0.35 + 0.4 * line.intensity:
        heard[random.randint(3)] = _HEARD_INSTEAD[label][random.choice(3, p=(0.5, 0.3, 0.2))]
    centre = _PLAIN + line.intensity * (_FULL[line.emotion] - _PLAIN)
    marks = np.round(centre + 0.5 * random.standard_normal((3, 3)))
    marks = np.clip(marks, 1, 5).astype(int)
    mean = ", ".join(f"{m:.4f}" for m in marks[:2].mean(axis=0))
    raters = ("E1", "E2", "E3")
    actor = f"{VOICES[line.voice].speaker[-1]}1"
    rows = [f"[{start:.4f} - {end:.4f}]\t{turn.utterance}\t{label}\t[{mean}]"]
    rows += [f"C-{r}:\t{word};\t()" for r, word in zip(raters, heard, strict=True)]
    rows += [f"C-{actor}:\t{_WORDS[label]};\t()"]
    for rater, (valence, activation, dominance) in zip(("E1", "E2", actor), marks, strict=True):
        rows.append(f"A-{rater}:\tval {valence}; act {activation}; dom  {dominance};\t()")
    return "\n".join(rows) + "\n"


def _factors(turns: list[Turn]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(FACTOR_COLUMNS)
    for turn in sorted(turns, key=lambda t: t.utterance):
        line = turn.line
        speaker = VOICES[line.voice].speaker
        head = (turn.utterance, speaker, line.emotion, line.label, line.sentence, 0)
        writer.writerow([*head, line.intensity, *(line.factors[name] for name in FACTORS)])
    return buffer.getvalue()


README = """\
The synthetic corpus of the package ser-book.

Sentences spoken by Praat's synthesiser (espeak-ng), acted with known prosody and written in the
layout of IEMOCAP. It was made by a program on this computer and can be made again at any time.
factors.csv says how each utterance was meant to be spoken; synthetic.json says that the corpus
is whole.

It teaches mechanics and known causes. It says nothing about people.

To the extent possible under law, the recordings are dedicated to the public domain (CC0 1.0).
"""
