"""Window length against resolution: the numbers, the page, and that the slider moves."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from browser import after, checked_by_node
from bs4 import BeautifulSoup
from chapters.shared.player import player
from chapters.shared.windows import (
    DIP,
    WINDOWS,
    burst_vowel,
    hann,
    linear_spectrogram,
    stft_power,
    told_apart,
    vowel_tones,
)
from chapters.two_resolutions import window_widget
from chapters.two_resolutions.window_widget import interactive_window

from ser.plots import describe, show


@pytest.fixture(scope="module")
def page():
    return interactive_window(burst_vowel(), caption="A <caption>.")


def test_power_is_that_of_torch_and_does_not_depend_on_the_window():
    import torch

    wave = np.random.default_rng(0).normal(size=3000)
    theirs = torch.stft(
        torch.tensor(wave),
        512,
        256,
        window=torch.hann_window(512, dtype=torch.float64),
        center=True,
        pad_mode="constant",
        return_complex=True,
    )
    ours = stft_power(wave, 512)
    assert np.allclose(ours, (theirs.abs().numpy() / 128) ** 2)
    tone = 0.5 * np.cos(2 * np.pi * 1000 * np.arange(16000) / 16000)
    for window in (128, 1024):
        assert stft_power(tone, window).max() == pytest.approx(0.25, rel=1e-3)


def test_a_longer_transform_only_draws_a_finer_line():
    wave = np.random.default_rng(1).normal(size=1000)
    assert np.allclose(stft_power(wave, 128, 64, 512)[::4], stft_power(wave, 128, 64))


def test_tones_add_up_to_a_vowel_with_its_formants():
    hertz, tones = vowel_tones(125, 0.2, formants=(500,))
    assert hertz[tones.std(1).argmax()] == 500
    assert np.abs(tones.sum(0)).max() == pytest.approx(0.3)
    assert np.array_equal(vowel_tones(125, 0.2, formants=(500,))[1], tones)


def test_the_bursts_stand_where_they_are_said_to():
    sound = burst_vowel(gap=0.012)
    energy = sound.wave**2 - sound.vowel**2
    for seconds in sound.bursts:
        at = round(seconds * sound.rate)
        assert energy[at - 8 : at + 8].sum() > 0.1
    assert energy.sum() == pytest.approx(2 * energy[at - 8 : at + 8].sum(), rel=1e-6)


def test_short_windows_part_bursts_long_ones_harmonics_none_both():
    sound = burst_vowel()
    dips = np.array([told_apart(sound, window) for window in WINDOWS])
    bursts, harmonics = (dips >= DIP).T
    assert (np.diff(bursts.astype(int)) <= 0).all()
    assert (np.diff(harmonics.astype(int)) >= 0).all()
    assert bursts.any()
    assert harmonics.any()
    assert not (bursts & harmonics).any()


@pytest.mark.parametrize(("f0", "gap", "possible"), [(80, 0.010, 0), (160, 0.010, 1)])
def test_both_can_be_had_where_gap_times_distance_is_more_than_one(f0, gap, possible):
    sound = burst_vowel(f0, gap)
    windows = range(2, 1024, 2) if possible else range(64, 640, 16)
    both = sum(min(told_apart(sound, window)) >= DIP for window in windows)
    assert (both > 0) == possible


def test_the_hann_window_is_half_as_wide_as_long_at_half_its_height():
    assert (hann(1024) >= 0.5).sum() == pytest.approx(512, abs=1)
    spectrum = np.abs(np.fft.rfft(hann(1024), 1024 * 64))
    assert (spectrum >= spectrum[0] / 2).sum() / 64 * 2 == pytest.approx(2, abs=0.05)


def test_figure_says_what_it_shows():
    fig = linear_spectrogram(burst_vowel().wave, 128, top=2500)
    assert "window 8 ms (128 samples)" in describe(fig)
    assert "figcaption" in show(fig, "One window.")._repr_html_()
    low, high = fig.axes[0].images[0].get_extent()[2:]
    assert low < 0 < 2480 < high
    assert linear_spectrogram(np.zeros(1000), 64)


def test_stands_in_the_page_complete(page):
    assert len(page.html) < 400_000
    assert not re.search(r"""(?:src|href)=["'](?!data:)""", page.html)
    soup = BeautifulSoup(page.html, "html.parser")
    slider = soup.find("input", type="range")
    assert soup.find("label", attrs={"for": slider["id"]})
    assert slider["max"] == str(len(WINDOWS) - 1)
    assert WINDOWS[int(slider["value"])] == 256
    assert "A <caption>." in soup.find("figcaption").text
    assert "both by no window" in soup.find("svg")["aria-label"]
    assert soup.find("output").text.startswith("Window 16 ms, 256 samples: bursts told apart")
    assert soup.find(class_="controls").has_attr("hidden"), "without a script there is no slider"
    assert page.html.count("data:image/png") == len(WINDOWS) + 1
    assert page.text.startswith("[window length] A <caption>. Two bursts 10 ms apart")


def test_everything_drawn_is_inside_the_drawing(page):
    for line in BeautifulSoup(page.html, "html.parser").find_all("polyline"):
        for point in line["points"].split():
            x, y = map(float, point.split(","))
            assert 0 <= x <= 520
            assert 0 <= y <= 560


def test_the_same_sound_gives_the_same_page_and_another_another():
    windows = (128, 512)
    make = [interactive_window(burst_vowel(f0), windows, start=512) for f0 in (80, 80, 100)]
    assert make[0].html == make[1].html
    name = re.compile(r'id="(window-\w+)"')
    assert name.findall(make[0].html) != name.findall(make[2].html)


def test_plays_beside_it():
    sound = burst_vowel()
    html = interactive_window(
        sound, (128, 512), start=128, player=player(sound.wave, caption="both")
    ).html
    assert BeautifulSoup(html, "html.parser").find("audio")["aria-label"] == "both"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: interactive_window(burst_vowel(), (256,)), "windows rise"),
        (lambda: interactive_window(burst_vowel(), (512, 256)), "windows rise"),
        (lambda: interactive_window(burst_vowel(), (64, 128)), "the one shown at first"),
        (
            lambda: interactive_window(replace(burst_vowel(), wave=np.zeros(20000))),
            "more than 1 s",
        ),
        (lambda: stft_power(np.zeros(100), 33), "even number"),
        (lambda: stft_power(np.zeros(100), 64, n_fft=32), "even number"),
        (lambda: stft_power(np.zeros((2, 100)), 64), "row of samples"),
        (lambda: vowel_tones(0, 1), "0 < f0"),
    ],
)
def test_says_what_is_wrong(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_script_is_a_file_of_javascript():
    checked_by_node(Path(window_widget.__file__).with_suffix(".js"))


def test_moves_in_a_browser_without_a_network(page, tmp_path):
    act = "var s = document.querySelector('input'); s.value = s.max;"
    soup = after(page.html, act + "s.dispatchEvent(new Event('input'));", tmp_path)
    assert not soup.find(class_="controls").has_attr("hidden")
    assert soup.find("output").text.startswith("Window 128 ms, 2048 samples: bursts run together")
    assert soup.find("strong").text == "128 ms"
    before = BeautifulSoup(page.html, "html.parser")
    for name in ("shape", "time", "frequency"):
        moved, still = (s.find("polyline", class_=name)["points"] for s in (soup, before))
        assert moved != still
    assert soup.find("image")["href"] != before.find("image")["href"]
