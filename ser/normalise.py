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
from collections import Counter
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

Scale = dict[str, tuple[np.ndarray, np.ndarray]]
"""Name of a feature (mfcc, s1, s2, prosody) -> mean and deviation of its dimensions, float32."""

Moments = dict[str, np.ndarray]
"""Name of a feature -> count, sum and sum of squares (3, dimensions) of its numbers, float64."""


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
    needs, total = frozenset(needs), {}
    for row in rows:
        for name, moments in _moments(features, row, needs).items():
            total[name] = total.get(name, 0.0) + moments
    if not total:
        raise FeatureError("no utterance to take mean and deviation of")
    return _scale(total)


def _moments(features: Any, row: int, needs: frozenset[str]) -> Moments:
    arrays = {"mfcc": features.mfcc(row).T} if "mfcc" in needs else {}
    if needs & {"s1", "s2"}:
        arrays |= zip(("s1", "s2"), features.mel(row), strict=True)
    if "prosody" in needs:
        arrays["prosody"] = features.prosody(row).T
    found = {}
    for name in needs & arrays.keys():
        array = np.asarray(arrays[name], np.float64)
        count = np.full(len(array), float(array.shape[1]))
        if name == "prosody":
            count = (~np.isnan(array)).sum(1).astype(np.float64)
            array = np.nan_to_num(array)
        found[name] = np.stack([count, array.sum(1), (array**2).sum(1)])
    return found


def _scale(moments: Moments) -> Scale:
    scale = {}
    for name, (count, total, squares) in moments.items():
        mean, square = total / np.maximum(count, 1), squares / np.maximum(count, 1)
        deviation = np.sqrt(np.maximum(square - mean**2, 0))
        deviation = np.where(count > 0, np.maximum(deviation, FLOORS.get(name, FLOOR)), 1.0)
        scale[name] = mean.astype(np.float32), deviation.astype(np.float32)
    return scale


def _running(
    features: Any, rows: Sequence[int], needs: Iterable[str], prior: Scale
) -> dict[int, Scale]:
    """The scale of each of one speaker's utterances, *rows* in the order in which they are heard.

    It is of the utterance, those before and *prior*, the training side's; each counts as one,
    however long it is, in each dimension.
    """
    needs, found = frozenset(needs), {}
    heard = {
        name: np.stack([np.ones(len(mean)), mean, deviation.astype(float) ** 2 + mean**2.0])
        for name, (mean, deviation) in prior.items()
    }
    for row in rows:
        for name, moments in _moments(features, row, needs).items():
            heard[name] = heard[name] + moments / np.maximum(moments[0], 1)
        found[row] = _scale(heard)
    return found


def one_class_speakers(emotions: Iterable[str], speakers: Iterable[str]) -> list[str]:
    """Speakers heard in one class only: normalised by speaker, they lose what tells it apart.

    Args:
        emotions, speakers: of each utterance of one side of a split.

    Example:
        >>> one_class_speakers(["sad", "sad", "happy", "sad"], ["Ada", "Ada", "Bo", "Bo"])
        ['Ada']
    """
    pairs = {(str(who), what) for who, what in zip(speakers, emotions, strict=True)}
    classes = Counter(who for who, _ in pairs)
    return sorted(who for who, count in classes.items() if count == 1)


def clipped(values: np.ndarray, deviations: float) -> np.ndarray:
    """*values* in deviations, those beyond so many set to them; 0 leaves all as they are.

    One number can be hundreds of deviations from what training has shown, where a column is a
    quotient: eGeMAPS's ``mfcc2V_sma3nz_stddevNorm`` is a deviation divided by a mean that may be
    close to 0. On EmoDB it reaches 436 deviations for speaker 11 by the numbers of the other nine.

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

    def _seen(self, i: int, name: str, values: np.ndarray) -> np.ndarray:
        """*values* (frames, dimensions), float32; as they are where no scale is known."""
        if name not in (scale := self.scale(i)):
            return values
        mean, deviation = scale[name]
        return clipped((values - mean) / deviation, self.clip_z).astype(np.float32)

    def mfcc(self, i: int) -> np.ndarray:
        """MFCCs of row *i*, float32 (frames, 39)."""
        return self._seen(i, "mfcc", self.features.mfcc(i))

    def prosody(self, i: int) -> np.ndarray:
        """Descriptors of row *i*, float32 (rows, 25); 0, the mean, where there is no value."""
        return np.nan_to_num(self._seen(i, "prosody", self.features.prosody(i)))

    def mel(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """S1 and S2 of row *i*, float32 (bands, frames); as they are where no scale is known."""
        s1, s2 = self.features.mel(i)
        return self._seen(i, "s1", s1.T).T, self._seen(i, "s2", s2.T).T


def normalised(
    features: Any,
    rule: str,
    needs: Iterable[str],
    rows: Sequence[int] = (0,),
    speakers: Sequence[str] = ("",),
    scale: Scale | None = None,
    names: Sequence[str] = (),
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
            of a speaker are heard (a table is in order of its classes). Empty: as in *rows*.
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
    if not known_rule(rule):
        raise FeatureError(f"unknown normalisation {rule!r}; there are {', '.join(NORMALISATIONS)}")
    if rule == "none":
        return features
    if rule == "utterance":
        return Normalised(features, lambda i: measure(features, [i], needs), clip_z)
    one_scale = rule == "train" or (enrolled_by(rule) and enrolled is None)
    if scale is None and (one_scale or rule == "running"):
        what = "neutral recordings of the speaker"
        if not enrolled_by(rule):
            what = "the training side's mean and deviation"
        raise FeatureError(f"normalisation {rule!r} needs {what}")
    if one_scale:
        return Normalised(features, lambda i: scale, clip_z)
    groups: dict[str, list[int]] = {}
    for place in drawn(names, seed) if rule == "running" and names else range(len(rows)):
        groups.setdefault(str(speakers[place]), []).append(int(rows[place]))
    of: dict[int, Scale] = {}
    for who, group in groups.items():
        if rule == "running":
            of |= _running(features, group, needs, scale)
        else:
            heard = enrolled[who] if enrolled_by(rule) else group
            of |= dict.fromkeys(group, measure(features, heard, needs))
    return Normalised(features, of.__getitem__, clip_z)
