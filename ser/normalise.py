"""Features brought to mean 0 and standard deviation 1: whose mean, whose deviation.

====================  ==========================================================================
``train``             one mean and deviation of every dimension, those of the training side
``utterance``         each utterance by its own frames
``running``           each utterance by what its speaker said so far on the same side, itself
                      included, and by the training side's numbers, which count as one more
                      utterance; *causal*: nothing that comes later
``enrol:K``           each speaker by K neutral utterances of their own, which are used for nothing
                      else (:mod:`ser.enrolment`)
``speaker``           each speaker by all utterances of that speaker on the same side; this is
                      *transductive*: it looks at all of a test speaker's utterances (not at
                      their labels) before it answers the first
====================  ==========================================================================

A dimension is an MFCC column, a mel band or a descriptor of prosody; statistics are over true
frames, before any squash, and over the numbers that are there: NaN (no voice, so no pitch) counts
nowhere, and is 0, the mean, afterwards.
Book: chapter "What lifts it, honestly".
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ser.errors import FeatureError

NORMALISATIONS: tuple[str, ...] = ("none", "train", "utterance", "running", "enrol:K", "speaker")
"""Who may normalise: nobody, or the training set, clip, speaker so far, K calm clips, speaker."""

FLOOR = 1e-2
"""Least standard deviation (of MFCCs, and in dB): a constant dimension becomes 0, not noise."""
FLOORS = {"prosody": 1e-4}
"""Of features some of whose dimensions are small numbers by nature (jitter, slopes)."""

MARK = "(T)"
"""Stands behind the name of every transductive row, in tables and figures alike."""
TRANSDUCTIVE = (
    f"{MARK} transductive: the features of each speaker, those tested too, were normalised by that "
    "speaker's recordings on the same side of the split"
)
"""What the mark says, below a table or figure."""
ENROLMENT = (
    "(E K) enrolment: the features of each speaker, those tested too, were normalised by K neutral "
    "recordings of that speaker, which are neither trained on nor tested"
)
"""What the mark of rows with enrolment says, K a number."""
RUNNING_MARK = "(R)"
RUNNING = (
    f"{RUNNING_MARK} running: the features of each speaker, those tested too, were normalised by "
    "the training side and by what that speaker had said before: an answer counts on other "
    "recordings of the speaker tested"
)
"""What the mark of rows normalised by what was heard so far says."""

Scale = dict[str, tuple[np.ndarray, np.ndarray]]
"""Name of a feature (mfcc, s1, s2, prosody) -> mean and deviation of its dimensions, float32."""

Moments = dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]
"""Name of a feature -> count, sum and sum of squares of its dimensions' numbers, float64."""


def enrolled_by(rule: str) -> int:
    """K of a rule ``enrol:K``; 0 of any other.

    Example:
        >>> enrolled_by("enrol:3"), enrolled_by("speaker"), enrolled_by("enrol:0")
        (3, 0, 0)

    One rule has one name: records of another are not pooled with it.

        >>> enrolled_by("enrol:03")
        0
    """
    found = re.fullmatch(r"enrol:([1-9][0-9]*)", rule)
    return int(found[1]) if found else 0


def known_rule(rule: str) -> bool:
    """Whether there is such a rule.

    Example:
        >>> known_rule("enrol:3"), known_rule("enrol:K"), known_rule("running")
        (True, False, True)
    """
    return bool(enrolled_by(rule)) or (rule in NORMALISATIONS and ":" not in rule)


def mark_of(rule: str) -> str:
    """What stands behind the name of a row that was normalised so; empty: nothing need be said.

    Args:
        rule: one of :data:`NORMALISATIONS`; of a row that averages others, those of all of them,
            as its record has them, joined by commas.

    Example:
        >>> mark_of("speaker"), mark_of("enrol:3"), mark_of("running"), mark_of("train")
        ('(T)', '(E 3)', '(R)', '')
        >>> mark_of("none, running")
        '(R)'
    """
    marks = {"speaker": MARK, "running": RUNNING_MARK}
    rules = rule.split(", ")
    found = (f"(E {enrolled_by(r)})" if enrolled_by(r) else marks.get(r, "") for r in rules)
    return " ".join(dict.fromkeys(filter(None, found)))


