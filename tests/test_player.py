"""The player: true relative level, no clipping, readable by everybody."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
import soundfile
from chapters.shared.player import page_gain, player, players

from ser.errors import AudioError

RATE = 16000


def tone(level: float, seconds: float = 1.0, rate: int = RATE, hertz: float = 440) -> np.ndarray:
    return level * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)


def decoded(html: str) -> tuple[np.ndarray, int, str]:
    data = re.search(r'src="data:audio/wav;base64,([^"]+)"', html)[1]
    stream = io.BytesIO(base64.b64decode(data))
    info = soundfile.info(stream)
    stream.seek(0)
    wave, rate = soundfile.read(stream)
    return wave, rate, info.subtype


def decibels(wave: np.ndarray) -> float:
    return 10 * np.log10(np.mean(wave**2))


@pytest.mark.parametrize("gain", [1.0, 0.5, 1.4])
def test_louder_plays_louder_by_the_same_decibels(gain):
    loud, quiet = tone(0.6), tone(0.02)
    played = [decoded(player(w, gain=gain)._repr_html_())[0] for w in (loud, quiet)]
    before = decibels(loud) - decibels(quiet)
    assert decibels(played[0]) - decibels(played[1]) == pytest.approx(before, abs=0.02)
    expected = decibels(loud) + 20 * np.log10(gain)
    assert decibels(played[0]) == pytest.approx(expected, abs=0.02)


def test_is_16_khz_16_bit_mono():
    wave, rate, subtype = decoded(player(tone(0.5, rate=44100), rate=44100).html)
    assert (rate, subtype, wave.ndim) == (RATE, "PCM_16", 1)
    assert len(wave) == pytest.approx(RATE, abs=2)
    spectrum = np.abs(np.fft.rfft(wave))
    assert spectrum.argmax() * RATE / len(wave) == pytest.approx(440, abs=1)


def test_page_gain_brings_the_loudest_to_the_peak_and_never_clips():
    waves = [tone(0.3), tone(0.05), np.zeros(800)]
    gain = page_gain(waves)
    assert gain * 0.3 == pytest.approx(0.9, rel=1e-3)
    for wave in waves:
        assert np.abs(decoded(player(wave, gain=gain).html)[0]).max() <= 0.91
    assert page_gain([np.zeros(800)]) == 1.0
    with pytest.raises(ValueError, match="peak"):
        page_gain(waves, peak=1.5)


def test_a_gain_that_would_clip_is_refused_with_the_largest_allowed():
    with pytest.raises(ValueError, match="at most") as refused:
        player(tone(0.5), gain=3.0)
    allowed = float(re.search(r"at most ([\d.]+)", str(refused.value))[1])
    assert allowed == pytest.approx(2, rel=1e-3)
    player(tone(0.5), gain=allowed)


@pytest.mark.parametrize("gain", [0, -1, float("nan"), float("inf")])
def test_a_gain_is_a_positive_number(gain):
    with pytest.raises(ValueError, match="gain"):
        player(tone(0.1), gain=gain)


def test_long_clips_are_cut_and_say_so_or_refused():
    cut = player(tone(0.1, 8.0), caption="long")
    assert cut.seconds == 6.0
    assert len(decoded(cut.html)[0]) == 6 * RATE
    assert "first 6 of 8.0 s" in cut.html
    with pytest.raises(ValueError, match=r"8\.00 s, more than 6 s"):
        player(tone(0.1, 8.0), cut=False)
    assert "first" not in player(tone(0.1, 6.0)).html


def test_words_are_escaped_and_read_out():
    shown = player(tone(0.1), caption='<b>"A & B"', transcript="Tür <zu>", lang="de")
    assert 'aria-label="&lt;b&gt;&quot;A &amp; B&quot;"' in shown.html
    assert "<b>" not in shown.html and "<zu>" not in shown.html
    assert 'lang="de"' in shown.html and "Tür &lt;zu&gt;" in shown.html
    assert "<figcaption>" in shown.html and "controls" in shown.html
    assert "Tür" in repr(shown)


@pytest.mark.parametrize("bad", [[], np.zeros((2, 100)), [0.1, np.nan], [np.inf, 0]])
def test_what_is_no_sound_is_refused(bad):
    with pytest.raises(AudioError):
        player(np.array(bad))


def test_whole_numbers_are_full_scale_too():
    wave = (tone(0.5) * 32768).astype(np.int16)
    assert decibels(decoded(player(wave).html)[0]) == pytest.approx(decibels(tone(0.5)), abs=0.02)


def test_a_file_plays_as_its_samples(tmp_path):
    path = tmp_path / "mit Leerzeichen ä.wav"
    soundfile.write(path, tone(0.25), RATE, subtype="FLOAT")
    assert player(path).wav == player(tone(0.25).astype(np.float32)).wav
    assert page_gain([path], peak=0.5) == pytest.approx(2, rel=1e-3)


def test_side_by_side_needs_one_gain():
    pair = players([player(tone(0.2), caption="one"), player(tone(0.1), caption="two")])
    assert pair.html.count("<audio") == 2
    assert "one" in repr(pair) and "two" in repr(pair)
    with pytest.raises(ValueError, match="different gains"):
        players([player(tone(0.2)), player(tone(0.1), gain=2.0)])
