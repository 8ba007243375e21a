"""Timing by turns, and two processes with two allocators."""

from __future__ import annotations

import sys

import pandas as pd
import pytest
import torch
from chapters.fast.speed_ladder import (
    AS_IT_COMES,
    KEPT,
    by_turns,
    faster,
    forward_backward,
    with_allocators,
    written_plainly,
)


def test_pieces_take_turns():
    seen: list[str] = []
    times = by_turns({"a": lambda: seen.append("a"), "b": lambda: seen.append("b")}, rounds=3)
    assert seen == ["a", "b"] * 4
    assert list(times.columns) == ["a", "b"]
    assert (times >= 0).all(axis=None)
    assert len(times) == 3


def test_nothing_to_measure():
    with pytest.raises(ValueError, match="nothing to measure"):
        by_turns({})
    with pytest.raises(ValueError, match="nothing to measure"):
        by_turns({"a": lambda: None}, rounds=0)


def test_ratios_and_their_range():
    times = pd.DataFrame({"before": [1.0, 2.0, 3.0], "after": [0.5, 1.0, 3.0]})
    table = faster(times)
    assert table.loc["before"].tolist() == [2000.0, 1.0, 1.0, 1.0]
    assert table.loc["after"].tolist() == pytest.approx([1000.0, 2.0, 1.5, 2.0])
    turned = faster(times, than="after")
    assert turned.loc["before", "times as fast"] == pytest.approx(0.5)
    with pytest.raises(ValueError, match="known: before, after"):
        faster(times, than="later")


def test_gradient_is_of_half_the_sum_of_squares():
    w = torch.tensor([2.0, -1.0], requires_grad=True)
    forward_backward(lambda: 3 * w)()
    assert w.grad.tolist() == [18.0, -9.0]


@pytest.mark.timeout(120)
def test_two_allocators_one_result():
    before = torch.get_num_threads()
    times, facts = with_allocators(batch=8, frames=200, rounds=2)
    assert torch.get_num_threads() == before
    assert list(times.columns) == [AS_IT_COMES, KEPT]
    assert len(times) == 2
    assert not facts.took[AS_IT_COMES]
    assert facts.result.nunique() == 1
    if sys.platform.startswith("linux"):
        assert facts.pages[KEPT] <= facts.pages[AS_IT_COMES] + 100


def test_block_as_released_pools_last():
    before = torch.get_num_threads()
    try:
        kinds = [type(layer).__name__ for layer in written_plainly()]
    finally:
        torch.set_num_threads(before)
    assert kinds == ["Conv2d", "BatchNorm2d", "ReLU", "MaxPool2d"]
