"""Who trains and who is tested, and what the two sides share (book: "The protocol laboratory").

========== ===================================================================================
protocol   test side of each fold
========== ===================================================================================
random     a stratified k-th of all utterances, speakers mixed (what the paper does)
speakers   a k-th of the speakers, none of whom is heard in training
loso       one speaker (leave one speaker out)
sessions   one recording session (leave one session out; IEMOCAP's usual protocol)
cross      another corpus altogether
========== ===================================================================================
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from ser.corpora.base import EMOTIONS, Corpus
from ser.errors import ProtocolError

PROTOCOLS: tuple[str, ...] = ("random", "speakers", "loso", "sessions", "cross")
LARGEST_SEED = 2**31
"""scikit-learn takes 32 bits, and each fold's dev set has a seed of its own above this one."""


@dataclass(frozen=True)
class Fold:
    """One division of a corpus.

    Attributes:
        protocol: one of :data:`PROTOCOLS`.
        name: the speaker or session left out, or the fold's number.
        train, dev, test: row numbers; ``train`` and ``dev`` count in the table given to
            :func:`split`, ``test`` too, but for ``cross``, where it counts in the test table.
        folds: how many folds the split has.
        hash: SHA-256 over the protocol and the utterances of each side.
    """

    protocol: str
    name: str
    train: np.ndarray
    dev: np.ndarray
    test: np.ndarray
    folds: int
    hash: str = field(repr=False)


@dataclass(frozen=True)
class Leak:
    """What the training side (dev included) and the test side have in common.

    Each attribute lists the shared names; ``audio`` lists pairs
    (training utterance, test utterance) of identical sound.
    """

    speakers: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()
    audio: tuple[tuple[str, str], ...] = ()

    def counts(self) -> dict[str, int]:
        """How many of each kind are shared."""
        return {k: len(getattr(self, k)) for k in ("speakers", "texts", "sessions", "audio")}

    def __str__(self) -> str:
        parts = []
        for kind in ("speakers", "texts", "sessions"):
            names = getattr(self, kind)
            if names:
                parts.append(f"{len(names)} {kind} ({_some(names)})")
        if self.audio:
            pairs = [f"{a} = {b}" for a, b in self.audio]
            parts.append(f"{len(pairs)} identical recordings ({_some(pairs)})")
        return "shared between training and test: " + ("; ".join(parts) if parts else "nothing")


def split(
    corpus: Corpus | pd.DataFrame,
    protocol: str = "speakers",
    folds: int = 5,
    seed: int = 0,
    dev: float = 0.0,
    test: Corpus | pd.DataFrame | None = None,
) -> list[Fold]:
    """Divide a corpus into folds.

    Args:
        corpus: a corpus or its table (columns ``utterance``, ``emotion``, ``speaker`` and,
            for ``sessions``, ``session``).
        protocol: one of :data:`PROTOCOLS`.
        folds: number of folds of ``random`` and ``speakers``; the others have as many as
            there are speakers or sessions (``cross``: one).
        seed: of the division; independent of the training seed, so that runs with several
            training seeds share their folds.
        dev: share of the *training side* held out for choosing an epoch, by whole speakers
            wherever the protocol is by speakers. 0 holds out nothing.
        test: the other corpus, for ``cross``.

    Returns:
        The folds, in a fixed order.

    Raises:
        ProtocolError: an unknown protocol, a seed beyond 31 bits, or too few speakers, sessions
            or utterances.

    Example:
        >>> table = pd.DataFrame({"utterance": list("abcdefgh"), "speaker": list("AABBCCDD"),
        ...                       "emotion": ["angry", "sad"] * 4, "session": ""})
        >>> [f.name for f in split(table, "loso")]
        ['A', 'B', 'C', 'D']
    """
    table = _table(corpus)
    if protocol not in PROTOCOLS:
        raise ProtocolError(f"unknown protocol {protocol!r}; choose from {', '.join(PROTOCOLS)}")
    if not 0 <= dev < 1:
        raise ProtocolError(f"dev is a share of the training side, 0 <= dev < 1, not {dev}")
    if not 0 <= seed < LARGEST_SEED:
        raise ProtocolError(f"the seed of a division is 0 to {LARGEST_SEED - 1}, not {seed}")
    if len(table) == 0:
        raise ProtocolError("the corpus has no utterances of the four classes to divide")
    for side in (table,) if test is None else (table, _table(test)):
        if side.emotion.nunique() == 1:
            raise ProtocolError(
                f"every utterance is {side.emotion.iloc[0]}: with one class there is nothing to "
                "tell apart, and every answer would be right. Look at the labels with "
                "`ser check CORPUS --root DIR`"
            )
    if (test is not None) != (protocol == "cross"):
        raise ProtocolError("protocol 'cross' and a test corpus go together")
    if protocol in ("speakers", "loso") and (table.speaker == "").any():
        raise ProtocolError(
            f"protocol {protocol!r} needs a speaker for every utterance; "
            f"{int((table.speaker == '').sum())} have none"
        )
    test_table = table if test is None else _table(test)
    if len(test_table) == 0:
        raise ProtocolError("the test corpus has no utterances of the four classes")

    pairs = _sides(table, protocol, folds, seed)
    if protocol == "cross":
        pairs = [("all", np.arange(len(table)), np.arange(len(test_table)))]
    result = []
    for number, (name, train, tested) in enumerate(pairs):
        held = _dev(table, train, dev, protocol, seed + number)
        kept = np.setdiff1d(train, held)
        _need_classes(table, kept, protocol, name)
        sides = [
            table.utterance.to_numpy()[kept],
            table.utterance.to_numpy()[held],
            test_table.utterance.to_numpy()[tested],
        ]
        digest = _digest(protocol, name, sides)
        result.append(Fold(protocol, name, kept, held, tested, len(pairs), digest))
    return result


