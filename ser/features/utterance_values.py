"""A few numbers an utterance, for rows without a network: its level, its duration, eGeMAPS.

A corpus in which the angry clips are simply louder, or the sad ones longer, is partly recognised
without listening to any voice. A row that is told only the level (``level-lr``) or only the
duration (``duration-lr``) says how far that goes. Nothing here needs PyTorch.
Book: chapter "EmoDB, measured".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ser.features.compute import Compute, compute_missing
from ser.features.presets import SAMPLE_RATE
from ser.normalise import drawn, enrolled_by

if TYPE_CHECKING:
    from ser.corpora.base import Corpus

SILENCE_DB = -100.0
"""The lowest level there is, in dB re full scale; the smallest step of 16 bits is at -90.3 dB."""


@dataclass(frozen=True)
class UtteranceValues:
    """Numbers of every utterance whose sound can be read.

    Attributes:
        table: the utterances, as in the corpus, less those left out.
        keys: content hash of each row's audio, as in :class:`ser.features.Features`.
        samples: int64 (utterances,) at 16 kHz.
        values: float32 (utterances, numbers).
    """

    table: pd.DataFrame
    keys: list[str]
    samples: np.ndarray
    values: np.ndarray


def utterance_values(
    corpus: Corpus,
    parameters: dict,
    compute: Compute,
    cache: str | Path | None = None,
    progress: bool = True,
    skip_bad: bool = False,
) -> UtteranceValues:
    """Numbers of every utterance, from the cache where it has them.

    Args:
        corpus: its ``table`` is used.
        parameters: what the numbers depend on besides the audio.
        compute: waveforms (samples,) -> for each a list of one array (numbers,).
        cache: folder of the cache; None: ``$SER_CACHE`` or the user's cache folder.
        progress: show a progress bar.
        skip_bad: leave utterances out whose audio cannot be read; else they are an error.

    Raises:
        FeatureError: audio that cannot be read, or a cache that cannot be written.
    """
    store, table, keys, _ = compute_missing(corpus, parameters, compute, cache, progress, skip_bad)
    values = [store.read(key)[0] for key in keys]
    return UtteranceValues(
        table=table,
        keys=keys,
        samples=np.array([store.entries[key].samples for key in keys], dtype=np.int64),
        values=np.array(values, dtype=np.float32).reshape(len(values), -1),
    )


def levels(
    corpus: Corpus,
    cache: str | Path | None = None,
    progress: bool = True,
    skip_bad: bool = False,
) -> UtteranceValues:
    """The level of every utterance's sound; arguments and errors as :func:`utterance_values`.

    Returns:
        UtteranceValues with values (utterances, 1), as :func:`level_of` measures them.

    Example:
        >>> from ser import load_corpus
        >>> levels(load_corpus("emodb", root)).values.shape      # doctest: +SKIP
        (339, 1)
    """
    parameters = {"set": "level", "version": 3}
    return utterance_values(corpus, parameters, _levels, cache, progress, skip_bad)


def level_of(wave: ArrayLike) -> float:
    """Root mean square of a wave in dB re full scale, at least :data:`SILENCE_DB`.

    Args:
        wave: (samples,), full scale 1; finite.

    Example:
        >>> round(level_of(np.full(100, 0.1)), 6), level_of(np.zeros(100)), level_of([])
        (-20.0, -100.0, -100.0)
    """
    power = float(np.mean(np.square(wave, dtype=float))) if np.size(wave) else 0.0
    return max(10 * math.log10(power), SILENCE_DB) if power > 0 else SILENCE_DB


def log_seconds(samples: ArrayLike) -> np.ndarray:
    """Natural logarithm of the duration in seconds.

    Args:
        samples: (utterances,) at 16 kHz; nothing at all counts as one sample.

    Returns:
        float32 (utterances, 1).

    Example:
        >>> log_seconds([16000, 32000]).round(4).tolist()
        [[0.0], [0.6930999755859375]]
    """
    seconds = np.maximum(np.asarray(samples, dtype=float), 1) / SAMPLE_RATE
    return np.log(seconds).astype(np.float32)[:, None]


def _levels(waves: list[np.ndarray]) -> list[list[np.ndarray]]:
    return [[np.array([level_of(wave)], dtype=np.float32)] for wave in waves]


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
        rule: one of :data:`ser.normalise.NORMALISATIONS`, K a number.
        rows: the utterances of this side.
        speakers, names: of every utterance of the table.
        mean: (numbers,) of the training side, for ``running``, as one utterance heard before.
        enrolled, seed: as for :func:`ser.normalise.normalised`.

    Returns:
        (rows, numbers).

    Example:
        >>> given = np.array([[1.0], [3.0], [70.0], [90.0]])
        >>> normalised_values(given, "enrol:1", np.array([1, 3]), list("aabb"), mean=np.zeros(1),
        ...                   names=list("wxyz"), enrolled={"a": [0], "b": [2]}).ravel()
        array([ 2., 20.])
    """
    if rule not in ("speaker", "running") and not enrolled_by(rule):
        return values[rows]
    from sklearn.preprocessing import StandardScaler

    rows, found = np.asarray(rows, int), np.array(values[rows], np.float64)
    who = np.asarray(speakers, str)[rows]
    for name in np.unique(who):
        at = np.flatnonzero(who == name)
        if rule == "speaker":
            found[at] = StandardScaler().fit_transform(values[rows[at]])
        elif rule == "running":
            at = at[drawn([names[i] for i in rows[at]], seed)]
            heard = np.concatenate([np.asarray(mean, float)[None], found[at]]).cumsum(0)[1:]
            found[at] -= heard / np.arange(2, len(at) + 2)[:, None]
        else:
            found[at] -= np.asarray(values[list(enrolled[name])], np.float64).mean(0)
    return found