def footnotes(rules: Iterable[str]) -> list[str]:
    """What the marks of rows under these rules say, a line each.

    Example:
        >>> [line[:3] for line in footnotes(["running", "none, speaker", "train"])]
        ['(T)', '(R)']
    """
    every = {one for rule in rules for one in rule.split(", ")}
    told = {
        TRANSDUCTIVE: "speaker" in every,
        ENROLMENT: any(map(enrolled_by, every)),
        RUNNING: "running" in every,
    }
    return [line for line, there in told.items() if there]


def drawn(names: Sequence[str], seed: int) -> list[int]:
    """Positions of *names* in an order that depends on each name and the seed alone.

    Example:
        >>> sorted(drawn(["a", "b", "c"], seed=0))
        [0, 1, 2]
    """
    digests = [hashlib.sha256(f"{seed}\x1f{name}".encode()).digest() for name in names]
    return sorted(range(len(digests)), key=lambda i: (digests[i], i))


def measure(features: Any, rows: Iterable[int], needs: Iterable[str]) -> Scale:
    """Mean and standard deviation of every dimension over all frames of *rows*.

    Args:
        features: as :class:`ser.batch.Dataset` reads them.
        rows: which utterances.
        needs: subset of {"mfcc", "s1", "s2", "prosody"}.

    Returns:
        Scale; a dimension without any number has mean 0 and deviation 1.

    Raises:
        FeatureError: no utterance.

    Example:
        >>> from types import SimpleNamespace
        >>> one = SimpleNamespace(mfcc=lambda i: np.array([[1.0], [3.0]]))
        >>> [part.tolist() for part in measure(one, [0], {"mfcc"})["mfcc"]]
        [[2.0], [1.0]]
    """
    return _scale(_sum([_moments(features, row, frozenset(needs)) for row in rows]))


def _moments(features: Any, row: int, needs: frozenset[str]) -> Moments:
    found = {}
    for name, array in _arrays(features, row, needs).items():
        array = np.asarray(array, np.float64)
        if name == "prosody":
            count = (~np.isnan(array)).sum(1).astype(np.float64)
            array = np.nan_to_num(array)
        else:
            count = np.full(len(array), float(array.shape[1]))
        found[name] = count, array.sum(1), (array**2).sum(1)
    return found


def _sum(parts: Iterable[Moments]) -> Moments:
    total: Moments = {}
    for part in parts:
        for name, three in part.items():
            before = total.get(name)
            total[name] = (
                three
                if before is None
                else tuple(a + b for a, b in zip(before, three, strict=True))
            )  # type: ignore[assignment]
    return total


def _scale(moments: Moments) -> Scale:
    if not moments:
        raise FeatureError("no utterance to take mean and deviation of")
    scale = {}
    for name, (count, total, squares) in moments.items():
        there = count > 0
        count = np.where(there, count, 1.0)
        mean = total / count
        deviation = np.sqrt(np.maximum(squares / count - mean**2, 0))
        deviation = np.where(there, np.maximum(deviation, FLOORS.get(name, FLOOR)), 1.0)
        scale[name] = mean.astype(np.float32), deviation.astype(np.float32)
    return scale


def _one_each(moments: Moments) -> Moments:
    """Moments of an utterance that counts as one, however long it is, in each dimension."""
    return {
        name: (np.minimum(count, 1.0), total / np.maximum(count, 1), squares / np.maximum(count, 1))
        for name, (count, total, squares) in moments.items()
    }


def running_scales(
    features: Any, rows: Sequence[int], needs: Iterable[str], prior: Scale
) -> dict[int, Scale]:
    """The scale of each of one speaker's utterances: it, those before, and the prior as one.

    Args:
        features, needs: as for :func:`measure`.
        rows: in the order in which they are heard.
        prior: the training side's mean and deviation.
    """
    wanted, found = frozenset(needs), {}
    heard: Moments = {
        name: (np.ones(len(mean)), mean.astype(float), deviation.astype(float) ** 2 + mean**2.0)
        for name, (mean, deviation) in prior.items()
        if name in wanted
    }
    for row in rows:
        heard = _sum([heard, _one_each(_moments(features, row, wanted))])
        found[int(row)] = _scale(heard)
    return found


