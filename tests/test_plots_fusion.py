"""Margins, fates and their figures: right where they must be, and said in words."""

from __future__ import annotations

import numpy as np
import pytest
from chapters.fusion.coupling import joint_against_apart
from chapters.fusion.figures import (
    FATES,
    compared,
    fates,
    gain_curves,
    gains,
    margin_plane,
    margins,
)
from chapters.fusion.records import PARTS, fate_table, paired_gains, reports_of
from chapters.fusion.rules import RULES, rule_table, stacked, weighted
from conftest import ROOT

from benchmarks.random_corpus import Plan, random_dataset
from ser.plots import describe


@pytest.fixture
def made():
    rng = np.random.default_rng(0)
    labels = rng.integers(4, size=300)
    truth = 1.5 * np.eye(4)[labels]
    return labels, truth + rng.normal(size=(300, 4)), truth + 2 * rng.normal(size=(300, 4))


def test_a_margin_is_positive_where_the_answer_is_right(made):
    labels, a, _ = made
    np.testing.assert_array_equal(margins(labels, a) > 0, a.argmax(1) == labels)


def test_margins_leave_the_logits_alone(made):
    labels, a, _ = made
    before = a.copy()
    margins(labels, a)
    np.testing.assert_array_equal(a, before)


def test_fused_margin_is_at_least_the_mean_margin(made):
    labels, a, b = made
    mean = (margins(labels, a) + margins(labels, b)) / 2
    assert (margins(labels, (a + b) / 2) >= mean - 1e-12).all()


def test_fates_count_every_utterance_once(made):
    labels, a, b = made
    fate = fates(labels, a, b, a + b)
    right = [(s.argmax(1) == labels) for s in (a, b, a + b)]
    assert (fate == 0).sum() == (right[0] & right[1]).sum()
    assert np.isin(fate, (0, 1, 4)).sum() == right[2].sum()
    assert np.isin(fate, (1, 2)).sum() == (right[0] ^ right[1]).sum()


def test_plane_says_its_counts_and_marks_differ(made):
    labels, a, b = made
    fig = margin_plane(labels, a, b, ("A", "B"))
    fate = fates(labels, a, b, a + b)
    for k, (name, _, _) in enumerate(FATES):
        assert (f"{(fate == k).sum()} {name}" in describe(fig)) == bool((fate == k).any())
    drawn = sum(len(c.get_offsets()) for c in fig.axes[0].collections)
    assert drawn == len(labels)
    assert len({mark for _, _, mark in FATES}) == len(FATES)


def test_gain_is_drawn_as_line_and_dots():
    fig = gain_curves([0, 0.5, 1], {"alike": [3, 2, 0]}, {"alike": [3.1, 1.9, 0]})
    _, line, dots = fig.axes[0].get_lines()
    np.testing.assert_allclose(line.get_ydata(), [3, 2, 0])
    np.testing.assert_allclose(dots.get_ydata(), [3.1, 1.9, 0])
    assert "alike from +3.0 to +0.0 points" in describe(fig)


def test_what_does_not_fit_is_said():
    with pytest.raises(ValueError, match="do not fit"):
        margins([0, 1], np.ones((3, 4)))
    with pytest.raises(ValueError, match="do not fit"):
        fates([0], np.ones((1, 4)), np.ones((2, 4)), np.ones((1, 4)))
    with pytest.raises(ValueError, match="same names"):
        gain_curves([0], {"a": [1]}, {"b": [1]})


def test_the_formula_meets_the_count_where_its_assumptions_hold():
    rng = np.random.default_rng(0)
    e = rng.normal(size=(2, 20_000))
    a, b = (np.stack([0.6 + row, np.zeros(20_000)], axis=1) for row in e)
    frame, rho = compared(np.zeros(20_000, int), a, b)
    assert abs(rho) < 0.03
    np.testing.assert_allclose(frame.loc["formula"], frame.loc["counted"], atol=0.6)
    assert frame.fused.min() > frame.A.max()


def test_simulated_gains_lie_on_the_formula():
    theory, simulated = gains(0.75, (0.75, 0.6), np.array([0.0, 1.0]), draws=40_000)
    for name, line in theory.items():
        np.testing.assert_allclose(simulated[name], line, atol=1.0)
    equal, weak = theory.values()
    assert equal[0] == pytest.approx(100 * (0.8299 - 0.75), abs=0.05)
    assert equal[1] == pytest.approx(0, abs=1e-9) and weak[1] < 0


def test_learnt_rules_never_see_the_speaker_they_score(made):
    labels, a, b = made
    by = np.arange(len(labels)) % 3
    for rule in (weighted, stacked):
        scores = rule(a, b, labels, by)
        other = labels.copy()
        other[by == 0] = (other[by == 0] + 1) % 4
        np.testing.assert_allclose(rule(a, b, other, by)[by == 0], scores[by == 0])


def test_rules_are_told_against_the_mean(made):
    labels, a, b = made
    table = rule_table(a, b, labels, np.arange(len(labels)) % 5)
    assert list(table.index) == ["A alone", "B alone", *RULES, "weighted", "stacked"]
    for name in ("mean of logits", "product of probabilities"):
        assert table.loc[name, ["less mean", "low", "high"]].tolist() == [0, 0, 0]
    assert table.loc["A alone", "UA (%)"] - table.loc["mean of logits", "UA (%)"] == (
        pytest.approx(table.loc["A alone", "less mean"], abs=0.11)
    )


def test_records_of_both_branches_and_their_fusion_are_found(tmp_path):
    assert reports_of(tmp_path) == {}
    (tmp_path / "emodb-loso").symlink_to(ROOT / "book" / "results" / "emodb-loso")
    first = reports_of(tmp_path)
    table, gained = fate_table(first), paired_gains(first)
    (name,) = first
    counts = table[name].iloc[: len(FATES)]
    assert counts.sum() == len(first[name].row("dual").labels)
    assert table.loc["both wrong", name] == counts["lost"] + counts["gained"]
    assert list(gained.index) == [(name, f"dual - {part}") for part in PARTS[:2]]
    assert ((gained.low <= gained["UA, points"]) & (gained["UA, points"] <= gained.high)).all()


def test_the_sum_of_losses_halves_the_gradient_and_couples_nothing():
    made = random_dataset(Plan(utterances=16, longest=1.5), frozenset({"mfcc", "s1", "s2"}))
    options = {"preset": "release", "hidden": 4, "channels": (2, 2)}
    rows = ("mfcc-lstm", "ds-lstm-equations")
    same = joint_against_apart(rows, made, options, "sgd", 0.02, 0.02)
    half = joint_against_apart(rows, made, options, "sgd", 0.02, 0.01)
    assert half["logits, largest"] < 1e-5 < same["logits, largest"]
