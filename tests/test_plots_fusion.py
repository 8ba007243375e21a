"""Margins, fates and their figures: right where they must be, and said in words."""

from __future__ import annotations

import numpy as np
import pytest
from chapters.fusion import FATES, fates, gain_curves, margin_plane, margins

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
