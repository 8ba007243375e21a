"""F0, level and voicing: on sounds whose values are known, and where there is nothing to find."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from chapters.shared.prosody import f0_track, level, prosody, semitones

from ser.errors import FeatureError

RATE = 16000


def glide(low: float, high: float, seconds: float = 1.0, amplitude: float = 0.1) -> np.ndarray:
    """A buzz of eight harmonics whose F0 rises evenly in semitones from *low* to *high*."""
    time = np.arange(int(seconds * RATE)) / RATE
    hertz = low * (high / low) ** (time / seconds)
    phase = 2 * np.pi * np.cumsum(hertz) / RATE
    return amplitude * sum(np.sin(k * phase) / k for k in range(1, 9))


def test_semitones():
    assert semitones(np.array([100.0, 200.0, 25.0])).tolist() == [0, 12, -24]
    assert semitones(440, reference=440) == 0
    assert np.isnan(semitones(np.nan))


def test_level_is_in_db_below_full_scale():
    assert level(np.ones(10)) == pytest.approx(0)
    assert level(np.sin(2 * np.pi * np.arange(RATE) / 100)) == pytest.approx(-3.01, abs=0.01)
    assert level(np.zeros(10)) == -math.inf
    assert level(2 * glide(100, 100)) - level(glide(100, 100)) == pytest.approx(6.02, abs=0.01)


@pytest.mark.parametrize("hertz", [80, 120, 250, 480])
def test_a_steady_tone(hertz):
    pytest.importorskip("parselmouth")
    found = prosody(glide(hertz, hertz))
    assert found.f0_hz == pytest.approx(hertz, rel=0.005)
    assert found.f0_semitones == pytest.approx(12 * math.log2(hertz / 100), abs=0.1)
    assert found.f0_range == pytest.approx(0, abs=0.05)
    assert found.voiced > 0.95
    assert found.seconds == 1.0


def test_a_glide_has_a_range():
    pytest.importorskip("parselmouth")
    found = prosody(glide(150, 300, seconds=2.0))
    assert found.f0_hz == pytest.approx(150 * math.sqrt(2), rel=0.02)
    assert found.f0_range == pytest.approx(0.8 * 12, abs=0.3)


def test_half_of_it_voiced():
    pytest.importorskip("parselmouth")
    hiss = 0.003 * np.random.default_rng(0).standard_normal(RATE)
    found = prosody(np.concatenate([glide(200, 200), hiss]))
    assert 0.4 < found.voiced < 0.6
    assert found.f0_hz == pytest.approx(200, rel=0.01)


def test_track_has_a_value_every_ten_milliseconds():
    pytest.importorskip("parselmouth")
    times, hertz = f0_track(glide(200, 200))
    assert times.shape == hertz.shape
    assert np.allclose(np.diff(times), 0.01)
    assert 0 < times[0] < times[-1] < 1


def test_the_rate_counts():
    pytest.importorskip("parselmouth")
    assert prosody(glide(200, 200), rate=8000).f0_hz == pytest.approx(100, rel=0.01)


@pytest.mark.parametrize("wave", [np.zeros(RATE), np.zeros(300), 0.1 * np.ones(100)])
def test_nothing_voiced(wave):
    pytest.importorskip("parselmouth")
    found = prosody(wave)
    assert found.voiced == 0
    assert math.isnan(found.f0_hz) and math.isnan(found.f0_semitones)
    assert math.isnan(found.f0_range)


@pytest.mark.parametrize("wave", [np.zeros(0), np.zeros((2, 100)), np.array([0.0, np.nan])])
def test_no_wave(wave):
    with pytest.raises(FeatureError):
        prosody(wave)


def test_without_parselmouth_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "parselmouth", None)
    with pytest.raises(FeatureError, match=r"ser-book\[synthetic\]"):
        prosody(glide(200, 200))
    assert level(glide(200, 200)) < 0


def test_parselmouth_is_imported_only_when_it_is_used():
    code = "import sys, chapters.shared.prosody; sys.exit('parselmouth' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_f0_of_the_synthetic_corpus_is_what_was_acted(tiny_root):
    pytest.importorskip("parselmouth")
    from ser import load_audio, load_corpus

    table = load_corpus("synthetic", tiny_root).table
    found = [prosody(load_audio(path)).f0_hz for path in table.path[::4]]
    error = semitones(found) - semitones(table.f0_hz[::4])
    assert np.median(np.abs(error)) < 0.5
    assert np.abs(error).max() < 4
