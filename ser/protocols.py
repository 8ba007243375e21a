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
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from ser.corpora.base import Corpus
from ser.corpora.emotion_set import ordered
from ser.corpora.overlaps import spans
from ser.corpora.speaker_names import alike, names_nobody
from ser.errors import ProtocolError
from ser.leaks import Leak, find_leaks, some

__all__ = ["PROTOCOLS", "Fold", "Leak", "find_leaks", "inner_split", "split"]

log = logging.getLogger(__name__)

PROTOCOLS: tuple[str, ...] = ("random", "speakers", "loso", "sessions", "cross")
"""The ways to divide a corpus that :func:`split` knows."""


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
        outer: of an inner fold: name of the fold whose training side it divides; else ``""``.
    """

    protocol: str
    name: str
    train: np.ndarray
    dev: np.ndarray
    test: np.ndarray
    folds: int
    hash: str = field(repr=False)
    outer: str = ""


def split(
    corpus: Corpus | pd.DataFrame,
    protocol: str = "speakers",
    folds: int = 5,
    seed: int = 0,
    dev: float = 0.0,
    test: Corpus | pd.DataFrame | None = None,
    audio: Sequence[str] | None = None,
    distinct_speakers: bool = False,
) -> list[Fold]:
    """Divide a corpus into folds.

    Rows that share sound (identical, or parts of one recording that overlap in time) stay on one
    side: ``speakers`` takes speakers who share sound for one, ``loso`` and ``sessions`` refuse
    them; ``random`` divides them, which :func:`find_leaks` tells. A dev set never shares sound with
    what is trained on.

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
        audio: a content hash of each row's sound, as :func:`find_leaks` takes it; None: rows are
            of one recording if they are of one file.
        distinct_speakers: names such as ``3`` and ``03`` are different people.

    Returns:
        The folds, in a fixed order.

    Raises:
        ProtocolError: an unknown protocol, a seed beyond 31 bits, too few speakers, sessions or
            utterances, or, wherever whole speakers or sessions are taken, names that may be one
            person's (see :func:`ser.corpora.speaker_names.person`), speakers or sessions that
            share sound.

    Example:
        >>> table = pd.DataFrame({"utterance": list("abcdefgh"), "speaker": list("AABBCCDD"),
        ...                       "emotion": ["angry", "sad"] * 4, "session": ""})
        >>> [f.name for f in split(table, "loso")]
        ['A', 'B', 'C', 'D']
    """
    tables = [corpus, corpus if test is None else test]
    table, test_table = (t if isinstance(t, pd.DataFrame) else t.table for t in tables)
    if protocol not in PROTOCOLS:
        raise ProtocolError(f"unknown protocol {protocol!r}; choose from {', '.join(PROTOCOLS)}")
    if not 0 <= dev < 1:
        raise ProtocolError(f"dev is a share of the training side, 0 <= dev < 1, not {dev}")
    if not 0 <= seed < 2**31:  # scikit-learn takes 32 bits, and each dev set has a seed above it
        raise ProtocolError(f"the seed of a division is 0 to {2**31 - 1}, not {seed}")
    if (test is not None) != (protocol == "cross"):
        raise ProtocolError("protocol 'cross' and a test corpus go together")
    for side, whose in ((table, "corpus"), (test_table, "test corpus")):
        if side.emotion.nunique() == 0:
            raise ProtocolError(f"the {whose} has no utterances of the classes to divide")
        if side.emotion.nunique() == 1:
            raise ProtocolError(
                f"every utterance is {side.emotion.iloc[0]}: with one class there is nothing to "
                "tell apart, and every answer would be right. Look at the labels with `ser check`"
            )
    if protocol in ("speakers", "loso") and (nobody := sum(map(names_nobody, table.speaker))):
        raise ProtocolError(
            f"protocol {protocol!r} needs a speaker for every utterance; {nobody} have none"
        )
    if protocol != "random" and not distinct_speakers and (protocol != "cross" or dev):
        _refuse_alike(table, protocol)

    sound = spans(table, audio).groups()
    names = table.speaker.astype(str).to_numpy()
    speakers = _together(names, sound)
    if protocol == "speakers" and (joined := _joined(names, speakers)):
        log.info("speakers %s have rows of the same sound and stay on one side", some(joined))
    if protocol == "cross":
        pairs = [("all", np.arange(len(table)), np.arange(len(test_table)))]
    elif protocol in ("loso", "sessions"):
        pairs = _left_out(table, protocol, speakers, sound)
    else:
        parts = _parts(table, protocol, folds, seed, speakers)
        pairs = [(str(i + 1), *sides) for i, sides in enumerate(parts)]
    result, emotion = [], table.emotion.to_numpy()
    for number, (name, train, tested) in enumerate(pairs):
        group = sound if protocol == "random" else speakers
        held = _dev(emotion[train], dev, protocol, seed + number, group[train])
        kept, held = np.setdiff1d(train, train[held]), train[held]
        if missing := [e for e in ordered(emotion) if e not in emotion[kept]]:
            raise ProtocolError(
                f"fold {name!r} of protocol {protocol!r} leaves no {', '.join(missing)} to train "
                "on; use other folds, no dev set, another protocol, or --emotions without it"
            )
        sides = [table.utterance.iloc[kept], table.utterance.iloc[held]]
        digest = sides_digest(protocol, name, [*sides, test_table.utterance.iloc[tested]])
        result.append(Fold(protocol, name, kept, held, tested, len(pairs), digest))
    if protocol in ("speakers", "loso", "sessions"):
        _tell_thin(table, result)
    return result


def inner_split(
    fold: Fold,
    table: pd.DataFrame,
    folds: int,
    audio: Sequence[str] | None = None,
    **given: Any,
) -> list[Fold]:
    """Divide the training side of a fold by speaker, to choose something without its test side.

    Args:
        fold: of :func:`split`.
        table: that *fold* counts in.
        folds: how many; as many as there are speakers where those are fewer.
        audio, given: as for :func:`split`.

    Returns:
        Folds of the same protocol, named ``NAME / 1`` and so on, that train and test on parts of
        ``fold.train``.

    Raises:
        ProtocolError: a training side of one speaker.

    Example:
        >>> table = pd.DataFrame({"utterance": list("abcdefgh"), "speaker": list("AABBCCDD"),
        ...                       "emotion": ["angry", "sad"] * 4, "session": ""})
        >>> [(f.name, f.test.tolist()) for f in inner_split(split(table, "loso")[0], table, 3)]
        [('A / 1', [6, 7]), ('A / 2', [4, 5]), ('A / 3', [2, 3])]
    """
    own = table.iloc[fold.train]
    sound = None if audio is None else [audio[i] for i in fold.train]
    count = min(folds, own.speaker.nunique())
    if count < 2:
        raise ProtocolError(
            f"fold {fold.name!r} of protocol {fold.protocol!r} trains on one speaker: there is "
            "nobody to hold out and choose by"
        )
    parts = split(own.reset_index(drop=True), "speakers", count, audio=sound, **given)
    return [
        replace(
            part,
            protocol=fold.protocol,
            name=f"{fold.name} / {part.name}",
            outer=fold.name,
            train=fold.train[part.train],
            test=fold.train[part.test],
        )
        for part in parts
    ]


def _refuse_alike(table: pd.DataFrame, protocol: str) -> None:
    for column in ("speaker", "session") if protocol == "sessions" else ("speaker",):
        if groups := alike(table[column]):
            shown = "; ".join(" = ".join(map(repr, names)) + "?" for names in groups[:4])
            raise ProtocolError(
                f"protocol {protocol!r} keeps {column}s apart, and some may be one under several "
                f"names: {shown} Give each one name; if they are different, say so: "
                "--distinct-speakers"
            )


def _together(names: np.ndarray, sound: np.ndarray) -> np.ndarray:
    """*names* with one name for all who share sound, directly or by others."""
    from scipy.cluster.hierarchy import DisjointSet

    groups, heard = DisjointSet(names), dict(zip(sound, names, strict=True))
    for name, number in zip(names, sound, strict=True):
        groups.merge(name, heard[number])
    first = {name: min(groups.subset(name)) for name in set(names)}
    return np.array([first[name] for name in names])


def sides_digest(protocol: str, name: str, sides: Sequence[np.ndarray]) -> str:
    """SHA-256 over a fold: protocol, name, and the utterances' names of each side."""
    content = json.dumps([protocol, name, *[sorted(map(str, side)) for side in sides]])
    return hashlib.sha256(content.encode()).hexdigest()


