"""The benchmarks' bookkeeping: what is recorded, what is printed; never how long it took."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.inputs import made_up_corpus, release_batch
from benchmarks.record import reduce, table, verdict

ROOT = Path(__file__).resolve().parent.parent
RECORDS = sorted((ROOT / "book" / "results" / "benchmarks").glob("*.json"))


def row(**changes) -> dict:
    body = {
        "name": "front_end",
        "file": "test_network.py",
        "seconds": 0.1,
        "rounds": 5,
        "against": "as written",
        "plain_seconds": 0.4,
        "ratio": 4.0,
        "low": 3.9,
        "high": 4.1,
        "kind": "speedup",
        "goal": 3,
    }
    return body | changes


def test_a_goal_is_a_lower_bound_of_a_speedup_and_an_upper_bound_of_a_cost():
    assert verdict(row()) == "reached"
    assert verdict(row(ratio=2.9)) == "not reached"
    assert verdict(row(kind="cost", ratio=2.1, goal=2.2)) == "reached"
    assert verdict(row(kind="cost", ratio=2.3, goal=2.2)) == "not reached"
    assert verdict(row(goal=None)) == ""


def test_pytest_benchmarks_output_becomes_a_record_and_a_table():
    raw = {
        "datetime": "2026-01-01T00:00:00",
        "benchmarks": [
            {
                "name": "test_front_end[s1]",
                "fullname": "benchmarks/test_network.py::test_front_end[s1]",
                "stats": {"median": 0.1, "rounds": 5},
                "extra_info": {k: row()[k] for k in ("against", "plain_seconds", "ratio")}
                | {"kind": "speedup", "goal": 3},
            }
        ],
    }
    record = reduce(raw, "python -m benchmarks")
    assert record["rows"][0]["name"] == "front_end[s1]"
    assert record["machine"]["cpu"] and record["versions"]["torch"]
    shown = table(record)
    assert "front_end[s1]" in shown and "4.00x" in shown and ">= 3 reached" in shown
    assert "python -m benchmarks" in shown


def test_made_up_utterances_are_the_same_whatever_their_number(tmp_path):
    few, many = made_up_corpus(tmp_path / "a", 3), made_up_corpus(tmp_path / "b", 6)
    assert few.seconds.tolist() == many.seconds.tolist()[:3]
    for one, other in zip(few.path, many.path[:3], strict=True):
        assert Path(one).read_bytes() == Path(other).read_bytes()
    assert len({Path(p).read_bytes() for p in many.path}) == 6


def test_the_batch_has_the_releases_shapes():
    batch = release_batch(3)
    assert batch.s1.shape == (3, 128, 230) and batch.s2.shape == (3, 256, 120)
    assert batch.mfcc.shape[1] == int(batch.mfcc_lengths.max())


@pytest.mark.parametrize("path", RECORDS, ids=[p.stem for p in RECORDS])
def test_a_stored_record_prints_and_tells_its_origin(path):
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--show", str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    record = json.loads(path.read_text(encoding="utf-8"))
    assert record["command"] in done.stdout
    assert record["commit"] and not record["commit"].endswith("+changes")


def test_help_teaches():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "examples:" in done.stdout and "make bench" in done.stdout
