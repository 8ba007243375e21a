"""How far a grid is, and other long work: one bar, or lines; the time left is of what ran here."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from small_corpora import make_corpus

from ser import progress
from ser.cli import main
from ser.experiments import RunConfig, run
from ser.experiments.progress import GridProgress, RunNotes
from ser.features import extract
from ser.training import TrainConfig

EPOCH = {"loss": 1.25, "dev_ua": None, "test_ua": 0.5}


@dataclass(frozen=True)
class Run:
    """What the grid's progress needs of a run."""

    row: str
    fold: int
    folder: Path
    train: TrainConfig = TrainConfig(epochs=10)  # noqa: RUF009

    def __str__(self) -> str:
        return f"{self.row}, fold {self.fold}, seed 0"

    @property
    def notes(self) -> Path:
        return self.folder / f"{self.row}-{self.fold}.progress"

    def tell(self, epoch: int, seconds: float, first: bool = False) -> None:
        note = EPOCH | {"epoch": epoch, "seconds": seconds, "first": first}
        self.notes.write_text(json.dumps(note), encoding="utf-8")


def runs(folder: Path, row: str, count: int) -> list[Run]:
    return [Run(row, fold, folder) for fold in range(1, count + 1)]


def read(grid_progress: GridProgress) -> None:
    for path in grid_progress.names:
        grid_progress._read(path)


def test_the_time_left_is_that_of_the_epochs_left_at_the_pace_of_here(tmp_path):
    tasks = runs(tmp_path, "mfcc-lstm", 3)
    grid_progress = GridProgress(tmp_path, tasks, found=97, jobs=1, shown=False)
    assert grid_progress.seconds_left() is None, "97 runs that were found say nothing of the pace"
    assert grid_progress.text().startswith("97 of 100 runs")
    tasks[0].tell(9, 4.0)  # taken up at epoch 8: what was done before took no time here
    read(grid_progress)
    assert grid_progress.seconds_left() == (4.0 * (1 + 10 + 10), True)
    grid_progress.done(tasks[0], {"wall_seconds": 4.0})
    assert grid_progress.seconds_left() == (80.0, True)
    assert re.fullmatch(r"98 of 100 runs, 00:0\d passed, about 01:20 left", grid_progress.text())


def test_runs_at_a_time_share_the_time_left_and_the_last_one_has_it_alone(tmp_path):
    tasks = runs(tmp_path, "mfcc-lstm", 3)
    grid_progress = GridProgress(tmp_path, tasks, found=0, jobs=2, shown=False)
    tasks[0].tell(5, 2.0)
    tasks[1].tell(9, 2.0)
    read(grid_progress)
    assert grid_progress.seconds_left() == (2.0 + 20.0, True)  # 1 epoch, then all of the third run


def test_the_first_epoch_with_its_compiling_counts_until_a_second_is_known(tmp_path):
    (task,) = runs(tmp_path, "mfcc-lstm", 1)
    grid_progress = GridProgress(tmp_path, [task], found=0, jobs=1, shown=False)
    task.tell(1, 60.0, first=True)
    read(grid_progress)
    assert grid_progress.seconds_left() == (540.0, True)
    task.tell(2, 1.0)
    read(grid_progress)
    assert grid_progress.seconds_left() == (8.0, True)


def test_a_network_of_one_epoch_is_no_baseline(tmp_path):
    tasks = [Run("mfcc-lstm", fold, tmp_path, TrainConfig(epochs=1)) for fold in (1, 2)]
    grid_progress = GridProgress(tmp_path, tasks, found=0, jobs=1, shown=False)
    tasks[0].tell(1, 3.0, first=True)
    grid_progress.done(tasks[0], {"wall_seconds": 9.0})
    tasks[1].notes.write_text('{"epoch": 0}')
    read(grid_progress)
    assert grid_progress.seconds_left() == (3.0, True)
    assert grid_progress._state(str(tasks[1])) == "mfcc-lstm, fold 2, seed 0: 0 of 1 epoch"


