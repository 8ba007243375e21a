"""One number an utterance, for the floors of the results table: its level, or its duration.

A corpus in which the angry clips are simply louder, or the sad ones longer, is partly recognised
without listening to any voice. A row that is told only the level (``level-lr``) or only the
duration (``duration-lr``) says how far that goes. Book: chapter "EmoDB, measured".
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ser.features.presets import SAMPLE_RATE
from ser.features.utterance_values import UtteranceValues, utterance_values

if TYPE_CHECKING:
    from ser.corpora.base import Corpus

SILENCE_DB = -100.0
"""The lowest level there is, in dB re full scale; the smallest step of 16 bits is at -90.3 dB."""

_PARAMETERS = {"set": "level", "version": 3}


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


def levels(
    corpus: Corpus | pd.DataFrame, cache: str | Path | None = None, progress: bool = True
) -> np.ndarray:
    """The level of every utterance's sound, read once and kept in the cache.

    Args:
        corpus: a corpus, or a table with columns path, start, seconds, segment.
        cache: folder of the cache; None: ``$SER_CACHE`` or the user's cache folder.
        progress: show a progress bar.

    Returns:
        float32 (utterances, 1), dB re full scale, at least :data:`SILENCE_DB`.

    Raises:
        FeatureError: audio that cannot be read, or a cache that cannot be written.

    Example:
        >>> from ser import load_corpus
        >>> levels(load_corpus("emodb", root)).shape             # doctest: +SKIP
        (339, 1)
    """
    return read_levels(corpus, cache, progress).values


def read_levels(
    corpus: Corpus | pd.DataFrame,
    cache: str | Path | None = None,
    progress: bool = True,
    skip_bad: bool = False,
) -> UtteranceValues:
    """:func:`levels` with the utterances' keys and samples: what a row without features reads.

    Args:
        corpus, cache, progress: as there.
        skip_bad: leave utterances out whose audio cannot be read.
    """
    return utterance_values(corpus, _PARAMETERS, _compute, cache, progress, skip_bad)


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


def _compute(waves: list[np.ndarray]) -> list[list[np.ndarray]]:
    return [[np.array([level_of(wave)], dtype=np.float32)] for wave in waves]
