"""Figures of the front end: what is drawn is what was given, and is said in words."""

from __future__ import annotations

import numpy as np
import pytest
from chapters.front_end.figures import filter_grid, response_maps, two_clocks

from ser.plots import describe


def test_filters_lie_side_by_side_with_the_low_band_below():
    weights = np.arange(1.0, 25.0).reshape(3, 4, 2)
    fig = filter_grid({"a": weights}, columns=2)
    picture = fig.axes[0].images[0].get_array()
    assert picture.shape == (9, 5)
    np.testing.assert_allclose(picture[:4, :2], weights[0][::-1])
    np.testing.assert_allclose(picture[5:, :2], weights[2][::-1])
    assert picture.mask[4].all() and picture.mask[:, 2].all() and picture.mask[5:, 3:].all()
    assert fig.axes[0].images[0].get_clim() == (-24, 24)


def test_panels_of_filters_share_their_colours():
    fig = filter_grid({"before": np.ones((2, 4, 2)), "after": 3 * np.ones((2, 4, 2))})
    assert [ax.images[0].get_clim() for ax in fig.axes[:2]] == [(-3, 3)] * 2
    assert "before: 2 filters" in describe(fig) and "after: 2 filters" in describe(fig)


def test_maps_span_the_seconds_and_have_a_unit():
    maps = {"level": np.array([[0.0, -200.0]]), "change": np.array([[-1.0, 1.0], [0.0, 0.5]])}
    fig = response_maps(maps, 2.5, signed=[False, True], unit="dB")
    level, change = (ax.images[0] for ax in fig.axes)
    assert level.get_extent() == [0, 2.5, 0, 1]
    assert level.get_clim() == (-80, 0)
    low, high = change.get_clim()
    assert low == -high
    assert fig.axes[-1].get_xlabel() == "time, s"
    assert "values -1 to 1 dB" in describe(fig)


def test_two_clocks_join_a_step_to_its_three():
    x = np.stack([10.0 * np.arange(7) + k for k in (0, 5, 10)], axis=1)
    y = np.stack([20.0 * np.arange(3) + k for k in (0, 15, 30)], axis=1)
    fig = two_clocks(x, y, 3)
    ties = [line for line in fig.axes[0].get_lines() if line.get_linewidth() == 0.8]
    assert sorted(line.get_xdata()[0] for line in ties) == [5, 15, 25, 25, 35, 45, 45, 55, 65]
    assert {line.get_xdata()[1] for line in ties} == {15, 35, 55}
    assert "Step 2 of y, centre 55 ms, goes with the mean of 3 of x, centre 55 ms" in describe(fig)


def test_what_cannot_be_drawn_is_said():
    with pytest.raises(ValueError, match="filters are"):
        filter_grid({"a": np.ones((4, 2))})
    with pytest.raises(ValueError, match="a map is"):
        response_maps({}, 1.0)
    with pytest.raises(ValueError, match="start, centre and end"):
        two_clocks(np.ones((4, 2)), np.ones((4, 3)), 1)
    with pytest.raises(ValueError, match="more than there are"):
        two_clocks(np.ones((4, 3)), np.ones((4, 3)), 2)
