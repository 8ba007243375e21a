"""What a page folds away, and where it stands in a book that cannot be folded: at the back.

An answer that is printed under its question answers nobody's own thinking. So the answers of the
quizzes, the solutions and the hints go to the last chapter, with links there and back. Code that
only makes a figure is left out and said to be on the page; a table that is folded for its length
stands open.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from bs4 import BeautifulSoup, Tag

MAKER = BeautifulSoup("", "html.parser")
SOLUTION = "[id*=exercises] .tag_hide-cell > details"
FOLDED = f".sd-dropdown, {SOLUTION}, details:not([class]):not([name])"
CODE = ".tag_hide-input > details, .tag_hide-cell > details > .cell_input"
TITLE = "Answers and solutions"


@dataclass
class Answer:
    """What was folded: its heading, its content, and the ids of its old and its new place."""

    heading: str
    content: list[Any]
    asked: str
    told: str


def take(body: Tag, name: str) -> list[Answer]:
    """Take from the page *name* what it folds away, and leave a pointer where it was."""
    solutions = {id(cell) for fold in body.select(SOLUTION) for cell in fold.select(".cell_input")}
    for hidden in body.select(CODE):
        if id(hidden) not in solutions:
            hidden.replace_with(tag("p", "Code: on the page.", **{"class": "on-page"}))
    answers: list[Answer] = []
    for fold in body.select(f".ser-quiz, {FOLDED}"):
        number = len(answers) + 1
        answer = Answer("", [], f"{name}--asked-{number}", f"{name}--told-{number}")
        pointer = tag("p", **{"class": "to-answer", "id": answer.asked})
        if "ser-quiz" in fold.get("class", []):
            answer.heading = fold.select_one(".ser-quiz-title").get_text()
            answer.content = quiz(fold)
            pointer.append(to(answer.told, "Answers"))
            fold.append(pointer)
        else:
            words, exercise = summary(fold), asked_before(fold)
            answer.heading = f"{exercise} {words}".strip()
            fold.insert_before(pointer)
            pointer.append(to(answer.told, words))
            answer.content = [fold.extract()]
            fold.name = "div"
            fold.attrs = {}
        answers.append(answer)
    for left in body.select("details"):
        for line in left.select("summary"):
            line.decompose()
        left.unwrap()
    return answers


def summary(fold: Tag) -> str:
    """The words on a fold; those of a folded cell are a solution. They are taken off it."""
    line = fold.find("summary")
    found = line.select_one(".sd-summary-text") or line
    words = "Solution" if "above-input" in fold.get("class", []) else found.get_text()
    line.decompose()
    return " ".join(words.split())


def asked_before(fold: Tag) -> str:
    """ "2. Think." of the exercise that *fold* belongs to, "" where there is none."""
    section = fold.find_parent("section")
    if section is None or "exercises" not in section.get("id", ""):
        return ""
    for bold in fold.find_all_previous("strong"):
        if re.match(r"\d\. ", bold.get_text()) and bold.find_parent("section") is section:
            return bold.get_text()
    return ""


def quiz(section: Tag) -> list[Tag]:
    """Answers of a quiz with their reasons; in the page each becomes a line with a letter."""
    told = []
    for number, question in enumerate(section.select(".ser-question"), 1):
        options, reasons, right = tag("ol", **{"class": "options", "type": "a"}), [], ""
        for letter, fold in zip("abcdefgh", question.select("details"), strict=False):
            option, reason = fold.find("summary"), fold.find("p")
            option.name = "li"
            options.append(option.extract())
            reason.find("b").decompose()
            reason.name = "span"
            reasons += [tag("b", f"{letter}:"), reason.extract(), " "]
            right = letter if "ser-right" in fold["class"] else right
            fold.decompose()
        question.append(options)
        line = tag("p")
        line.append(tag("b", f"{number}. {right} is right. "))
        line.extend(reasons)
        told.append(line)
    return told


def back(moved: list[tuple[Any, list[Answer]]]) -> Tag:
    """The last chapter: what each page folds away, under the page's title."""
    body = tag("article", id="answers")
    body.append(tag("h1", TITLE))
    for page, answers in moved:
        if not answers:
            continue
        section = tag("section", id=f"{page.id}--answers")
        section.append(tag("h2", page.title))
        for answer in answers:
            heading = tag("h3", id=answer.told)
            heading.append(to(answer.asked, answer.heading, number=False))
            section.append(heading)
            section.extend(answer.content)
        body.append(section)
    return body


def to(target: str, words: str, number: bool = True) -> Tag:
    """A link within the book; on paper the number of its page is put after it."""
    link = tag("a", words, href=f"#{target}")
    if number:
        link.append(tag("span", **{"class": "page-of", "data-of": target}))
    return link


def tag(name: str, text: str = "", **attributes: str) -> Tag:
    made = MAKER.new_tag(name, attrs=attributes)
    if text:
        made.string = text
    return made
