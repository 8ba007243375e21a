"""The script of the synthetic corpus: voices, sentences, and how each utterance is to be acted.

Pure arithmetic on seeded draws, no sound: :func:`plan` is the corpus on paper. A factor x of an
utterance u, acted by speaker s with emotion e, is

    x = base_s + i_u * k_s * (mean_e + habit_se) + noise_u

where base_s is what the voice always does (one voice's neutral is another's sad), k_s its
expressiveness, i_u the intensity of this take (some clips are hardly acted), mean_e the
stereotype everybody shares (:data:`STEREOTYPES`) and habit_se the speaker's own way with the
emotion (hot or cold anger). Because habit_se is as large as it is, a model that has heard a
speaker knows more about them than one that has not: on this corpus too, a random split scores
higher than a speaker-disjoint one (book: chapter "The protocol laboratory").

The draws come from ``numpy.random.RandomState``, whose streams NumPy keeps frozen, seeded by a
hash of the utterance's name: they depend neither on order nor on the number of processes.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np

VERSION = 1
"""Raised whenever a change here or in the synthesis alters a sample of the default corpus."""

LABELS: dict[str, tuple[str, ...]] = {
    "angry": ("ang",),
    "happy": ("hap", "exc"),
    "neutral": ("neu",),
    "sad": ("sad",),
}
"""IEMOCAP's labels for each of the four emotions."""


@dataclass(frozen=True)
class Voice:
    """One speaker: a voice of Praat's synthesiser, its vocal tract and its usual pitch.

    Attributes:
        speaker: IEMOCAP's name, e.g. ``"Ses01F"``.
        language, variant: names in Praat's *Create SpeechSynthesizer*.
        formants: factor on all resonances; above 1 is a shorter vocal tract.
        f0_hz: median F0 in plain speech.
        words_per_minute: speed of the plain reading.
    """

    speaker: str
    language: str
    variant: str
    formants: float
    f0_hz: float
    words_per_minute: int


_GB, _RP, _US = "English (Great Britain)", "English (Received Pronunciation)", "English (America)"
_SC, _LA = "English (Scotland)", "English (Lancaster)"

VOICES: tuple[Voice, ...] = (
    Voice("Ses01F", _GB, "Female1", 1.03, 196.0, 205),
    Voice("Ses01M", _US, "Male1", 0.98, 112.0, 210),
    Voice("Ses02F", _US, "Female2", 1.08, 221.0, 215),
    Voice("Ses02M", _GB, "Male3", 0.93, 98.0, 195),
    Voice("Ses03F", _RP, "Female3", 0.99, 183.0, 200),
    Voice("Ses03M", _SC, "Male4", 1.02, 127.0, 215),
    Voice("Ses04F", _SC, "Female4", 1.05, 208.0, 210),
    Voice("Ses04M", _RP, "Male7", 0.96, 105.0, 205),
    Voice("Ses05F", _LA, "Female5", 1.10, 233.0, 200),
    Voice("Ses05M", _LA, "Male6", 1.04, 120.0, 210),
)
"""Ten speakers, a woman's and a man's voice in each of five sessions."""

SENTENCES: tuple[str, ...] = (
    "The train leaves at nine.",
    "She put the old chairs in the hall.",
    "My brother is coming over on Sunday.",
    "It is eleven o'clock.",
    "There are seven bags under the table.",
    "They are moving the boat to the river.",
    "I wonder what this is about.",
    "We will know it in an hour.",
    "The window of the room was open.",
    "He has already read the letter from Anna.",
    "Maria is working here again.",
    "The bus goes down to the harbour.",
    "Your mail is lying on the fridge.",
    "Nobody was at home yesterday evening.",
    "I have been on the phone all morning.",
    "The meeting will be in another room.",
)
"""Sentences that carry no emotion of their own; the default corpus takes the first twelve."""

FACTORS: tuple[str, ...] = (
    "f0_hz",
    "f0_range_semitones",
    "rate",
    "level_db",
    "tilt_db",
    "jitter_percent",
)
"""What is acted, as columns of the table: median F0 in Hz; standard deviation of F0 in semitones;
speed relative to the voice's plain reading; RMS level of the speech in dB below full scale;
spectral tilt in dB per octave above 500 Hz, relative to the voice; perturbation of the periods,
standard deviation in percent."""