def find_leaks(
    train: pd.DataFrame,
    test: pd.DataFrame,
    train_audio: Sequence[str] | None = None,
    test_audio: Sequence[str] | None = None,
    same_corpus: bool = True,
) -> Leak:
    """Name what two sides share: speakers, texts, sessions, identical audio.

    Args:
        train, test: rows of a corpus table (training side with its dev set).
        train_audio, test_audio: a content hash of each row's sound, to find copies.
        same_corpus: False for two corpora, where a speaker's or session's code means
            different people; then only texts and audio are compared.

    Example:
        >>> rows = {"utterance": ["a", "b"], "speaker": "S1", "session": "", "text": "Hello!"}
        >>> table = pd.DataFrame(rows)
        >>> print(find_leaks(table[:1], table[1:]))
        shared between training and test: 1 speakers (S1); 1 texts (hello)
    """

    def shared(column: str, key=str) -> tuple[str, ...]:
        left, right = ({key(v) for v in side[column]} - {""} for side in (train, test))
        return tuple(sorted(left & right))

    copies: list[tuple[str, str]] = []
    if train_audio is not None and test_audio is not None:
        known: dict[str, str] = {}
        for name, sound in zip(train.utterance, train_audio, strict=True):
            known.setdefault(sound, name)
        for name, sound in zip(test.utterance, test_audio, strict=True):
            if sound in known:
                copies.append((known[sound], name))
    return Leak(
        speakers=shared("speaker") if same_corpus else (),
        texts=shared("text", _plain),
        sessions=shared("session") if same_corpus else (),
        audio=tuple(copies),
    )


def _table(corpus: Corpus | pd.DataFrame) -> pd.DataFrame:
    return corpus if isinstance(corpus, pd.DataFrame) else corpus.table


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", " ", str(text).casefold()).strip()


def _some(names: Sequence[str], most: int = 4) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(n if len(n) <= 40 else n[:37] + "..." for n in names[:most]) + more


def _digest(protocol: str, name: str, sides: Sequence[np.ndarray]) -> str:
    content = json.dumps([protocol, name, *[sorted(map(str, side)) for side in sides]])
    return hashlib.sha256(content.encode()).hexdigest()


