"""Syllables and cues, on sounds whose number of beats is known and where there is none."""

from __future__ import annotations

import math

import numpy as np
import pytest
from chapters.prosody.rate import cues, intensity, syllable_nuclei
from chapters.shared.prosody import level

from ser.errors import FeatureError

RATE = 16000


def beats(count: int, seconds: float = 1.5, hertz: float = 150.0) -> np.ndarray:
    """A buzz that swells and fades *count* times."""
    time = np.arange(int(seconds * RATE)) / RATE
    tone = sum(np.sin(2 * np.pi * k * hertz * time) / k for k in range(1, 6))
    return 0.1 * tone * np.sin(np.pi * count * time / seconds) ** 2


@pytest.mark.parametrize("count", [1, 3, 7])
def test_beats_are_counted(count):
    pytest.importorskip("parselmouth")
    nuclei = syllable_nuclei(beats(count))
    assert len(nuclei) == count
    assert np.allclose(nuclei, (np.arange(count) + 0.5) * 1.5 / count, atol=0.02)


def test_rate_counts_speech_and_not_pauses():
    pytest.importorskip("parselmouth")
    wave = np.concatenate([np.zeros(8000), beats(6), np.zeros(16000)])
    found = cues(wave)
    assert found.syllables == 6
    assert found.rate == pytest.approx(6 / 1.5, rel=0.12)
    assert found.seconds == pytest.approx(1.5, abs=0.15)
    assert found.f0_hz == pytest.approx(150, rel=0.02)
    assert found.level_db == pytest.approx(level(wave))


def test_rate_does_not_depend_on_level():
    pytest.importorskip("parselmouth")
    loud, soft = cues(beats(4)), cues(0.1 * beats(4))
    assert loud.rate == pytest.approx(soft.rate)
    assert loud.level_db - soft.level_db == pytest.approx(20)


@pytest.mark.parametrize(
    "wave", [np.zeros(RATE), np.random.default_rng(0).normal(0, 0.1, RATE), np.full(100, 0.1)]
)
def test_nothing_voiced_is_nan_and_not_zero(wave):
    pytest.importorskip("parselmouth")
    found = cues(wave)
    assert math.isnan(found.f0_hz) and math.isnan(found.f0_range) and math.isnan(found.rate)
    assert found.voiced == 0 and found.syllables == 0


def test_a_known_track_is_used_and_an_unvoiced_peak_is_none():
    times = np.arange(150) / 100
    first = np.where(times < 0.75, 150.0, np.nan)
    assert len(syllable_nuclei(beats(2), (times, first))) == 1
    assert len(syllable_nuclei(beats(2), (times, np.full(150, np.nan)))) == 0
    assert len(syllable_nuclei(beats(2), (np.empty(0), np.empty(0)))) == 0


def test_intensity_of_silence_has_a_floor():
    times, db = intensity(np.zeros(1600))
    assert len(times) == 11 and (db == -120).all()
    with pytest.raises(FeatureError, match="one row of samples"):
        intensity(np.zeros((2, 100)))
