"""The gates' slider: what stands in the page, and that it moves in a browser without a network."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from browser import after, checked_by_node
from bs4 import BeautifulSoup
from chapters.ds_lstm import gate_widget
from chapters.ds_lstm.gate_widget import interactive_gates
from chapters.shared.player import player
from matplotlib.image import imread

STEPS, UNITS = 90, 32


def made(**options):
    rng = np.random.default_rng(0)
    s1, s2 = rng.uniform(0, 90, (64, 183)), rng.uniform(0, 90, (128, 92))
    iT, iF = rng.uniform(size=(2, STEPS, UNITS))
    return interactive_gates(s1, s2, iT, iF, **options), iT, iF


def test_stands_in_the_page_complete():
    page, iT, _ = made(caption="A <sentence>.", units=[3, 8])
    assert len(page.html) < 400_000
    assert not re.search(r"""(?:src|href)=["'](?!data:)""", page.html)
    soup = BeautifulSoup(page.html, "html.parser")
    slider = soup.find("input", type="range")
    assert soup.find("label", attrs={"for": slider["id"]})
    assert slider["max"] == str(STEPS - 1)
    assert [o.text for o in soup.find_all("option")] == [
        f"mean of all {UNITS} units",
        *("unit 3", "unit 8"),
    ]
    assert "A <sentence>." in soup.find("figcaption").text
    assert f"{iT.mean():.2f}" in soup.find("svg")["aria-label"]
    assert len(soup.find_all("image")) == 2
    for line in soup.find_all("polyline"):
        assert len(line["points"].split()) == STEPS
    assert page.text.startswith("[gates over time] A <sentence>. Two input gates over")
    assert soup.find(class_="controls").has_attr("hidden"), "without a script there is no slider"


def test_the_two_spectrograms_differ_in_label_colour_and_dash_as_their_gates_do():
    soup = BeautifulSoup(made()[0].html, "html.parser")
    frames = {key: soup.find("rect", class_=key) for key in "TF"}
    curves = {key: soup.find("polyline", class_=key) for key in "TF"}
    for key in "TF":
        assert frames[key]["stroke"] == curves[key]["stroke"]
        assert frames[key]["stroke-dasharray"] == curves[key]["stroke-dasharray"]
    assert frames["T"]["stroke"] != frames["F"]["stroke"]
    assert frames["T"]["stroke-dasharray"] != frames["F"]["stroke-dasharray"]
    said = soup.find("svg").get_text(" ")
    assert "S1 (x): sharp in time" in said
    assert "S2 (y): sharp in frequency" in said
    same = np.full((64, 90), 0.0)
    same[:, 40:] = 50.0
    page = interactive_gates(same, np.vstack([same, same])[:, :46], *np.ones((2, 9, 2)))
    images = BeautifulSoup(page.html, "html.parser").find_all("image")
    files = (base64.b64decode(image["href"].split(",")[1]) for image in images)
    first, second = (imread(io.BytesIO(file)).mean((0, 1)) for file in files)
    assert first[2] > first[0], "S1 is blue"
    assert second[0] > second[2], "S2 is orange"


def test_the_same_data_give_the_same_page_and_others_another():
    assert made()[0].html == made()[0].html
    name = re.compile(r'id="(gates-\w+)"')
    assert name.findall(made()[0].html) != name.findall(made(units=[1])[0].html)


def test_picks_the_units_whose_gates_differ_most():
    iT = np.full((5, 4), 0.5)
    iF = iT + np.array([0.0, 0.3, 0.0, -0.4])
    page = interactive_gates(np.zeros((64, 11)), np.zeros((128, 6)), iT, iF, units=None)
    assert "unit 3" in page.html
    assert "they differ most at" in page.text


def test_gates_beyond_0_and_1_and_silence_are_drawn():
    iT = np.linspace(-0.5, 1.5, 12).reshape(6, 2)
    page = interactive_gates(np.full((64, 13), -100.0), np.full((128, 7), -100.0), iT, -iT)
    heights = [
        float(point.split(",")[1])
        for line in BeautifulSoup(page.html, "html.parser").find_all("polyline")
        for point in line["points"].split()
    ]
    assert min(heights) >= 338
    assert max(heights) <= 442


def test_plays_along():
    sound = player(np.zeros(16000), caption="silence")
    soup = BeautifulSoup(made(sound=sound)[0].html, "html.parser")
    assert soup.find("audio")["aria-label"] == "silence"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"iT": np.zeros((5, 3))}, "gates are"),
        ({"iT": np.zeros((1, 4)), "iF": np.zeros((1, 4))}, "at least 2"),
        ({"iF": np.full((5, 4), np.nan)}, "finite"),
        ({"s1": np.zeros(64)}, "spectrograms are"),
        ({"times": [0, 1]}, "times"),
        ({"times": [0, 1, 1, 2, 3]}, "increasing"),
        ({"units": [4]}, "units are 0 to 3"),
    ],
)
def test_what_does_not_fit_is_said(change, message):
    given = {"s1": np.zeros((64, 11)), "s2": np.zeros((128, 6))}
    given |= {"iT": np.zeros((5, 4)), "iF": np.zeros((5, 4))} | change
    with pytest.raises(ValueError, match=message):
        interactive_gates(**given)


def test_the_script_is_a_file_of_javascript():
    checked_by_node(Path(gate_widget.__file__).with_suffix(".js"))


def test_the_slider_moves_in_a_browser_without_a_network(tmp_path):
    page, iT, iF = made(units=[3, 8])
    act = """
      var root = document.querySelector('.ser-gates');
      root.querySelector('select').value = '2';
      root.querySelector('select').dispatchEvent(new Event('change'));
      root.querySelector('input').value = '40';
      root.querySelector('input').dispatchEvent(new Event('input'));
    """
    soup = after(page.html, act, tmp_path)
    said = soup.find("output").text
    assert said.startswith(f"0.64 s, unit 8: iT {iT[40, 8]:.2f}, iF {iF[40, 8]:.2f}.")
    assert not soup.find(class_="controls").has_attr("hidden")
    place = soup.find("polyline", class_="T")["points"].split()[40].split(",")[0]
    assert {line["x1"] for line in soup.select("g.now line")} == {place}
