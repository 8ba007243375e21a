"""Rows that put the networks in their place: guessing, eGeMAPS, and one number an utterance.

A classifier's C and class weights (and, if asked, a clip) are chosen in each fold, on inner folds
of its training side that are as the folds themselves: by speaker, or at random (:func:`tune`). The
test side has no part in it. Book: chapter "EmoDB, measured".
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from ser.errors import TrainingError
from ser.normalise import clipped

BASELINES: tuple[str, ...] = (
    "majority",
    "egemaps-lr",
    "egemaps-svm",
    "compare-lr",
    "ssl-lr",
    "level-lr",
    "duration-lr",
    "egemaps-lr+",
    "egemaps-svm+",
)
INPUTS: dict[str, str] = {
    "egemaps-lr": "egemaps",
    "egemaps-svm": "egemaps",
    "compare-lr": "compare",
    "egemaps-lr+": "egemaps",
    "egemaps-svm+": "egemaps",
    "ssl-lr": "ssl",
    "level-lr": "level",
    "duration-lr": "duration",
}
"""What a baseline is given: an attribute of :class:`ser.experiments.corpus_inputs.CorpusInputs`."""
TUNINGS: tuple[str, ...] = ("nested", "nested-robust", "fixed")
"""``nested``: C and class weights by :func:`tune`; ``nested-robust``: and whether, and where,
numbers are clipped; ``fixed``: C = 1, no class weights."""
CLIPS: list[float] = [0.0, 6.0, 4.0, 3.0]
"""Deviations at which ``nested-robust`` tries to clip; 0: nowhere."""
GRID: dict[str, dict[str, list]] = {
    "lr": {"C": [0.001, 0.01, 0.1, 1.0, 10.0], "class_weight": [None, "balanced"]},
    "svm": {"C": [0.1, 1.0, 10.0, 100.0], "class_weight": [None, "balanced"]},
    "compare-lr": {"C": [0.0001, 0.001, 0.01], "class_weight": ["balanced"]},
}
"""What is tried, by the row or its classifier: the more numbers, the smaller C, and the longer."""
INNER = 5
"""Inner folds, at most; as many as there are speakers where those are fewer."""
_ABSENT = -1e4


def grid_of(row: str, tuning: str = "nested") -> dict[str, list]:
    """The settings that are tried for a row.

    >>> grid_of("egemaps-svm+")["C"], grid_of("egemaps-lr", "nested-robust")["clip_z"]
    ([0.1, 1.0, 10.0, 100.0], [0.0, 6.0, 4.0, 3.0])
    """
    grid = GRID.get(row) or GRID[row.removesuffix("+").rpartition("-")[2]]
    return grid | {"clip_z": CLIPS} if tuning == "nested-robust" else grid


def inner_folds(labels: np.ndarray, speakers: Sequence[str]) -> tuple[list[tuple], str]:
    """Folds of a training side: by speaker where that leaves every class to learn, else by class.

    Args:
        labels: (utterances,) class numbers.
        speakers: (utterances,) who spoke each; ``""`` where nobody knows, or where it does not
            matter, since those who are tested are heard in training too.

    Returns:
        (training rows, held-out rows) of each fold, and what they are; no folds where a class has
        one utterance only.

    Example:
        >>> folds, told = inner_folds(np.array([0, 1, 0, 1, 0, 1]), list("AABBCC"))
        >>> told, folds[0][1].tolist()
        ('3 folds by speaker', [0, 1])
    """
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold, StratifiedKFold

    classes, counts = np.unique(labels, return_counts=True)
    names, fewest, ways = set(speakers), int(counts.min()), []
    if len(names) > 1 and "" not in names:
        count = min(INNER, len(names))
        if fewest >= count:
            ways.append((StratifiedGroupKFold(count), "by speaker"))
        ways.append((GroupKFold(count), "by speaker"))
    if fewest > 1:
        ways.append((StratifiedKFold(min(INNER, fewest)), "by class, speakers on both sides"))
    for splitter, told in ways:
        groups = speakers if told == "by speaker" else None
        folds = list(splitter.split(labels, labels, groups))
        if all(len(held) and len(set(labels[kept])) == len(classes) for kept, held in folds):
            return folds, f"{len(folds)} folds {told}"
    return [], "no inner folds possible"


def tune(
    row: str,
    train: np.ndarray,
    labels: np.ndarray,
    speakers: Sequence[str],
    seed: int = 0,
    threads: int = 1,
    tuning: str = "nested",
    clip_z: float = 0.0,
) -> dict[str, Any]:
    """Choose C, class weights and what :data:`TUNINGS` names of a row on inner folds of its
    training side.

    The score is UA of the answers of all inner folds together, for an inner fold may lack a class;
    of equals the smallest C is taken, of those the one without class weights, and of those the
    mildest clip. Numbers are standardised in each inner fold anew.

    Args:
        row, train, labels, seed: as for :func:`baseline_logits`.
        speakers: (utterances,) who spoke each of the training side.
        threads: inner folds at a time.
        tuning: what is chosen among, ``nested`` or ``nested-robust``.
        clip_z: of ``nested``, the clip of every setting, as for :func:`baseline_logits`.

    Returns:
        ``inner`` (what the inner folds were), ``chosen`` (what :func:`baseline_logits` is to be
        told; empty, its own defaults, where no inner folds are possible), ``scores`` (a dict each
        of the settings tried: ``C``, ``class_weight``, ``clip_z`` where that is chosen, ``ua`` as
        a fraction of 1).

    Example:
        >>> tune("level-lr", np.array([[1.0], [2.0]] * 3), np.array([0, 1] * 3), list("AABBCC"))[
        ...     "chosen"]
        {'C': 0.001, 'class_weight': None}
    """
    folds, told = inner_folds(labels, speakers)
    if not folds:
        return {"inner": told, "chosen": {}, "scores": []}

    from sklearn.metrics import balanced_accuracy_score
    from sklearn.model_selection import ParameterGrid
    from sklearn.preprocessing import StandardScaler

    settings = list(ParameterGrid(grid_of(row, tuning)))
    answers = np.empty((len(settings), len(labels)), dtype=labels.dtype)

    def answer(fold: tuple[np.ndarray, np.ndarray]) -> None:
        """All settings on one inner fold."""
        kept, held = fold
        scaler = StandardScaler().fit(train[kept])
        sides = scaler.transform(train[kept]), scaler.transform(train[held])
        shaped = {z: _shaped(row, *sides, z) for z in {s.get("clip_z", clip_z) for s in settings}}
        for place, setting in zip(answers, settings, strict=True):
            inputs, limit = dict(setting), setting.get("clip_z", clip_z)
            inputs.pop("clip_z", None)
            known, asked = shaped[limit]
            place[held] = _classifier(row, seed, **inputs).fit(known, labels[kept]).predict(asked)

    with _one_core(), ThreadPoolExecutor(threads) as pool:
        list(pool.map(answer, folds))
    scores = [
        setting | {"ua": round(float(balanced_accuracy_score(labels, guess)), 6)}
        for setting, guess in zip(settings, answers, strict=True)
    ]
    best = max(scores, key=lambda score: score["ua"])  # the first of equals
    return {
        "inner": told,
        "chosen": {key: value for key, value in best.items() if key != "ua"},
        "scores": scores,
    }


def _shaped(
    row: str, known: np.ndarray, asked: np.ndarray, clip_z: float
) -> tuple[np.ndarray, np.ndarray]:
    """Both sides as a classifier is given them: clipped, and in as few numbers as say the same.

    Where ComParE has more numbers than the training side has utterances the axes are turned: what
    a linear classifier with a squared penalty learns is the same, for its weights lie in the span
    of the training side.
    """
    known, asked = clipped(known, clip_z), clipped(asked, clip_z)
    if INPUTS[row] != "compare" or known.shape[1] <= len(known):
        return known, asked
    from scipy.linalg import lapack, solve_triangular

    mean = known.mean(0)
    known, asked = known - mean, asked - mean
    gram = known @ known.T
    lower, order, rank, _ = lapack.dpstrf(gram, lower=1, tol=gram.diagonal().max() * 1e-10)
    order, lower = order - 1, np.tril(lower)[:, :rank]
    turned = np.empty_like(lower)
    turned[order] = lower
    products = known[order[:rank]] @ asked.T
    return turned, solve_triangular(lower[:rank], products, lower=True).T


def _one_core() -> AbstractContextManager:
    """BLAS on one core: many cores wait for each other on tables this small, and round otherwise.

    Only what is loaded by then is kept to it.
    """
    import sklearn.linear_model
    import sklearn.svm  # noqa: F401
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1, "blas")


def _classifier(row: str, seed: int, C: float = 1.0, class_weight: str | None = None) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import SVC

    given = {"C": C, "class_weight": class_weight, "random_state": seed}
    if row.removesuffix("+").endswith("-lr"):
        return LogisticRegression(max_iter=5000, **given)
    # break_ties: the answer is that of the largest score, as everywhere
    return SVC(kernel="rbf", decision_function_shape="ovr", break_ties=True, **given)


def baseline_logits(
    row: str,
    train: np.ndarray | None,
    labels: np.ndarray,
    test: np.ndarray | None,
    n_test: int,
    seed: int = 0,
    clip_z: float = 0.0,
    classes: int = 4,
    **setting: Any,
) -> tuple[np.ndarray, int]:
    """Fit a baseline on the training side and score the test side.

    Args:
        row: ``majority`` (log class shares of the training side), ``egemaps-lr`` (standardised
            88 functionals, logistic regression), ``egemaps-svm`` (RBF), ``compare-lr`` and
            ``ssl-lr`` (ComParE's functionals, features of :mod:`ser.features.learnt`; as the
            first), or the floors ``level-lr`` and ``duration-lr`` (logistic regression as above).
            With a plus: the same on functionals that were normalised by speaker
            (:func:`ser.features.utterance_values.normalised_values`).
        train, test: (utterances, 88) or (utterances, 6373) functionals, (utterances, size) learnt
            features, (utterances, 1) levels or logarithms
            of seconds; not needed by ``majority``.
        labels: (utterances,) class numbers of the training side.
        n_test: utterances on the test side.
        seed: passed to the solvers; their results do not depend on it.
        clip_z: numbers beyond so many deviations of the training side are set to them, on both
            sides (:func:`ser.normalise.clipped`); 0: none is.
        classes: emotions to tell apart.
        setting: ``C`` and ``class_weight``, as :func:`tune` chooses them; without: 1 and None.

    Returns:
        Logits (n_test, classes), float32, and the number of fitted parameters (``majority``: one
        a class; the SVM: its dual coefficients and support vectors).

    Raises:
        TrainingError: the row needs numbers that are not given.

    Example:
        >>> logits, _ = baseline_logits("majority", None, np.array([2, 2, 0]), None, 1)
        >>> int(logits.argmax())
        2
    """
    if row == "majority":
        share = np.bincount(labels, minlength=classes) / len(labels)
        logits = np.where(share > 0, np.log(np.maximum(share, 1e-30)), _ABSENT)
        return np.tile(logits.astype(np.float32), (n_test, 1)), classes
    if train is None or test is None:
        needed = {
            "egemaps": "eGeMAPS functionals",
            "compare": "ComParE functionals",
            "ssl": "features learnt from much speech",
        }.get(INPUTS[row], f"each utterance's {INPUTS[row]}")
        raise TrainingError(f"{row} needs {needed}")

    from sklearn.preprocessing import StandardScaler

    with _one_core():
        scaler = StandardScaler().fit(train)
        sides = (scaler.transform(side) for side in (train, test))
        known, asked = _shaped(row, *sides, clip_z)
        last = _classifier(row, seed, **setting).fit(known, labels)
        scores = last.decision_function(asked)
    if row.removesuffix("+").endswith("-lr"):
        parameters = len(last.coef_) * (train.shape[1] + 1)
    else:
        parameters = last.dual_coef_.size + last.support_vectors_.size + last.intercept_.size
    if scores.ndim == 1:
        scores = np.stack([-scores, scores], axis=1) / 2
    logits = np.full((n_test, classes), _ABSENT, dtype=np.float32)
    logits[:, last.classes_] = np.maximum(scores, _ABSENT)
    return logits, int(parameters)
