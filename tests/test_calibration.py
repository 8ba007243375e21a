"""Calibration against cases with known answers, against scikit-learn, and what it must refuse."""

from __future__ import annotations

import numpy as np
import pytest
from chapters.confusion import temperature
from sklearn.metrics import log_loss

from ser import metrics
from ser.metrics.scores import softmax


@pytest.fixture
def answers():
    rng = np.random.default_rng(3)
    labels = rng.integers(4, size=400)
    logits = rng.normal(size=(400, 4))
    logits[np.arange(400), labels] += 1.5
    return labels, logits


def with_confidence(*shares):
    """Logits of four classes whose softmax gives class 0 these probabilities."""
    p = np.asarray(shares)
    rest = np.repeat(((1 - p) / 3)[:, None], 3, axis=1)
    return np.log(np.column_stack([p, rest]))


def test_likelihood_is_scikit_learns_log_loss(answers):
    labels, logits = answers
    expected = log_loss(labels, softmax(logits), labels=range(4))
    assert temperature.negative_log_likelihood(labels, logits) == pytest.approx(expected)


def test_likelihood_of_a_hopeless_answer_is_large_and_finite():
    assert temperature.negative_log_likelihood([1], [[1000.0, -1000, 0, 0]]) == pytest.approx(2000)


@pytest.mark.parametrize("true_temperature", [0.5, 1.0, 3.0])
def test_finds_the_temperature_it_was_made_with(true_temperature):
    rng = np.random.default_rng(0)
    honest = rng.normal(scale=2, size=(20_000, 4))
    labels = (honest + rng.gumbel(size=honest.shape)).argmax(1)  # drawn from softmax(honest)
    found = temperature.fit_temperature(labels, honest * true_temperature)
    assert found == pytest.approx(true_temperature, rel=0.03)
    assert metrics.ece(labels, honest) < 0.015


def test_best_temperature_meets_its_condition(answers):
    # where the likelihood is flat, the expected logit is the true class's, on average
    labels, logits = answers
    t = temperature.fit_temperature(labels, logits)
    expected = (softmax(logits / t) * logits).sum(1).mean()
    assert expected == pytest.approx(logits[np.arange(400), labels].mean(), abs=1e-4)
    best = temperature.negative_log_likelihood(labels, logits / t)
    for other in (0.9 * t, 1.1 * t):
        assert temperature.negative_log_likelihood(labels, logits / other) > best


def test_bounds_are_kept():
    logits = with_confidence(0.9, 0.9)
    assert temperature.fit_temperature([0, 0], logits, (0.5, 2)) == pytest.approx(0.5, rel=1e-3)
    assert temperature.fit_temperature([1, 1], logits, (0.5, 2)) == pytest.approx(2, rel=1e-3)
    with pytest.raises(ValueError, match="0 < low < high"):
        temperature.fit_temperature([0], logits[:1], (2, 1))


def test_a_group_does_not_choose_its_own_temperature(answers):
    labels, logits = answers
    groups = np.repeat(list("ABCD"), 100)
    fit = temperature.cross_fit_temperature(labels, logits, groups)
    assert list(fit.temperatures) == list("ABCD")
    changed = labels.copy()
    changed[:100] = (changed[:100] + 1) % 4  # other labels for A
    again = temperature.cross_fit_temperature(changed, logits, groups)
    assert again.temperatures["A"] == fit.temperatures["A"]
    assert again.temperatures["B"] != fit.temperatures["B"]
    np.testing.assert_array_equal(again.logits[:100], fit.logits[:100])


def test_temperature_changes_no_answer(answers):
    labels, logits = answers
    fit = temperature.cross_fit_temperature(labels, logits, np.arange(400) % 5)
    np.testing.assert_array_equal(fit.logits.argmax(1), logits.argmax(1))
    for k in range(5):
        mine = np.arange(400) % 5 == k
        np.testing.assert_allclose(fit.logits[mine] * fit.temperatures[str(k)], logits[mine])


@pytest.mark.parametrize(
    ("labels", "logits", "match"),
    [
        ([], np.zeros((0, 4)), "no utterances"),
        ([0, 1], np.zeros((3, 4)), "do not fit"),
        ([4], np.zeros((1, 4)), "0..3"),
        ([0], np.full((1, 4), np.nan), "NaN"),
        ([0], np.zeros(4), "utterances, classes"),
    ],
)
@pytest.mark.parametrize(
    "function",
    [
        temperature.negative_log_likelihood,
        temperature.fit_temperature,
    ],
)
def test_what_cannot_be_scored_is_refused(function, labels, logits, match):
    with pytest.raises(ValueError, match=match):
        function(labels, logits)


def test_other_refusals():
    with pytest.raises(ValueError, match="two groups"):
        temperature.cross_fit_temperature([0], [[1.0, 0]], ["A"])
    with pytest.raises(ValueError, match="2 groups do not fit"):
        temperature.cross_fit_temperature([0], [[1.0, 0]], ["A", "B"])
