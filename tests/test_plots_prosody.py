"""Figures of pitch, cues and effects: what is drawn is what was given, and is said in words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from chapters.prosody.figures import contours, cue_strips, effect_plot

from ser.plots import describe

NOISE = np.random.default_rng(0).normal(0, 0.1, 8000)
TRACK = (np.array([0.1, 0.2, 0.3]), np.array([120.0, np.nan, 140.0]))


def test_contours_are_drawn_in_hertz_over_the_spectrogram():
    fig = contours(NOISE, {"wide": TRACK, "narrow": TRACK}, [0.1, 0.3], top=800)
    ax = fig.axes[0]
    first, second, marks = ax.get_lines()
    np.testing.assert_allclose(first.get_ydata(), TRACK[1])
    assert first.get_marker() != second.get_marker()
    assert len(marks.get_xdata()) == 2
    assert ax.get_ylim() == (0, 800)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time, s", "frequency, Hz")
    assert "wide: 2 voiced frames, median 130 Hz." in describe(fig)
    assert "2 syllables marked." in describe(fig)


def test_a_track_without_voice_is_said():
    fig = contours(NOISE, {"nothing": ([0.1], [np.nan])})
    assert describe(fig).endswith("nothing: 0 voiced frames.")


@pytest.mark.parametrize("count", [0, 4])
def test_too_few_or_many_tracks(count):
    with pytest.raises(ValueError, match="1 to 3"):
        contours(NOISE, {str(i): TRACK for i in range(count)})


def test_strips_show_every_finite_value():
    table = pd.DataFrame(
        {
            "emotion": ["angry", "angry", "sad", "sad", "sad"],
            "a": [1.0, 3.0, 5.0, np.nan, -np.inf],
            "b": np.arange(5.0),
        }
    )
    fig = cue_strips(table, {"a": "height, m", "b": "width, m"})
    above, below = fig.axes
    assert above.get_xlabel() == "height, m" and below.get_xlabel() == "width, m"
    dots = [line for line in above.get_lines() if line.get_marker() in ("^", "D")]
    assert sorted(x for line in dots for x in line.get_xdata()) == [1, 3, 5]
    assert "Medians of height, m: angry 2, sad 5." in describe(fig)
    assert [t.get_text() for t in above.get_yticklabels()] == ["angry", "sad"]


def test_strips_of_one_cue_and_of_none():
    table = pd.DataFrame({"emotion": ["angry"], "a": [np.nan]})
    assert len(cue_strips(table, {"a": "height, m"}).axes) == 1
    with pytest.raises(ValueError, match="no utterance"):
        cue_strips(table.assign(emotion="bored"), {"a": "height, m"})


def test_effects_stand_in_the_order_given():
    rows = [
        ("x", "angry", 1.0, 0.5, 1.5, 9),
        ("x", "sad", -1.0, -2.0, 0.0, 9),
        ("x", "eta2", 0.4, 0.3, 0.5, 18),
        ("y", "angry", np.nan, np.nan, np.nan, 0),
    ]
    effects = pd.DataFrame(rows, columns=["cue", "effect", "value", "low", "high", "n"])
    fig = effect_plot(effects, {"y": "width", "x": "height"})
    ax = fig.axes[0]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["width", "height"]
    drawn = {line.get_label(): line.get_xdata() for line in ax.get_lines()}
    assert drawn["angry"][1] == 1.0 and drawn["sad"][1] == -1.0
    assert "height: angry 1.0 (0.5 to 1.5), sad -1.0 (-2.0 to 0.0)." in describe(fig)
    assert "width: none." in describe(fig)
    with pytest.raises(ValueError, match="no effect"):
        effect_plot(effects, {"z": "depth"})
