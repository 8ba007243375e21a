"""What the chapter on the front end computes: clocks, drift, paces, and its drawing."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
import torch
from chapters.front_end.alignment_drawing import STEPS, alignment_drawing, threes
from chapters.front_end.clocks import (
    heard_ms,
    heard_table,
    not_heard,
    receptive_field,
    squash_drift,
)
from chapters.front_end.pacing import Sequences, heard_together, paced

from ser.nn import FrontEnd, align
from ser.nn.frontend import KERNELS


@pytest.mark.parametrize("which", ["s1", "s2"])
def test_the_field_is_what_the_gradient_reaches(which):
    torch.manual_seed(0)
    front = FrontEnd(32, which, fast=False).eval()
    noise = torch.randn(24, 32, 60, requires_grad=True)
    front(noise)[:, 5].sum().backward()
    seen = (noise.grad != 0).any(0).any(0).nonzero().flatten()
    first, size, spacing = receptive_field(KERNELS[which][1])
    assert (seen.min(), seen.max()) == (first + 5 * spacing, first + 5 * spacing + size - 1)


def test_centres_of_three_are_one_hop_late():
    x, y = heard_ms("s1", 12), heard_ms("s2", 5)
    for t in range(4):
        assert x[2 * t : 2 * t + 3, 1].mean() - y[t, 1] == 16
        assert x[2 * t : 2 * t + 2, 1].mean() - y[t, 1] == -16
    assert heard_table().loc[("release", "S1"), "hears, ms"] == x[0, 2] - x[0, 0] == 128
    assert heard_table().loc[("release", "S2"), "hears, ms"] == y[0, 2] - y[0, 0] == 448


def test_drift_is_none_where_frames_are_two_to_one_and_grows_where_squashed():
    drift = squash_drift((126, 63))
    assert len(drift) == 27
    assert np.all(np.diff(drift) > 0) and drift[-1] > 64
    assert squash_drift((230, 115))[0] == pytest.approx(16, abs=16)


def test_what_is_not_heard_falls_with_the_pools():
    left = not_heard(pd.Series([1.0, 2.0, 2.03]))
    assert (left["x, ms"] >= left["y, ms"]).all()
    assert left["x, percent"].tolist() == pytest.approx((left["x, ms"] / [10, 20, 20.3]).tolist())
    assert left["x ends, s"].diff().iloc[1] == pytest.approx(0.128 * 8, abs=0.13)


def test_pace_of_three_is_the_packages_alignment():
    x, y = torch.randn(2, 21, 3), torch.randn(2, 10, 4)
    lengths = torch.tensor([9, 6])
    ours = paced(x, y, lengths, (0, 1, 2))
    for a, b in zip(ours, align(x, y), strict=True):
        assert torch.allclose(a, b, atol=1e-6)
    back = paced(x, y, lengths, (0, 1, 2), backwards=True)[1]
    assert torch.equal(back[0], y[0, :9].flip(0)) and torch.equal(back[1, :6], y[1, :6].flip(0))


def test_a_small_network_learns_what_is_easy():
    labels = torch.arange(16) % 4
    x = torch.nn.functional.one_hot(labels, 4).float()[:, None].repeat(1, 9, 1)
    side = Sequences(x, torch.zeros(16, 4, 2), torch.full((16,), 3), labels)
    assert heard_together(side, side, (0, 1, 2), seed=0, epochs=60, hidden=8) > 90


def test_the_alignment_is_drawn_as_it_is():
    means = threes()
    x = torch.arange(float(STEPS)).double().square()[None, :, None]
    expected = align(x, torch.zeros(1, STEPS // 2, 1).double())[0][0, :, 0]
    assert [float(m) for m in means] == pytest.approx(expected.tolist())
    html = alignment_drawing()._repr_html_()
    assert len(re.findall("<rect", html)) == STEPS + 2 * len(means) + 1
    for mean in means:
        assert f">{mean}</text>" in html
    assert "y3 has no partner" in html and "x7 is in no window" in html
