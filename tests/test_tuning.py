"""Baselines at their best: C and class weights chosen on inner folds, never on the test side."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ser.errors import ModelError, RecordError
from ser.experiments import RunConfig, run
from ser.experiments.baselines import GRID, baseline_logits, grid_of, inner_folds, tune
from ser.metrics import ua


def uneven(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ten speakers, each of another offset, one class seven times as frequent; 88 numbers."""
    rng = np.random.default_rng(seed)
    labels = np.tile(np.repeat([0, 1, 2, 3], [3, 3, 3, 21]), 10)
    speakers = np.repeat([f"s{i}" for i in range(10)], 30)
    centres = np.random.default_rng(1).normal(size=(4, 88)) * 0.35
    offsets = np.random.default_rng(2).normal(size=(10, 88)) * 0.5
    noise = rng.normal(size=(300, 88))
    return centres[labels] + np.repeat(offsets, 30, axis=0) + noise, labels, speakers


@pytest.mark.parametrize("row", ["egemaps-lr", "egemaps-svm"])
def test_baselines_at_their_best_are_better_on_uneven_classes_and_never_see_the_test(row):
    x, y, who = uneven()
    scores = {}
    for way in ("nested", "fixed"):
        answers = np.empty_like(y)
        for speaker in np.unique(who):
            test = who == speaker
            chosen = tune(row, x[~test], y[~test], who[~test])["chosen"] if way == "nested" else {}
            logits, _ = baseline_logits(row, x[~test], y[~test], x[test], test.sum(), **chosen)
            answers[test] = logits.argmax(1)
        scores[way] = ua(y, answers)
    assert scores["nested"] > scores["fixed"] + 0.03, scores


def test_inner_folds_are_by_speaker_with_every_class_to_learn():
    _, y, who = uneven()
    folds, told = inner_folds(y, who)
    assert told == "5 folds by speaker"
    assert sorted(np.concatenate([held for _, held in folds])) == list(range(300))
    for kept, held in folds:
        assert not set(who[kept]) & set(who[held]) and set(y[kept]) == {0, 1, 2, 3}
    few = np.isin(who, ["s0", "s1", "s2"])
    assert inner_folds(y[few], who[few])[1] == "3 folds by speaker"


def test_without_inner_folds_by_speaker_they_are_by_class_and_without_those_nothing_is_tuned():
    x, y, who = uneven()
    for nobody in (np.full(300, "one"), np.full(300, "")):
        assert inner_folds(y, nobody)[1] == "5 folds by class, speakers on both sides"
    apart = y.astype(str)  # each speaker has one class: to leave one out leaves no class to learn
    assert inner_folds(y, apart)[1] == "5 folds by class, speakers on both sides"
    single = np.array([0, 1, 2, 3])
    found = tune("egemaps-lr", x[:4], single, who[:4])
    assert found == {"inner": "no inner folds possible", "chosen": {}, "scores": []}
    fixed = baseline_logits("egemaps-lr", x, y, x, 300)[0]
    assert np.array_equal(fixed, baseline_logits("egemaps-lr", x, y, x, 300, **found["chosen"])[0])


def test_of_equals_the_smallest_c_without_class_weights():
    x = np.repeat(np.eye(4) * 50, 10, axis=0)  # any C tells these apart
    found = tune("egemaps-svm", x, np.repeat([0, 1, 2, 3], 10), np.tile(list("ABCDE"), 8))
    assert {s["ua"] for s in found["scores"]} == {1.0}
    assert found["chosen"] == {"C": 0.1, "class_weight": None}
    assert [(s["C"], s["class_weight"]) for s in found["scores"]] == [
        (c, w) for c in GRID["svm"]["C"] for w in (None, "balanced")
    ]


def test_threads_change_no_choice():
    x, y, who = uneven()
    assert tune("egemaps-lr", x, y, who, threads=2) == tune("egemaps-lr", x, y, who)


@pytest.fixture(scope="module")
def base(tiny_root, tmp_path_factory) -> RunConfig:
    cache = str(tmp_path_factory.mktemp("cache"))
    return RunConfig(root=str(tiny_root), models=("majority", "duration-lr"), protocol="loso",
                     jobs=1, threads=1, progress=False, cache=cache)  # fmt: skip


def test_a_record_says_what_was_chosen_and_old_records_are_not_taken_for_new_ones(base, tmp_path):
    nested = run(replace(base, out=tmp_path / "nested"))
    fixed = run(replace(base, baseline_tuning="fixed", out=tmp_path / "fixed"))
    for new, old in zip(nested, fixed, strict=True):
        if new["model"] == "majority":
            assert new["fingerprint"] == old["fingerprint"]
            assert "tuning" not in new and "tuning" not in new["config"]
            continue
        assert "tuning" not in old and "tuning" not in old["config"]
        assert new["config"]["tuning"] == "nested" and new["fingerprint"] != old["fingerprint"]
        told = new["tuning"]
        assert told["inner"].endswith("folds by speaker")
        assert {k: v for k, v in max(told["scores"], key=lambda s: s["ua"]).items() if k != "ua"}
        assert told["chosen"]["C"] in grid_of("duration-lr")["C"]
    with pytest.raises(RecordError, match="other settings"):
        run(replace(base, out=tmp_path / "fixed"))
    with pytest.raises(ModelError, match="unknown tuning 'none'"):
        replace(base, baseline_tuning="none")


def test_inner_folds_are_as_the_folds_themselves(base):
    """Random folds test who was heard in training; inner folds by speaker ask another question."""
    told = {
        protocol: {r["tuning"]["inner"] for r in run(replace(base, **change))}
        for protocol, change in {
            "random": {"models": ("duration-lr",), "protocol": "random", "folds": 2},
            "speakers": {"models": ("duration-lr",), "protocol": "speakers", "folds": 2},
        }.items()
    }
    assert told["random"] == {"5 folds by class, speakers on both sides"}
    assert all(t.endswith("folds by speaker") for t in told["speakers"])


def test_the_choice_does_not_hear_the_test_speaker(base, monkeypatch):
    """Whatever the test speaker sounds like, the fold's choice and inner scores stay."""
    from ser.experiments import execution

    config = replace(base, models=("duration-lr",))
    before = run(config)
    fit = execution.tune

    def other(row, train, labels, speakers, **given):
        assert len(set(speakers)) == len(before) - 1
        return fit(row, train, labels, speakers, **given)

    monkeypatch.setattr(execution, "tune", other)
    for a, b in zip(before, run(config), strict=True):
        assert set(a["test"]["speakers"]) == {a["protocol"]["fold"]}
        assert a["tuning"] == b["tuning"]
