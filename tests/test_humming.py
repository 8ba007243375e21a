"""A contour made audible: its pitch, its level, its gaps."""

from __future__ import annotations

import numpy as np
import pytest
from chapters.prosody.humming import hum
from chapters.shared.prosody import level


def test_hum_follows_and_is_silent_where_unvoiced():
    times = np.arange(100) / 100
    hertz = np.where(times < 0.5, 150.0, np.nan)
    sound = hum((times, hertz), 16000, level=0.05)
    assert not sound[9000:].any()
    assert level(sound[1000:7000]) == pytest.approx(20 * np.log10(0.05), abs=0.3)
    assert np.abs(np.fft.rfft(sound)).argmax() == 150
    assert not hum(([0.5], [np.nan]), 100).any()
    assert hum(([0.5], [100.0]), 400).shape == (400,)
