"""Two rows on the same utterances: is one better, or is it chance?

The question is about people not heard yet, so speakers are the unit: the interval resamples
them, and the test swaps the two rows' answers for whole speakers (if the rows are alike,
swapping changes nothing). McNemar's test is given beside it, for comparison with papers; it
takes utterances as independent, which they are not, and so is too sure. What so few speakers could
have shown at all is said beside: a p has a least value, and a difference has to be of some size
(:func:`detectable`). Book: chapter "Confusion matrices".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
        wa_detectable, ua_detectable: the difference that so many speakers would show
            (:func:`detectable`; inf: none, NaN: one speaker).
        least_p: what p cannot fall below with so many speakers: 2 / 2^n.
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
    wa_detectable: float
    ua_a: float
    ua_b: float
    ua_difference: float
    ua_low: float
    ua_high: float
    ua_p: float
    ua_detectable: float
    least_p: float
    exact: bool
    mcnemar_p: float
    only_a: int
    only_b: int
    speakers: int
    utterances: int
    note: str = ""


def mcnemar(only_a: int, only_b: int) -> float:
    """Exact two-sided McNemar p from the numbers of utterances only one row got right.

    Example:
        >>> mcnemar(0, 5)
        0.0625
        >>> mcnemar(0, 0)
        1.0
    """
    from scipy.special import bdtr  # scipy.stats takes half a second to import

    return min(1.0, 2 * float(bdtr(min(only_a, only_b), only_a + only_b, 0.5)))


def least_p(speakers: int) -> float:
    """The smallest two-sided p of a swap test: all differ in one direction, 2 of 2^n swaps.

    Example:
        >>> least_p(10), least_p(5), least_p(1)
        (0.001953125, 0.0625, 1.0)
    """
    return min(1.0, 2 / 2**speakers)


def detectable(shares: ArrayLike, alpha: float = 0.05, power: float = 0.8) -> float:
    """The smallest difference that so many speakers would show, in *power* of all such studies.

    The minimum detectable effect of a two-sided paired t-test (Bloom, "Minimum detectable effects",
    Evaluation Review 19(5), 1995): standard error times t(1 - alpha/2) + t(power), with n - 1
    degrees of freedom. Standard error: the deviation (n - 1 below) of the shares of n speakers,
    times the root of n. The spread is the observed one; the t-test stands for the swap test, to
    which it is close where n is not small.

    Args:
        shares: (speakers,) each one's share of the difference; their sum is the difference.
        alpha: the p that counts as found.
        power: share of studies, each with other speakers, that would find it.

    Returns:
        The difference, >= 0, as *shares*; NaN with one speaker; infinity where the swap test cannot
        reach *alpha* with so few (:func:`least_p`: fewer than 6 at 0.05).

    Example:
        >>> round(detectable([0.01, 0.03, 0.02, 0.00, 0.04, 0.02]), 4), detectable([0.1, 0.2])
        (0.1209, inf)
    """
    values = np.asarray(shares, float)
    if len(values) < 2:
        return float("nan")
    if least_p(len(values)) > alpha:
        return float("inf")
    from scipy.special import stdtrit

    error = values.std(ddof=1) * np.sqrt(len(values))
    return float(error * sum(stdtrit(len(values) - 1, (1 - alpha / 2, power))))


def paired_test(
    labels: ArrayLike,
    predictions_a: ArrayLike,
    predictions_b: ArrayLike,
    by: Sequence[str],
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
    classes: int = len(EMOTIONS),
) -> Paired:
    """Compare two rows that answered the same utterances.

    Args:
        labels: (n,) true classes.
        predictions_a, predictions_b: (n,) or (seeds, n) answers; the numbers of seeds may differ.
        by: (n,) speaker of each utterance.
        resamples: bootstrap resamples, and sampled swaps where there are too many speakers.
        level: of the intervals.
        seed: of the resampling.
        classes: how many there are.

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
    truth = as_codes(labels, classes)
    a, b = (runs(p, len(truth), classes) for p in (predictions_a, predictions_b))
    names, counts_a = speaker_counts(truth, a, by, classes)
    _, counts_b = speaker_counts(truth, b, by, classes)
    scores = {}
    for name, score in (("wa", count_wa), ("ua", count_ua)):
        first, second = (float(score(c.sum(0)).mean()) for c in (counts_a, counts_b))
        scores |= {f"{name}_a": first, f"{name}_b": second, f"{name}_difference": first - second}
        if len(names) > 1:
            drawn = draw(len(names), resamples, seed)
            gaps = resampled(counts_a, drawn, name) - resampled(counts_b, drawn, name)
            ends = percentiles(gaps, level)
        else:
            ends = Interval(float("nan"), float("nan"))
        scores |= {f"{name}_low": ends.low, f"{name}_high": ends.high}
        shares = _shares(counts_a, counts_b, name)
        scores[f"{name}_p"] = _swap_p(shares, resamples, seed)
        scores[f"{name}_detectable"] = detectable(shares)
    right_a, right_b = _majority(a, classes) == truth, _majority(b, classes) == truth
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    return Paired(
        **scores,
        least_p=least_p(len(names)),
        exact=len(names) <= EXACT_SPEAKERS,
        mcnemar_p=mcnemar(only_a, only_b),
        only_a=only_a,
        only_b=only_b,
        speakers=len(names),
        utterances=len(truth),
        note="" if len(names) > 1 else "one speaker: no interval, and no p below 1",
    )


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


def _majority(answers: np.ndarray, classes: int) -> np.ndarray:
    """Most frequent answer (n,) of (seeds, n); among equals, the first seed's."""
    votes = (answers[:, :, None] == np.arange(classes)).sum(0).astype(float)
    votes[np.arange(answers.shape[1]), answers[0]] += 0.5
    return votes.argmax(-1)
