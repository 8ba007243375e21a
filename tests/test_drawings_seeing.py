"""The drawings of frames, windows and cepstra: true to scale, and inside their edges."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from bs4 import BeautifulSoup
from chapters.mfcc.chain_drawing import chain_drawing
from chapters.spectrogram.frames_drawing import COUNT, HOP, frames_drawing
from chapters.two_resolutions.tiles_drawing import tiles_drawing

DRAWINGS = {"frames": frames_drawing, "tiles": tiles_drawing, "chain": chain_drawing}


def inside(name: str) -> BeautifulSoup:
    return BeautifulSoup(DRAWINGS[name]().html, "html.parser")


def numbers(path) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+) (-?[\d.]+)", path["d"])]


@pytest.mark.parametrize("name", DRAWINGS)
def test_every_text_stays_in_the_drawing(name):
    svg = inside(name).find("svg")
    width, height = map(float, svg["viewbox"].split()[2:])
    for text in svg.find_all("text"):
        long = 0.6 * float(text["font-size"]) * len(text.get_text().replace("\u200b", ""))
        left = float(text["x"]) - {"start": 0, "middle": 0.5, "end": 1}[text["text-anchor"]] * long
        assert left >= 0, text.get_text()
        assert left + long <= width + 6, text.get_text()
        assert 0 < float(text["y"]) < height


def test_two_tiles_of_one_area_one_twice_as_wide():
    short, long = (
        (float(box["width"]), float(box["height"])) for box in inside("tiles").find_all("rect")
    )
    assert long[0] == 2 * short[0]
    assert short[0] * short[1] == pytest.approx(long[0] * long[1], rel=0.01)


def test_frames_begin_half_a_frame_apart():
    arches = [numbers(p) for p in inside("frames").find_all("path") if p["d"].count("L") > 20]
    assert len(arches) == COUNT
    firsts = [arch[0][0] for arch in arches]
    assert {round(b - a, 1) for a, b in pairwise(firsts)} == {HOP}
    assert all(arch[-1][0] - arch[0][0] == pytest.approx(2 * HOP) for arch in arches)


def test_the_chain_has_26_bands_and_12_cepstra():
    assert len(inside("chain").find_all("rect")) == 26 + 12