def test_baselines_say_nothing_of_networks_and_unknown_rows_are_told(tmp_path):
    quick, first, second = (runs(tmp_path, r, 1)[0] for r in ("majority", "mfcc-lstm", "ds-lstm"))
    grid_progress = GridProgress(tmp_path, [quick, first, second], found=0, jobs=1, shown=False)
    grid_progress.done(quick, {"wall_seconds": 0.1})
    assert grid_progress.seconds_left() is None
    first.tell(1, 3.0)
    read(grid_progress)
    assert grid_progress.seconds_left() == (27.0 + 30.0, False)
    assert "at least 00:57 left" in grid_progress.text()


def test_what_a_killed_run_left_behind_is_not_believed(tmp_path):
    (task,) = runs(tmp_path, "mfcc-lstm", 1)
    task.tell(9, 0.001)
    with GridProgress(tmp_path, [task], found=0, jobs=1, shown=False) as grid_progress:
        read(grid_progress)
        assert grid_progress.seconds_left() is None
        task.tell(1, 1.0)
    assert list(tmp_path.iterdir()) == []


def test_without_a_terminal_a_line_a_run_and_one_every_minute(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(progress, "looked_on", lambda: False)
    monkeypatch.setattr(progress, "EVERY", 0.0)  # a minute that is over at once
    caplog.set_level(logging.INFO, "ser")
    first, second = runs(tmp_path, "mfcc-lstm", 2)
    with GridProgress(tmp_path, [first, second], found=1, jobs=1, shown=True) as grid_progress:
        first.tell(7, 1.0)
        until = time.monotonic() + 60
        while "mfcc-lstm, fold 1, seed 0: 7 of 10 epochs, loss 1.250" not in caplog.text:
            assert time.monotonic() < until
            time.sleep(0.05)
        grid_progress.done(first, {"wall_seconds": 7.0})
        grid_progress.done(second, None)
    lines = [r.getMessage() for r in caplog.records]
    assert any(re.match(r"1 of 3 runs, \d\d:\d\d passed, about 00:13 left; ", t) for t in lines)
    assert re.fullmatch(r"2 of 3 runs, .* about 00:10 left; mfcc-lstm, fold 1, seed 0 is done",
                        next(t for t in lines if "is done" in t))  # fmt: skip
    assert re.fullmatch(r"3 of 3 runs, \S+ passed; mfcc-lstm, fold 2, seed 0 failed", lines[-1])


def test_in_a_terminal_there_is_one_bar_and_no_line(tmp_path, caplog, monkeypatch, capsys):
    monkeypatch.setattr(progress, "looked_on", lambda: True)
    caplog.set_level(logging.INFO, "ser")
    first, second = runs(tmp_path, "mfcc-lstm", 2)
    with GridProgress(tmp_path, [first, second], found=2, jobs=2, shown=True) as grid_progress:
        first.tell(5, 1.0)
        second.tell(2, 1.0)
        read(grid_progress)
        grid_progress.done(first, {"wall_seconds": 7.0})
        assert grid_progress.bar.n == pytest.approx(3.2) and grid_progress.bar.total == 4
    drawn = re.split(r"[\r\n]+", capsys.readouterr().err.strip())
    assert re.match(r"3 of 4 runs, 00:0\d passed, about 00:08 left \|", drawn[-1])
    assert drawn[-1].endswith("| mfcc-lstm, fold 1, seed 0 is done") and not caplog.records


def test_a_run_leaves_notes(tmp_path):
    tasks = runs(tmp_path, "mfcc-lstm", 2)
    for task in tasks:
        notes = RunNotes(task)
        assert json.loads(task.notes.read_text()) == {"epoch": 0}
        notes(EPOCH | {"epoch": 3})
        note = json.loads(task.notes.read_text())
        assert (note["epoch"], note["first"], note["test_ua"]) == (3, True, 0.5)


def grid(root: Path, out: Path, *more: str) -> list[str]:
    given = ["run", "--root", str(root), "--folds", "2", "--jobs", "1", "--out", str(out)]
    return [*given, "--model", "majority,duration-lr", *more]


def test_a_grid_of_baselines_says_nothing_of_batches_and_json_stays_clean(
    tiny_root, tmp_path, capsys, caplog
):
    assert main(grid(tiny_root, tmp_path, "--json", "--batch-size", "999")) == 0
    assert json.loads(capsys.readouterr().out)
    told = [r.getMessage() for r in caplog.records if r.name.startswith("ser")]
    assert not [line for line in told if "batch" in line]
    assert len([line for line in told if line.endswith("is done")]) == 4
    assert [line[:11] for line in told if " runs, " in line][-1] == "4 of 4 runs"


def test_quiet_is_quiet(tiny_root, tmp_path, capsys, caplog):
    assert main(grid(tiny_root, tmp_path, "--quiet")) == 0
    assert not [r for r in caplog.records if " passed" in r.getMessage()]
    assert "passed" not in capsys.readouterr().err


def test_a_hint_about_batches_where_a_network_is_to_be_trained(tiny_root, tmp_path, caplog):
    caplog.set_level(logging.INFO, "ser")
    train = TrainConfig(epochs=1, batch_size=44, hidden=8)
    config = RunConfig(root=str(tiny_root), models=("mfcc-lstm",), folds=2, train=train, jobs=1)
    run(config)
    assert "batches of 44 are large for 48 utterances" in caplog.text
    assert "mfcc-lstm, fold 2, seed 0 is done" in caplog.text


def test_features_and_check_count_to_an_end_in_lines(tmp_path, caplog, capsys, monkeypatch):
    monkeypatch.setattr(progress, "looked_on", lambda: False)
    monkeypatch.setattr(progress, "BEGINS", 0.0)
    caplog.set_level(logging.INFO, "ser")
    corpus = make_corpus(tmp_path / "wav", 12)
    extract(corpus, cache=tmp_path / "cache")
    lines = [r.getMessage() for r in caplog.records if r.name == "ser.progress"]
    assert re.match(r"features of made: 11 of 11 utterances, 00:\d\d passed", lines[-1])
    caplog.clear()
    table = tmp_path / "me.csv"
    corpus.table[["path", "emotion", "speaker"]].to_csv(table, index=False)
    assert main(["check", "manifest", "--root", str(table), "--json"]) in (0, 1)
    assert json.loads(capsys.readouterr().out)
    lines = [r.getMessage() for r in caplog.records if r.name == "ser.progress"]
    assert re.match(r"reading: 12 of 12 utterances, 00:\d\d passed", lines[-1])


def test_kernels_being_compiled_say_so_once(tmp_path):
    """What is not kept is compiled with a word; what is kept is loaded without one."""
    code = (
        "import logging, torch; from ser.nn import FrontEnd; logging.basicConfig(level='INFO'); "
        "FrontEnd(16)(torch.ones(1, 16, 20))"
    )
    told = [
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "kernels")},
            capture_output=True,
            text=True,
            check=True,
        ).stderr.count("compiling kernels (ser.nn.")
        for _ in range(2)
    ]
    assert told == [1, 0]


