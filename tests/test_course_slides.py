"""Slides: made from the chapters, 15 to 25 each, opening without a network, sounds that play."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import pytest
from browser import chromium
from bs4 import BeautifulSoup

from tools.course import slides
from tools.course.notebooks import chapters
from tools.course.tasks import chapter_path

BUILT = ["two_resolutions", "ablations", "listening_lab", "mistakes"]


def test_every_chapter_has_slides():
    assert slides.tagged() == chapters()


@pytest.mark.parametrize("name", slides.tagged())
def test_fifteen_to_twenty_five_slides_with_minutes_and_notes(name):
    made = slides.slides_of(name)
    assert 15 <= len(made) <= 25
    cells = nbformat.read(chapter_path(name), as_version=4).cells
    marked = [c for c in cells if "slide" in c.metadata.get("tags", [])]
    asked = [s for s in made if s.heading.startswith("Question ")]
    assert len(made) == len(marked) + len(asked) + 3 and len(asked) >= 4
    assert 25 <= sum(s.minutes for s in made) <= 60
    for s in made:
        assert s.heading and BeautifulSoup(s.body, "html.parser").text.strip() + s.body
        assert "{cite" not in s.body + s.notes and "](" not in s.notes
    assert sum(bool(s.notes.strip()) for s in made) >= len(made) - 2
    assert all("Expected: " in s.notes for s in asked)
    players = sum("<audio" in str(c.get("outputs")) for c in marked)
    assert sum(bool(s.sounds) for s in made) == players


@pytest.fixture(scope="module")
def decks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slides")
    slides.build_slides(BUILT, folder)
    return folder


def test_nothing_comes_from_elsewhere(decks):
    for page in decks.glob("*.html"):
        soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
        for tag in soup.select("[src], link[href]"):
            source = tag.get("src") or tag.get("href")
            assert source.startswith(("data:", "assets/")), source[:60]
            assert source.startswith("data:") or (decks / source).is_file(), source
        assert len(soup.select("section > aside.notes")) == len(soup.select("section"))
    assert (decks / "assets" / "reveal" / "LICENSE").is_file()
    assert sum(f.stat().st_size for f in decks.rglob("*") if f.is_file()) < 12e6


def test_slides_in_a_browser_without_a_network(decks):
    if chromium() is None:
        pytest.skip("needs Chromium (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    wrong: list[str] = []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        tab = browser.new_context(viewport={"width": 1100, "height": 700}, offline=True).new_page()
        tab.set_default_timeout(120_000)
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        tab.on("requestfailed", lambda request: wrong.append(request.url[:80]))
        tab.goto((decks / "two_resolutions.html").as_uri())
        tab.wait_for_function("window.Reveal && Reveal.isReady()")
        tab.wait_for_selector("mjx-container", state="attached")
        count = len(slides.slides_of("two_resolutions"))
        assert tab.evaluate("Reveal.getTotalSlides()") == count
        tab.keyboard.press("ArrowRight")
        assert tab.evaluate("Reveal.getIndices().h") == 1, "by keyboard"
        seconds = tab.evaluate(
            "Promise.all([...document.querySelectorAll('audio')].map(a => new Promise(done => {"
            "a.onloadedmetadata = () => done(a.duration); a.onerror = () => done(0); a.load(); })))"
        )
        assert seconds and all(s > 0.1 for s in seconds)
        slide = tab.evaluate(
            "[...document.querySelectorAll('.slides section')]"
            ".findIndex(s => s.querySelector('input[type=range]'))"
        )
        tab.evaluate(f"Reveal.slide({slide})")
        slider = tab.locator("section.present input[type=range]")
        assert slider.is_visible()
        before = tab.locator("section.present figure:has(input[type=range])").inner_text()
        slider.focus()
        tab.keyboard.press("End")
        assert tab.locator("section.present figure:has(input[type=range])").inner_text() != before
        browser.close()
    assert not wrong


@contextmanager
def shown_deck(file: Path) -> Iterator[Any]:
    """A deck on a projector, without a network; skips where Chromium is missing."""
    if chromium() is None:
        pytest.skip("needs Chromium (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        tab = browser.new_context(viewport={"width": 1280, "height": 720}, offline=True).new_page()
        tab.set_default_timeout(120_000)
        tab.goto(file.as_uri())
        tab.wait_for_function("window.Reveal && Reveal.isReady()")
        yield tab
        browser.close()


@pytest.mark.parametrize("name", BUILT)
def test_a_slide_shows_all_of_itself_on_a_projector(decks, name):
    with shown_deck(decks / f"{name}.html") as tab:
        tab.wait_for_selector("mjx-container", state="attached")
        hidden = tab.evaluate(
            "[...Array(Reveal.getTotalSlides()).keys()].map(i => { Reveal.slide(i);"
            "const s = document.querySelector('section.present .shown');"
            "return [s.scrollHeight - s.clientHeight, s.getBoundingClientRect().bottom]; })"
        )
    assert not [(i, *h) for i, h in enumerate(hidden, 1) if h[0] > 1 or h[1] > 720]


def test_the_labs_buttons_are_pressed_on_a_slide(decks):
    from playwright.sync_api import expect

    with shown_deck(decks / "listening_lab.html") as tab:
        go = (
            "name => Reveal.slide([...document.querySelectorAll('.slides section')]"
            ".findIndex(s => s.querySelector(name)))"
        )
        tab.evaluate(go, "button.ask")
        tab.locator("section.present button.ask").focus()
        tab.keyboard.press("Space")
        expect(tab.locator("section.present output")).to_contain_text("mfcc-lstm says")
        assert tab.locator("section.present button.ask").is_visible(), "the page was turned"
        tab.evaluate(go, "button.emotion")
        tab.locator("section.present button.emotion").first.click()
        expect(tab.locator("section.present output")).to_contain_text("Clip 2 of 30")


def test_a_chapter_without_tags_is_an_error(monkeypatch, tmp_path):
    bare = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Bare\n\nText.")])
    nbformat.write(bare, tmp_path / "bare.ipynb")
    monkeypatch.setattr(slides, "chapter_path", lambda name: tmp_path / f"{name}.ipynb")
    with pytest.raises(ValueError, match=r"bare\.ipynb: no cell is tagged"):
        slides.slides_of("bare")


def test_references_are_said_in_words():
    assert slides.cited("{cite:t}`boersma1993accurate` does") == "Boersma (1993) does"
    assert re.fullmatch(r'see "The DS-LSTM"', slides.cited("see [](ds_lstm.ipynb)"))
