"""Figures of mistakes: what is drawn is what was given, and is said in words."""

from __future__ import annotations

import numpy as np
import pytest
from bs4 import BeautifulSoup
from chapters.confusion.matrices import recall_by_group, side_by_side
from chapters.shared.interval_figures import dots_by_group, interval_plot

from ser.plots import describe


def texts(fig):
    return [t.get_text() for t in fig.axes[0].texts]


def test_recall_by_speaker_puts_the_worst_last():
    labels = [0, 0, 1, 0, 0, 1]
    answers = [0, 1, 0, 0, 0, 1]
    fig = recall_by_group(labels, answers, list("AAABBB"))
    ax = fig.axes[0]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["B", "A"]
    assert texts(fig) == ["100 (2)", "100 (1)", "–", "–", "50 (2)", "0 (1)", "–", "–"]
    np.testing.assert_allclose(ax.collections[0].get_array().reshape(2, 4)[1], [0.5, 0, 0, 0])
    assert describe(fig).endswith("A: angry 50 (2), happy 0 (1).")


def test_intervals_stand_where_they_are():
    groups = {"a": {"one": (50, 40, 60), "two": (50, 30, 70)}, "b": {"two": (80, 75, 85)}}
    fig = interval_plot(groups, "WA, percent", line=25)
    ax = fig.axes[0]
    ends = [segment[:, 0].tolist() for c in ax.collections for segment in c.get_segments()]
    assert ends == [[40, 60], [30, 70], [75, 85]]
    assert len({line.get_marker() for line in ax.get_lines()[1:]}) == 2
    assert "a: one 40.0 to 60.0, two 30.0 to 70.0. b: two 75.0" in describe(fig)


def test_dots_are_sorted_by_the_first_kind():
    values = {"before": {"A": 3.0, "B": -1.0, "C": 2.0}, "after": {"A": 1.0, "B": -2.0, "C": 4.0}}
    ax = dots_by_group(values, "gap, points").axes[0]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["B", "C", "A"]
    before, after = ax.get_lines()[1:]
    np.testing.assert_array_equal(before.get_xdata(), [-1, 2, 3])
    np.testing.assert_array_equal(after.get_xdata(), [-2, 4, 1])
    assert before.get_marker() != after.get_marker()


def test_side_by_side_has_one_caption_and_each_its_words():
    given = [0, 1, 1], [0, 1, 0]
    figures = [recall_by_group(*given, list(names)) for names in ("AAB", "ABB")]
    shown = side_by_side(figures, "Two <readings>.")
    soup = BeautifulSoup(shown._repr_html_(), "html.parser")
    images = soup.find_all("img")
    assert [image["alt"][:16] for image in images] == ["Recall by class "] * 2
    assert images[0]["alt"] != images[1]["alt"]
    assert [c.get_text() for c in soup.find_all("figcaption")] == ["Two <readings>."]
    assert images[0].find_parent("figure") is images[1].find_parent("figure")


def test_what_cannot_be_drawn_is_said():
    with pytest.raises(ValueError, match="groups"):
        recall_by_group([0, 1], [0, 1], ["A"])
    with pytest.raises(ValueError, match="kinds of interval"):
        interval_plot({}, "x")
    with pytest.raises(ValueError, match="kinds of values"):
        dots_by_group({}, "x")
    with pytest.raises(ValueError, match="same groups"):
        dots_by_group({"a": {"A": 1}, "b": {"B": 1}}, "x")
    with pytest.raises(ValueError, match="description"):
        side_by_side([], "nothing")
