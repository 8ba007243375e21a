"""Compiled kernels follow the files they are made of."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from ser.nn.cpu import first_block_numba

KERNELS = """
from ser.compiling import compiled


@compiled
def both(a):
    return a + a


@compiled
def fill(out, a):
    for j in range(out.size):
        out[j] = both(a[j])
"""
RUN = """
import numpy as np
from ser.nn.loops import fill as kernel
out = np.empty(1, np.float32)
kernel(out, np.full(1, 3, np.float32))
print(round(float(out[0]), 5), sum(kernel.stats.cache_hits.values()))
"""


@pytest.fixture
def package(tmp_path):
    """Two kernels and what compiles and keeps them, in a folder of its own."""
    (tmp_path / "ser/nn").mkdir(parents=True)
    for name in ("compiling", "kernel_cache"):
        shutil.copy(ROOT / "ser" / f"{name}.py", tmp_path / "ser" / f"{name}.py")
    (tmp_path / "ser/nn/loops.py").write_text(KERNELS, "utf-8")
    for folder in ("", "nn"):
        (tmp_path / "ser" / folder / "__init__.py").touch()
    return tmp_path


def begin(package, code=RUN, **environment):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("NUMBA_", "PYTHON"))}
    clean |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(package)} | environment
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", code], cwd=package, env=clean, **pipes)


def end(process):
    out, told = process.communicate(timeout=300)
    assert process.returncode == 0, told
    value, hits = out.split()
    return float(value), int(hits), told


def change(path, old, new):
    """Same size, same time."""
    text, times = path.read_text("utf-8"), path.stat()
    assert text.count(old) == 1 and len(old) == len(new)
    path.write_text(text.replace(old, new), "utf-8")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_a_change_reaches_the_kernels_that_hold_its_code(package):
    assert end(begin(package))[:2] == (6, 0)
    assert end(begin(package))[:2] == (6, 1)
    change(package / "ser/nn/loops.py", "return a + a", "return a * a")
    assert end(begin(package))[:2] == (9, 0)
    change(package / "ser/compiling.py", "nogil=True", "nogil=1==1")
    assert end(begin(package))[:2] == (9, 0)


def test_what_is_kept_of_a_kernel_is_whole_or_not_used(package):
    """Two processes at once, then a damaged file, then one cut off.

    The second may come so late that it finds what the first has kept.
    """
    for process in [begin(package), begin(package)]:
        value, hits, told = end(process)
        assert (value, told) == (6, "") and hits in (0, 1)
    assert end(begin(package)) == (6, 1, "")
    (kept,) = (package / "ser/nn/__pycache__").glob("loops.fill-*.nbc")
    good = kept.read_bytes()
    middle = len(good) // 2
    flipped = good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :]
    for damaged in (flipped, good[:middle]):
        kept.write_bytes(damaged)
        assert end(begin(package)) == (6, 0, "")
    assert end(begin(package)) == (6, 1, "")


def test_where_the_package_cannot_be_written(package):
    """The user's own folder; where there is none, no folder, and that is told once."""
    for folder in ("ser/__pycache__", "ser/nn/__pycache__"):
        (package / folder).touch()  # no folder can be made there, whoever tries
    home, nowhere = str(package / "home"), str(package / "ser/__init__.py")
    places = ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME")
    for hits in (0, 1):
        assert end(begin(package, **dict.fromkeys(places, home))) == (6, hits, "")
    value, hits, told = end(begin(package, **dict.fromkeys(places, nowhere)))
    assert (value, hits) == (6, 0)
    assert told.count("NUMBA_CACHE_DIR") == told.count("\n") == 1


def test_bytecode_that_is_older_than_its_source_is_told_and_nothing_is_kept_of_it(package):
    assert end(begin(package, PYTHONDONTWRITEBYTECODE="")) == (6, 0, "")
    change(package / "ser/nn/loops.py", "return a + a", "return a * a")
    value, hits, told = end(begin(package, PYTHONDONTWRITEBYTECODE=""))
    assert (value, hits) == (6, 0)  # Python's rule: size and time are the same
    assert "bytecode of ser.nn.loops" in told
    shutil.rmtree(package / "ser/nn/__pycache__")
    assert end(begin(package)) == (9, 0, "")


def test_a_kernel_is_made_of_its_own_file():
    """What is kept of it follows no other."""
    text = Path(first_block_numba.__file__).read_text("utf-8")
    imported = re.findall(r"^\s*(?:from|import)\s+(ser\S*)", text, re.MULTILINE)
    assert imported == ["ser.compiling"]
