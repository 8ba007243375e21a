"""Notebooks of the course: chapters without their solutions, graded tasks and their autograders.

The autograder is otter-grader: it wants neither a server nor a database (nbgrader brings both), a
student's notebook holds its visible checks, a zip file the hidden ones, and one command grades a
folder (:mod:`tools.course.grading`).
"""

from __future__ import annotations

import contextlib
import io
import re
import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_raw_cell

from tools.chapters import contents
from tools.course.plain import plain
from tools.course.tasks import ROOT, Sheet, Task, as_function, chapter_path

FOLDED = re.compile(r"^:::\{dropdown\}.*?^:::\s*$\n?", re.DOTALL | re.MULTILINE)
"""Solutions in the text: answers, hints, ways to think about it."""

QUIZ = re.compile(r"^```\{quiz\} \w+\n```\n*", re.MULTILINE)
"""Quizzes are read on the page: their answers are folded there."""

PROMPT = re.compile(r"^''' # BEGIN PROMPT[\s\S]*\Z|^# (?:BEGIN|END) SOLUTION.*$\n?", re.MULTILINE)
"""What otter-grader leaves in a solved cell: the starter, and its own marks."""

EXERCISES = "## Exercises"
STARTER = "# Your code: the cells above can be used."
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


@cache
def chapters() -> list[str]:
    """Names of the chapters that close with exercises, in the book's order."""
    pages = [Path(name) for _, part in contents(ROOT) for name in part]
    names = [page.stem for page in pages if page.parent.name == "book"]
    return [name for name in names if chapter_path(name).is_file() and is_chapter(name)]


def is_chapter(name: str) -> bool:
    cells = nbformat.read(chapter_path(name), as_version=4).cells
    return any(EXERCISES in cell.source for cell in cells if cell.cell_type == "markdown")


def write_chapters(folder: Path) -> None:
    """The students' chapters, and beside them the records that they read."""
    leave = shutil.ignore_patterns("work", "models")
    shutil.copytree(ROOT / "book" / "results", folder / "results", ignore=leave)
    for name in chapters():
        nbformat.write(student_chapter(name), folder / f"{name}.ipynb")


def student_chapter(name: str) -> nbformat.NotebookNode:
    """The chapter with a starter cell where each solution was, without outputs, in plain Markdown.

    A solution is a code cell after the heading "Exercises" (``hide-cell``), and a folded box there.
    """
    notebook = nbformat.read(chapter_path(name), as_version=4)
    inside, cells = False, []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            solution = inside and "hide-cell" in cell.metadata.get("tags", [])
            source = STARTER if solution else cell.source
            cells.append(new_code_cell(source, metadata=kept_tags(cell)))
            continue
        head, heading, tail = cell.source.partition(EXERCISES)
        if inside or heading:
            text = tail if heading else cell.source
            text = FOLDED.sub("", text)
            source = (head + heading + text) if heading else after_answer(text)
            inside = True
        else:
            source = cell.source
        source = plain(QUIZ.sub("", source), chapters()).strip()
        if source:
            cells.append(new_markdown_cell(source))
    return numbered(cells)


def after_answer(text: str) -> str:
    """What follows a solution's cell, without the sentences that tell its result.

    The next exercise begins with its number in bold; what stands before it speaks of the answer.
    """
    found = re.search(r"^\*\*\d\. ", text, re.MULTILINE)
    return text[found.start() :] if found else ""


def kept_tags(cell: nbformat.NotebookNode) -> dict:
    tags = [t for t in cell.metadata.get("tags", []) if t == "parameters"]
    return {"tags": tags} if tags else {}


def numbered(cells: list[nbformat.NotebookNode]) -> nbformat.NotebookNode:
    """A notebook whose cells have ids that are the same in every build."""
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    return new_notebook(cells=cells, metadata={"kernelspec": KERNEL})


def master(sheet: Sheet) -> nbformat.NotebookNode:
    """The notebook from which otter-grader makes the student's and the autograder's."""
    config = "\n".join(
        [
            "# ASSIGNMENT CONFIG",
            "init_cell: true",
            "export_cell: false",
            "check_all_cell: false",
            "generate:",
            "  show_hidden: false",
        ]
    )
    head = f"# {sheet.title}\n\nVariant {sheet.variant}; {sheet.points} points, "
    head += f"about {sheet.minutes} minutes. Chapter: `book/{sheet.chapter}.ipynb`."
    head += f"\n\n{sheet.intro}\n\n" if sheet.intro else "\n\n"
    head += (
        "A cell with `grader.check` tells whether the visible checks pass. Others are run when "
        "the notebook is graded, so try your functions on inputs of your own. Keep the file's name "
        "while you work; put your own before it when you hand it in."
    )
    cells = [new_raw_cell(config), new_markdown_cell(head.strip()), new_code_cell(sheet.setup)]
    for number, task in enumerate(sheet.tasks, 1):
        cells += question(task, number)
    return numbered(cells)


def question(task: Task, number: int) -> list[nbformat.NotebookNode]:
    text = f"## {number}. {task.name.replace('_', ' ').capitalize()}, {task.points} points\n\n"
    text += f'Section "{task.section}".\n\n{task.text}'
    tests = [
        new_code_cell(
            f'""" # BEGIN TEST CONFIG\nhidden: {str(check.hidden).lower()}\n'
            f'points: {check.points}\n""" # END TEST CONFIG\n{as_function(check.code)}'
        )
        for check in task.checks
    ]
    answer = f"# BEGIN SOLUTION NO PROMPT\n{task.solution}\n# END SOLUTION\n"
    answer += f"''' # BEGIN PROMPT\n{task.starter}\n''' # END PROMPT"
    return [
        new_raw_cell(f"# BEGIN QUESTION\nname: {task.name}"),
        new_markdown_cell(text),
        new_raw_cell("# BEGIN SOLUTION"),
        new_code_cell(answer),
        new_raw_cell("# END SOLUTION"),
        new_raw_cell("# BEGIN TESTS"),
        *tests,
        new_raw_cell("# END TESTS"),
        new_raw_cell("# END QUESTION"),
    ]


def assign(sheet: Sheet, students: Path, teacher: Path) -> None:
    """Write the student's notebook, the solution and the autograder of one sheet and variant."""
    from otter.assign import main

    with TemporaryDirectory() as scratch:
        source = Path(scratch) / f"{sheet.name}.ipynb"
        nbformat.write(master(sheet), source)
        with contextlib.redirect_stdout(io.StringIO()):
            main(str(source), str(Path(scratch) / "dist"), no_pdfs=True, no_run_tests=True)
        made = Path(scratch) / "dist"
        for folder in (students, teacher):
            folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(made / "student" / source.name, students / source.name)
        solved = nbformat.read(made / "autograder" / source.name, as_version=4)
        for cell in solved.cells:
            cell.source = PROMPT.sub("", cell.source)
        nbformat.write(solved, teacher / f"{sheet.name}-solution.ipynb")
        (zipped,) = (made / "autograder").glob("*.zip")
        shutil.copyfile(zipped, teacher / f"{sheet.name}-autograder.zip")
