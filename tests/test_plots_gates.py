"""Still figures of gates: what is drawn is what was given, and is said in words."""

from __future__ import annotations

import numpy as np
import pytest
from chapters.shared.gate_figures import gate_map, over_time

from ser.plots import describe
from ser.plots.style import drawing


def test_curves_stand_at_their_times_and_differ_in_more_than_colour():
    fig = over_time({"a": [0, 1, 2], "b": [2, 1, 0]}, 0.5, "gate", ylim=(0, None))
    ax = fig.axes[0]
    a, b = ax.get_lines()
    np.testing.assert_allclose(a.get_xdata(), [0, 0.5, 1])
    np.testing.assert_allclose(b.get_ydata(), [2, 1, 0])
    assert a.get_linestyle() != b.get_linestyle()
    assert ax.get_ylim()[0] == 0
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time, s", "gate")
    assert describe(fig).startswith("Curves of gate over 1 s: a 0 to 2, mean 1; b")


def test_own_colours_and_a_background():
    fig = over_time({"a": [0, 1]}, 0.5, "x", colours=["#123456"], background=[1, 2])
    assert fig.axes[0].get_lines()[0].get_color() == "#123456"
    assert len(fig.axes[0].collections) == 1


def test_map_sorts_the_units():
    gate = np.array([[0.9, 0.1, 0.5], [0.9, 0.1, 0.5]])
    fig = gate_map(gate, 0.1, "forget gate")
    np.testing.assert_allclose(fig.axes[0].images[0].get_array()[:, 0], [0.1, 0.5, 0.9])


def test_share_a_figure():
    with drawing(None, 5, 2, sharex=True) as (fig, axes):
        gate_map(np.ones((4, 2)), 0.1, "forget gate", ax=axes[0])
        over_time({"f": np.ones(4)}, 0.1, "mean gate", ax=axes[1])
    assert "Map of the forget gate" in describe(fig)
    assert "Curves of mean gate" in describe(fig)


@pytest.mark.parametrize("curves", [{}, {"a": [[1, 2]]}, {str(k): [1] for k in range(6)}])
def test_what_cannot_be_drawn_is_said(curves):
    with pytest.raises(ValueError, match="rows of values"):
        over_time(curves, 0.1, "x")
    with pytest.raises(ValueError, match="a gate over time"):
        gate_map(np.zeros(3), 0.1, "x")
