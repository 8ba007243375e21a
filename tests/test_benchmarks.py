"""The benchmarks' bookkeeping: what is recorded, what is printed; never how long it took."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import __main__ as command
from benchmarks.inputs import PLAIN, made_up_corpus, plain_model, release_batch
from benchmarks.pairs import front_end_pair, repeated, step_pair, tf32_of_cudnn, warm
from benchmarks.record import reduce, table, verdict
from ser.models import build_model, count_parameters

ROOT = Path(__file__).resolve().parent.parent
RECORDS = sorted((ROOT / "book" / "results" / "benchmarks").glob("*.json"))
RECORDS = [path for path in RECORDS if path.stem != "command"]  # benchmarks.command prints that


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
def test_a_stored_record_prints_and_tells_its_origin(path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--show", str(path)])
    assert command.main() == 0
    record = json.loads(path.read_text(encoding="utf-8"))
    assert record["command"] in capsys.readouterr().out
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


@pytest.mark.parametrize("name", PLAIN)
def test_plain_networks_have_the_rows_weights(name):
    assert count_parameters(plain_model(name, 8)) == count_parameters(build_model(name, hidden=8))
    assert plain_model(name, 8)(release_batch(2)).shape == (2, 4)


def test_the_pairs_of_the_gpus_rows_run_on_any_device():
    for work in (*step_pair("cpu", 2, "cnn-lstm-s2", 4), *front_end_pair("cpu", 2, "s1")):
        work()


def test_rounds_on_a_gpu_are_calls_back_to_back():
    calls = []
    assert warm(lambda: calls.append(1), "cpu", calls=3) == 200
    assert len(calls) == 4
    repeated(lambda: calls.append(2), 5, "cpu")()
    assert calls[4:] == [2] * 5


def test_tf32_is_switched_for_a_row_and_back():
    before = torch.backends.cudnn.allow_tf32
    for wanted in (True, False):
        with tf32_of_cudnn(wanted) as is_on:
            assert is_on == torch.backends.cudnn.allow_tf32 == wanted
        assert torch.backends.cudnn.allow_tf32 == before
    with tf32_of_cudnn(None) as is_on:
        assert is_on == before


def test_a_record_where_packages_or_git_are_missing(monkeypatch):
    monkeypatch.setattr("benchmarks.record.PACKAGES", ("torch", "no-such-package"))
    monkeypatch.setattr("benchmarks.record.commit", lambda: "")
    body = {"datetime": "2026-01-01T00:00:00", "benchmarks": []}
    found = reduce(body, "c", "abc123")
    assert set(found["versions"]) >= {"python", "torch"}
    assert "no-such-package" not in found["versions"]
    assert found["commit"] == "abc123"
    monkeypatch.setattr("benchmarks.record.commit", lambda: "of another tree")
    assert reduce(body, "c", "abc123")["commit"] == "abc123"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_rows_of_a_gpu_need_a_gpu(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--device", "cuda"])
    assert command.main() == 2
    assert "no NVIDIA GPU" in capsys.readouterr().err


def test_each_device_has_rows_of_its_own_and_none_needs_librosa(tmp_path):
    (tmp_path / "librosa.py").write_text("raise ModuleNotFoundError('not here')", encoding="utf-8")
    shown = {}
    for device, paths in command.TARGETS.items():
        call = [sys.executable, "-m", "pytest", *paths, "--collect-only", "-rs"]
        done = subprocess.run(
            [*call, "-p", "no:cacheprovider"],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        shown[device] = done.stdout
    assert "needs librosa" in shown["cpu"] and "test_start" in shown["cpu"]
    assert "on_cuda" not in shown["cpu"] and "test_start" not in shown["cuda"]
    assert "test_ds_lstm_against_cudnn[128-norms-float32]" in shown["cuda"]


def test_sides_may_differ_in_how_often_a_round_calls_them(tmp_path):
    (tmp_path / "test_it.py").write_text(
        "import time\n"
        "def test_it(compare):\n"
        "    compare(lambda: time.sleep(0.02), lambda: time.sleep(0.04), against='it',\n"
        "            repeats=2, plain_repeats=4, rounds=2)\n",
        encoding="utf-8",
    )
    raw = tmp_path / "raw.json"
    call = [sys.executable, "-m", "pytest", str(tmp_path), "-q", f"--benchmark-json={raw}", "-p"]
    call += ["benchmarks.conftest", "-p", "no:cacheprovider"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    done = subprocess.run(call, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]
    told = reduce(json.loads(raw.read_text(encoding="utf-8")), "")["rows"][0]
    assert min(told["seconds"], told["plain_seconds"]) >= 0.01
    assert told["ratio"] == pytest.approx(told["plain_seconds"] / told["seconds"])