def _joined(names: np.ndarray, together: np.ndarray) -> list[str]:
    """Who of *names* has got a name in common with others."""
    changed = names != together
    return sorted({*names[changed], *together[changed]})


def _left_out(
    table: pd.DataFrame, protocol: str, speakers: np.ndarray, sound: np.ndarray
) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """(name, training rows, test rows) of each speaker or session left out."""
    column = "speaker" if protocol == "loso" else "session"
    groups = table[column].astype(str).to_numpy()
    names = sorted(set(groups))
    if len(names) < 2 or "" in names:
        other = "'speakers' or 'random'" if table.speaker.nunique() > 1 else "'random'"
        raise ProtocolError(
            f"protocol {protocol!r} needs at least two {column}s and one for every utterance; "
            f"this corpus has {len(names)} ({some(names)}). Try {other}."
        )
    if joined := _joined(groups, _together(groups, sound)):
        way_out = (
            "protocol 'speakers' keeps those who share sound on one side"
            if len(set(speakers)) > 1
            else "cut the rows apart, or leave some out"
        )
        raise ProtocolError(
            f"protocol {protocol!r} would test sound that it trained on: {column}s "
            f"{some(joined)} have rows of the same sound (`ser check` names them); {way_out}"
        )
    return [(n, np.flatnonzero(groups != n), np.flatnonzero(groups == n)) for n in names]


