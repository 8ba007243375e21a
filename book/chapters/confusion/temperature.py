"""Does a model know how sure it may be? Calibration, and temperature scaling to mend it.

A model is calibrated if, of the answers it gives with probability p, a share p is right. All
functions take logits (n, classes); probabilities are their softmax, the confidence is the
largest of them. One number divides the logits to mend what is wrong on average, the temperature:
it moves every probability and no answer. It must be fitted on utterances that are not judged by
it, and on other speakers: :func:`cross_fit_temperature` sees to that.

Sources: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017 (expected calibration
error, equation 3; temperature scaling, equation 9); Brier, "Verification of forecasts expressed
in terms of probability", 1950.

Book: chapter "Confusion matrices".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from ser.metrics import reliability, softmax
from ser.metrics.scores import as_codes

BINNINGS: tuple[str, ...] = ("width", "mass")
"""Bins of equal width, or bins that hold equally many utterances."""

BOUNDS: tuple[float, float] = (0.02, 50.0)
"""Between these a temperature is looked for."""


class CrossFit(NamedTuple):
    """What :func:`cross_fit_temperature` gives.

    Attributes:
        logits: (n, classes), each utterance's divided by its group's temperature.
        temperatures: group -> the temperature that was fitted on all the *other* groups.
    """

    logits: np.ndarray
    temperatures: dict[str, float]


def _checked(labels: ArrayLike, logits: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    values = np.asarray(logits, dtype=float)
    if values.ndim != 2:
        raise ValueError(f"logits are (utterances, classes), not {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError("logits contain NaN or infinity")
    truth = as_codes(labels, values.shape[1])
    if truth.shape != values.shape[:1]:
        raise ValueError(f"labels {truth.shape} do not fit logits {values.shape}")
    if truth.size == 0:
        raise ValueError("no utterances to score")
    return truth, values


def negative_log_likelihood(labels: ArrayLike, logits: ArrayLike) -> float:
    """Mean of -ln p(true class), in nats: the cross-entropy that training makes small.

    Guessing with equal probabilities costs ln 4, about 1.39. One confident mistake costs much.

    Args:
        labels: (n,) true classes.
        logits: (n, classes).

    Returns:
        Nats an utterance, 0 or more.

    Raises:
        ValueError: shapes that do not fit, an unknown class, NaN, or nothing to score.

    Example:
        >>> bool(np.isclose(negative_log_likelihood([2], [[0, 0, 0, 0]]), np.log(4)))
        True
    """
    truth, values = _checked(labels, logits)
    return float(-log_softmax(values, axis=1)[np.arange(len(truth)), truth].mean())


def brier_score(labels: ArrayLike, logits: ArrayLike) -> float:
    """Mean squared distance between the probabilities and the truth, summed over the classes.

    Brier's own definition for several classes: 0 is perfect, 2 is sure and always wrong; guessing
    with equal probabilities among four classes scores 0.75.

    Args:
        labels: (n,) true classes.
        logits: (n, classes).

    Returns:
        0 to 2.

    Raises:
        ValueError: as :func:`negative_log_likelihood`.

    Example:
        >>> brier_score([2], [[0, 0, 0, 0]]), brier_score([0], [[0, 99, 0, 0]])
        (0.75, 2.0)
    """
    truth, values = _checked(labels, logits)
    target = np.eye(values.shape[1])[truth]
    return float(((softmax(values) - target) ** 2).sum(1).mean())


def reliability_curve(
    labels: ArrayLike, logits: ArrayLike, bins: int = 10, binning: str = "width"
) -> pd.DataFrame:
    """How often the model is right when it is so sure, in bins of confidence.

    Args:
        labels: (n,) true classes.
        logits: (n, classes).
        bins: number of bins.
        binning: ``"width"``: equal bins from 0 to 1, some maybe empty (as
            :func:`ser.metrics.reliability`); ``"mass"``: equally many utterances in each, as far
            as equal confidences, which stay together, allow.

    Returns:
        One row a bin (low, high]: ``low``, ``high``, ``n``, ``confidence`` and ``accuracy`` (means;
        NaN where the bin is empty). With ``"mass"``, ``low`` of the first bin is 0.

    Raises:
        ValueError: as :func:`negative_log_likelihood`, or no such binning.

    Example:
        >>> logits = [[2.0, 0], [1.5, 0], [1.0, 0], [0.5, 0]]
        >>> table = reliability_curve([0, 0, 0, 1], logits, bins=2, binning="mass")
        >>> table[["n", "accuracy"]].values.tolist()
        [[2.0, 0.5], [2.0, 1.0]]
    """
    truth, values = _checked(labels, logits)
    if binning not in BINNINGS or bins < 1:
        raise ValueError(f"binning is one of {', '.join(BINNINGS)}, and bins at least 1")
    if binning == "width":
        return reliability(truth, values, bins)
    sure = softmax(values).max(1)
    right = values.argmax(1) == truth
    ordered, n = np.sort(sure), len(sure)
    highs = np.unique([ordered[-(-n * i // bins) - 1] for i in range(1, bins + 1)])
    place = np.searchsorted(highs, sure)
    number = np.bincount(place, minlength=len(highs))
    return pd.DataFrame(
        {
            "low": np.concatenate([[0.0], highs[:-1]]),
            "high": highs,
            "n": number,
            "confidence": np.bincount(place, weights=sure, minlength=len(highs)) / number,
            "accuracy": np.bincount(place, weights=right, minlength=len(highs)) / number,
        }
    )


def expected_calibration_error(
    labels: ArrayLike, logits: ArrayLike, bins: int = 10, binning: str = "width"
) -> float:
    """Mean gap between confidence and accuracy, each bin weighted by its utterances.

    It depends on the bins, and with few utterances it is above 0 for a perfect model too. With
    ``binning="width"`` it is :func:`ser.metrics.ece`. Source: Guo et al. 2017, equation 3.

    Args:
        labels: (n,) true classes.
        logits: (n, classes).
        bins: number of bins.
        binning: see :func:`reliability_curve`.

    Returns:
        0 to 1.

    Raises:
        ValueError: as :func:`reliability_curve`.

    Example:
        >>> round(expected_calibration_error([0, 1], [[9.0, -9], [9.0, -9]], binning="mass"), 3)
        0.5
    """
    table = reliability_curve(labels, logits, bins, binning)
    gap = (table.confidence - table.accuracy).abs().fillna(0)
    return float((gap * table.n).sum() / table.n.sum())


def calibration_scores(labels: ArrayLike, logits: ArrayLike, bins: int = 10) -> dict[str, float]:
    """All at once, for a table.

    Args:
        labels: (n,) true classes.
        logits: (n, classes).
        bins: of both calibration errors.

    Returns:
        ``accuracy`` and ``confidence`` (means), ``ece_width``, ``ece_mass``, ``brier``, ``nll``.

    Raises:
        ValueError: as :func:`negative_log_likelihood`.

    Example:
        >>> scores = calibration_scores([0, 1], [[0.0, 0, 0, 0], [0.0, 0, 0, 0]])
        >>> scores["accuracy"], scores["confidence"], scores["ece_width"], scores["brier"]
        (0.5, 0.25, 0.25, 0.75)
    """
    truth, values = _checked(labels, logits)
    return {
        "accuracy": float((values.argmax(1) == truth).mean()),
        "confidence": float(softmax(values).max(1).mean()),
        "ece_width": expected_calibration_error(truth, values, bins, "width"),
        "ece_mass": expected_calibration_error(truth, values, bins, "mass"),
        "brier": brier_score(truth, values),
        "nll": negative_log_likelihood(truth, values),
    }


def fit_temperature(
    labels: ArrayLike, logits: ArrayLike, bounds: tuple[float, float] = BOUNDS
) -> float:
    """The temperature T that makes softmax(logits / T) most likely, by a search in one dimension.

    Above 1 the model was too sure, below 1 not sure enough. The likelihood is concave in 1/T, so
    there is one best T; where every answer is right it is the lower bound. Source: Guo et al.
    2017, equation 9.

    Args:
        labels: (n,) true classes, of utterances that will *not* be judged with this T.
        logits: (n, classes).
        bounds: smallest and largest T that is considered.

    Returns:
        T, within the bounds.

    Raises:
        ValueError: as :func:`negative_log_likelihood`, or bounds that are not 0 < low < high.

    Example:
        Three of four answers are right, so each should be given with probability 3/4. With one
        logit z against three zeros that is where z / T = ln 9; for z = 2 ln 9, T is 2.

        >>> z = 2 * np.log(9)
        >>> round(fit_temperature([0, 0, 0, 1], [[z, 0, 0, 0]] * 4), 4)
        2.0
    """
    truth, values = _checked(labels, logits)
    low, high = bounds
    if not 0 < low < high < np.inf:
        raise ValueError(f"bounds are 0 < low < high, not {bounds}")
    found = minimize_scalar(
        lambda log_t: negative_log_likelihood(truth, values / np.exp(log_t)),
        bounds=(np.log(low), np.log(high)),
        method="bounded",
        options={"xatol": 1e-7},
    )
    return float(np.exp(found.x))


def cross_fit_temperature(labels: ArrayLike, logits: ArrayLike, groups: Sequence[str]) -> CrossFit:
    """Scale each group's logits by a temperature fitted on all the other groups.

    With speakers (or the folds of a speaker-disjoint protocol) as groups, no utterance is judged
    with a temperature that its own speaker's labels helped to choose. What remains: the networks
    whose logits the other groups bring were themselves trained on this group. For one number that
    is a small debt; a dev set of further speakers pays it off.

    Args:
        labels: (n,) true classes.
        logits: (n, classes).
        groups: (n,) speaker or fold of each utterance.

    Returns:
        :class:`CrossFit`: scaled logits, and the temperature of each group.

    Raises:
        ValueError: as :func:`negative_log_likelihood`, or fewer than two groups.

    Example:
        >>> z = 2 * np.log(9)
        >>> labels, logits = [0, 0, 0, 1, 0, 0, 0, 0], [[z, 0, 0, 0]] * 8
        >>> fit = cross_fit_temperature(labels, logits, list("AAAABBBB"))
        >>> round(fit.temperatures["B"], 3), fit.logits.shape
        (2.0, (8, 4))
    """
    truth, values = _checked(labels, logits)
    who = np.asarray(groups, dtype=str)
    if who.shape != truth.shape:
        raise ValueError(f"{len(who)} groups do not fit {len(truth)} labels")
    names = np.unique(who)
    if len(names) < 2:
        raise ValueError("a temperature fitted on other groups needs at least two groups")
    scaled, temperatures = values.copy(), {}
    for name in names:
        mine = who == name
        temperatures[str(name)] = fit_temperature(truth[~mine], values[~mine])
        scaled[mine] /= temperatures[str(name)]
    return CrossFit(scaled, temperatures)
