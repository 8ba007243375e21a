"""Two rows on the same utterances: is one better, or is it chance?

The question is about people not heard yet, so speakers are the unit: the interval resamples
them, and the test swaps the two rows' answers for whole speakers (if the rows are alike,
swapping changes nothing). McNemar's test is given beside it, for comparison with papers; it
takes utterances as independent, which they are not, and so is too sure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike

from ser.corpora.base import EMOTIONS
from ser.metrics.intervals import Interval, draw, percentiles, resampled, runs, speaker_counts
from ser.metrics.scores import as_codes, count_ua, count_wa

EXACT_SPEAKERS = 14
"""Up to so many speakers all 2^n swaps are tried; beyond, a seeded sample of them."""


@dataclass(frozen=True)
class Paired:
    """Row a against row b. Differences are a minus b, fractions of 1.

    Attributes:
        wa_a, wa_b, ua_a, ua_b: the two rows' scores, mean over seeds.
        wa_difference, ua_difference: a minus b.
        wa_low, wa_high, ua_low, ua_high: 95 % interval of the difference (NaN: one speaker).
        wa_p, ua_p: two-sided p of the swap test over speakers.
        exact: True if all swaps were tried.
        mcnemar_p: exact McNemar p, each row answering by majority over its seeds.
        only_a, only_b: utterances that only one of the rows got right (majority over seeds).
        speakers, utterances: how many.
        note: empty, or why something is missing.
    """

    wa_a: float
    wa_b: float
    wa_difference: float
    wa_low: float
    wa_high: float
    wa_p: float
    ua_a: float
    ua_b: float
    ua_difference: float
    ua_low: float
    ua_high: float
    ua_p: float
    exact: bool
    mcnemar_p: float
    only_a: int
    only_b: int
    speakers: int
    utterances: int
    note: str = ""

    def as_dict(self) -> dict:
        """All attributes, in a fixed order."""
        return asdict(self)


def mcnemar(only_a: int, only_b: int) -> float:
    """Exact two-sided McNemar p from the numbers of utterances only one row got right.

    Example:
        >>> mcnemar(0, 5)
        0.0625
        >>> mcnemar(0, 0)
        1.0
    """
    n, fewer = only_a + only_b, min(only_a, only_b)
    term = tail = 1  # exact, in whole numbers; scipy.stats takes half a second to import
    for k in range(fewer):
        term = term * (n - k) // (k + 1)
        tail += term
    return min(1.0, 2 * tail / 2**n)


def paired_test(
    labels: ArrayLike,
    predictions_a: ArrayLike,
    predictions_b: ArrayLike,
    by: Sequence[str],
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Paired:
    """Compare two rows that answered the same utterances.

    Args:
        labels: (n,) true classes.
        predictions_a, predictions_b: (n,) or (seeds, n) answers; the numbers of seeds may differ.
        by: (n,) speaker of each utterance.
        resamples: bootstrap resamples, and sampled swaps where there are too many speakers.
        level: of the intervals.
        seed: of the resampling.

    Returns:
        :class:`Paired`.

    Raises:
        ValueError: unequal lengths or an unknown class.

    Example:
        >>> labels, by = [0, 1] * 6, list("AABBCCDDEEFF")
        >>> result = paired_test(labels, labels, [0] * 12, by)
        >>> result.ua_difference, result.ua_p, result.exact
        (0.5, 0.03125, True)
    """
    truth = as_codes(labels)
    a, b = runs(predictions_a, len(truth)), runs(predictions_b, len(truth))
    names, counts_a = speaker_counts(truth, a, by)
    _, counts_b = speaker_counts(truth, b, by)
    scores = {}
    for name, score in (("wa", count_wa), ("ua", count_ua)):
        first, second = (float(score(c.sum(0)).mean()) for c in (counts_a, counts_b))
        scores |= {f"{name}_a": first, f"{name}_b": second, f"{name}_difference": first - second}
        ends = _difference_interval(counts_a, counts_b, name, resamples, level, seed)
        scores |= {f"{name}_low": ends.low, f"{name}_high": ends.high}
        scores[f"{name}_p"] = _swap_p(_shares(counts_a, counts_b, name), resamples, seed)
    right_a, right_b = _majority(a) == truth, _majority(b) == truth
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    return Paired(
        **scores,
        exact=len(names) <= EXACT_SPEAKERS,
        mcnemar_p=mcnemar(only_a, only_b),
        only_a=only_a,
        only_b=only_b,
        speakers=len(names),
        utterances=len(truth),
        note="" if len(names) > 1 else "one speaker: no interval, and no p below 1",
    )


def _difference_interval(
    a: np.ndarray, b: np.ndarray, metric: str, resamples: int, level: float, seed: int
) -> Interval:
    if len(a) < 2:
        return Interval(float("nan"), float("nan"))
    weights = draw(len(a), resamples, seed)
    return percentiles(resampled(a, weights, metric) - resampled(b, weights, metric), level)


def _shares(a: np.ndarray, b: np.ndarray, metric: str) -> np.ndarray:
    """Each speaker's share (S,) of the difference; both metrics are sums over speakers."""
    right = [np.diagonal(c, axis1=-2, axis2=-1).mean(1) for c in (a, b)]
    of_class = a[:, 0].sum((0, 2)).astype(float)
    if metric == "wa":
        return (right[0] - right[1]).sum(-1) / of_class.sum()
    present = of_class > 0
    return ((right[0] - right[1])[:, present] / of_class[present]).mean(-1)


def _swap_p(shares: np.ndarray, resamples: int, seed: int) -> float:
    speakers = len(shares)
    seen = abs(shares.sum()) - 1e-12
    if speakers <= EXACT_SPEAKERS:
        bits = np.arange(2**speakers)[:, None] >> np.arange(speakers) & 1
        return float((np.abs((1 - 2 * bits) @ shares) >= seen).mean())
    signs = 1 - 2 * np.random.default_rng(seed).integers(0, 2, size=(resamples, speakers))
    return float((1 + (np.abs(signs @ shares) >= seen).sum()) / (1 + resamples))


def _majority(answers: np.ndarray) -> np.ndarray:
    """Most frequent answer (n,) of (seeds, n); among equals, the first seed's."""
    votes = (answers[:, :, None] == np.arange(len(EMOTIONS))).sum(0).astype(float)
    votes[np.arange(answers.shape[1]), answers[0]] += 0.5
    return votes.argmax(-1)
