"""A few neutral utterances of each speaker that say what the voice is like, and nothing else.

Whoever wants to be understood may be asked for three calm sentences first. Those are drawn here, by
a seed, for every speaker of a corpus alike; they normalise (rule ``enrol:K`` of
:mod:`ser.normalise`) and are in no fold: neither trained on, nor tested, nor used to choose an
epoch. Recordings of the same sound are left out with them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from ser.errors import ProtocolError
from ser.leaks import some
from ser.normalise import drawn
from ser.protocols import Fold, sides_digest

CALM = "neutral"
"""The emotion of what a speaker is asked for."""


def enrol(table: pd.DataFrame, count: int, seed: int = 0) -> dict[str, list[int]]:
    """Draw *count* neutral utterances of each speaker.

    Args:
        table: of a corpus (columns ``utterance``, ``emotion``, ``speaker``).
        count: K, at least 1.
        seed: of the draw; an utterance's place in it depends on its name and the seed alone.

    Returns:
        Speaker -> rows of the table.

    Raises:
        ProtocolError: a speaker with fewer than *count* + 1 neutral utterances: none would be left
            to be tested.

    Example:
        >>> table = pd.DataFrame({"utterance": list("abcd"), "emotion": ["neutral"] * 3 + ["sad"],
        ...                       "speaker": ["A"] * 4})
        >>> [len(rows) for rows in enrol(table, 2).values()]
        [2]
    """
    calm = (table.emotion == CALM).to_numpy()
    speakers, names = table.speaker.astype(str).to_numpy(), table.utterance.astype(str).to_numpy()
    found, short = {}, []
    for speaker in sorted(set(speakers)):
        rows = np.flatnonzero(calm & (speakers == speaker))
        if len(rows) <= count:
            short.append(f"{speaker!r} ({len(rows)})")
        found[speaker] = [int(rows[i]) for i in drawn(names[rows], seed)[:count]]
    if short and not calm.any():
        raise ProtocolError(
            f"enrol:{count} takes {CALM} utterances of each speaker, and {CALM} is none of the "
            f"emotions here: name it in --emotions, or take another rule"
        )
    if short:
        most = min(len(np.flatnonzero(calm & (speakers == speaker))) for speaker in found) - 1
        fewer = f"Take fewer (--normalise enrol:{most})" if most > 0 else "Take another rule"
        raise ProtocolError(
            f"enrol:{count} takes {count} neutral utterances of each speaker, and one more must "
            f"be left to be tested; {len(short)} of {len(found)} speakers have fewer than "
            f"{count + 1}: {some(short)}. {fewer}, or leave these "
            "speakers out of the corpus"
        )
    return found


def without_enrolled(
    fold: Fold,
    table: pd.DataFrame,
    keys: Sequence[str],
    enrolled: Iterable[int],
    test: pd.DataFrame,
    test_keys: Sequence[str],
    test_enrolled: Iterable[int],
) -> Fold:
    """*fold* less what is enrolled and whatever is the same sound; its hash is of what is left.

    Args:
        fold: of :func:`ser.protocols.split`.
        table, keys, enrolled: the corpus, the content hash of each row's sound, rows enrolled.
        test, test_keys, test_enrolled: the same of the test corpus (the same but for ``cross``).
    """
    sound = {keys[i] for i in enrolled} | {test_keys[i] for i in test_enrolled}

    def left(rows: np.ndarray, of: Sequence[str]) -> np.ndarray:
        return np.array([i for i in rows if of[i] not in sound], dtype=int)

    sides = left(fold.train, keys), left(fold.dev, keys), left(fold.test, test_keys)
    names = [
        part.utterance.to_numpy()[rows]
        for part, rows in zip((table, table, test), sides, strict=True)
    ]
    digest = sides_digest(fold.protocol, fold.name, names)
    return replace(fold, train=sides[0], dev=sides[1], test=sides[2], hash=digest)
