"""axe-core over every page of the book, over slides and the guide: nothing serious or critical.

axe-core (Deque Systems, MPL 2.0) is no part of the environment. Where it is missing these tests
are skipped, and the reason says how to get it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from built import built_pages
from conftest import ROOT
from devtools import Page, page

from tools.course import guide, slides

VERSION = "4.14.1"
PLACE = ROOT / "_build" / "node_modules" / "axe-core" / "axe.min.js"
AXE = Path(os.environ.get("AXE_CORE", PLACE))
HOW = f"npm install --no-save --prefix _build axe-core@{VERSION}"
CONTRAST = {"runOnly": ["color-contrast"]}
DECKS = ("two_resolutions", "protocols", "listening_lab")
EXCEPTIONS: dict[str, str] = {}
"""Rule -> why it cannot be kept here."""

RUN = """
window.axeSays = null;
for (const fold of document.querySelectorAll("details")) {
  fold.removeAttribute("name");  // else one answer of a question closes the others
  fold.open = true;
}
axe.run(document, OPTIONS).then(
  (said) => said.violations.map((v) => ({rule: v.id, impact: v.impact,
    places: v.nodes.map((n) => `${n.target.flat().join(" ")}: ${n.html.slice(0, 160)}`)})),
  (error) => [{rule: String(error), impact: "critical", places: []}],
).then((found) => { window.axeSays = {found}; });
0"""
THEME = """
document.head.append(Object.assign(document.createElement("style"),
  {textContent: "* { transition: none !important; }"}));  // else colours are still on their way
document.documentElement.dataset.theme = "NAME";
0"""
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not AXE.is_file(), reason=f"needs axe-core: {HOW}; or AXE_CORE=its file"),
]


def said(tab: Page, options: dict | None = None) -> list[dict]:
    """What axe-core says about the page as it stands, its folds opened."""
    tab.patience = 600  # a long page holds the browser up
    if not tab.js("!!window.axe"):
        tab.js(AXE.read_text(encoding="utf-8") + ";0")
    tab.js(RUN.replace("OPTIONS", json.dumps({"resultTypes": ["violations"], **(options or {})})))
    return tab.until("window.axeSays", 600)["found"]


def grave(found: list[dict]) -> list[str]:
    """Of what was found, what fails: rule and places."""
    return [
        f"{one['rule']} ({one['impact']}) {place}"
        for one in found
        if one["impact"] in ("serious", "critical") and one["rule"] not in EXCEPTIONS
        for place in one["places"] or ["?"]
    ]


def seen(files: list[Path], width: int, theme: str, options: dict | None = None) -> dict:
    """Page -> what fails on it, at a width of the window and in a theme of the book."""
    wrong = {}
    with page() as tab:
        size(tab, width, 900)
        for file in files:
            tab.open(file)
            tab.js(THEME.replace("NAME", theme))
            if failing := grave(said(tab, options)):
                wrong[file.name] = failing
            tab.events.clear()
    return wrong


def size(tab: Page, width: int, height: int) -> None:
    tab.send("Emulation.setDeviceMetricsOverride", width=width, height=height,
             deviceScaleFactor=1, mobile=False)  # fmt: skip


@pytest.mark.parametrize(
    ("width", "theme", "options"),
    [(1280, "light", None), (390, "dark", None), (1280, "dark", CONTRAST)],
    ids=["desk, light", "telephone, dark", "desk, dark: contrast"],
)
def test_every_page_of_the_book(width, theme, options):
    html = built_pages()
    files = [*sorted((html / "book").rglob("*.html")), html / "search.html"]
    assert len(files) > 40
    assert seen(files, width, theme, options) == {}


@pytest.mark.parametrize("name", DECKS)
def test_every_slide(name, tmp_path):
    slides.build_slides([name], tmp_path)
    with page() as tab:
        size(tab, 1100, 700)
        tab.open(tmp_path / f"{name}.html")
        tab.until("window.Reveal && Reveal.isReady()")
        wrong = []
        for number in range(tab.js("Reveal.getTotalSlides()")):
            tab.js(f"Reveal.slide({number}); 0")
            wrong += [f"slide {number + 1}: {failing}" for failing in grave(said(tab))]
    assert wrong == []


@pytest.mark.parametrize("width", [1280, 390])
def test_every_page_of_the_guide(width, tmp_path):
    guide.build_guide(tmp_path)
    files = [p for part in ("guide", "handouts") for p in sorted((tmp_path / part).glob("*.html"))]
    assert len(files) > 10
    assert seen(files, width, "light") == {}


def test_what_is_wrong_is_said(tmp_path):
    bad = tmp_path / "bad.html"
    bad.write_text(
        '<!doctype html><html lang="en"><title>bad</title><main><h1>Bad</h1>'
        '<details><p style="color: #aaa; background: #fff">faint</p></details>'
        "<button></button></main></html>",
        encoding="utf-8",
    )
    found = seen([bad], 1280, "light")["bad.html"]
    assert any("color-contrast (serious)" in line and "faint" in line for line in found)
    assert any("button-name (critical)" in line for line in found)
