"""What numba keeps of the compiled loops: used again, made anew where it is damaged."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

RUN = """
import logging
import numpy as np
logging.basicConfig(level="INFO")
from ser.nn.cpu.first_block_numba import gather
patches = np.zeros((1, 8, 4), np.float32)
gather(patches, np.arange(12, dtype=np.float32).reshape(3, 4)[:, :4].repeat(3, 0), 0, 2, 1)
print(patches[0, :, 0].tolist(), sum(gather.stats.cache_hits.values()))
"""


@pytest.fixture
def run(tmp_path):
    """A process that calls one loop; its numbers, and what was told."""

    def begin(**places):
        kept = {"NUMBA_CACHE_DIR": str(tmp_path / "kernels")} | places
        command = [sys.executable, "-c", RUN]
        pipes = {"capture_output": True, "text": True, "check": True}
        done = subprocess.run(command, env=os.environ | kept, timeout=300, **pipes)
        numbers, _, hits = done.stdout.strip().rpartition(" ")
        return numbers, int(hits), done.stderr

    return begin


def test_what_is_kept_is_used_and_what_is_damaged_is_made_anew(run, tmp_path):
    numbers, hits, told = run()
    assert hits == 0 and told.count("compiling kernels") == 1
    assert run() == (numbers, 1, "")
    for ending, size in (("nbc", 1000), ("nbi", 100), ("nbi", 0)):
        (kept,) = (tmp_path / "kernels").rglob(f"*gather*.{ending}")
        os.truncate(kept, size)
        assert run()[:2] == (numbers, 0)
        assert run()[:2] == (numbers, 1)


def test_where_no_folder_can_be_written_that_is_told_once(run, monkeypatch):
    from ser.nn.cpu import first_block_numba

    def nowhere(self, function):
        raise RuntimeError("no locator available")

    monkeypatch.setattr(first_block_numba.FunctionCache, "__init__", nowhere)
    told = []
    monkeypatch.setattr(first_block_numba.log, "warning", told.append)
    first_block_numba._not_kept.cache_clear()
    doubled = [first_block_numba.compiled(lambda a: 2 * a) for _ in range(2)]
    assert [kernel(3) for kernel in doubled] == [6, 6]
    assert len(told) == 1 and "NUMBA_CACHE_DIR" in told[0]
