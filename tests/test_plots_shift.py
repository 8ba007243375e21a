"""Bars of answers under several conditions: widths are the probabilities, in words too."""

from __future__ import annotations

import numpy as np
import pytest
from chapters.your_voice import answer_bars

from ser.plots import describe

ANSWERS = {"as recorded": [0.6, 0.2, 0.1, 0.1], "telephone": [0.1, 0.2, 0.3, 0.4]}


def test_widths_are_the_probabilities_and_fill_the_bar():
    ax = answer_bars(ANSWERS).axes[0]
    widths = np.array([[bar.get_width() for bar in part] for part in ax.containers])
    np.testing.assert_allclose(widths.T, 100 * np.array(list(ANSWERS.values())))
    starts = np.array([[bar.get_x() for bar in part] for part in ax.containers])
    np.testing.assert_allclose(starts + widths, np.cumsum(widths, axis=0), atol=1e-9)
    assert [t.get_text() for t in ax.get_yticklabels()] == list(ANSWERS)


def test_classes_differ_in_more_than_colour():
    ax = answer_bars(ANSWERS).axes[0]
    assert len({part[0].get_hatch() for part in ax.containers}) == 4


def test_numbers_stand_where_there_is_room():
    texts = {t.get_text() for t in answer_bars(ANSWERS).axes[0].texts}
    assert texts == {"60", "20", "30", "40"}


def test_it_is_said_in_words():
    said = describe(answer_bars(ANSWERS, title="A clip"))
    assert said == "Answers by condition. as recorded: angry 60 %. telephone: sad 40 %."


@pytest.mark.parametrize("wrong", [{}, {"a": [1, 0]}, {"a": [0.5, 0.5, 0.5, 0.5]}])
def test_what_cannot_be_drawn_is_said(wrong):
    with pytest.raises(ValueError, match=r"no answers|sum to 1"):
        answer_bars(wrong)
