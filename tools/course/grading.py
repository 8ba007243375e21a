"""Grading a folder of notebooks that students handed in: a line each, whatever is in them.

otter-grader runs a notebook in a fresh kernel and waits for as long as it takes. Here a cell that
does not end is interrupted, so that the other tasks are still graded, and what cannot be graded
gets a line that says why instead of ending the rest.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import nbformat
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbconvert.preprocessors import ExecutePreprocessor

from tools.course.tasks import ENDLESS, read_sheet

SECONDS = 60
"""A cell gets so many before it is interrupted; those of the tasks need a few."""

INTERRUPTS = 12
"""A notebook that had to be interrupted more often is given up."""


class NotGradedError(Exception):
    """No points could be computed; the message is one line that says why."""


class Bounded(ExecutePreprocessor):
    """Runs a notebook to its end, although some of its cells have none."""

    late = 0

    async def _async_handle_timeout(self, timeout, cell=None):
        self.late += 1
        self.interrupt_on_timeout = self.late <= INTERRUPTS
        return await super()._async_handle_timeout(timeout, cell)


def grade(
    notebook: Path, autograder: Path, seconds: int = SECONDS
) -> tuple[dict[str, float], list[str]]:
    """Points of each task that a student's notebook gets, and what a teacher should know of it.

    Raises:
        FileNotFoundError: the notebook or the autograder is missing.
        NotGradedError: the notebook cannot be read or run to its end.
    """
    from otter.run import main

    for path in (notebook, autograder):
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such file")
    options = {"timeout": seconds, "extra_arguments": ["--log-level=ERROR"]}
    ours = patch("nbconvert.preprocessors.ExecutePreprocessor", partial(Bounded, **options))
    said, scratch = io.StringIO(), TemporaryDirectory()
    quiet = contextlib.redirect_stdout(said), contextlib.redirect_stderr(said)
    try:
        with ours, scratch as folder, quiet[0], quiet[1]:
            found = main(str(notebook), autograder=str(autograder), output_dir=folder, no_logo=True)
    except nbformat.reader.NotJSONError:
        raise NotGradedError("cannot be read: not a notebook, or only a part of one") from None
    except CellTimeoutError:
        raise NotGradedError("given up: it went on after every interrupt") from None
    except DeadKernelError:
        raise NotGradedError("its code ended Python, or took all memory") from None
    except Exception as error:
        raise NotGradedError(f"{type(error).__name__}: {first_line(str(error))}") from None
    if not found.results:
        raise NotGradedError("its checks gave no result; open it and run it from the top")
    points = {name: float(result.score) for name, result in found.results.items()}
    raised = f"TimeoutError: {ENDLESS}"  # the check's own code stands there as well
    endless = [name for name, result in found.results.items() if raised in result.summary()]
    return points, troubles(found.notebook, seconds) + [f"{n}: a check {ENDLESS}" for n in endless]


def first_line(text: str) -> str:
    return next((line for line in text.splitlines() if line.strip()), "")[:120]


def troubles(notebook: nbformat.NotebookNode, seconds: int) -> list[str]:
    """Which of the cells that the student filled in raised, and what, by the task of each.

    What otter-grader's own cells say is left out: the first one looks for a file of another name.
    """
    found, waiting = [], []
    for cell in notebook.cells:
        if check := re.match(r"grader\.check\(\"(\w+)\"\)", cell.source):
            found += [f"{check[1]}: {what}" for what in waiting]
            waiting = []
        elif cell.cell_type == "code" and "otter" not in cell.source:
            errors = [o.ename for o in cell.get("outputs", []) if o.output_type == "error"]
            late = f"stopped after {seconds} s"
            waiting += [late if name == "KeyboardInterrupt" else name for name in errors]
    return found + waiting


def variant_of(notebook: Path) -> str:
    """The letter in the head of a task sheet, "" where there is none."""
    try:
        cells = nbformat.read(notebook, as_version=4).cells
    except Exception:
        return ""
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    found = re.search(r"^Variant ([A-Z]);", text, re.MULTILINE)
    return found[1] if found else ""


def rows(
    task: str, variant: str, handed_in: Path, kit: Path, seconds: int = SECONDS
) -> Iterator[dict[str, object]]:
    """A row for everything in a folder, in the order of the names: points, their sum, a note.

    Raises:
        FileNotFoundError: the kit has no such task, or the folder holds no notebook.
    """
    autograder = kit / "teacher" / "tasks" / variant / f"{task}-autograder.zip"
    if not autograder.is_file():
        raise FileNotFoundError(
            f"{autograder}: no such file; `make course` makes it, --kit names another folder"
        )
    found = [p for p in sorted(handed_in.glob("*")) if not p.name.startswith(".")]
    if not any(path.suffix == ".ipynb" for path in found):
        raise FileNotFoundError(f"{handed_in}: no notebook there")
    names = [each.name for each in read_sheet(task).tasks]
    for path in found:
        row = {"notebook": path.name, **dict.fromkeys(names, ""), "sum": "", "note": ""}
        notes = []
        if path.suffix != ".ipynb":
            yield row | {"note": "not graded: its name does not end in .ipynb"}
            continue
        if (own := variant_of(path)) and own != variant:
            notes.append(f"is variant {own}, graded as {variant}")
        try:
            points, more = grade(path, autograder, seconds)
            row |= {name: points.get(name, 0.0) for name in names}
            row |= {"sum": sum(points.values())}
            notes += more
        except NotGradedError as error:
            notes.append(f"not graded: {error}")
        yield row | {"note": "; ".join(notes)}
