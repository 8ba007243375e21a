"""Features brought to mean 0 and standard deviation 1, by one of three rules.

====================  ==========================================================================
``train``             one mean and deviation of every dimension, those of the training side
``utterance``         each utterance by its own frames
``speaker``           each speaker by all utterances of that speaker on the same side; this is
                      *transductive*: it looks at all of a test speaker's utterances (not at
                      their labels) before it answers the first
====================  ==========================================================================

A dimension is an MFCC column or a mel band; statistics are over true frames, before any squash.
Book: chapter "What lifts it, honestly".
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ser.errors import FeatureError

log = logging.getLogger(__name__)

NORMALISATIONS: tuple[str, ...] = ("none", "train", "utterance", "speaker")
"""How features can be normalised: not, or by numbers of the training set, clip or speaker."""

FLOOR = 1e-2
"""Least standard deviation (of MFCCs, and in dB): a constant dimension becomes 0, not noise."""

MARK = "(T)"
"""Stands behind the name of every transductive row, in tables and figures alike."""
TRANSDUCTIVE = (
    f"{MARK} transductive: the features of each speaker, those tested too, were normalised by that "
    "speaker's recordings on the same side of the split"
)
"""What the mark says, below a table or figure."""

Scale = dict[str, tuple[np.ndarray, np.ndarray]]
"""Name of a feature (mfcc, s1, s2) -> mean and standard deviation of its dimensions, float32."""


def measure(features: Any, rows: Iterable[int], needs: Iterable[str]) -> Scale:
    """Mean and standard deviation of every dimension over all frames of *rows*.

    Args:
        features: as :class:`ser.batch.Dataset` reads them.
        rows: which utterances.
        needs: subset of {"mfcc", "s1", "s2"}.

    Raises:
        FeatureError: no utterance.

    Example:
        >>> from types import SimpleNamespace
        >>> one = SimpleNamespace(mfcc=lambda i: np.array([[1.0], [3.0]]))
        >>> [part.tolist() for part in measure(one, [0], {"mfcc"})["mfcc"]]
        [[2.0], [1.0]]
    """
    sums: dict[str, np.ndarray] = {}
    for row in rows:
        for name, array in _arrays(features, row, frozenset(needs)).items():
            array = np.asarray(array, np.float64)
            part = np.stack([np.full(len(array), array.shape[1]), array.sum(1), (array**2).sum(1)])
            sums[name] = sums[name] + part if name in sums else part
    if not sums:
        raise FeatureError("no utterance to take mean and deviation of")
    scale = {}
    for name, (count, total, squares) in sums.items():
        mean = total / count
        deviation = np.sqrt(np.maximum(squares / count - mean**2, 0))
        scale[name] = mean.astype(np.float32), np.maximum(deviation, FLOOR).astype(np.float32)
    return scale


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


class Normalised:
    """Features seen through a rule; :class:`ser.batch.Dataset` reads it as it reads features.

    Args:
        features: ``mfcc(i)`` (frames, 39), ``mel(i)`` two arrays (bands, frames), ``preset``.
        scale: row -> the ``Scale`` to apply to it.
    """

    def __init__(self, features: Any, scale: Callable[[int], Scale]) -> None:
        self.features, self.scale, self.preset = features, scale, features.preset

    def mfcc(self, i: int) -> np.ndarray:
        """MFCCs of row *i*, float32 (frames, 39)."""
        mean, deviation = self.scale(i)["mfcc"]
        return ((self.features.mfcc(i) - mean) / deviation).astype(np.float32)

    def mel(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """S1 and S2 of row *i*, float32 (bands, frames); as they are where no scale is known."""
        scale, pair = self.scale(i), self.features.mel(i)
        return tuple(
            ((s - scale[n][0][:, None]) / scale[n][1][:, None]).astype(np.float32)
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
) -> Any:
    """*features* under a rule.

    Args:
        features: of a corpus, or of one recording.
        rule: one of :data:`NORMALISATIONS`.
        needs: the features that will be read.
        rows: the utterances of this side; ``speaker`` takes its statistics from them.
        speakers: the speaker of each of *rows*.
        scale: the training side's, for ``train``.

    Raises:
        FeatureError: an unknown rule, or ``train`` without a scale.

    Example:
        >>> from types import SimpleNamespace
        >>> one = SimpleNamespace(mfcc=lambda i: np.array([[1.0], [3.0]]), preset=None)
        >>> normalised(one, "utterance", {"mfcc"}).mfcc(0).tolist()
        [[-1.0], [1.0]]
    """
    if rule == "none":
        return features
    if rule == "train":
        if scale is None:
            raise FeatureError("normalisation 'train' needs the training side's mean and deviation")
        return Normalised(features, lambda i: scale)
    if rule == "utterance":
        return Normalised(features, lambda i: measure(features, [i], needs))
    if rule == "speaker":
        groups: dict[str, list[int]] = {}
        for row, speaker in zip(rows, speakers, strict=True):
            groups.setdefault(str(speaker), []).append(int(row))
        scales = {who: measure(features, group, needs) for who, group in groups.items()}
        of = {row: scales[who] for who, group in groups.items() for row in group}
        return Normalised(features, of.__getitem__)
    raise FeatureError(f"unknown normalisation {rule!r}; there are {', '.join(NORMALISATIONS)}")


def _arrays(features: Any, row: int, needs: frozenset[str]) -> dict[str, np.ndarray]:
    """(dimensions, frames) of each feature."""
    found = {"mfcc": np.asarray(features.mfcc(row)).T} if "mfcc" in needs else {}
    if needs & {"s1", "s2"}:
        pair = zip(("s1", "s2"), features.mel(row), strict=True)
        found |= {name: array for name, array in pair if name in needs}
    return found
