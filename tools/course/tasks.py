"""Graded tasks: their source, their variants, and the marks that an answer gets.

A file ``course/tasks/NAME.toml`` holds the tasks of the chapter NAME; a lab names its chapter. Each
task has a text, a starter, a solution, checks (visible or hidden, each with its points) and wrong
answers of the kind that students give, with the marks they should get. ``<<name>>`` stands for a
number that is drawn: each variant gets another one.
"""

from __future__ import annotations

import ast
import math
import random
import re
import textwrap
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import nbformat

from tools.chapters import title

ROOT = Path(__file__).resolve().parents[2]
TASKS = ROOT / "course" / "tasks"
VARIANTS = "ABCD"
ENDLESS = "did not end"


@dataclass(frozen=True)
class Check:
    """A piece of code that raises where the answer is wrong."""

    code: str
    points: int = 1
    hidden: bool = False


@dataclass(frozen=True)
class Wrong:
    """An answer that students give, and its marks."""

    says: str
    code: str
    marks: int


@dataclass(frozen=True)
class Task:
    """One graded task, its numbers filled in."""

    name: str
    section: str
    text: str
    starter: str
    solution: str
    checks: tuple[Check, ...]
    wrong: tuple[Wrong, ...] = ()
    given: tuple[str, ...] = ()

    @property
    def points(self) -> int:
        return sum(check.points for check in self.checks)


@dataclass(frozen=True)
class Sheet:
    """The tasks of one file, in one variant."""

    name: str
    chapter: str
    variant: str
    title: str
    setup: str
    tasks: tuple[Task, ...]
    intro: str = ""
    minutes: int = 0
    uses: tuple[str, ...] = field(default=())

    @property
    def points(self) -> int:
        return sum(task.points for task in self.tasks)


def sheets() -> list[str]:
    """Names of the files of tasks."""
    return sorted(path.stem for path in TASKS.glob("*.toml"))


def dealt(values: list, seed: int, label: str, variant: str) -> Any:
    """The value that *variant* gets: the same list in another order for each seed and label.

    >>> len({dealt([1, 2, 3, 4], 2026, "lstm/X", variant) for variant in "ABCD"})
    4
    """
    order = random.Random(f"{seed}/{label}").sample(values, len(values))
    return order[VARIANTS.index(variant) % len(order)]


def filled(text: str, numbers: dict[str, Any]) -> str:
    """*text* with its ``<<name>>`` replaced; an unknown name is an error.

    >>> filled("a window of <<L>> samples", {"L": 256})
    'a window of 256 samples'
    """
    return re.sub(r"<<(\w+)>>", lambda found: str(numbers[found[1]]), text).strip("\n")


def numbers_of(entry: dict, seed: int, label: str, variant: str) -> dict[str, Any]:
    """What is drawn and what is computed from it."""
    draws = entry.get("draw", {}).items()
    numbers = {key: dealt(values, seed, f"{label}/{key}", variant) for key, values in draws}
    for key, formula in entry.get("compute", {}).items():
        numbers[key] = eval(formula, {"math": math}, dict(numbers))
    return numbers


def read_sheet(name: str, variant: str = "A", seed: int = 2026) -> Sheet:
    """A file of tasks with the numbers of one variant.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a task lacks something or has something unknown; the message names it.
    """
    path = TASKS / f"{name}.toml"
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    shared = numbers_of(content, seed, name, variant)
    tasks = []
    for entry in content["task"]:
        label = f"{name}/{entry.get('name')}"
        numbers = shared | numbers_of(entry, seed, label, variant)
        known = {"name", "section", "text", "starter", "solution", "check", "wrong", "given"}
        if extra := set(entry) - known - {"draw", "compute"}:
            raise ValueError(f"{path.name}, task {entry.get('name')!r}: unknown {sorted(extra)}")
        try:
            checks = [Check(**{**c, "code": filled(c["code"], numbers)}) for c in entry["check"]]
            wrong = [
                Wrong(**{**w, "code": filled(w["code"], numbers)}) for w in entry.get("wrong", ())
            ]
            text = {k: filled(entry[k], numbers) for k in ("text", "starter", "solution")}
        except KeyError as missing:
            raise ValueError(f"{path.name}, task {entry.get('name')!r}: no {missing}") from None
        given = tuple(entry.get("given", ()))
        tasks.append(
            Task(entry["name"], entry["section"], **text, checks=tuple(checks),
                 wrong=tuple(wrong), given=given)
        )  # fmt: skip
    chapter = content.get("chapter", name)
    setup = filled(content.get("setup", ""), shared)
    sheet = Sheet(
        name=name,
        chapter=chapter,
        variant=variant,
        title=content.get("title", f"Tasks: {title(chapter_path(chapter))}"),
        setup=setup,
        tasks=tuple(tasks),
        intro=filled(content.get("intro", ""), shared),
        minutes=content.get("minutes", 30),
        uses=tuple(content.get("uses", ())),
    )
    taken = [from_chapter(chapter, function) for task in tasks for function in task.given]
    return replace(sheet, setup="\n\n\n".join([setup, *dict.fromkeys(taken)]))


def chapter_path(name: str) -> Path:
    return ROOT / "book" / f"{name}.ipynb"


def headings(chapter: str) -> list[str]:
    """Headings of a chapter's sections, as they stand there."""
    cells = nbformat.read(chapter_path(chapter), as_version=4).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return re.findall(r"^#{2,4}\s+(.+?)\s*$", text, re.MULTILINE)


def from_chapter(chapter: str, function: str) -> str:
    """The source of a function that a cell of the chapter defines.

    Raises:
        LookupError: the chapter defines none of that name.
    """
    for cell in nbformat.read(chapter_path(chapter), as_version=4).cells:
        if cell.cell_type == "code" and f"def {function}(" in cell.source:
            for node in ast.parse(cell.source).body:
                if isinstance(node, ast.FunctionDef) and node.name == function:
                    return ast.get_source_segment(cell.source, node) or ""
    raise LookupError(f"{chapter}.ipynb defines no function {function!r}: its tasks need it")


def marks(sheet: Sheet, answers: dict[str, str]) -> dict[str, int]:
    """Points that *answers* (code by the task's name) get; a task without one keeps its starter.

    The answers run one after the other in one namespace, as in a notebook; what raises is worth
    nothing and stops nothing.
    """
    space: dict[str, Any] = {"__name__": "answers"}
    exec(sheet.setup, space)
    result = {}
    for task in sheet.tasks:
        try:
            exec(answers.get(task.name, task.starter), space)
        except Exception:
            result[task.name] = 0
            continue
        result[task.name] = sum(check.points for check in task.checks if passes(check, space))
    return result


def passes(check: Check, space: dict[str, Any]) -> bool:
    """Does the check accept what stands in *space*? It leaves the space as it was."""
    try:
        exec(as_function(check.code), dict(space))
    except Exception:
        return False
    return True


def as_function(code: str) -> str:
    """The check as a function that is called, so that it shows nothing and leaves no names behind.

    Where an answer does not end and is interrupted, the check has failed and the next one is run.

    >>> print(as_function("assert 1 + 1 == 2"))
    def check():
        assert 1 + 1 == 2
    try:
        check()
    except KeyboardInterrupt:
        raise TimeoutError("did not end")
    """
    called = f'try:\n    check()\nexcept KeyboardInterrupt:\n    raise TimeoutError("{ENDLESS}")'
    return f"def check():\n{textwrap.indent(code, '    ')}\n{called}"
