"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


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
