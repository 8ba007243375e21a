"""The rows that put the networks in their place."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from ser.errors import TrainingError
from ser.experiments.baselines import baseline_logits, tune
from ser.features.utterance_values import normalised_values


def clouds(n: int = 40, classes=(0, 1, 2, 3), seed: int = 0):
    rng = np.random.default_rng(seed)
    labels = np.resize(classes, n)
    centres = np.random.default_rng(9).normal(size=(4, 88)) * 3
    return (centres[labels] + rng.normal(size=(n, 88))).astype(np.float32), labels


@pytest.mark.parametrize("row", ["egemaps-lr", "egemaps-svm"])
@pytest.mark.parametrize("classes", [(0, 1, 2, 3), (0, 2, 3), (1, 3)])
def test_baselines_learn_and_never_answer_a_class_they_have_not_seen(row, classes):
    train, labels = clouds(classes=classes)
    test, truth = clouds(seed=1, classes=classes)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        logits, parameters = baseline_logits(row, train, labels, test, len(test))
    assert logits.shape == (40, 4) and logits.dtype == np.float32
    assert np.isfinite(logits).all()
    assert (logits.argmax(1) == truth).mean() > 0.95
    assert parameters > 0


def test_logistic_regressions_logits_give_its_probabilities():
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    for classes in ((0, 1, 2, 3), (1, 3)):
        train, labels = clouds(classes=classes)
        test, _ = clouds(seed=1, classes=classes)
        logits, _ = baseline_logits("egemaps-lr", train, labels, test, len(test))
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000))
        wanted = model.fit(train, labels).predict_proba(test)
        found = np.exp(logits - logits.max(1, keepdims=True))
        found /= found.sum(1, keepdims=True)
        assert np.allclose(found[:, list(classes)], wanted, atol=1e-4)


def test_a_plus_normalises_by_speaker_and_learns_the_same():
    train, labels = clouds()
    test, truth = clouds(seed=1)
    speakers = np.resize(np.repeat(["Ada", "Bo"], 4), 40)  # each has all classes
    shift = np.where(speakers == "Ada", 50.0, -50.0)[:, None]
    unused = {"mean": np.zeros(88), "names": [""] * 40}
    for row in ("egemaps-lr", "egemaps-svm"):
        given = [
            normalised_values(x * 3 + shift, "speaker", np.arange(40), speakers, **unused)
            for x in (train, test)
        ]
        logits, _ = baseline_logits(f"{row}+", given[0], labels, given[1], 40)
        assert (logits.argmax(1) == truth).mean() > 0.95
        plain, _ = baseline_logits(row, train, labels, test[::-1] * 3 - shift, 40)
        assert (plain.argmax(1) == truth[::-1]).mean() < 0.7  # an unknown voice, no normalisation


def test_majority_answers_the_most_frequent_class_of_the_training_side():
    logits, parameters = baseline_logits("majority", None, np.array([3, 3, 1]), None, 5)
    assert (logits.argmax(1) == 3).all()
    assert np.isfinite(logits).all()
    assert parameters == 4


def test_functionals_are_needed():
    with pytest.raises(TrainingError, match="eGeMAPS"):
        baseline_logits("egemaps-lr", None, np.array([0, 1]), None, 1)


def test_more_numbers_than_utterances_are_turned_and_the_answer_stays():
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    rng, (_, labels) = np.random.default_rng(3), clouds()
    train = (rng.normal(size=(40, 300)) + labels[:, None] * rng.normal(size=300)).astype(np.float32)
    test = rng.normal(size=(15, 300)).astype(np.float32)
    found, parameters = baseline_logits("compare-lr", train, labels, test, 15, C=0.01)
    scaler = StandardScaler().fit(train)
    plain = LogisticRegression(C=0.01, max_iter=5000, tol=1e-8).fit(scaler.transform(train), labels)
    assert np.allclose(found, plain.decision_function(scaler.transform(test)), atol=2e-3)
    assert parameters == 301 * 4
    chosen = tune("compare-lr", train, labels, list("ABCD") * 10)
    assert {tuple(s) for s in chosen["scores"]} == {("C", "class_weight", "ua")}
    assert [s["C"] for s in chosen["scores"]] == [0.0001, 0.001, 0.01]
