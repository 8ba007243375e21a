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