def _sides(
    table: pd.DataFrame, protocol: str, folds: int, seed: int
) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """(name, training rows, test rows) of each fold of one corpus."""
    rows = np.arange(len(table))
    emotion = table.emotion.to_numpy()
    if protocol in ("loso", "sessions"):
        column = "speaker" if protocol == "loso" else "session"
        groups = table[column].astype(str).to_numpy()
        names = sorted(set(groups))
        if len(names) < 2 or "" in names:
            other = "'speakers' or 'random'" if table.speaker.nunique() > 1 else "'random'"
            raise ProtocolError(
                f"protocol {protocol!r} needs at least two {column}s and one for every utterance; "
                f"this corpus has {len(names)} ({_some(names)}). Try {other}."
            )
        return [(n, rows[groups != n], rows[groups == n]) for n in names]
    if protocol == "cross":
        return []
    if folds < 2:
        raise ProtocolError(f"at least 2 folds are needed, not {folds}")
    if protocol == "random":
        counts = table.emotion.value_counts()
        if counts.min() < folds:
            raise ProtocolError(
                f"{folds} stratified folds need {folds} utterances a class; "
                f"{counts.idxmin()!r} has {counts.min()}. Use fewer --folds."
            )
        splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
        parts = splitter.split(rows, emotion)
    else:
        speakers = table.speaker.to_numpy()
        if (count := len(set(speakers))) < folds:
            way_out = f"Use --folds {count}{' or fewer' if count > 2 else ''}."
            if count < 2:
                way_out = (
                    "With one speaker only protocol 'random' is possible; what it measures holds "
                    "for this voice alone."
                )
            raise ProtocolError(
                f"{folds} speaker-disjoint folds need {folds} speakers; the corpus has {count}. "
                f"{way_out}"
            )
        parts = _group_folds(emotion, speakers, folds, seed)
    return [(str(i + 1), train, test) for i, (train, test) in enumerate(parts)]


def _group_folds(
    emotion: np.ndarray, speakers: np.ndarray, folds: int, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Speaker-disjoint folds, balanced in class where speakers allow, none of them empty."""
    rows = np.arange(len(emotion))
    if min(np.unique(emotion, return_counts=True)[1]) >= folds:
        splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
        parts = list(splitter.split(rows, emotion, speakers))
        if all(len(test) for _, test in parts):
            return parts
    names = np.random.default_rng(seed).permutation(np.unique(speakers))
    sides = [np.isin(speakers, names[i::folds]) for i in range(folds)]
    return [(rows[~side], rows[side]) for side in sides]


def _dev(
    table: pd.DataFrame, train: np.ndarray, share: float, protocol: str, seed: int
) -> np.ndarray:
    """Rows of the training side held out: whole speakers, but for ``random``."""
    if share == 0:
        return np.array([], dtype=int)
    parts = max(2, round(1 / share))
    emotion = table.emotion.to_numpy()[train]
    if protocol == "random":
        if min(np.unique(emotion, return_counts=True)[1]) < parts:
            raise ProtocolError("too few utterances of a class on the training side for a dev set")
        chosen = next(StratifiedKFold(parts, shuffle=True, random_state=seed).split(train, emotion))
        return train[chosen[1]]
    speakers = table.speaker.astype(str).to_numpy()[train]
    names = np.unique(speakers)
    if len(names) < 2 or "" in names:
        raise ProtocolError(
            f"a dev set by speakers needs two speakers on the training side; it has {len(names)}. "
            "Leave out selection 'dev', or use protocol 'random'."
        )
    parts = min(parts, len(names))
    # Of the candidate groups, the first (in seeded order) that leaves every class on both sides.
    groups = _group_folds(emotion, speakers, parts, seed)
    classes = set(emotion)
    for kept, held in groups:
        if set(emotion[held]) == classes and set(emotion[kept]) == classes:
            return train[held]
    return train[groups[0][1]]


def _need_classes(table: pd.DataFrame, train: np.ndarray, protocol: str, name: str) -> None:
    present = set(table.emotion.to_numpy()[train])
    wanted = [e for e in EMOTIONS if e in set(table.emotion)]
    missing = [e for e in wanted if e not in present]
    if missing:
        raise ProtocolError(
            f"fold {name!r} of protocol {protocol!r} leaves no {', '.join(missing)} to train on; "
            "use other folds, no dev set, or another protocol"
        )
