"""The kit's notebooks: no solution in a student's, and an autograder that grades."""

from __future__ import annotations

import ast
import copy
import csv
import re

import nbformat
import pytest
from nbclient.exceptions import CellTimeoutError

from tools.course import grading, notebooks
from tools.course.__main__ import main
from tools.course.tasks import chapter_path, read_sheet


@pytest.mark.parametrize("name", notebooks.chapters())
def test_a_students_chapter_holds_no_solution_and_a_starter_for_each(name):
    whole = nbformat.read(chapter_path(name), as_version=4)
    given = notebooks.student_chapter(name)
    nbformat.validate(given)
    text = "\n".join(cell.source for cell in given.cells)
    at = next(i for i, c in enumerate(whole.cells) if notebooks.EXERCISES in c.source)
    after = whole.cells[at:]
    solved = [c for c in after if "hide-cell" in c.metadata.get("tags", [])]
    assert solved, "the chapter has an exercise to code"
    assert text.count(notebooks.STARTER) == len(solved)
    assert not any(cell.source in text for cell in solved)
    assert "{dropdown}" not in text[text.index(notebooks.EXERCISES) :]
    assert text.count("**1. ") and text.count("**2. ") and text.count("**3. ")
    assert "{quiz}" not in text
    assert not any(cell.get("outputs") for cell in given.cells)
    prose = "\n".join(c.source for c in given.cells if c.cell_type == "markdown")
    assert not re.search(r"\{[a-z:]+\}`|:::|\[\]\(|^\([\w-]+\)=", prose, re.MULTILINE), "plain"
    there = {f"{name}.ipynb" for name in notebooks.chapters()}
    assert set(re.findall(r"\]\((\w+\.(?:ipynb|md))\)", prose)) <= there


