"""The chapter "What came after": its comparisons, its small corpus, its drawing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from chapters.what_came_after.comparison import (
    compared,
    few_utterances,
    live_scores,
    luck,
    seed_scores,
    spread,
    surest_mistakes,
    told,
)
from chapters.what_came_after.figures import (
    PLACES,
    attention_over_time,
    heaviest_tenth,
    marked_system,
)
from conftest import ROOT

from ser import load_corpus
from ser.experiments import stored_records
from ser.plots import describe
from ser.report import make_report

RESULTS = ROOT / "book" / "results"
PAIR = (("recipe/attention", "ds-lstm"), ("recipe/as-released", "ds-lstm"))
NAMES = ("attention", "mean")


def test_a_comparison_is_the_reports():
    found = compared(RESULTS, *PAIR, NAMES)
    rows = [make_report(RESULTS / folder, selection="last").row(model) for folder, model in PAIR]
    for row, ua in zip(rows, (found.result.ua_a, found.result.ua_b), strict=True):
        seeds = [list(row.seeds).index(seed) for seed in found.seeds]
        right = row.predictions[seeds] == row.labels
        recalls = [right[:, row.labels == c].mean(1) for c in range(4)]
        assert ua == pytest.approx(np.mean(recalls))
    assert found.table.loc["difference", "UA (%)"] == round(100 * found.result.ua_difference, 1)
    assert (found.folds, found.of, len(found.by_speaker)) == (5, 5, 10)


def test_what_is_told_agrees_with_the_numbers():
    found = compared(RESULTS, *PAIR, NAMES)
    text = told(found).text
    assert f"{100 * found.result.ua_difference:+.1f} points" in text and "5 of 5 folds" in text
    assert ("leaves 0 out" in text) == (found.result.ua_low > 0 or found.result.ua_high < 0)
    swapped = told(compared(RESULTS, *PAIR[::-1], NAMES[::-1])).text
    assert ("`mean` is better than `attention`" in text) == (
        "`mean` is better than `attention`" in swapped
    )
    gap = found.by_speaker.attention - found.by_speaker["mean"]
    assert f"ahead for {(gap > 0).sum()} and behind for {(gap < 0).sum()}" in spread(found).text


def test_seeds_are_the_reports():
    row = make_report(RESULTS / "emodb-loso-dev", selection="last").row("ds-lstm")
    found = seed_scores(RESULTS, "emodb-loso-dev", "ds-lstm")
    assert len(found) == len(row.seeds) > 1
    for ua, answers in zip(found, row.predictions, strict=True):
        recalls = [(answers[row.labels == c] == c).mean() for c in range(4)]
        assert ua == pytest.approx(100 * np.mean(recalls))
    assert (
        f"{min(found):.1f} to {max(found):.1f} %" in luck(RESULTS, "emodb-loso-dev", "ds-lstm").text
    )
    assert "no records" in luck(RESULTS, "no such folder", "ds-lstm").text


def test_rows_of_other_settings_or_none_are_not_compared():
    with pytest.raises(ValueError, match="other settings"):
        compared(RESULTS, ("recipe/mixup", "ds-lstm"), PAIR[1], NAMES)
    assert compared(RESULTS, ("no such folder", "ds-lstm"), PAIR[1], NAMES) is None
    assert "no records" in told(None).text and "Without records" in spread(None).text


def test_few_utterances_are_a_corpus(tiny_root):
    table = load_corpus("synthetic", tiny_root).table
    few = load_corpus("manifest", few_utterances(table, speakers=2, each=2)).table
    assert few.groupby(["speaker", "emotion"]).size().tolist() == [2] * 8
    assert set(few.path) <= set(table.path)


def test_mistakes_are_wrong_and_the_surest_come_first():
    records = stored_records(RESULTS / "recipe/as-released")
    own = [r for (row, _), r in records.items() if row == "mfcc-lstm"][:2]
    names = [u for r in own for u in r["test"]["utterances"]]
    true = [r["test"]["labels"][i] for r in own for i in range(len(r["test"]["labels"]))]
    emotions = np.array(["angry", "happy", "neutral", "sad"])[true]
    table = pd.DataFrame({"utterance": names, "emotion": emotions})
    worst = surest_mistakes(own, table, most=1000)
    assert (worst.emotion != worst.heard).all()
    assert list(surest_mistakes(own, table, most=2).index) == list(worst.index[:2])
    right = sum(
        (np.argmax(r["selection"]["last"]["logits"], 1) == r["test"]["labels"]).sum() for r in own
    )
    assert len(worst) == len(names) - right


def test_live_scores_are_means_over_folds():
    records = [{"model": "a", "history": [{"test_ua": ua}], "parameters": 7} for ua in (0.25, 0.35)]
    assert live_scores(records).loc["a"].tolist() == [30.0, 7]


def test_the_drawing_marks_every_place_and_says_so():
    drawn = marked_system()
    assert drawn.svg().count("<circle") == len(PLACES)
    for k, (what, (x, y)) in enumerate(PLACES.items(), 1):
        assert f"{k}, {what}" in drawn.described
        assert 10 < x < drawn.width - 10 and 10 < y < drawn.height - 10


def test_attention_is_drawn_with_its_highest_place():
    weights = np.full(100, 0.5 / 99)
    weights[50] = 0.5
    assert heaviest_tenth(weights) == pytest.approx(0.5 + 9 * 0.5 / 99)
    figure = attention_over_time(np.zeros(32000), weights)
    assert "highest at 1.0 s" in describe(figure)
