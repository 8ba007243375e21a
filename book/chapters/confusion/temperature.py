"""Does a model know how sure it may be? Calibration, and temperature scaling to mend it.

A model is calibrated if, of the answers it gives with probability p, a share p is right. All
functions take logits (n, classes); probabilities are their softmax, the confidence is the
largest of them. One number divides the logits to mend what is wrong on average, the temperature:
it moves every probability and no answer. It must be fitted on utterances that are not judged by
it, and on other speakers: :func:`cross_fit_temperature` sees to that.

Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, equation 9.

Book: chapter "Confusion matrices".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from ser.metrics.scores import as_codes

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
