"""Rows that put the networks in their place: guessing, eGeMAPS, and one number an utterance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ser.corpora.base import EMOTIONS
from ser.errors import TrainingError

BASELINES: tuple[str, ...] = (
    "majority",
    "egemaps-lr",
    "egemaps-svm",
    "level-lr",
    "duration-lr",
    "egemaps-lr+",
    "egemaps-svm+",
)
INPUTS: dict[str, str] = {
    "egemaps-lr": "egemaps",
    "egemaps-svm": "egemaps",
    "egemaps-lr+": "egemaps",
    "egemaps-svm+": "egemaps",
    "level-lr": "level",
    "duration-lr": "duration",
}
"""What a baseline is given: an attribute of :class:`ser.experiments.task.Side`."""
_ABSENT = -1e4


def by_speaker(values: np.ndarray, speakers: Sequence[str]) -> np.ndarray:
    """Each speaker's rows brought to mean 0 and deviation 1; what is constant becomes 0.

    As ``--normalise speaker`` does it for networks: transductive, for it looks at all of a test
    speaker's utterances, though not at their labels.

    Args:
        values: (utterances, numbers).
        speakers: (utterances,) who spoke each.

    Example:
        >>> by_speaker(np.array([[1.0], [3.0], [70.0], [90.0]]), ["a", "a", "b", "b"]).ravel()
        array([-1.,  1., -1.,  1.])
    """
    from sklearn.preprocessing import StandardScaler

    found = np.empty_like(values, dtype=np.float64)
    names = np.asarray(speakers)
    for name in np.unique(names):
        found[names == name] = StandardScaler().fit_transform(values[names == name])
    return found


def baseline_logits(
    row: str,
    train: np.ndarray | None,
    labels: np.ndarray,
    test: np.ndarray | None,
    n_test: int,
    seed: int = 0,
) -> tuple[np.ndarray, int]:
    """Fit a baseline on the training side and score the test side.

    Args:
        row: ``majority`` (log class shares of the training side), ``egemaps-lr`` (standardised
            88 functionals, logistic regression, C = 1), ``egemaps-svm`` (RBF, C = 1), or the
            floors ``level-lr`` and ``duration-lr`` (logistic regression as above); untuned. With
            a plus: the same on functionals that went through :func:`by_speaker`.
        train, test: (utterances, 88) eGeMAPS functionals, (utterances, 1) levels or logarithms
            of seconds; not needed by ``majority``.
        labels: (utterances,) class numbers of the training side.
        n_test: utterances on the test side.
        seed: passed to the solvers; their results do not depend on it.

    Returns:
        Logits (n_test, 4), float32, and the number of fitted parameters (``majority``: 4; the
        SVM: its dual coefficients and support vectors).

    Raises:
        TrainingError: the row needs numbers that are not given.

    Example:
        >>> logits, _ = baseline_logits("majority", None, np.array([2, 2, 0]), None, 1)
        >>> int(logits.argmax())
        2
    """
    classes = len(EMOTIONS)
    if row == "majority":
        share = np.bincount(labels, minlength=classes) / len(labels)
        logits = np.where(share > 0, np.log(np.maximum(share, 1e-30)), _ABSENT)
        return np.tile(logits.astype(np.float32), (n_test, 1)), classes
    if train is None or test is None:
        needed = {"egemaps": "eGeMAPS functionals"}.get(
            INPUTS[row], f"each utterance's {INPUTS[row]}"
        )
        raise TrainingError(f"{row} needs {needed}")

    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    linear = row.removesuffix("+").endswith("-lr")
    if linear:
        last = LogisticRegression(max_iter=5000, random_state=seed)
    else:
        last = SVC(kernel="rbf", decision_function_shape="ovr", random_state=seed)
    fitted = make_pipeline(StandardScaler(), last).fit(train, labels)
    scores = fitted.decision_function(test)
    if linear:
        parameters = last.coef_.size + last.intercept_.size
    else:
        parameters = last.dual_coef_.size + last.support_vectors_.size + last.intercept_.size
    if scores.ndim == 1:
        scores = np.stack([-scores, scores], axis=1) / 2
    logits = np.full((n_test, classes), _ABSENT, dtype=np.float32)
    logits[:, last.classes_] = np.maximum(scores, _ABSENT)
    return logits, int(parameters)
