"""Sphinx extension: the directive ``quiz``, questions with an answer to each answer.

    ```{quiz} lstm
    ```

shows ``course/quizzes/lstm.toml``. Each answer is a fold of the page (HTML's ``details``): whoever
opens one reads whether it is right, and why. So a quiz needs no script, no network and no kernel,
works by keyboard and is read out as it stands, in both themes. What is written in an answer may
have mathematics and code, as any text of the book.
"""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

QUIZZES = Path(__file__).resolve().parents[1] / "course" / "quizzes"


@dataclass(frozen=True)
class Answer:
    text: str
    why: str
    right: bool


@dataclass(frozen=True)
class Question:
    ask: str
    answers: tuple[Answer, ...]


def read_quiz(path: Path) -> tuple[str, list[Question]]:
    """Title and questions of a file; the answers in an order that does not tell the right one.

    Raises:
        ValueError: a question without text, with fewer than two answers, or an answer without its
            reason; the message names the file and the question.
    """
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    questions = []
    for number, entry in enumerate(content.get("question", []), 1):
        pairs = entry.get("answers", [])
        complete = all(len(pair) == 2 and all(pair) for pair in pairs)
        if not entry.get("ask") or len(pairs) < 2 or not complete:
            raise ValueError(
                f"{path.name}, question {number}: needs a text and answers with reasons"
            )
        answers = [Answer(text, why, i == 0) for i, (text, why) in enumerate(pairs)]
        answers.sort(key=lambda a: hashlib.sha256((entry["ask"] + a.text).encode()).digest())
        questions.append(Question(entry["ask"], tuple(answers)))
    if not questions:
        raise ValueError(f"{path.name}: no question")
    return content.get("title", "Check yourself"), questions


class Quiz(Directive):
    """``{quiz} NAME``: the questions of ``course/quizzes/NAME.toml``."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        path = QUIZZES / f"{self.arguments[0]}.toml"
        self.state.document.settings.env.note_dependency(str(path))
        try:
            title, questions = read_quiz(path)
        except (OSError, ValueError) as error:
            raise self.error(f"quiz {self.arguments[0]!r}: {error}") from error
        shown: list[nodes.Node] = [html(f'<section class="ser-quiz" aria-label="{escape(title)}">')]
        shown.append(html(f'<p class="ser-quiz-title">{escape(title)}</p>'))
        for number, question in enumerate(questions, 1):
            shown += self.question(f"{path.stem}-{number}", number, question)
        return [*shown, html("</section>")]

    def question(self, name: str, number: int, question: Question) -> list[nodes.Node]:
        asked = f"quiz-{name}"
        shown: list[nodes.Node] = [
            html(f'<div role="group" aria-labelledby="{asked}" class="ser-question">'),
            html(f'<p id="{asked}"><b>{number}.</b> '),
            self.inline(question.ask),
            html("</p>"),
        ]
        for answer in question.answers:
            verdict = "right" if answer.right else "wrong"
            shown += [
                html(f'<details name="{asked}" class="ser-{verdict}"><summary>'),
                self.inline(answer.text),
                html(f"</summary><p><b>{'Right' if answer.right else 'No'}.</b> "),
                self.inline(answer.why),
                html("</p></details>"),
            ]
        return [*shown, html("</div>")]

    def inline(self, text: str) -> nodes.inline:
        found, messages = self.state.inline_text(text, self.lineno)
        return nodes.inline(text, "", *found, *messages)


def html(markup: str) -> nodes.raw:
    return nodes.raw("", markup, format="html")


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("quiz", Quiz)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
