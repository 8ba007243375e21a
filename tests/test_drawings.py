"""Drawings: legible in both themes and on a telephone, described, and true to the package."""

from __future__ import annotations

import re
import subprocess
import sys

import nbformat
import pytest
import torch
from bs4 import BeautifulSoup
from chapters.shared.cell_drawing import DS_PARTS, LSTM_PARTS, cells, ds_lstm_cell, lstm_cell
from chapters.shared.svg import GROUNDS, ROLES, SMALLEST, Drawing, figure
from chapters.shared.system_drawing import PARTS, drawn_system, shapes, system_drawing
from conftest import ROOT
from test_plots import contrast

from ser import build_model
from ser.batch import Batch


def drawing(width: float = 360) -> Drawing:
    return Drawing(width, 100, "A < drawing", "One & all.")


def inside(svg: str) -> BeautifulSoup:
    return BeautifulSoup(svg, "html.parser")


def test_text_of_every_role_stands_out_in_both_themes():
    for light, light_area, dark, dark_area in ROLES.values():
        assert min(contrast(light, g) for g in (GROUNDS[0], light_area)) >= 4.5
        assert min(contrast(dark, g) for g in (GROUNDS[1], dark_area)) >= 4.5


def test_a_drawing_is_described_and_has_a_caption():
    html = BeautifulSoup(drawing().show("What <it> shows.").html, "html.parser")
    svg = html.find("figure").find("svg")
    assert svg["role"] == "img"
    assert svg["aria-label"] == "A < drawing. One & all."
    assert svg.find("title").text == "A < drawing"
    assert html.find("figcaption").text == "What <it> shows."
    with pytest.raises(ValueError, match="caption"):
        drawing().show(" ")
    with pytest.raises(ValueError, match="description"):
        Drawing(360, 90, "title", "")


def test_text_too_small_for_a_telephone_is_refused():
    drawing().text(0, 0, "x", size=SMALLEST)
    with pytest.raises(ValueError, match="telephone"):
        drawing().text(0, 0, "x", size=SMALLEST - 1)
    with pytest.raises(ValueError, match="no role"):
        drawing().box(0, 0, 9, 9, role="red")


def test_mathematics_is_shifted_and_comes_back():
    d = drawing()
    d.text(0, 0, "at $i^T_{t-1}$ & on")
    text = inside(d.svg(static=True)).find("text")
    assert text.get_text().replace("\u200b", "") == "at iTt-1 & on"
    shifts = [float(s.get("dy", 0)) for s in text.find_all("tspan")]
    assert sum(shifts) == pytest.approx(0, abs=0.11)
    assert shifts[1] < 0 < shifts[2]
    assert "m" in text.find("tspan")["class"]


def test_an_arrow_ends_where_it_should():
    d = drawing()
    d.arrow((0, 0), (50, 0), (50, 40))
    line, head = (p["d"] for p in inside(d.svg(static=True)).find_all("path"))
    assert line == "M0 0L50 0L50 33"
    assert head.startswith("M50 40L")


def test_a_file_follows_the_system_and_a_page_its_own_theme():
    assert "prefers-color-scheme:dark" in drawing().svg(static=True)
    assert "prefers-color-scheme" not in drawing().svg()
    for page in ('html[data-theme="dark"]', 'body[data-jp-theme-light="false"]'):
        assert page in drawing().svg()


@pytest.mark.parametrize("lit", [None, *PARTS, ("front_end", "alignment")])
def test_the_system_lights_what_is_named(lit):
    drawn = inside(drawn_system(lit).svg(static=True))
    groups = {kind: len(drawn.find_all("g", class_=kind)) for kind in ("lit", "dim")}
    if lit is None:
        assert groups == {"lit": 0, "dim": 0}
    else:
        assert groups["lit"] > 0
        assert groups["dim"] > groups["lit"]
        named = [lit] if isinstance(lit, str) else lit
        assert all(PARTS[name] in system_drawing(lit).text for name in named)


def test_an_unknown_part_is_said():
    with pytest.raises(ValueError, match="'cnn'; there are wave"):
        system_drawing("cnn")
    with pytest.raises(ValueError, match="'door'; there are forget"):
        lstm_cell(["door"])


def test_several_drawings_share_a_caption():
    html = BeautifulSoup(figure([drawing(), drawing(400)], "Two.").html, "html.parser")
    assert len(html.find_all("svg")) == 2
    assert [c.text for c in html.find_all("figcaption")] == ["Two."]


def connections(drawn: Drawing) -> dict[str, str]:
    """Box by box the inputs that it reads: the dots below it on the lines of x, y and h."""
    svg = inside(drawn.svg(static=True))
    named = [t for t in svg.find_all("text") if t["font-size"] == "16"]
    lines = {float(t["y"]) - 5: t.get_text()[0] for t in svg.find_all("text") if t["x"] == "6"}
    dots = [(float(c["cx"]), float(c["cy"])) for c in svg.find_all("circle") if c["r"] == "3.4"]
    return {
        t.get_text().replace("\u200b", ""): "".join(
            sorted(lines[y] for x, y in dots if x == float(t["x"]))
        )
        for t in named
    }


