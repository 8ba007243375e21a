"""What training and test have in common (book: chapter "The protocol laboratory")."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ser.corpora.overlaps import across, spans
from ser.corpora.speaker_names import person


@dataclass(frozen=True)
class Leak:
    """What the training side (dev included) and the test side have in common.

    Each attribute lists the shared names; ``audio`` lists pairs
    (training utterance, test utterance) of identical sound, ``overlaps`` such pairs that are
    parts of one recording and overlap in time, with ``seconds`` of sound on both sides.
    """

    speakers: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()
    audio: tuple[tuple[str, str], ...] = ()
    overlaps: tuple[tuple[str, str], ...] = ()
    seconds: float = 0.0

    def counts(self) -> dict[str, int]:
        """How many of each kind are shared; ``seconds`` (whole ones, rounded up) with overlaps."""
        kinds = ("speakers", "texts", "sessions", "audio")
        found = {kind: len(getattr(self, kind)) for kind in kinds}
        if self.overlaps:
            found |= {"overlaps": len(self.overlaps), "seconds": math.ceil(round(self.seconds, 6))}
        return found

    def __str__(self) -> str:
        parts = []
        for kind in ("speakers", "texts", "sessions"):
            names = getattr(self, kind)
            if names:
                parts.append(f"{len(names)} {kind} ({some(names)})")
        if self.audio:
            pairs = [f"{a} = {b}" for a, b in self.audio]
            parts.append(f"{len(pairs)} identical recordings ({some(pairs)})")
        if self.overlaps:
            pairs = [f"{a} and {b}" for a, b in self.overlaps]
            parts.append(
                f"{self.seconds:.1f} s of sound in {len(pairs)} test rows that overlap training "
                f"rows in time ({some(pairs)})"
            )
        return "shared between training and test: " + ("; ".join(parts) if parts else "nothing")


def find_leaks(
    train: pd.DataFrame,
    test: pd.DataFrame,
    train_audio: Sequence[str] | None = None,
    test_audio: Sequence[str] | None = None,
    same_corpus: bool = True,
    distinct_speakers: bool = False,
) -> Leak:
    """Name what two sides share: speakers, texts, sessions, identical audio, overlapping rows.

    Args:
        train, test: rows of a corpus table (training side with its dev set).
        train_audio, test_audio: a content hash of each row's sound, to find copies and rows of one
            recording; None: rows are of one recording if they are of one file.
        same_corpus: False for two corpora, where a speaker's or session's code means
            different people; then only texts and audio are compared.
        distinct_speakers: names such as ``3`` and ``03`` are different people.

    Example:
        >>> rows = {"utterance": ["a", "b"], "speaker": "S1", "session": "", "text": "Hello!"}
        >>> table = pd.DataFrame(rows)
        >>> print(find_leaks(table[:1], table[1:]))
        shared between training and test: 1 speakers (S1); 1 texts (hello)
    """

    def shared(column: str, key=str) -> tuple[str, ...]:
        """Names in *column* that both sides have, alike by *key*."""
        left, right = ({key(v): str(v) for v in side[column]} for side in (train, test))
        names = {name: {left[name], right[name]} for name in left.keys() & right.keys() - {""}}
        same = key is person
        return tuple(sorted(" = ".join(sorted(names[n])) if same else n for n in names))

    copies: list[tuple[str, str]] = []
    copied = np.zeros(len(test), dtype=bool)
    hashed = train_audio is not None and test_audio is not None
    if hashed:
        known: dict[str, str] = {}
        for name, sound in zip(train.utterance, train_audio, strict=True):
            known.setdefault(sound, name)
        copied = np.array([sound in known for sound in test_audio], dtype=bool)
        pairs = zip(test.utterance, test_audio, strict=True)
        copies = [(known[sound], name) for name, sound in pairs if sound in known]
    both = spans(pd.concat([train, test]), [*train_audio, *test_audio] if hashed else None)
    others = np.flatnonzero(~copied)
    found, seconds = across(both[: len(train)], both[len(train) :][others])
    before, after = train.utterance.to_numpy(), test.utterance.to_numpy()[others]
    return Leak(
        speakers=shared("speaker", str if distinct_speakers else person) if same_corpus else (),
        texts=shared("text", _plain),
        sessions=shared("session") if same_corpus else (),
        audio=tuple(copies),
        overlaps=tuple((before[a], after[b]) for a, b in found),
        seconds=seconds,
    )


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", " ", str(text).casefold()).strip()


def some(names: Sequence[str], most: int = 4) -> str:
    """The first few of *names*, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(n if len(n) <= 40 else n[:37] + "..." for n in names[:most]) + more
