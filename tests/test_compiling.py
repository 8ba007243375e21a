"""Compiled kernels follow the files they are made of."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from conftest import ROOT

from ser.kernel_cache import sources
from ser.nn.elementwise import tanh, tanh_of

STEP = """
import numpy as np
from ser.nn.step_kernels import forward_step as kernel
act, h = np.ones((1, 6), np.float32), np.zeros((2, 1), np.float32)
part, c, t = np.zeros((1, 6), np.float32), 0 * h, 0 * h[:1]
low, norm, stats = np.zeros((0, 1), np.uint16), c[:, :0], np.zeros((3, 0, 0), np.float32)
kernel(act, part, c, t, h, low, norm[:1], norm, stats, 0, 0, 1, -1, 1e-5)
print(round(float(h[1, 0]), 5), sum(kernel.stats.cache_hits.values()))
"""
"""h = o tanh(iT gT + iF gF), each sigmoid(1) or tanh(1), is 0.58873; then 1 where it was kept."""
TANH = """
import numpy as np
from ser.nn.elementwise import tanh_of as kernel
out = np.empty(1, np.float32)
kernel(out, np.ones(1, np.float32))
print(round(float(out[0]), 5), sum(kernel.stats.cache_hits.values()))
"""


@pytest.fixture
def package(tmp_path):
    """A copy of what two kernels are made of, in a folder of its own."""
    for name in ("compiling", "kernel_cache", "nn/elementwise", "nn/step_kernels"):
        path = tmp_path / "ser" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "ser" / f"{name}.py", path)
    for folder in ("", "nn"):
        (tmp_path / "ser" / folder / "__init__.py").touch()
    return tmp_path


def begin(package, code=TANH, **environment):
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


def test_a_change_in_elementwise_reaches_the_kernels_that_hold_its_code(package):
    assert end(begin(package, STEP))[:2] == (0.58873, 0)
    assert end(begin(package, STEP))[:2] == (0.58873, 1)
    change(package / "ser/nn/elementwise.py", "out[j] += a[j] * b[j]", "out[j] -= a[j] * b[j]")
    assert end(begin(package, STEP))[:2] == (-0.58873, 0)  # both products


def test_what_is_kept_of_a_kernel_is_whole_or_not_used(package):
    """Two processes at once, then a damaged file, then one cut off."""
    for process in [begin(package), begin(package)]:
        assert end(process) == (0.76159, 0, "")
    assert end(begin(package)) == (0.76159, 1, "")
    (kept,) = (package / "ser/nn/__pycache__").glob("elementwise.tanh_of-*.nbc")
    good = kept.read_bytes()
    middle = len(good) // 2
    flipped = good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :]
    for damaged in (flipped, good[:middle]):
        kept.write_bytes(damaged)
        assert end(begin(package)) == (0.76159, 0, "")
    assert end(begin(package)) == (0.76159, 1, "")


def test_where_the_package_cannot_be_written(package):
    """The user's own folder; where there is none, no folder, and that is told once."""
    for folder in ("ser/__pycache__", "ser/nn/__pycache__"):
        (package / folder).touch()  # no folder can be made there, whoever tries
    home, nowhere = str(package / "home"), str(package / "ser/__init__.py")
    places = ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME")
    for hits in (0, 1):
        assert end(begin(package, **dict.fromkeys(places, home))) == (0.76159, hits, "")
    value, hits, told = end(begin(package, **dict.fromkeys(places, nowhere)))
    assert (value, hits) == (0.76159, 0)
    assert told.count("NUMBA_CACHE_DIR") == told.count("\n") == 1


def test_bytecode_that_is_older_than_its_source_is_told_and_nothing_is_kept_of_it(package):
    assert end(begin(package, PYTHONDONTWRITEBYTECODE="")) == (0.76159, 0, "")
    change(package / "ser/nn/elementwise.py", "out[j] = _tanh(a[j])", "out[j] = 3 * (a[j]) ")
    value, hits, told = end(begin(package, PYTHONDONTWRITEBYTECODE=""))
    assert (value, hits) == (0.76159, 0)  # Python's rule: size and time are the same
    assert "bytecode of ser.nn.elementwise" in told
    shutil.rmtree(package / "ser/nn/__pycache__")
    assert end(begin(package)) == (3.0, 0, "")


def test_what_a_kernel_is_made_of():
    """All that ser.nn.lstm_kernels imports of this package, at any depth."""
    inside = ["elementwise", "lstm_kernels", "tiles", "vectors"]
    wanted = ["ser.compiling", "ser.kernel_cache", *(f"ser.nn.{name}" for name in inside)]
    assert sorted(sources("ser.nn.lstm_kernels")) == wanted


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tanh_is_exact_for_small_and_for_large_numbers(dtype):
    sizes = np.logspace(-30, 2, 4001)
    x = np.concatenate([-sizes[::-1], [0.0, 0.625, -0.625], sizes]).astype(dtype)
    wanted = np.tanh(x.astype(np.float64))
    out = np.empty_like(x)
    tanh_of(out, x)
    moved = x.copy()
    tanh(moved, np.zeros_like(x))
    for found in (out, moved):
        gap = np.abs(found - wanted) / np.maximum(np.abs(wanted), np.finfo(dtype).tiny)
        assert gap.max() < 4 * np.finfo(dtype).eps
    odd = np.array([np.nan, np.inf, -np.inf], dtype)
    out = np.empty_like(odd)
    tanh_of(out, odd)
    assert np.isnan(out[0]) and out[1:].tolist() == [1.0, -1.0]
    assert torch.equal(torch.from_numpy(out[1:]), torch.tanh(torch.from_numpy(odd[1:])))
