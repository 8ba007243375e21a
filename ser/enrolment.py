"""A few neutral utterances of each speaker that say what the voice is like, and nothing else.

Whoever wants to be understood may be asked for three calm sentences first. Those are drawn here, by
a seed, for every speaker of a corpus alike; they normalise (rule ``enrol:K`` of
:mod:`ser.normalise`) and are in no fold: neither trained on, nor tested, nor used to choose an
epoch. Recordings of the same sound are left out with them.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace
from typing import Any

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


def without_enrolled(fold: Fold, sounds: Container[str], corpus: Any, test: Any) -> Fold:
    """*fold* less whatever is the same sound as what is enrolled; its hash is of what is left.

    Args:
        fold: of :func:`ser.protocols.split`.
        sounds: content hashes of what is enrolled.
        corpus, test: what it trains on and is tested on (the same but for ``cross``), each with a
            ``table`` and ``keys``, the content hash of each row's sound.
    """
    sides = {"train": corpus, "dev": corpus, "test": test}
    left = {
        side: np.array([i for i in getattr(fold, side) if part.keys[i] not in sounds], dtype=int)
        for side, part in sides.items()
    }
    names = [part.table.utterance.to_numpy()[left[side]] for side, part in sides.items()]
    return replace(fold, **left, hash=sides_digest(fold.protocol, fold.name, names))
