"""What a reader of the first notebook waits for: its training, as the notebook asks for it."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent


def training_cell() -> str:
    """The cell of "Ten minutes" that trains, as it stands there."""
    notebook = nbformat.read(ROOT / "book" / "ten_minutes.ipynb", as_version=4)
    (cell,) = [c.source for c in notebook.cells if c.cell_type == "code" and "run(" in c.source]
    return cell


def test_ten_minutes(benchmark, quick):
    """Goal: under a minute on two cores; the corpus and its features are there before."""
    from ser import load_corpus
    from ser.features import extract

    extract(load_corpus("synthetic"), progress=False)
    code = compile(training_cell(), "ten_minutes", "exec")

    def train() -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(code, {"corpus": "synthetic", "root": None, "profile": "smoke"})

    benchmark.pedantic(train, rounds=1 if quick else 3)
    spent = float(benchmark.stats.stats.median)
    benchmark.extra_info.update(
        against="a minute", plain_seconds=60.0, ratio=60 / spent, kind="speedup", goal=1
    )
