"""The parts of the chapters "Confusion matrices" and "The protocol laboratory"."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from chapters.confusion.four_intervals import four_intervals, wilson
from chapters.confusion.listening import surest_mistakes
from chapters.confusion.matrix_drawing import how_to_read
from chapters.protocols.figures import climb, climbs, speakers_drawn, spread_figure
from chapters.protocols.fold_drawings import three_sides, two_ways_to_deal
from chapters.protocols.neighbours import nearest
from chapters.protocols.results import abroad, checks, judged, price_of_dev
from chapters.protocols.scaled_once import measured, scaled_once
from conftest import ROOT
from records_maker import make_results
from scipy.stats import binomtest
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from ser.metrics import softmax, ua
from ser.plots import describe
from ser.protocols import split
from ser.report import load_records, make_report

RESULTS = ROOT / "book" / "results"


@pytest.fixture(scope="module")
def row(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records") / "x-loso"
    make_results(folder, {"dual": 1.0}, corpus="x", protocol="loso")
    return make_report(folder, resamples=100).row("dual")


@pytest.mark.parametrize(("right", "n"), [(5, 8), (0, 10), (10, 10), (80, 100)])
def test_wilson_is_scipys(right, n):
    theirs = binomtest(right, n).proportion_ci(method="wilson")
    np.testing.assert_allclose(wilson(right, n), [theirs.low, theirs.high], atol=1e-6)


def test_the_matrix_is_read_as_it_is_counted():
    shown = how_to_read(np.array([[1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 3, 1], [0, 0, 1, 1]]))
    text = repr(shown)
    assert "Row neutral: 3 of 4 on the diagonal, recall 3/4" in text
    assert "Column angry: 1 of 2, precision 1/2" in text
    assert "over all, 5/8" in text
    assert "mean of the recalls, 9/16" in text


def test_four_intervals_hold_the_score_and_speakers_are_drawn(row):
    found = four_intervals(row, deals=3)
    middle = 100 * float((row.predictions[0] == row.labels).mean())
    for score, low, high in found.values():
        assert score == pytest.approx(middle)
        assert low <= score <= high
    assert found["speakers drawn"][1] != found["utterances drawn"][1]


def test_the_surest_mistake_of_each_emotion(row):
    found = surest_mistakes(row)
    assert found.label.is_unique
    assert (found.label != found.heard).all()
    p = softmax(row.logits[0])
    wrong = p.argmax(1) != row.labels
    assert found.sure.iloc[0] == pytest.approx(100 * p.max(1)[wrong].max())


def test_drawings_say_who_is_tested():
    assert "all six of speaker B are tested" in repr(two_ways_to_deal())
    assert "one is tested, once" in repr(three_sides())


def test_the_nearest_is_on_the_training_side_and_nearest():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"utterance": range(32), "speaker": list("ABCD") * 8})
    table["emotion"] = np.repeat(["angry", "happy", "neutral", "sad"], 8)
    x, folds = rng.normal(size=(32, 3)), split(table, "speakers", 2)
    near = nearest(x, folds)
    for fold in folds:
        for i in fold.test:
            far = np.linalg.norm(x[fold.train] - x[i], axis=1)
            assert near[i] == fold.train[far.argmin()]


def test_the_climb_is_a_maximum_from_the_end(tmp_path):
    for protocol in ("loso", "random"):
        make_results(tmp_path / f"x-{protocol}", {"dual": 1.0}, corpus="x", protocol=protocol)
    records = load_records([tmp_path / "x-loso", tmp_path / "x-random"])
    rise = climb(records)
    runs = [[e["test_ua"] for e in r.data["history"]] for r in records]
    assert rise[0] == 0
    assert (np.diff(rise) >= 0).all()
    assert rise[-1] == pytest.approx(100 * np.mean([max(u) - u[-1] for u in runs]))
    fig, ends = climbs({"x": records})
    assert set(ends["x"]) == {"unseen speakers", "random folds"}
    assert "x, random folds" in describe(fig)


def test_more_speakers_make_a_narrower_band(row):
    found = speakers_drawn(row, (2, 50), draws=300)
    width = {n: high - low for n, (low, _, high) in found.items()}
    assert width[50] < width[2]
    assert "50 speakers" in describe(spread_figure(found))


def test_one_scaler_for_all_folds_is_not_one_in_each():
    rng = np.random.default_rng(1)
    who, y = np.repeat(list("ABCD"), 12), np.tile(["angry", "happy", "sad"], 16)
    x = rng.normal(size=(48, 6)) + (y == "sad")[:, None]
    x[0, 0] = 1e3  # of speaker A
    found = measured(x, y, who, shuffles=2)
    inside = make_pipeline(StandardScaler(), SVC())
    expected = cross_val_predict(inside, x, y, groups=who, cv=LeaveOneGroupOut())
    assert found["in_fold"] == pytest.approx(100 * ua(y, expected))
    assert len(found["pairs"]) == 6
    assert len(found["shuffled"]) == 2
    assert found["pairs"]["A B"] == scaled_once(x, y, who, ["A", "B"])
    assert found["pairs"]["A B"]["largest"] > 100 > found["pairs"]["C D"]["largest"]


def test_the_record_of_emodb_says_what_the_chapter_tells():
    facts = json.loads((RESULTS / "scaled-once-emodb.json").read_text(encoding="utf-8"))
    scores = [pair["loso"] for pair in facts["pairs"].values()]
    assert facts["corpus"] == "emodb"
    assert len(scores) == 45
    assert min(scores) + 5 < facts["in_fold"] < max(scores)
    assert min(facts["shuffled"]) > facts["in_fold"]


def test_one_row_under_several_protocols_is_that_of_the_reports(tmp_path):
    for name in ("x-loso", "x-loso-dev", "x-random-dev"):
        make_results(
            tmp_path / name, {"ds-lstm": 1.0}, corpus="x", protocol=name.split("-")[1],
            selections=("last", "dev", "test"),
        )  # fmt: skip
    table, reports = judged(tmp_path, "x")
    assert table.epoch.tolist() == [
        "the last", "the last", "best on dev", "best on test", "the last", "best on test",
    ]  # fmt: skip
    expected = 100 * reports["loso"].row("ds-lstm", "last").ua.mean()
    assert float(table.UA[0]) == pytest.approx(expected, abs=0.05)
    assert price_of_dev(reports).ua_difference == pytest.approx(0)


def test_other_corpora_and_checks_come_from_the_records(tmp_path):
    away = abroad(RESULTS)
    assert len(away) == 6
    assert set(away.row) == {"egemaps-lr", "mfcc-lstm", "dual"}
    assert set(away["at home"].str.endswith("*")) == {True, False}
    told = checks(RESULTS)
    assert (told.row == "duration-lr").any()
    assert abroad(tmp_path).empty
    assert checks(tmp_path).empty
