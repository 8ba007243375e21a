"""Ways to fuse two branches, and what each gives (book: chapter "Fusion").

A rule makes one set of scores (n, classes) from two sets of logits.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from ser.metrics import paired_test, softmax, ua

RULES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "mean of logits": lambda a, b: a + b,
    "product of probabilities": lambda a, b: softmax(a) * softmax(b),
    "mean of probabilities": lambda a, b: softmax(a) + softmax(b),
    "the surer one (max)": lambda a, b: np.maximum(softmax(a), softmax(b)),
    "logits, each by its sd": lambda a, b: a / a.std() + b / b.std(),
}
"""Rules that learn nothing."""


def weighted(a: np.ndarray, b: np.ndarray, y: np.ndarray, by: np.ndarray) -> np.ndarray:
    """w a + (1 - w) b; for each speaker the w, of 21, that is best on all other speakers."""
    scores, steps = np.zeros_like(a), np.linspace(0, 1, 21)
    for who in np.unique(by):
        rest, here = by != who, by == who
        mixed = [w * a + (1 - w) * b for w in steps]
        best = np.argmax([ua(y[rest], s[rest].argmax(1)) for s in mixed])
        scores[here] = mixed[best][here]
    return scores


def stacked(a: np.ndarray, b: np.ndarray, y: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Logistic regression on both sets of logits, for each speaker learnt from all others."""
    from sklearn.linear_model import LogisticRegression

    both, scores = np.hstack([a, b]), np.zeros_like(a)
    for who in np.unique(by):
        rest, here = by != who, by == who
        model = LogisticRegression(max_iter=5000).fit(both[rest], y[rest])
        scores[np.ix_(here, model.classes_)] = model.predict_proba(both[here])
    return scores


def rule_table(a: np.ndarray, b: np.ndarray, y: np.ndarray, by: np.ndarray) -> pd.DataFrame:
    """UA of each branch and of each rule, against the mean of logits, in percent.

    Args:
        a, b: (n, classes) logits of the branches.
        y: (n,) true classes.
        by: (n,) speakers: the unit of the intervals, and of what the learnt rules leave out.

    Returns:
        a row each: ``UA (%)``, ``less mean`` and ``low``, ``high``, its 95 % interval.
    """
    scores = {"A alone": a, "B alone": b}
    scores |= {name: rule(a, b) for name, rule in RULES.items()}
    scores |= {"weighted": weighted(a, b, y, by), "stacked": stacked(a, b, y, by)}
    mean, rows = (a + b).argmax(1), {}
    for name, s in scores.items():
        result = paired_test(y, s.argmax(1), mean, by, resamples=1000)
        values = (result.ua_a, result.ua_difference, result.ua_low, result.ua_high)
        columns = ("UA (%)", "less mean", "low", "high")
        rows[name] = {c: 100 * v for c, v in zip(columns, values, strict=True)}
    return pd.DataFrame(rows).T.round(1)
