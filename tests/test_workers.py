"""Worker processes: they end with the process that started them; what ends them is told."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest
import torch
from small_corpora import make_corpus

from ser import cli
from ser.cli import main
from ser.errors import FeatureError, TrainingError, shortage
from ser.experiments import RunConfig, grid, run, stored_records
from ser.experiments.processes import imap_unordered
from ser.features import compute as compute_module
from ser.features import extract
from ser.loading import SavedModel

SHORTAGES = (
    MemoryError("Unable to allocate 3.20 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:80] DefaultCPUAllocator: not enough memory"),
    RuntimeError("unable to mmap 9 bytes from file <x>: Cannot allocate memory (12)"),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    OSError(errno.ENOMEM, "Cannot allocate memory"),
)


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> str:
    return str(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def started(tiny_root, tmp_path, cache):
    """``ser run`` with two workers, both in the middle of training."""
    command = [sys.executable, "-m", "ser", "run", "--root", str(tiny_root), "--folds", "2"]
    command += ["--model", "mfcc-lstm", "--epochs", "5000", "--batch-size", "16", "--jobs", "2"]
    command += ["--cache", cache]
    process = subprocess.Popen(
        [*command, "--out", str(tmp_path / "out")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 300
    while len(list(tmp_path.glob("out/work/*.safetensors"))) < 2:
        assert time.monotonic() < until and process.poll() is None, process.communicate()[1]
        time.sleep(0.05)
    yield process
    process.kill()
    process.communicate()


def workers_of(process: subprocess.Popen) -> list[psutil.Process]:
    below = psutil.Process(process.pid).children(recursive=True)
    return [p for p in below if "resource_tracker" not in " ".join(p.cmdline())]


def test_workers_end_by_themselves_when_their_run_is_killed(started):
    below = psutil.Process(started.pid).children(recursive=True)
    assert len(workers_of(started)) == 2
    started.kill()
    started.wait()
    assert psutil.wait_procs(below, timeout=10)[1] == []
    places = {Path(tempfile.gettempdir()), Path("/dev/shm")}
    assert [p for place in places for p in place.glob(f"joblib_*_{started.pid}_*")] == []


def test_a_worker_that_is_killed_is_told_with_its_run_and_the_way_out(started, tmp_path):
    workers_of(started)[0].kill()
    told = started.communicate(timeout=60)[1]
    assert started.returncode == 3
    assert "Traceback" not in told
    last = told.strip().splitlines()[-1]
    assert last.startswith("ser: a worker process was ended from outside")
    assert "mfcc-lstm, fold 1, seed 0 or mfcc-lstm, fold 2, seed 0" in last
    assert "fewer --jobs" in last and "the same command takes up where it stopped" in last
    assert len(list(tmp_path.glob("out/work/*.safetensors"))) == 2
    assert list(tmp_path.glob("out/work/*.progress")) == []


def test_speaking_processes_end_when_their_maker_is_killed(tmp_path):
    code = f"from ser.corpora.synthetic import make; make({str(tmp_path / 'a')!r}, 4, 12, jobs=2)"
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while len(list(tmp_path.glob(".a.parts-*/**/*.wav"))) < 4:
        assert time.monotonic() < until and process.poll() is None
        time.sleep(0.02)
    below = psutil.Process(process.pid).children(recursive=True)
    assert below
    process.kill()
    process.wait()
    assert psutil.wait_procs(below, timeout=10)[1] == []


def test_an_idle_worker_ends_too():
    """One that has nothing to do, and so would never look at anything."""
    code = (
        "import time\nfrom ser.experiments.processes import imap_unordered\n"
        "for _ in imap_unordered(time.sleep, [0.1, 600], jobs=2, threads=1):"
        "    print('one', flush=True)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "one\n"
    below = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate()
    assert len(below) >= 2 and psutil.wait_procs(below, timeout=10)[1] == []


@pytest.mark.parametrize("error", SHORTAGES, ids=lambda e: f"{type(e).__name__} {str(e)[:24]}")
def test_out_of_memory_fails_its_run_with_a_message_and_the_others_go_on(
    error, tiny_root, tmp_path, monkeypatch
):
    execute = grid.execute

    def short(task, *sides):
        if task.fold.name == "1":
            raise error
        return execute(task, *sides)

    monkeypatch.setattr(grid, "execute", short)
    config = RunConfig(
        root=str(tiny_root), models=("majority",), folds=2, jobs=1, out=tmp_path, progress=False
    )
    with pytest.raises(TrainingError, match=r"majority/1/seed0: memory ran out.*fewer --jobs"):
        run(config)
    assert list(stored_records(tmp_path)) == [("majority", "speakers-release-2-seed0")]


def test_a_full_disk_ends_the_grid_and_names_the_file(tiny_root, tmp_path, monkeypatch, capsys):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device", "work/x.safetensors")

    monkeypatch.setattr(grid, "execute", full)
    given = ["--root", str(tiny_root), "--model", "majority", "--jobs", "1", "--folds", "2"]
    assert main(["run", *given, "--out", str(tmp_path), "--quiet"]) == 3
    told = capsys.readouterr().err
    assert "the disk is full: work/x.safetensors cannot be written; free some space." in told
    assert "the same command takes up where it stopped" in told


def test_what_a_kill_left_half_written_is_swept_by_the_next_run(tiny_root, tmp_path):
    for folder in ("work", "majority"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / ".x.json.a1b2.tmp").write_text("{")
    config = RunConfig(
        root=str(tiny_root), models=("majority",), folds=2, jobs=1, out=tmp_path, progress=False
    )
    run(config)
    assert list(tmp_path.glob("*/.*")) == []


@pytest.mark.parametrize("command, code", [("run", 3), ("check", 2), ("predict", 2)])
@pytest.mark.parametrize("error", [MemoryError(), OSError(errno.ENOSPC, "full", "a.json")])
def test_a_shortage_anywhere_has_a_documented_exit_code(command, code, error, monkeypatch, capsys):
    def short(args):
        raise error

    module = cli.importlib.import_module(f"ser.cli.{command}")
    monkeypatch.setattr(module, "main", short)
    given = {"run": [], "check": ["emodb"], "predict": ["a.wav", "--checkpoint", "b"]}
    assert main([command, *given[command]]) == code
    assert capsys.readouterr().err == f"ser: {shortage(error)}\n"


def test_an_error_that_is_no_shortage_stays_what_it_is(monkeypatch):
    def wrong(args):
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(cli.importlib.import_module("ser.cli.corpora"), "main", wrong)
    with pytest.raises(RuntimeError, match="a fault of ours"):
        main(["corpora"])


def test_ctrl_c_before_a_command_has_begun_is_130(monkeypatch, capsys):
    def interrupted(command=None):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "build_parser", interrupted)
    assert main(["run"]) == 130
    told = capsys.readouterr().err
    assert told == "\nser: interrupted; the same command takes up where it stopped\n"


@pytest.mark.parametrize("where", ["load_audio", "features_of"])
def test_features_that_do_not_fit_into_memory_name_the_file(where, tmp_path, monkeypatch):
    def short(*_, **__):
        raise MemoryError("Unable to allocate 9 GiB")

    corpus = make_corpus(tmp_path, 2)
    module = compute_module if where == "load_audio" else sys.modules["ser.features.extract"]
    monkeypatch.setattr(module, where, short)
    with pytest.raises(FeatureError, match=r"\.wav: memory ran out \(Unable to allocate 9 GiB\)"):
        extract(corpus, cache=tmp_path / "cache", progress=False)


def test_a_recording_that_does_not_fit_into_memory_is_named(monkeypatch, capsys):
    def short(path, model):
        raise MemoryError("Unable to allocate 9 GiB")

    monkeypatch.setattr("ser.prediction.predict", short)
    monkeypatch.setattr("ser.enrolled_model.model_for", lambda *_: SavedModel)
    monkeypatch.setattr(SavedModel, "trained_on", "x", raising=False)
    assert main(["predict", "long.wav", "--checkpoint", "m", "--json"]) == 2
    told = (
        "long.wav: memory ran out (Unable to allocate 9 GiB); end other programs, or use --stream"
    )
    found = capsys.readouterr()
    assert found.err == f"ser: {told}\n"
    assert json.loads(found.out)["failed"] == [{"path": "long.wav", "error": told}]


def test_mapped_features_that_do_not_fit_fail_their_run_as_memory(monkeypatch, tmp_path):
    features = extract(make_corpus(tmp_path, 2), cache=tmp_path / "cache", progress=False)

    def short(*_, **__):
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr("ser.features.cache.safe_open", short)
    with pytest.raises(OSError) as caught:
        features.mfcc(0)
    assert shortage(caught.value).startswith("memory ran out")


def held_back(item) -> bool:
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_a_ctrl_c_is_for_the_main_process_alone():
    assert list(imap_unordered(held_back, [0, 1], jobs=2, threads=1)) == [True, True]
    assert not held_back(0)
