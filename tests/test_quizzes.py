"""Quizzes: their sources, where they stand, and that they work by keyboard without a network."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from browser import chromium
from bs4 import BeautifulSoup

from tools.course.guide import build_pages
from tools.course.notebooks import chapters
from tools.course.tasks import ROOT, chapter_path
from tools.quizzes import QUIZZES, read_quiz

NAMES = sorted(path.stem for path in QUIZZES.glob("*.toml"))


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Every quiz on one page, built strictly."""
    folder = tmp_path_factory.mktemp("quizzes")
    text = "# Quizzes\n\n" + "\n\n".join(f"```{{quiz}} {name}\n```" for name in NAMES)
    (folder / "index.md").write_text(text, encoding="utf-8")
    settings = {
        "extensions": ["myst_parser", "tools.quizzes"],
        "myst_enable_extensions": ["dollarmath"],
        "html_theme": "basic",
    }
    out = folder / "html"
    build_pages(folder, out, settings)
    return out / "index.html"


@pytest.mark.parametrize("name", NAMES)
def test_four_to_six_questions_and_one_right_answer_each(name):
    _, questions = read_quiz(QUIZZES / f"{name}.toml")
    assert 4 <= len(questions) <= 6
    for question in questions:
        assert sum(answer.right for answer in question.answers) == 1
        assert len({answer.text for answer in question.answers}) == len(question.answers) >= 3


def test_the_right_answer_has_no_place_of_its_own():
    places = [
        next(i for i, answer in enumerate(question.answers) if answer.right)
        for name in NAMES
        for question in read_quiz(QUIZZES / f"{name}.toml")[1]
    ]
    shares = [places.count(i) / len(places) for i in range(3)]
    assert min(shares) > 0.15, shares


def test_each_quiz_stands_before_the_exercises_of_a_chapter():
    found = {}
    for name in chapters():
        cells = nbformat.read(chapter_path(name), as_version=4).cells
        text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        for match in re.finditer(r"^```\{quiz\} (\w+)\n```$", text, re.MULTILINE):
            assert match.start() < text.index("## Exercises")
            found[match[1]] = name
    assert sorted(found) == NAMES
    assert [name for name in chapters() if found.get(name) != name] == [], "one for each chapter"


def test_a_mistake_in_a_source_is_named(tmp_path):
    bad = tmp_path / "bad.toml"
    bad.write_text('[[question]]\nask = "Why?"\nanswers = [["So."]]\n', encoding="utf-8")
    with pytest.raises(ValueError, match=r"bad\.toml, question 1"):
        read_quiz(bad)
    bad.write_text("", encoding="utf-8")
    with pytest.raises(ValueError, match="no question"):
        read_quiz(bad)


def test_the_page_says_right_or_no_and_why(page):
    soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    quizzes = soup.select("section.ser-quiz")
    assert len(quizzes) == len(NAMES)
    for quiz, name in zip(quizzes, NAMES, strict=True):
        questions = read_quiz(QUIZZES / f"{name}.toml")[1]
        assert len(quiz.select(".ser-question")) == len(questions)
        for shown in quiz.select(".ser-question"):
            assert soup.find(id=shown["aria-labelledby"]).text.strip()
            for fold in shown.select("details"):
                verdict = "Right." if "ser-right" in fold["class"] else "No."
                said = fold.select_one("summary + p").text
                assert said.startswith(verdict) and len(said) > len(verdict) + 10
            assert len({fold["name"] for fold in shown.select("details")}) == 1
    assert not soup.select(".ser-quiz script")


def test_an_answer_opens_by_keyboard_and_by_pointer(page):
    if chromium() is None:
        pytest.skip("needs Chromium (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 390, "height": 800}, offline=True)
        tab = context.new_page()
        tab.set_default_timeout(120_000)
        tab.goto(page.as_uri())
        first = tab.locator(".ser-question").first
        folds = first.locator("details")
        tab.locator("summary").first.focus()
        for key, at in (("Enter", 0), ("Space", 1)):
            tab.keyboard.press(key)
            opened = [folds.nth(i).get_attribute("open") is not None for i in range(3)]
            assert opened == [i == at for i in range(3)], "one answer at a time"
            assert folds.nth(at).locator("p").is_visible()
            tab.keyboard.press("Tab")
        first.locator("summary").nth(2).click()
        assert folds.nth(2).locator("p").is_visible()
        wide = tab.evaluate("document.documentElement.scrollWidth")
        assert wide <= 390
        browser.close()


def test_the_book_builds_with_the_directive():
    config = (ROOT / "_config.yml").read_text(encoding="utf-8")
    assert "- tools.quizzes" in config
    assert "ser-quiz" in Path(ROOT / "book/_static/book.css").read_text(encoding="utf-8")