def test_the_cells_are_wired_as_the_equations_say():
    assert connections(lstm_cell()) == {"ft": "hx", "it": "hx", "gt": "hx", "ot": "hx"}
    assert connections(ds_lstm_cell()) == {
        "ft": "hxy", "iTt": "hxy", "gTt": "hx", "iFt": "hxy", "gFt": "hy", "ot": "hxy",
    }  # fmt: skip


@pytest.mark.parametrize(("cell", "parts"), [(lstm_cell, LSTM_PARTS), (ds_lstm_cell, DS_PARTS)])
def test_a_cell_grows_part_by_part(cell, parts):
    sizes = [len(cell(parts[:k], parts[k - 1]).svg()) for k in range(1, len(parts) + 1)]
    assert sizes == sorted(sizes)
    for k, part in enumerate(parts, 1):
        lit = inside(cell(parts[:k], part).svg(static=True)).find_all("g", class_="lit")
        assert lit
    assert cells(cell(), caption="All.").text.startswith("[drawing] All. ×")


@pytest.mark.parametrize("name", ["lstm", "ds_lstm"])
def test_equations_have_the_colours_of_the_drawings(name):
    notebook = nbformat.read(ROOT / "book" / f"{name}.ipynb", as_version=4)
    text = "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    found = set(re.findall(r"\\color\{(#\w+)\}", text))
    roles = {light: role for role, (light, *_) in ROLES.items()}
    assert found <= set(roles)
    symbols = {"f": "forget", "o": "output", "c": "memory"}
    symbols |= {"lstm": {"i": "mfcc", "g": "mfcc"}, "ds_lstm": {}}[name]
    for shade, symbol in re.findall(r"\\color\{(#\w+)\}\{([a-z](?:\^[TF])?)", text):
        role = {"x": "time", "y": "frequency"}.get(symbol) or symbols.get(symbol)
        role = role or {"T": "time", "F": "frequency"}[symbol[-1]]
        assert roles[shade] == role, symbol


def test_the_shapes_are_those_of_the_network():
    """Every shape in the drawing, from a pass of the whole network."""
    s, seen = shapes(), {}
    model = build_model("dual", hidden=s.hidden).eval()
    for name, module in model.named_modules():
        module.register_forward_hook(lambda m, _, out, name=name: seen.update({name: (m, out)}))
    s1, s2 = (
        torch.zeros(1, bands, frames)
        for (bands, _), frames in zip((s.s1, s.s2), s.squashed, strict=True)
    )
    mfcc = torch.zeros(1, *s.mfcc)
    with torch.no_grad():
        logits = model(Batch(s1=s1, s2=s2, mfcc=mfcc, mfcc_lengths=torch.tensor([s.mfcc[0]])))
    assert logits.shape == (1, s.classes)
    found = {type(m).__name__: out for m, out in seen.values() if isinstance(out, torch.Tensor)}
    fronts = [tuple(o.shape[1:]) for m, o in seen.values() if type(m).__name__ == "FrontEnd"]
    assert fronts == [s.x, s.y]
    (ds,) = (out for m, out in seen.values() if type(m).__name__ == "DSLSTM")
    assert ds[0].shape == (1, s.steps, s.hidden)
    assert len(ds[1][0]) == s.layers
    assert found["Linear"].shape == (1, s.classes)
    assert model.needs == {"s1", "s2", "mfcc"}
    drawn = inside(drawn_system().svg(static=True)).get_text(" ")
    for pair in (s.s1, s.s2, s.mfcc, s.x, s.y, (s.steps, s.hidden), (s.mfcc[0], s.hidden)):
        assert f"{pair[0]} × {pair[1]}" in drawn


def test_texts_of_the_system_stay_in_the_drawing():
    """By the widest letters of the fonts that are used, six tenths of the size."""
    d = drawn_system()
    for text in inside(d.svg(static=True)).find_all("text"):
        half = 0.3 * float(text["font-size"]) * len(text.get_text())
        assert half <= float(text["x"]) <= d.width - half, text.get_text()
        assert 0 < float(text["y"]) < d.height


def test_the_stored_picture_is_what_the_code_draws():
    stored = (ROOT / "book" / "images" / "system.svg").read_text(encoding="utf-8")
    assert stored == drawn_system().svg(static=True) + "\n", (
        "run python -m tools.picture system.svg"
    )


def test_the_help_of_the_pictures_teaches_and_draws_nothing():
    command = [sys.executable, "-m", "tools.picture"]
    done = subprocess.run(
        [*command, "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert re.search(r"system\.svg.*two_resolutions\.png", done.stdout, re.DOTALL)
    wrong = subprocess.run([*command, "x"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert wrong.returncode == 2
    assert "no picture is called x" in wrong.stderr
