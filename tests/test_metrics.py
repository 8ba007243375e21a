"""Metrics against scikit-learn, hand counts, and what they must refuse."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, recall_score

from ser import metrics
from ser.metrics import bootstrap_interval, paired_test
from ser.metrics.paired import _swap_p, detectable


@pytest.fixture
def answers():
    rng = np.random.default_rng(1)
    labels = rng.integers(4, size=300)
    predictions = np.where(rng.random(300) < 0.6, labels, rng.integers(4, size=300))
    return labels, predictions, np.array([f"S{i % 7}" for i in range(300)])


def test_agrees_with_scikit_learn(answers):
    labels, predictions, _ = answers
    assert metrics.wa(labels, predictions) == pytest.approx(accuracy_score(labels, predictions))
    macro = recall_score(labels, predictions, average="macro")
    assert metrics.ua(labels, predictions) == pytest.approx(macro)
    each = recall_score(labels, predictions, average=None)
    np.testing.assert_allclose(metrics.recalls(labels, predictions), each)
    expected = confusion_matrix(labels, predictions, labels=range(4))
    np.testing.assert_array_equal(metrics.confusion(labels, predictions), expected)


def test_confusion_has_the_truth_in_rows():
    counts = metrics.confusion([0, 0, 0], [0, 1, 1])
    assert counts[0].tolist() == [1, 2, 0, 0]
    assert counts.sum() == 3


def test_ua_is_over_the_classes_present():
    assert metrics.ua([0, 0, 3, 3], [0, 0, 3, 1]) == pytest.approx(0.75)
    recall = metrics.recalls([0, 0, 3, 3], [0, 0, 3, 1])
    assert np.isnan(recall[[1, 2]]).all()


def test_names_of_emotions_are_taken_too():
    assert metrics.ua(["angry", "sad"], ["angry", "angry"]) == 0.5
    with pytest.raises(ValueError, match="bored"):
        metrics.wa(["angry", "bored"], ["angry", "angry"])


@pytest.mark.parametrize(
    ("labels", "predictions", "match"),
    [
        ([], [], "no utterances"),
        ([0, 1], [0], "equally long"),
        ([0, 4], [0, 0], "0..3"),
        ([0, -1], [0, 0], "0..3"),
        ([0, 0.5], [0, 0], "whole numbers"),
    ],
)
def test_refuses(labels, predictions, match):
    with pytest.raises(ValueError, match=match):
        metrics.ua(labels, predictions)


def test_calibration_by_hand():
    # Always 70 % sure, right half of the time: off by 20 points.
    logits = np.log([[0.7, 0.1, 0.1, 0.1]] * 10)
    labels = [0] * 5 + [1] * 5
    assert metrics.ece(labels, logits) == pytest.approx(0.2)
    table = metrics.reliability(labels, logits)
    assert table.n.sum() == 10
    assert table[table.n > 0].accuracy.tolist() == [0.5]


def test_calibrated_answers_have_little_error():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(20000, 4)) * 1.5
    labels = [rng.choice(4, p=p) for p in metrics.softmax(logits)]
    assert metrics.ece(labels, logits) < 0.015
    assert metrics.ece(labels, 4 * logits) > 0.1


def test_softmax_refuses_nan():
    with pytest.raises(ValueError, match="NaN"):
        metrics.softmax([[0, np.nan, 0, 0]])


def slow_bootstrap(labels, predictions, speakers, drawn):
    rows = np.concatenate([np.flatnonzero(speakers == name) for name in drawn])
    return [metrics.ua(labels[rows], p[rows]) for p in predictions]


def test_bootstrap_is_the_plain_loop_over_speakers(answers):
    labels, predictions, speakers = answers
    both = np.stack([predictions, np.roll(predictions, 1)])
    names = np.unique(speakers)
    low, high = bootstrap_interval(labels, both, speakers, "ua", resamples=200, seed=3)
    weights = np.random.default_rng(3).multinomial(7, [1 / 7] * 7, size=200)
    loop = [np.mean(slow_bootstrap(labels, both, speakers, np.repeat(names, w))) for w in weights]
    assert (low, high) == pytest.approx(tuple(np.quantile(loop, [0.025, 0.975])))


def test_bootstrap_is_seeded_and_speakers_widen_it(answers):
    labels, _, speakers = answers
    # Some speakers are always recognised, some never: speakers tell far less than utterances.
    predictions = np.where(np.isin(speakers, ["S0", "S1", "S2"]), labels, (labels + 1) % 4)
    by_speaker = bootstrap_interval(labels, predictions, speakers)
    assert by_speaker == bootstrap_interval(labels, predictions, speakers)
    assert by_speaker != bootstrap_interval(labels, predictions, speakers, seed=1)
    by_utterance = bootstrap_interval(labels, predictions, range(300))
    assert by_speaker.high - by_speaker.low > 3 * (by_utterance.high - by_utterance.low)


def test_bootstrap_is_quick(answers):
    labels, predictions, speakers = answers
    many = np.tile(labels, 20), np.tile(predictions, (10, 20)), np.tile(speakers, 20)
    started = time.process_time()
    bootstrap_interval(*many)
    assert time.process_time() - started < 1


def test_one_speaker_has_no_interval(answers):
    labels, predictions, _ = answers
    interval = bootstrap_interval(labels, predictions, ["S0"] * 300)
    assert np.isnan(interval).all()
    result = paired_test(labels, predictions, labels, ["S0"] * 300)
    assert np.isnan([result.ua_low, result.ua_high]).all()
    assert result.ua_p == 1
    assert "one speaker" in result.note


def test_interval_refuses_an_unknown_metric(answers):
    with pytest.raises(ValueError, match="f1"):
        bootstrap_interval(*answers, metric="f1")


def test_paired_p_is_all_swaps_of_speakers(answers):
    labels, a, speakers = answers
    b = np.where(np.random.default_rng(5).random(300) < 0.5, labels, a)
    result = paired_test(labels, a, b, speakers)
    assert result.exact
    assert result.ua_difference == pytest.approx(metrics.ua(labels, a) - metrics.ua(labels, b))
    for name, score in (("wa", metrics.wa), ("ua", metrics.ua)):
        differences = []
        for swapped in itertools.product([False, True], repeat=7):
            swap = np.array(swapped)[[int(s[1]) for s in speakers]]
            first, second = np.where(swap, b, a), np.where(swap, a, b)
            differences.append(score(labels, first) - score(labels, second))
        seen = abs(differences[0]) - 1e-9
        expected = np.mean(np.abs(differences) >= seen)
        assert getattr(result, f"{name}_p") == pytest.approx(expected)


def test_the_detectable_difference_is_found_in_four_studies_of_five():
    """Speakers drawn anew, whose true difference is the detectable one: the swap test finds it."""
    spread = np.random.default_rng(3).normal(size=10)
    spread = 0.02 * (spread - spread.mean()) / spread.std(ddof=1)
    effect = detectable(spread + 0.1)
    assert effect == pytest.approx(detectable(spread))  # of the spread alone
    studies = np.random.default_rng(4).normal(effect / 10, 0.02, size=(400, 10))
    found = np.mean([_swap_p(study, 2000, 0) < 0.05 for study in studies])
    assert 0.74 < found < 0.86
    none = np.random.default_rng(4).normal(0, 0.02, size=(400, 10))
    assert np.mean([_swap_p(study, 2000, 0) < 0.05 for study in none]) < 0.08


def test_what_so_few_speakers_can_show(answers):
    labels, a, speakers = answers
    b = np.where(np.random.default_rng(5).random(300) < 0.5, labels, a)
    result = paired_test(labels, a, b, speakers)
    assert result.least_p == 2 / 2**7 and 0 < result.ua_detectable < 1
    few = paired_test([0, 1] * 5, [0, 1] * 5, [1, 0] * 5, list("AABBCCDDEE"))
    assert few.ua_p == few.least_p == 0.0625 and few.ua_detectable == np.inf
    one = paired_test(labels, a, b, ["S0"] * 300)
    assert one.least_p == 1 and np.isnan(one.ua_detectable)


def test_a_row_against_itself_is_no_difference(answers):
    labels, a, speakers = answers
    result = paired_test(labels, a, a, speakers)
    assert (result.ua_difference, result.ua_p, result.mcnemar_p) == (0, 1, 1)
    assert (result.ua_low, result.ua_high) == (0, 0)


def test_a_row_against_itself_is_no_difference_where_swaps_are_sampled():
    labels, speakers = [0, 1, 2, 3] * 20, np.repeat(np.arange(20), 4)
    result = paired_test(labels, labels, labels, speakers, resamples=99)
    assert (result.exact, result.ua_p, result.wa_p) == (False, 1, 1)


def test_a_class_of_one_utterance_counts_in_the_swaps():
    labels, speakers = [0, 0, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]
    a, b = [0, 0, 1, 0, 0, 0], [0, 0, 0, 0, 0, 1]  # b misses the only 1, and one 0 of the other
    result = paired_test(labels, a, b, speakers)
    # Differences of UA by speaker: 1/2 and (1/5)/2; of the four signs, two sums are as large.
    assert result.ua_difference == pytest.approx(0.6)
    assert result.ua_p == 0.5
    labels, a = [0, 0, 1, 0, 0, 0], [0, 1, 1, 0, 0, 0]
    b = [0, 0, 0, 1, 0, 0]  # the first speaker: -1/5 and +1 of its classes, the second +1/5
    result = paired_test(labels, a, b, speakers)
    assert result.ua_difference == pytest.approx(0.5)
    assert result.ua_p == 0.5


def test_the_lowest_bin_of_reliability_is_used():
    table = metrics.reliability([0, 1], [[0.0] * 4, [0.0, 9.0, 0.0, 0.0]], bins=2)
    assert table.n.tolist() == [1, 1]
    assert table.confidence.tolist() == pytest.approx([0.25, 1.0], abs=1e-3)


def test_many_speakers_are_sampled_and_hold_their_level():
    rng = np.random.default_rng(2)
    speakers = np.repeat([f"S{i}" for i in range(20)], 10)
    small = 0
    for trial in range(60):
        labels = rng.integers(4, size=200)
        a, b = (np.where(rng.random(200) < 0.6, labels, rng.integers(4, size=200)) for _ in "ab")
        result = paired_test(labels, a, b, speakers, resamples=400, seed=trial)
        assert not result.exact
        small += result.ua_p <= 0.05
    assert small <= 9  # 3 expected where nothing differs


def test_mcnemar_by_hand_and_by_majority():
    labels = [0] * 8
    wrong = [1] * 8
    result = paired_test(labels, labels, [wrong, wrong, labels], list("AABBCCDD"))
    assert (result.only_a, result.only_b) == (8, 0)
    assert result.mcnemar_p == pytest.approx(2 / 2**8)


def test_seeds_need_not_be_as_many(answers):
    labels, a, speakers = answers
    result = paired_test(labels, [a, labels], a, speakers)
    assert result.wa_a == pytest.approx((metrics.wa(labels, a) + 1) / 2)
    with pytest.raises(ValueError, match="do not fit"):
        paired_test(labels, a[:-1], a, speakers)