def test_the_records_that_a_chapter_reads_lie_beside_it(tmp_path):
    notebooks.write_chapters(tmp_path / "chapters")
    read = set()
    for path in (tmp_path / "chapters").glob("*.ipynb"):
        code = [c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
        read |= set(re.findall(r'"(results(?:/[\w./-]+)?)"', "\n".join(code)))
    assert len(read) > 5
    assert not [name for name in read if not (tmp_path / "chapters" / name).exists()]


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    """Two sheets in one variant, as `make course` writes them."""
    folder = tmp_path_factory.mktemp("kit")
    for name in ("fusion", "lab_leak"):
        sheet = read_sheet(name, "C")
        notebooks.assign(sheet, folder / "students" / "tasks" / "C", folder / "teacher/tasks/C")
    return folder


def test_the_students_notebook_has_starters_and_visible_checks_alone(kit):
    sheet = read_sheet("fusion", "C")
    path = kit / "students" / "tasks" / "C" / "fusion.ipynb"
    notebook = nbformat.read(path, as_version=4)
    cells = [cell.source for cell in notebook.cells]
    tests = notebook.metadata.otter.tests
    shown = {name: [c.code for c in test.suites[0].cases] for name, test in tests.items()}
    for task in sheet.tasks:
        assert task.starter.strip() in cells
        assert f'grader.check("{task.name}")' in cells
        assert len(shown[task.name]) == sum(not check.hidden for check in task.checks)
        everywhere = "\n".join([*shown[task.name], *cells])
        for check in task.checks:
            code = ast.unparse(ast.parse(check.code))  # as otter-grader writes it
            line = max(code.splitlines(), key=len).strip()
            assert (line in everywhere) is not check.hidden, line
        assert task.solution.splitlines()[-1].strip() not in "\n".join(cells)


def test_solution_starter_and_a_wrong_answer_through_the_autograder(kit, tmp_path, capsys):
    sheet = read_sheet("fusion", "C")
    students, teacher = kit / "students" / "tasks" / "C", kit / "teacher" / "tasks" / "C"
    full = nbformat.read(teacher / "fusion-solution.ipynb", as_version=4)
    nbformat.write(full, tmp_path / "a_full.ipynb")
    nbformat.write(nbformat.read(students / "fusion.ipynb", 4), tmp_path / "b_empty.ipynb")
    wrong = {task.name: task.wrong[0] for task in sheet.tasks}
    mixed = nbformat.read(students / "fusion.ipynb", as_version=4)
    for task in sheet.tasks:
        cell = next(c for c in mixed.cells if c.source.strip() == task.starter.strip())
        cell.source = wrong[task.name].code
    nbformat.write(mixed, tmp_path / "c_wrong.ipynb")
    command = ["grade", "--task", "fusion", "--variant", "C", str(tmp_path), "--kit", str(kit)]
    assert main(command) == 0
    head, *lines = capsys.readouterr().out.strip().splitlines()
    names = head.split(",")
    got = {line.split(",")[0]: dict(zip(names, line.split(","), strict=True)) for line in lines}
    assert names == ["notebook", *(task.name for task in sheet.tasks), "sum", "note"]
    for task in sheet.tasks:
        assert float(got["a_full.ipynb"][task.name]) == task.points
        assert float(got["c_wrong.ipynb"][task.name]) == wrong[task.name].marks
    sums = {name: float(row["sum"]) for name, row in got.items()}
    assert sums == {
        "a_full.ipynb": sheet.points,
        "b_empty.ipynb": 0,
        "c_wrong.ipynb": sum(w.marks for w in wrong.values()),
    }


def test_a_broken_notebook_gets_a_line_and_the_others_their_points(kit, tmp_path, capsys):
    sheet = read_sheet("fusion", "C")
    first, second = sheet.tasks[:2]
    full = nbformat.read(kit / "teacher/tasks/C/fusion-solution.ipynb", as_version=4)

    def hand_in(name: str, code: str | None = None, task=first) -> None:
        notebook = copy.deepcopy(full)
        if code is not None:
            cell = next(c for c in notebook.cells if c.source.strip() == task.solution.strip())
            cell.source = code
        nbformat.write(notebook, tmp_path / name)

    hand_in("a_syntax.ipynb", "x = = 1")
    hand_in("b_interrupted.ipynb", "raise KeyboardInterrupt")
    called = re.search(r"def (\w+)\(", second.solution)[1]
    hand_in("c_in_a_check.ipynb", f"def {called}(*a, **k):\n    raise KeyboardInterrupt", second)
    hand_in("d_ends_python.ipynb", "import os\nos._exit(1)")
    (tmp_path / "e_half.ipynb").write_text('{"cells": [', encoding="utf-8")
    hand_in("f_other_variant.ipynb")
    swapped = (tmp_path / "f_other_variant.ipynb").read_text("utf-8")
    swapped = swapped.replace("Variant C", "Variant A")
    (tmp_path / "f_other_variant.ipynb").write_text(swapped, encoding="utf-8")
    (tmp_path / "g_name.ipynb.txt").write_text(swapped, encoding="utf-8")
    command = ["grade", "--task", "fusion", "--variant", "C", str(tmp_path), "--kit", str(kit)]
    assert main(command) == 0
    rows = {row["notebook"][0]: row for row in csv.DictReader(capsys.readouterr().out.splitlines())}
    assert list(rows) == list("abcdefg")
    notes = {letter: row["note"] for letter, row in rows.items()}
    for letter, (task, note) in {
        "a": (first, f"{first.name}: SyntaxError"),
        "b": (first, f"{first.name}: stopped after {grading.SECONDS} s"),
        "c": (second, f"{second.name}: a check did not end"),
    }.items():
        assert float(rows[letter][task.name]) == 0 and notes[letter] == note
        others = [t for t in sheet.tasks if t is not task]
        assert [float(rows[letter][t.name]) for t in others] == [t.points for t in others]
    for letter, note in {"d": "ended Python", "e": "cannot be read", "g": "in .ipynb"}.items():
        assert rows[letter]["sum"] == "" and note in notes[letter]
    assert notes["f"] == "is variant A, graded as C" and float(rows["f"]["sum"]) == sheet.points


def test_a_cell_without_end_is_interrupted_and_the_next_one_is_run():
    cells = [nbformat.v4.new_code_cell(code) for code in ("while True:\n    pass", "1 + 1")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    done, _ = grading.Bounded(timeout=5, allow_errors=True).preprocess(notebook)
    assert done.cells[0].outputs[0].ename == "KeyboardInterrupt"
    assert done.cells[1].outputs[0].data["text/plain"] == "2"


def test_what_ignores_every_interrupt_is_given_up(monkeypatch):
    monkeypatch.setattr(grading, "INTERRUPTS", 1)
    deaf = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True:\n    pass"
    cells = [nbformat.v4.new_code_cell(deaf)]
    with pytest.raises(CellTimeoutError):
        grading.Bounded(timeout=5).preprocess(nbformat.v4.new_notebook(cells=cells))


def test_grading_says_what_is_missing(kit, tmp_path, capsys):
    command = ["grade", "--task", "fusion", "--variant", "C", str(tmp_path), "--kit", str(kit)]
    assert main(command) == 1
    assert "no notebook there" in capsys.readouterr().err
    command[4] = "D"
    assert main(command) == 1
    assert "make course" in capsys.readouterr().err