def _parts(
    table: pd.DataFrame, protocol: str, folds: int, seed: int, speakers: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    """(training rows, test rows) of each of *folds* parts, of ``random`` or ``speakers``."""
    if folds < 2:
        raise ProtocolError(f"at least 2 folds are needed, not {folds}")
    if protocol == "random":
        counts = table.emotion.value_counts()
        if counts.min() < folds:
            raise ProtocolError(
                f"{folds} stratified folds need {folds} utterances a class; "
                f"{counts.idxmin()!r} has {counts.min()}. Use fewer --folds."
            )
        return _folds(table.emotion.to_numpy(), None, folds, seed)
    if (count := len(set(speakers))) < folds:
        shared = ", counting those who share sound as one" * (count < table.speaker.nunique())
        way_out = f"Use --folds {count}{' or fewer' if count > 2 else ''}."
        if count < 2:
            way_out = (
                "With one speaker only protocol 'random' is possible; what it measures holds for "
                "this voice alone."
            )
        raise ProtocolError(
            f"{folds} speaker-disjoint folds need {folds} speakers; the corpus has "
            f"{count}{shared}. {way_out}"
        )
    return _folds(table.emotion.to_numpy(), speakers, folds, seed)


def _folds(
    emotion: np.ndarray, groups: np.ndarray | None, folds: int, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """(training rows, test rows) of folds with equal shares of each class where *groups* allow,
    which stay whole; none is empty."""
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold  # they take a second

    if groups is None or min(np.unique(emotion, return_counts=True)[1]) >= folds:
        kind = StratifiedKFold if groups is None else StratifiedGroupKFold
        parts = list(kind(folds, shuffle=True, random_state=seed).split(emotion, emotion, groups))
        if all(len(test) for _, test in parts):
            return parts
    names = np.random.default_rng(seed).permutation(np.unique(groups))
    sides = [np.isin(groups, names[i::folds]) for i in range(folds)]
    return [(np.flatnonzero(~side), np.flatnonzero(side)) for side in sides]


def _dev(
    emotion: np.ndarray, share: float, protocol: str, seed: int, groups: np.ndarray
) -> np.ndarray:
    """Places on a training side that are held out: whole *groups*, who are speakers but for
    ``random``, where they are rows that share sound."""
    if share == 0:
        return np.array([], dtype=int)
    parts, names = max(2, round(1 / share)), np.unique(groups)
    if protocol == "random":
        if min(np.unique(emotion, return_counts=True)[1]) < parts:
            raise ProtocolError("too few utterances of a class on the training side for a dev set")
        if len(names) == len(emotion):
            return _folds(emotion, None, parts, seed)[0][1]
        if len(names) < 2:
            raise ProtocolError("all rows share sound with each other: leave out selection 'dev'")
    elif len(names) < 2 or any(map(names_nobody, names)):
        raise ProtocolError(
            f"a dev set by speakers needs two speakers on the training side; it has {len(names)}. "
            "Leave out selection 'dev', or use protocol 'random'."
        )
    candidates = _folds(emotion, groups, min(parts, len(names)), seed)
    classes = set(emotion)
    # The first (in seeded order) that leaves every class on both sides.
    whole = (h for k, h in candidates if set(emotion[h]) == set(emotion[k]) == classes)
    return next(whole, candidates[0][1])


def _tell_thin(table: pd.DataFrame, folds: Sequence[Fold]) -> None:
    """Emotions that some test sides lack: UA there is over fewer classes."""
    emotion = table.emotion.to_numpy()
    heard = table.groupby("emotion").speaker.nunique()
    for one in ordered(emotion):
        without = [fold.name for fold in folds if one not in emotion[fold.test]]
        if without:
            log.info(
                "%s is heard from %d of %d speakers, and not on the test side of %d of %d folds "
                "(%s)",
                *(one, heard[one], table.speaker.nunique(), len(without), len(folds)),
                some(without),
            )