# Steps of a factor that count alike: semitones, octaves of range, octaves of rate, dB, dB per
# octave, octaves of jitter. Everything below is in these steps.
_UNIT = np.array([2.0, 0.36, 0.13, 2.1, 1.0, 0.8])
_PLAIN = np.array([0.0, math.log2(2.3), 0.0, -31.0, 0.0, math.log2(1.0)])

STEREOTYPES: dict[str, tuple[float, ...]] = {
    #           F0   range rate level tilt jitter
    "angry": (1.2, 0.4, 0.7, 2.4, 2.4, 1.7),
    "happy": (2.8, 2.3, 0.6, 1.1, 0.4, -0.6),
    "neutral": (0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    "sad": (-0.6, -1.3, -1.7, -1.8, -1.6, 1.0),
}
"""The shared part of each emotion, in steps of :data:`FACTORS` away from plain speech."""

BASE_SD, HABIT_SD, NOISE_SD = 0.7, 0.7, 0.6
"""How far speakers, their habits and their takes scatter, in the same steps."""

_LIMITS = np.array(
    [[60.0, 420.0], [0.5, 6.0], [0.65, 1.5], [-42.0, -20.0], [-5.0, 5.0], [0.1, 8.0]]
)


def stream(*parts: object) -> np.random.RandomState:
    """Random numbers that depend on the given names alone.

    >>> float(stream("a", 1).rand()) == float(stream("a", 1).rand())
    True
    """
    name = "/".join(str(p) for p in ("ser-synthetic", VERSION, *parts))
    return np.random.RandomState(int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big"))


@dataclass(frozen=True)
class Line:
    """One utterance to be spoken: who, what, how.

    Attributes:
        voice: index into :data:`VOICES`.
        emotion: one of the four.
        sentence: index into :data:`SENTENCES`.
        intensity: how strongly this take is acted, about 0.3 to 1.5.
        factors: name -> value, as :data:`FACTORS`.
    """

    voice: int
    emotion: str
    sentence: int
    intensity: float
    factors: dict[str, float]

    @property
    def key(self) -> tuple[object, ...]:
        """Names the line's random streams."""
        return (VOICES[self.voice].speaker, self.emotion, self.sentence, 0)  # 0: the first take

    @property
    def label(self) -> str:
        """IEMOCAP's label: strongly acted happiness is called excited."""
        labels = LABELS[self.emotion]
        return labels[-1] if self.intensity > 1.0 else labels[0]


def act(voice: int, emotion: str, sentence: int) -> Line:
    """Draw the factors of one utterance (the equation in the module's docstring).

    >>> act(0, "angry", 3) == act(0, "angry", 3)
    True
    >>> sorted(act(0, "sad", 0).factors) == sorted(FACTORS)
    True
    """
    who = VOICES[voice]
    speaker = stream("speaker", who.speaker)
    base = BASE_SD * speaker.standard_normal(len(FACTORS))
    expressiveness = 0.75 + 0.5 * speaker.rand()
    habit = HABIT_SD * stream("habit", who.speaker, emotion).standard_normal(len(FACTORS))
    if emotion == "neutral":
        habit *= 0.4
    draw = stream("line", who.speaker, emotion, sentence, 0)
    intensity = 0.5 + 1.0 * draw.rand()
    steps = base + intensity * expressiveness * (np.array(STEREOTYPES[emotion]) + habit)
    steps = steps + NOISE_SD * draw.standard_normal(len(FACTORS))
    f0, spread, rate, level, tilt, jitter = _PLAIN + _UNIT * steps
    values = [who.f0_hz * 2 ** (f0 / 12), 2**spread, 2**rate, level, tilt, 2**jitter]
    values = np.clip(values, _LIMITS[:, 0], _LIMITS[:, 1])
    # Four decimals: what factors.csv says is exactly what is spoken.
    factors = {name: round(float(v), 4) for name, v in zip(FACTORS, values, strict=True)}
    return Line(voice, emotion, sentence, round(float(intensity), 4), factors)


def plan(speakers: int, sentences: int) -> list[Line]:
    """All lines of a corpus, in the order speaker, sentence, emotion.

    >>> len(plan(10, 12))
    480
    """
    return [
        act(voice, emotion, sentence)
        for voice in range(speakers)
        for sentence in range(sentences)
        for emotion in LABELS
    ]
