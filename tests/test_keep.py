"""What nbval has run is kept for the book, as the build itself would have run it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from conftest import ROOT

from tools.execute import execute_cached, kept_at

PLUGIN = """
from pathlib import Path

from tools.keep import Keeper

def pytest_configure(config):
    config.pluginmanager.register(Keeper(Path("kept").resolve(), Path.cwd()))
"""
CELLS = (
    "import sys, warnings\nfrom IPython.display import HTML, display\nx = 1",
    "print('a')\nprint('b', file=sys.stderr)\nprint('ä')",
    "display(HTML('<b>2</b>'))\nx + 1",
    "",
)


def notebook(path: Path, *said: tuple[str, str]) -> Path:
    """A notebook of the cells above; *said* is what its second cell is stored with."""
    cells = [nbformat.v4.new_markdown_cell("# Title"), *map(nbformat.v4.new_code_cell, CELLS)]
    for count, cell in enumerate(cells[1:], 1):
        cell.execution_count = count
    cells[2].metadata["tags"] = ["nbval-check-output"]
    cells[2].outputs = [nbformat.v4.new_output("stream", name=n, text=t) for n, t in said]
    path.parent.mkdir(exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Three notebooks after nbval: one right, one that says something new, one that shows times."""
    root = tmp_path_factory.mktemp("a book with ä")
    right = (("stdout", "a\nä\n"), ("stderr", "b\n"))
    notebook(root / "book" / "right.ipynb", *right)
    notebook(root / "book" / "wrong.ipynb", ("stdout", "c\n"))
    notebook(root / "book" / "fast.ipynb", *right)
    (root / "watching.py").write_text(PLUGIN, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "watching", "--nbval-lax", "book"],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert "1 failed, 11 passed" in done.stdout, done.stdout + done.stderr
    return root


def test_a_notebook_that_is_right_is_not_run_again_and_is_as_the_build_would_run_it(folder):
    path = folder / "book" / "right.ipynb"
    kept = execute_cached(path, path.parent, folder / "kept", folder)
    assert kept["ran"] is False and kept["seconds"] >= 0
    fresh = execute_cached(path, path.parent, folder / "other", folder)
    assert fresh["ran"] is True
    assert nbformat.read(kept["path"], 4) == nbformat.read(fresh["path"], 4)


def test_what_fails_or_shows_times_is_left_to_the_build(folder):
    for name in ("wrong", "fast"):
        path = folder / "book" / f"{name}.ipynb"
        assert not kept_at(path, folder / "kept", folder).exists()