def one_class_speakers(emotions: Iterable[str], speakers: Iterable[str]) -> list[str]:
    """Speakers heard in one class only: normalised by speaker, they lose what tells it apart.

    Args:
        emotions, speakers: of each utterance of one side of a split.

    Example:
        >>> one_class_speakers(["sad", "sad", "happy", "sad"], ["Ada", "Ada", "Bo", "Bo"])
        ['Ada']
    """
    heard: dict[str, set[str]] = {}
    for emotion, speaker in zip(emotions, speakers, strict=True):
        heard.setdefault(str(speaker), set()).add(emotion)
    return sorted(speaker for speaker, classes in heard.items() if len(classes) == 1)


def clipped(values: np.ndarray, deviations: float) -> np.ndarray:
    """*values* in deviations, those beyond so many set to them; 0 leaves all as they are.

    One number can be hundreds of deviations from what training has shown, where a column is a
    quotient: eGeMAPS's ``mfcc2V_sma3nz_stddevNorm`` is a deviation divided by a mean that may be
    close to 0. On EmoDB it reaches 436 deviations, a variance of 5,284, for speaker 11 by the
    numbers of the other nine; with speakers 08 and 16 left out it is ``mfcc1V_sma3nz_stddevNorm``
    that does so, with a variance of 1,879.

    Example:
        >>> clipped(np.array([-436.4, 0.5, 5.0]), 4).tolist(), clipped(np.array([5.0]), 0).tolist()
        ([-4.0, 0.5, 4.0], [5.0])
    """
    return np.clip(values, -deviations, deviations) if deviations else values