def test_lines_come_once_a_minute(caplog, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress, "looked_on", lambda: False)
    caplog.set_level(logging.INFO, "ser")
    with progress.counted("reading", 300, "files") as bar:
        bar._time, bar.start_t, bar.last_print_t = (lambda: now[0]), 0.0, 0.0
        for second in range(1, 301):
            now[0] = float(second)
            bar.update()
    lines = [r.getMessage() for r in caplog.records]
    assert [line.partition(",")[0] for line in lines] == [
        f"reading: {n} of 300 files" for n in (1, 61, 121, 181, 241, 300)
    ]
    assert lines[1].endswith("01:01 passed, 03:59 left")


def test_where_the_end_is_not_known_no_time_is_left(caplog, monkeypatch):
    monkeypatch.setattr(progress, "looked_on", lambda: False)
    monkeypatch.setattr(progress, "BEGINS", 0.0)
    caplog.set_level(logging.INFO, "ser")
    with progress.counted("x.zip", None, "B", unit_scale=True) as bar:
        bar.update(10_100)
    assert caplog.messages[-1] == "x.zip: 10.1k B, 00:00 passed"


@pytest.mark.parametrize("stream", [None, sys.__stdout__])
def test_a_bar_needs_a_terminal_with_columns(stream, monkeypatch):
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(
        progress.os, "get_terminal_size", lambda _: progress.os.terminal_size((0, 0))
    )
    assert not progress.looked_on()
