"""Figures of the chapter on training, from profiles as if measured; and a cut cable."""

from __future__ import annotations

import pytest
from chapters.shared.profiling import numbers_and_time
from chapters.training.loss_figure import loss_curves
from chapters.training.profile_figure import where_time_goes
from chapters.training.unplugged import PowerCut, Unplugged
from torch import nn, ones

from ser.plots import describe


def test_figure_of_where_time_goes():
    operators = [
        {"name": "aten::mm", "kind": "matrix product", "calls": 1000, "cpu_ms": 3, "device_ms": 1},
        {"name": "a", "kind": "convolution", "calls": 1, "cpu_ms": 1, "device_ms": 3},
        {"name": "b", "kind": "looking at a part", "calls": 9, "cpu_ms": 0, "device_ms": 0},
    ]
    fig = where_time_goes({"one": {"operators": operators}, "two": {"operators": operators}})
    assert len(fig.axes) == 2
    assert "one: matrix product 75% in 1,000 calls, convolution 25% in 1 calls." in describe(fig)
    assert fig.axes[1].get_xlabel() == "time of one step, ms"
    gpu = where_time_goes({"one": {"operators": operators}}, "device_ms")
    assert "convolution 75%" in describe(gpu)
    with pytest.raises(ValueError, match="no profiles"):
        where_time_goes({})


def test_curves_of_losses():
    fig = loss_curves({"right": [1.4, 0.7, 0.1], "wrong": [1.4, 1.5, 2.0]})
    assert describe(fig) == "Loss by step. right: 1.40 to 0.10; wrong: 1.40 to 2.00."
    with pytest.raises(ValueError, match="0"):
        loss_curves({})


def test_shares_add_up():
    small, large = nn.Linear(2, 1, bias=False), nn.Linear(2, 3, bias=False)
    lstm = nn.LSTM(2, 1, batch_first=True)
    table = numbers_and_time(
        {"s": (small, ones(1, 2)), "l": (large, ones(1, 2)), "lstm": (lstm, ones(1, 3, 2))}
    )
    assert table.sum().tolist() == pytest.approx([100, 100])
    assert table.loc["l", "numbers (%)"] == pytest.approx(3 * table.loc["s", "numbers (%)"])
    assert (table["time (%)"] > 0).all()


def test_the_cable_is_cut_after_so_many_batches():
    class Data(list):
        def batch(self, part):
            return [self[k] for k in part]

    cable = Unplugged(Data("abc"), 1)
    assert len(cable) == 3
    assert cable.batch([2]) == ["c"]
    with pytest.raises(PowerCut):
        cable.batch([0])
