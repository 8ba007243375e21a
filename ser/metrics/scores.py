"""WA, UA, recalls, confusion and calibration of one set of predictions.

Labels and predictions are class numbers from 0 in the order of a set of emotions, or, of the usual
four (:data:`ser.corpora.base.EMOTIONS`), the emotions' names.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ser.corpora.base import EMOTIONS


def as_codes(values: ArrayLike, classes: int = len(EMOTIONS)) -> np.ndarray:
    """Class numbers (int64, same shape) of numbers or emotion names; ValueError if unknown."""
    array = np.asarray(values)
    if array.dtype.kind in "OUS":
        known = {name: number for number, name in enumerate(EMOTIONS)}
        try:
            flat = [known[str(v)] for v in array.ravel()]
        except KeyError as error:
            raise ValueError(
                f"unknown class {error}; the classes are {', '.join(EMOTIONS)}"
            ) from None
        return np.array(flat, dtype=np.int64).reshape(array.shape)
    codes = array.astype(np.int64)
    if not np.array_equal(codes, array):
        raise ValueError("class numbers must be whole numbers; got fractions or NaN")
    if codes.size and (codes.min() < 0 or codes.max() >= classes):
        raise ValueError(
            f"class numbers must be 0..{classes - 1}; got {codes.min()}..{codes.max()}"
        )
    return codes


def confusion(
    labels: ArrayLike, predictions: ArrayLike, classes: int = len(EMOTIONS)
) -> np.ndarray:
    """Confusion matrix: how often class *row* was answered as class *column*.

    Args:
        labels: (n,) true classes.
        predictions: (n,) answered classes.
        classes: number of classes.

    Returns:
        (classes, classes) int64 counts, rows true; a class that never occurs has zeros.

    Raises:
        ValueError: unequal lengths, nothing to score, or an unknown class.

    Example:
        >>> confusion([0, 0, 1, 3], [0, 1, 1, 3]).tolist()
        [[1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]]
    """
    truth, answer = as_codes(labels, classes), as_codes(predictions, classes)
    if truth.shape != answer.shape or truth.ndim != 1:
        raise ValueError(
            f"labels {truth.shape} and predictions {answer.shape} must be equally long"
        )
    if truth.size == 0:
        raise ValueError("no utterances to score")
    flat = np.bincount(truth * classes + answer, minlength=classes * classes)
    return flat.reshape(classes, classes)


def row_percent(counts: ArrayLike) -> np.ndarray:
    """Rows of a confusion matrix in percent; the row of an absent class is NaN.

    Example:
        >>> row_percent([[3, 1], [0, 2]]).tolist()
        [[75.0, 25.0], [0.0, 100.0]]
    """
    counts = np.asarray(counts, dtype=float)
    with np.errstate(invalid="ignore"):
        return 100 * counts / counts.sum(-1, keepdims=True)


def recalls(labels: ArrayLike, predictions: ArrayLike, classes: int = len(EMOTIONS)) -> np.ndarray:
    """Recall of each class: the share of its utterances that was recognised.

    Returns:
        (classes,) float; NaN for a class that the truth does not contain.

    Example:
        >>> recalls([0, 0, 1, 3], [0, 1, 1, 3]).tolist()
        [0.5, 1.0, nan, 1.0]
    """
    return count_recalls(confusion(labels, predictions, classes))


def count_recalls(counts: np.ndarray) -> np.ndarray:
    """Recalls (..., classes) of confusion matrices (..., classes, classes), NaN where absent."""
    counts = np.asarray(counts, dtype=float)
    with np.errstate(invalid="ignore"):
        return np.diagonal(counts, axis1=-2, axis2=-1) / counts.sum(-1)


def count_wa(counts: np.ndarray) -> np.ndarray:
    """WA (...) of confusion matrices (..., classes, classes); NaN of an empty one."""
    counts = np.asarray(counts, dtype=float)
    with np.errstate(invalid="ignore"):
        return np.trace(counts, axis1=-2, axis2=-1) / counts.sum((-2, -1))


def count_ua(counts: np.ndarray) -> np.ndarray:
    """UA (...) of confusion matrices (..., classes, classes), over the classes present."""
    recall = count_recalls(counts)
    with np.errstate(invalid="ignore"):
        return np.nansum(recall, -1) / (~np.isnan(recall)).sum(-1)


def wa(labels: ArrayLike, predictions: ArrayLike, classes: int = len(EMOTIONS)) -> float:
    """Weighted accuracy: the share of utterances recognised, plain accuracy.

    Source: the paper, section on the experiments (WA).

    Example:
        >>> wa([0, 0, 0, 1], [0, 0, 0, 0])
        0.75
    """
    return float(count_wa(confusion(labels, predictions, classes)))


def ua(labels: ArrayLike, predictions: ArrayLike, classes: int = len(EMOTIONS)) -> float:
    """Unweighted accuracy: the mean of the classes' recalls (UAR, macro recall).

    A class that the truth does not contain has no recall; the mean is over the classes
    present. Source: the paper, section on the experiments (UA).

    Example:
        >>> ua([0, 0, 0, 1], [0, 0, 0, 0])
        0.5
    """
    return float(count_ua(confusion(labels, predictions, classes)))


def softmax(logits: ArrayLike) -> np.ndarray:
    """Probabilities (n, classes) of logits (n, classes), float64, safe for large logits.

    Example:
        >>> softmax([[1000.0, 1000.0]]).tolist()
        [[0.5, 0.5]]
    """
    logits = np.asarray(logits, dtype=float)
    if not np.isfinite(logits).all():
        raise ValueError("logits contain NaN or infinity")
    power = np.exp(logits - logits.max(-1, keepdims=True))
    return power / power.sum(-1, keepdims=True)


def reliability(labels: ArrayLike, logits: ArrayLike, bins: int = 10) -> pd.DataFrame:
    """How often a model is right when it is so sure: the table of a reliability diagram.

    Args:
        labels: (n,) true classes.
        logits: (n, classes); the confidence is the largest softmax probability.
        bins: number of equal bins of confidence between 0 and 1; (low, high] each.

    Returns:
        One row a bin: ``low``, ``high``, ``n``, ``confidence`` (mean), ``accuracy``; NaN in
        the last two where the bin is empty.

    Example:
        >>> table = reliability([0, 1], [[9.0, 0, 0, 0], [9.0, 0, 0, 0]])
        >>> table[table.n > 0][["low", "high", "n", "accuracy"]].values.tolist()
        [[0.9, 1.0, 2.0, 0.5]]
    """
    probability = softmax(logits)
    truth = as_codes(labels, probability.shape[-1])
    if probability.ndim != 2 or len(truth) != len(probability):
        raise ValueError(f"labels {truth.shape} do not fit logits {probability.shape}")
    sure = probability.max(-1)
    answers = pd.DataFrame(
        {"n": 1, "confidence": sure, "accuracy": probability.argmax(-1) == truth}
    )
    place = np.clip(np.ceil(sure * bins).astype(int) - 1, 0, bins - 1)
    table = answers.groupby(place).agg({"n": "sum", "confidence": "mean", "accuracy": "mean"})
    table = table.reindex(range(bins)).fillna({"n": 0}).astype({"n": int})
    edges = np.linspace(0, 1, bins + 1)
    return pd.concat([pd.DataFrame({"low": edges[:-1], "high": edges[1:]}), table], axis=1)


def ece(labels: ArrayLike, logits: ArrayLike, bins: int = 10) -> float:
    """Expected calibration error: mean gap between confidence and accuracy, weighted by bin.

    0 is a model that is right as often as it says. Source: Guo et al., "On Calibration of
    Modern Neural Networks", ICML 2017.

    Example:
        >>> round(ece([0, 1], [[9.0, -9, -9, -9], [9.0, -9, -9, -9]]), 3)
        0.5
    """
    table = reliability(labels, logits, bins)
    gap = (table.confidence - table.accuracy).abs().fillna(0)
    return float((gap * table.n).sum() / table.n.sum())
