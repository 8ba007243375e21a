"""Figures of corpora, cepstra and windows: what is drawn is what was given."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from chapters.corpora.figures import factor_strips, label_bars, undecided_curves
from chapters.mfcc.figures import envelopes, error_curve, one_frame
from chapters.shared.windows import WINDOWS
from chapters.two_resolutions.figures import dip_curves, power_and_level, squashed_pair

from ser.plots import describe

RNG = np.random.default_rng(0)


def test_labels_in_use_have_another_colour():
    (ax,) = label_bars({"ang": 5, "fru": 7, "sad": 2}, {"ang", "sad"}).axes
    heights = [bar.get_height() for bar in ax.patches]
    colours = [bar.get_facecolor() for bar in ax.patches]
    assert heights == [5, 7, 2]
    assert colours[0] == colours[2] != colours[1]


def test_where_three_raters_meet_the_observed_share():
    q = np.array([0.2, 0.5, 0.8])
    fig = undecided_curves(q, {3: [0.9, 0.5, 0.1], 5: [0.95, 0.5, 0.05]}, 0.45)
    assert "near 50 %" in describe(fig)
    assert fig.axes[0].get_lines()[0].get_ydata().tolist() == pytest.approx([90, 50, 10])


def test_strips_of_factors_draw_every_utterance():
    table = pd.DataFrame({"emotion": ["angry", "sad", "sad"], "level_db": [-20.0, -30.0, -34.0]})
    (ax,) = factor_strips(table, ["level_db"]).axes
    drawn = sorted(x for line in ax.get_lines() for x in line.get_xdata())
    assert drawn == [-34, -30, -20]
    assert ax.get_xlabel() == "level, dB re full scale"


def test_one_frame_shows_bands_where_they_stand():
    bands = RNG.normal(size=26) + 10
    fig = one_frame(RNG.normal(size=400), np.ones(257), np.linspace(0, 27, 257), bands, np.ones(12))
    line = fig.axes[1].get_lines()[1]
    assert line.get_xdata().tolist() == list(range(1, 27))
    assert np.allclose(line.get_ydata(), 10 * np.log10(np.exp(bands)))
    assert len(fig.axes[2].patches) == 12


def test_more_coefficients_follow_a_tilted_spectrum_better():
    power = np.exp(-np.linspace(0, 9, 257))
    real, *curves = envelopes(power, (1, 13)).axes[0].get_lines()
    rough, fine = (np.abs(c.get_ydata() - real.get_ydata()).mean() for c in curves)
    assert fine < rough / 4


def test_the_thirteenth_error_is_marked():
    error = np.arange(25.0)[::-1]
    mark = error_curve(error).axes[0].get_lines()[1]
    assert (mark.get_xdata()[0], mark.get_ydata()[0]) == (13, error[12])


def test_windows_that_tell_apart_are_counted():
    dips = np.zeros((len(WINDOWS), 2))
    dips[:5, 0] = dips[-3:, 1] = 6
    said = describe(dip_curves(dips))
    assert "by the 5 shortest" in said and "by the 3 longest" in said


def test_level_is_drawn_80_db_deep_and_clips_at_one_width():
    level = RNG.uniform(-200, 0, (8, 20))
    _, below = power_and_level(10 ** (level / 10), level, 2.0).axes
    low, high = below.images[0].get_clim()
    assert high - low == pytest.approx(80) and below.get_xlim() == (0, 2)
    fig = squashed_pair({"a": level, "b": level}, {"a": 1.0, "b": 3.0})
    assert "a, 1.00 s in 20 frames; b, 3.00 s" in describe(fig)
    assert [ax.get_xlim() for ax in fig.axes] == [(0, 20)] * 2