class Normalised:
    """Features seen through a rule; :class:`ser.batch.Dataset` reads it as it reads features.

    Args:
        features: ``mfcc(i)`` (frames, 39), ``mel(i)`` two arrays (bands, frames), ``prosody(i)``
            (rows, 25), ``preset``.
        scale: row -> the ``Scale`` to apply to it.
        clip_z: what is beyond so many deviations is set to them (:func:`clipped`).
    """

    def __init__(self, features: Any, scale: Callable[[int], Scale], clip_z: float = 0.0) -> None:
        self.features, self.scale, self.preset = features, scale, features.preset
        self.clip_z = clip_z

    def mfcc(self, i: int) -> np.ndarray:
        """MFCCs of row *i*, float32 (frames, 39)."""
        mean, deviation = self.scale(i)["mfcc"]
        return clipped((self.features.mfcc(i) - mean) / deviation, self.clip_z).astype(np.float32)

    def prosody(self, i: int) -> np.ndarray:
        """Descriptors of row *i*, float32 (rows, 25); 0, the mean, where there is no value."""
        mean, deviation = self.scale(i)["prosody"]
        values = clipped((self.features.prosody(i) - mean) / deviation, self.clip_z)
        return np.nan_to_num(values).astype(np.float32)

    def mel(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """S1 and S2 of row *i*, float32 (bands, frames); as they are where no scale is known."""
        scale, pair = self.scale(i), self.features.mel(i)
        return tuple(
            clipped((s - scale[n][0][:, None]) / scale[n][1][:, None], self.clip_z).astype(
                np.float32
            )
            if n in scale
            else s
            for n, s in zip(("s1", "s2"), pair, strict=True)
        )


def normalised(
    features: Any,
    rule: str,
    needs: Iterable[str],
    rows: Sequence[int] = (0,),
    speakers: Sequence[str] = ("",),
    scale: Scale | None = None,
    names: Sequence[str] | None = None,
    enrolled: Mapping[str, Sequence[int]] | None = None,
    seed: int = 0,
    clip_z: float = 0.0,
) -> Any:
    """*features* under a rule.

    Args:
        features: of a corpus, or of one recording.
        rule: one of :data:`NORMALISATIONS`, K a number.
        needs: the features that will be read.
        rows: the utterances of this side; ``speaker`` and ``running`` take their statistics from
            them.
        speakers: the speaker of each of *rows*.
        scale: the training side's, for ``train`` and ``running``; for ``enrol:K`` that of the one
            speaker who is heard, where *enrolled* is None.
        names: of *rows*, for ``running``: with the *seed* they decide in which order the utterances
            of a speaker are heard (a table is in order of its classes). None: as in *rows*.
        enrolled: speaker -> rows of the K neutral utterances, for ``enrol:K``.
        seed: see *names*.
        clip_z: numbers beyond so many deviations are set to them; 0: none is.

    Raises:
        FeatureError: an unknown rule, or one without what it needs.

    Example:
        >>> from types import SimpleNamespace
        >>> one = SimpleNamespace(mfcc=lambda i: np.array([[1.0], [3.0]]), preset=None)
        >>> normalised(one, "utterance", {"mfcc"}).mfcc(0).tolist()
        [[-1.0], [1.0]]
    """
    if rule == "none":
        return features
    if rule in ("train", "running") and scale is None:
        raise FeatureError(f"normalisation {rule!r} needs the training side's mean and deviation")
    if rule == "train":
        return Normalised(features, lambda i: scale, clip_z)
    if rule == "utterance":
        return Normalised(features, lambda i: measure(features, [i], needs), clip_z)
    if not known_rule(rule):
        raise FeatureError(f"unknown normalisation {rule!r}; there are {', '.join(NORMALISATIONS)}")
    groups: dict[str, list[int]] = {}
    order = range(len(rows)) if names is None or rule != "running" else drawn(names, seed)
    for place in order:
        groups.setdefault(str(speakers[place]), []).append(int(rows[place]))
    of: dict[int, Scale] = {}
    if enrolled_by(rule) and enrolled is None:
        if scale is None:
            raise FeatureError(f"normalisation {rule!r} needs neutral recordings of the speaker")
        return Normalised(features, lambda i: scale, clip_z)
    for who, group in groups.items():
        if rule == "running":
            of |= running_scales(features, group, needs, scale)
        else:
            heard = enrolled[who] if enrolled_by(rule) else group
            of |= dict.fromkeys(group, measure(features, heard, needs))
    return Normalised(features, of.__getitem__, clip_z)


def normalised_values(
    values: np.ndarray,
    rule: str,
    rows: np.ndarray,
    speakers: Sequence[str],
    *,
    mean: np.ndarray,
    names: Sequence[str],
    enrolled: Mapping[str, Sequence[int]] | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Functionals of some utterances under a rule; a classifier scales them once more.

    A few utterances tell a mean of functionals and no deviation: ``running`` and ``enrol:K`` take
    away a mean alone, ``speaker`` divides by the deviation too; under other rules they stay.

    Args:
        values: (utterances, numbers) of the whole table.
        rule: one of :data:`NORMALISATIONS`, K a number.
        rows: the utterances of this side.
        speakers, names: of every utterance of the table.
        mean: (numbers,) of the training side, for ``running``, as one utterance heard before.
        enrolled, seed: as for :func:`normalised`.

    Returns:
        (rows, numbers).

    Example:
        >>> given = np.array([[1.0], [3.0], [70.0], [90.0]])
        >>> normalised_values(given, "enrol:1", np.array([1, 3]), list("aabb"), mean=np.zeros(1),
        ...                   names=list("wxyz"), enrolled={"a": [0], "b": [2]}).ravel()
        array([ 2., 20.])
    """
    rows, who = np.asarray(rows, int), np.asarray(speakers, str)
    found = np.array(values[rows], np.float64)
    if rule not in ("speaker", "running") and not enrolled_by(rule):
        return values[rows]
    from sklearn.preprocessing import StandardScaler

    for name in np.unique(who[rows]):
        places = np.flatnonzero(who[rows] == name)
        own = found[places]
        if rule == "speaker":
            own = StandardScaler().fit_transform(values[rows[places]])
        elif rule == "running":
            order = drawn([names[i] for i in rows[places]], seed)
            heard = np.concatenate([np.asarray(mean, float)[None], own[order]]).cumsum(0)[1:]
            own[order] = own[order] - heard / (np.arange(len(own)) + 2)[:, None]
        else:
            own = own - np.asarray(values[list(enrolled[name])], np.float64).mean(0)
        found[places] = own
    return found


def _arrays(features: Any, row: int, needs: frozenset[str]) -> dict[str, np.ndarray]:
    """(dimensions, frames) of each feature."""
    found = {"mfcc": np.asarray(features.mfcc(row)).T} if "mfcc" in needs else {}
    if needs & {"s1", "s2"}:
        pair = zip(("s1", "s2"), features.mel(row), strict=True)
        found |= {name: array for name, array in pair if name in needs}
    if "prosody" in needs:
        found["prosody"] = np.asarray(features.prosody(row)).T
    return found
