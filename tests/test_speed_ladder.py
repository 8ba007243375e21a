"""Timing by turns, two processes with two allocators, and the instructions for bfloat16."""

from __future__ import annotations

import sys

import pandas as pd
import pytest
import torch
from chapters.fast import bfloat16
from chapters.fast.sounds import rounded
from chapters.fast.speed_ladder import (
    AS_IT_COMES,
    KEPT,
    all_but_bias,
    apart,
    by_turns,
    faster,
    forward_backward,
    gradients,
    one_pass_like,
    race,
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


def test_a_wrong_gradient_is_far_apart():
    w = torch.tensor([2.0, -1.0], requires_grad=True)
    right = gradients(lambda: 3 * w, w)
    assert [t.tolist() for t in right] == [[6.0, -3.0], [18.0, -9.0]]
    assert apart(right, right) == 0
    assert apart([right[0], right[1] * 1.5], right) == pytest.approx(0.5)
    rounding = [torch.tensor([1e-9]), torch.tensor([1.0])]
    assert apart(rounding, [torch.zeros(1), torch.ones(1)]) < 1e-2
    with pytest.raises(ValueError, match="differ"):
        apart(right, right[:1])


def test_a_race_compares_with_the_first():
    w = torch.ones(3, requires_grad=True)
    told = race({"one": lambda: 2 * w, "two": lambda: w + w}, rounds=3)
    assert list(told.index) == ["one", "two"]
    assert told.loc["one", "times as fast"] == 1


def test_the_one_pass_has_the_blocks_weights():
    before = torch.get_num_threads()
    try:
        block = written_plainly()
        ours = one_pass_like(block)
        pairs = zip(all_but_bias(ours), all_but_bias(block), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)
        assert len(all_but_bias(block)) == 3
        x = 50 + 20 * torch.randn(2, 1, 16, 12)
        both = [gradients(lambda n=n: n(x), *all_but_bias(n)) for n in (ours, block)]
        assert apart(*both) < 1e-3
    finally:
        torch.set_num_threads(before)


def test_eight_digits_are_bfloat16s():
    values = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    assert torch.equal(rounded(values, 8), values.bfloat16().float())
    assert torch.equal(rounded(values, 24), values)


def test_instructions_are_named_in_order(monkeypatch):
    def has(**flags):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: flags)

    has(avx2=True, avx512_f=False)
    assert bfloat16.instruction_sets() == ["AVX2"]
    assert bfloat16.bfloat16_instruction() == ""
    has(avx2=True, avx512_f=True, avx512_bf16=True)
    assert bfloat16.instruction_sets() == ["AVX2", "AVX-512", "AVX512_BF16"]
    assert bfloat16.bfloat16_instruction() == "AVX512_BF16"
    has(avx2=True, avx512_f=True, avx512_bf16=True, amx_bf16=True)
    assert bfloat16.bfloat16_instruction() == "AMX"
    has(neon=True)
    assert bfloat16.instruction_sets() == [] and bfloat16.bfloat16_instruction() == ""


@pytest.mark.timeout(120)
def test_both_formats_are_timed_for_each_set(monkeypatch):
    table = bfloat16.by_instructions(4, 8, 4)
    assert list(table.index) == (bfloat16.instruction_sets() or ["as it comes"])
    assert list(table.columns) == ["float32, ms", "bfloat16, ms", "times as fast"]
    assert (table > 0).all(axis=None)
    monkeypatch.setattr(bfloat16, "instruction_sets", list)
    assert list(bfloat16.by_instructions(4, 8, 4).index) == ["as it comes"]
