"""The ladder of protocols, the expected best of several tries, and their figure."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from chapters.protocols.ladder import RUNGS, gains, ladder, train_many
from chapters.protocols.maxima import expected_best, known_speaker_accuracy
from chapters.protocols.waterfall import waterfall

from ser.corpora.base import EMOTIONS
from ser.metrics import paired_test, ua
from ser.plots import describe
from ser.protocols import split


@pytest.fixture(scope="module")
def voices():
    """Six speakers who encode the emotion each in their own way: a leak is worth much."""
    rng = np.random.default_rng(0)
    speakers, labels = np.repeat(list("ABCDEF"), 24), np.tile(np.arange(4), 36)
    shift = np.repeat(rng.normal(size=(6, 8)) * 2, 24, axis=0)
    own = rng.normal(size=(6, 4, 8))
    place = own[np.repeat(np.arange(6), 24), labels] + rng.normal(size=(4, 8))[labels]
    x = (place + shift + rng.normal(size=(144, 8)) * 0.8).astype(np.float32)
    table = pd.DataFrame({"utterance": np.arange(144), "speaker": speakers})
    table["emotion"] = np.array(EMOTIONS)[labels]
    return x, labels, table


@pytest.fixture(scope="module")
def rungs(voices):
    x, labels, table = voices
    folds = [split(table, p, 3) for p in ("speakers", "random")]
    return ladder(x, labels, *folds, seeds=3, epochs=15, copies=0.3)


def test_rungs_go_up_where_speakers_differ(voices, rungs):
    _, labels, table = voices
    assert tuple(rungs) == RUNGS
    frame = gains(labels, rungs, table.speaker, resamples=200).set_index("name")
    assert frame.gain["speakers on both sides"] > 0.1
    assert frame.gain["copies left in"] > 0
    assert frame.gain["best test epoch"] >= 0
    assert frame.gain["best seed on the test"] >= 0
    assert np.isnan(frame.gain.iloc[0])
    assert frame.ua.iloc[0] + frame.gain.sum() == pytest.approx(frame.ua.iloc[-1])


def test_gains_are_those_of_the_paired_test(voices, rungs):
    _, labels, table = voices
    frame = gains(labels, rungs, table.speaker, resamples=300)
    one = paired_test(labels, rungs[RUNGS[1]], rungs[RUNGS[0]], table.speaker, resamples=300)
    line = frame.iloc[1]
    assert (line.gain, line.gain_low, line.gain_high, line.p) == (
        one.ua_difference,
        one.ua_low,
        one.ua_high,
        one.ua_p,
    )


def test_the_best_epoch_is_at_least_as_good_in_every_fold(voices, rungs):
    _, labels, table = voices
    for fold in split(table, "random", 3):
        truth = labels[fold.test]
        last, best = (rungs[RUNGS[k]][:, fold.test] for k in (3, 4))
        for a, b in zip(last, best, strict=True):
            assert ua(truth, b) >= ua(truth, a)
        top = ua(truth, rungs[RUNGS[5]][0, fold.test])
        assert top == pytest.approx(max(ua(truth, b) for b in best))


def test_seeds_together_are_seeds_apart(voices):
    x, labels, _ = voices
    z = (x - x.mean(0)) / x.std(0)
    three = train_many(z[:100], labels[:100], z[100:], seeds=3, epochs=3)
    one = train_many(z[:100], labels[:100], z[100:], seeds=1, epochs=3)
    assert np.allclose(three[0], one[0], atol=1e-4)
    assert not np.allclose(three[0], three[1], atol=1e-2)


def test_the_same_seed_gives_the_same_answers(voices, rungs):
    x, labels, table = voices
    folds = [split(table, p, 3) for p in ("speakers", "random")]
    again = ladder(x, labels, *folds, seeds=3, epochs=15, copies=0.3)
    assert all(np.array_equal(rungs[name], again[name]) for name in RUNGS)


def test_constant_columns_and_a_corpus_without_learning_do_no_harm():
    x = np.zeros((32, 3), dtype=np.float32)
    table = pd.DataFrame({"utterance": range(32), "speaker": list("ABCD") * 8})
    table["emotion"] = np.repeat(EMOTIONS, 8)
    folds = [split(table, p, 2) for p in ("speakers", "random")]
    rungs = ladder(x, np.arange(4).repeat(8), *folds, seeds=2, epochs=2)
    assert all(np.isin(a, range(4)).all() for a in rungs.values())


def test_says_what_does_not_fit(voices):
    x, labels, table = voices
    folds = split(table, "random", 3)
    with pytest.raises(ValueError, match="exactly once"):
        ladder(x, labels, folds[:2], folds)
    with pytest.raises(ValueError, match="do not fit"):
        train_many(x, labels[:3], x)
    with pytest.raises(ValueError, match="at least 1"):
        train_many(x, labels, x, seeds=0)
    with pytest.raises(ValueError, match="no rungs"):
        gains(labels, {}, table.speaker)


@pytest.mark.parametrize(("tries", "n", "p"), [(1, 30, 0.25), (2, 10, 0.5), (15, 34, 0.25)])
def test_expected_best_is_that_of_a_simulation(tries, n, p):
    rng = np.random.default_rng(0)
    best = rng.binomial(n, p, (40_000, tries)).max(1).mean() / n
    assert expected_best(tries, n, p) == pytest.approx(best, abs=0.003)


def test_expected_best_at_its_ends():
    assert expected_best(1, 7, 0.3) == 0.3
    assert expected_best(5, 7, 1.0) == pytest.approx(1)
    assert expected_best(5, 7, 0.0) == pytest.approx(0)
    assert expected_best(2, 1, 0.5) == pytest.approx(0.75)
    for wrong in ((0, 5, 0.5), (1, 0, 0.5), (1, 5, 1.5)):
        with pytest.raises(ValueError, match="at least 1"):
            expected_best(*wrong)


def test_a_known_speaker_is_easier_and_no_offset_makes_no_difference():
    known, unknown = known_speaker_accuracy(2, 1.5, 1)
    assert known > unknown > 0.5
    assert known_speaker_accuracy(2, 0, 1)[0] == known_speaker_accuracy(2, 0, 1)[1]
    rng = np.random.default_rng(0)
    x = 1 + rng.normal(size=200_000) * 1.5 + rng.normal(size=200_000)
    assert (x > 0).mean() == pytest.approx(unknown, abs=0.005)
    with pytest.raises(ValueError, match="spreads"):
        known_speaker_accuracy(1, 1, 0)


def test_the_waterfall_says_what_it_shows(voices, rungs):
    _, labels, table = voices
    frame = gains(labels, rungs, table.speaker, resamples=200)
    fig = waterfall(frame, title="Protocol")
    said = describe(fig)
    assert all(name in said for name in RUNGS)
    assert f"in the end {100 * frame.ua.iloc[-1]:.1f} %" in said
    assert [t.get_text().replace("\n", " ") for t in fig.axes[0].get_yticklabels()][-1] == (
        "as reported"
    )
    with pytest.raises(ValueError, match="no steps"):
        waterfall(frame[:0])
