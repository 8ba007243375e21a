"""95 % intervals by resampling speakers.

Utterances of one speaker are alike, so they are no independent evidence: resampling
utterances gives intervals that are too narrow. Whole speakers are drawn, with replacement.
With few speakers (EmoDB has 10) even this interval is somewhat too narrow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ser.corpora.base import EMOTIONS
from ser.metrics.scores import as_codes, count_ua, count_wa

METRICS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"wa": count_wa, "ua": count_ua}


class Interval(NamedTuple):
    """Lower and upper end; both NaN where there is none: it needs at least two speakers."""

    low: float
    high: float


def runs(predictions: ArrayLike, utterances: int, classes: int = len(EMOTIONS)) -> np.ndarray:
    """Predictions as (seeds, n) codes, from (n,) or (seeds, n)."""
    codes = np.atleast_2d(as_codes(predictions, classes))
    if codes.ndim != 2 or codes.shape[1] != utterances:
        raise ValueError(f"predictions {codes.shape} do not fit {utterances} labels")
    return codes


def speaker_counts(
    labels: ArrayLike,
    predictions: ArrayLike,
    speakers: Sequence[str],
    classes: int = len(EMOTIONS),
) -> tuple[np.ndarray, np.ndarray]:
    """Confusion matrix of every speaker and seed.

    Args:
        labels: (n,) true classes.
        predictions: (n,) or (seeds, n) answers.
        speakers: (n,) who talks.
        classes: how many there are.

    Returns:
        Speakers' names (S,), sorted, and counts (S, seeds, classes, classes).

    Example:
        >>> names, counts = speaker_counts([0, 1, 1], [0, 1, 0], ["A", "A", "B"])
        >>> names.tolist(), counts.shape, counts[1, 0, 1].tolist()
        (['A', 'B'], (2, 1, 4, 4), [1, 0, 0, 0])
    """
    truth = as_codes(labels, classes)
    answers = runs(predictions, len(truth), classes)
    if len(speakers) != len(truth):
        raise ValueError(f"{len(speakers)} speakers do not fit {len(truth)} labels")
    if len(truth) == 0:
        raise ValueError("no utterances to score")
    names, who = np.unique(np.asarray(speakers, dtype=str), return_inverse=True)
    shape = len(names), len(answers), classes, classes
    cell = np.ravel_multi_index((who, np.arange(len(answers))[:, None], truth, answers), shape)
    return names, np.bincount(cell.ravel(), minlength=np.prod(shape)).reshape(shape)


def draw(speakers: int, resamples: int, seed: int) -> np.ndarray:
    """(resamples, speakers) float: how often each speaker is drawn in each resample."""
    generator = np.random.default_rng(seed)
    weights = np.full(speakers, 1 / speakers)
    return generator.multinomial(speakers, weights, size=resamples).astype(float)


def resampled(counts: np.ndarray, weights: np.ndarray, metric: str) -> np.ndarray:
    """The metric (resamples,), mean over seeds, of counts (S, seeds, k, k) under weights."""
    flat = weights @ counts.reshape(len(counts), -1)
    return METRICS[metric](flat.reshape(len(weights), *counts.shape[1:])).mean(-1)


def percentiles(values: np.ndarray, level: float) -> Interval:
    """The central *level* of values, as an interval."""
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def bootstrap_interval(
    labels: ArrayLike,
    predictions: ArrayLike,
    by: Sequence[str],
    metric: str = "ua",
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
    classes: int = len(EMOTIONS),
) -> Interval:
    """Percentile bootstrap interval of WA or UA, whole speakers resampled with replacement.

    All seeds go together: a drawn speaker brings the answers of every seed, and the metric is
    the mean over seeds. In a resample without any utterance of a class, UA is the mean over
    the classes it has.

    Args:
        labels: (n,) true classes.
        predictions: (n,) or (seeds, n) answers.
        by: (n,) speaker of each utterance.
        metric: ``"ua"`` or ``"wa"``.
        resamples: number of resamples.
        level: share of resamples inside the interval.
        seed: of the resampling; the same seed gives the same interval.
        classes: how many there are.

    Returns:
        Interval ``(low, high)``; both NaN with fewer than two speakers, where nothing is known
        about another speaker.

    Raises:
        ValueError: unequal lengths, unknown class or metric.

    Example:
        >>> by = ["A", "A", "B", "B", "C", "C"]
        >>> low, high = bootstrap_interval([0, 1, 0, 1, 0, 1], [0, 1, 0, 1, 1, 0], by, "wa")
        >>> low, high
        (0.0, 1.0)
    """
    if metric not in METRICS:
        raise ValueError(f"unknown metric {metric!r}; choose from {', '.join(METRICS)}")
    if resamples < 1 or not 0 < level < 1:
        raise ValueError("resamples must be at least 1, and level between 0 and 1")
    names, counts = speaker_counts(labels, predictions, by, classes)
    if len(names) < 2:
        return Interval(float("nan"), float("nan"))
    return percentiles(resampled(counts, draw(len(names), resamples, seed), metric), level)
