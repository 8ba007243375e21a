"""The pages that the tests look at: built once for a state of the sources, then kept."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

from bs4 import BeautifulSoup
from conftest import ROOT
from filelock import FileLock

from tools.book import SOURCES
from tools.execute import tree_digest

KEPT_SECONDS = 3600


def render(output: Path, root: Path = ROOT) -> subprocess.CompletedProcess:
    """Build the stored notebooks below *output*, strictly; nothing is executed."""
    command = [sys.executable, "-m", "tools.book", "render", "--output", str(output)]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


@cache
def _built() -> tuple[Path, str]:
    """Folder of the pages, and what the build said if it failed."""
    home = ROOT / "_build" / "tested pages"
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home / "lock"):
        folder = home / tree_digest(*(ROOT / name for name in SOURCES))[:16]
        if not (folder / "html" / "index.html").is_file():
            for old in home.glob("*/"):
                if time.time() - os.path.getmtime(old) > KEPT_SECONDS:
                    shutil.rmtree(old, ignore_errors=True)
            done = render(folder)
            if done.returncode:
                return folder, done.stderr[-3000:] or "the build failed"
        return folder / "html", ""


def built_pages() -> Path:
    """Folder of the built book; the path has a space, as a reader's may have."""
    folder, error = _built()
    assert not error, error
    return folder


@cache
def soups() -> dict[Path, BeautifulSoup]:
    """Every page of the built book, read once for all who look into it."""
    files = sorted((built_pages() / "book").rglob("*.html"))
    return {p: BeautifulSoup(p.read_text(encoding="utf-8"), "html.parser") for p in files}
