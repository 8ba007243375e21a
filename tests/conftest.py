"""Fixtures shared by all tests."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BUILT = re.compile(r"test_(book|front_matter|pages|reference)\.py::")
"""In the name of a test that looks at the built pages."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """A module's tests stay in one process, for its fixtures, and so do a notebook's cells.

    All that look at the built pages are together: two would wait for the same build.
    """
    if config.getoption("dist") != "loadscope":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "built pages" if BUILT.search(nodeid) else super()._split_scope(nodeid)

    return Scheduling(config, log)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder with real speech and golden vectors, beside the project; skips where absent."""
    folder = Path(os.environ.get("SER_SHARED", ROOT.parent / "shared"))
    if not (folder / "golden").is_dir():
        pytest.skip("needs ../shared (real speech, golden vectors); set SER_SHARED to its folder")
    return folder


@pytest.fixture(autouse=True)
def private_folders(tmp_path_factory, monkeypatch):
    """Tests never touch the user's data and cache folders."""
    base = tmp_path_factory.getbasetemp() / "user"
    monkeypatch.setenv("SER_CACHE", str(base / "cache"))
    monkeypatch.setenv("SER_DATA", str(base / "data"))


@pytest.fixture(scope="session")
def tiny_root(tmp_path_factory) -> Path:
    """A synthetic corpus of 4 speakers x 4 emotions x 3 sentences."""
    from ser.corpora.synthetic import make

    return make(tmp_path_factory.mktemp("tiny") / "synthetic", 4, 3, jobs=1, progress=False)


@pytest.fixture(scope="session")
def kept(tiny_root, tmp_path_factory) -> Callable[[str], Path]:
    """From a row to the folder of a network of it, trained for a moment on *tiny_root*."""
    from ser.experiments import RunConfig, run
    from ser.training import TrainConfig

    made = tmp_path_factory.mktemp("Läufe mit Leerzeichen")

    @functools.cache
    def folder(row: str) -> Path:
        run(
            RunConfig(
                root=str(tiny_root), models=(row,), protocol="random", folds=2,
                train=TrainConfig(epochs=1, batch_size=16, hidden=16), out=made / row, jobs=1,
                threads=1, progress=False, cache=str(made / "cache"),
            )
        )  # fmt: skip
        return made / row / "models" / row / "random-release-1-seed0"

    return folder
