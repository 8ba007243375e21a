"""How far a grid is: one bar over its runs, or lines, from notes that the runs leave."""

from __future__ import annotations

import contextlib
import heapq
import json
import logging
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ser import progress
from ser.corpora.problems import many
from ser.experiments.baselines import BASELINES
from ser.experiments.fold_run import FoldRun

log = logging.getLogger(__name__)


class RunNotes:
    """What a run leaves beside its checkpoint after every epoch, wherever it goes on."""

    def __init__(self, fold_run: FoldRun) -> None:
        self.path = fold_run.notes
        self.note: dict[str, Any] = {"epoch": 0}
        self.began = time.monotonic()
        self._write()

    def __call__(self, entry: dict) -> None:
        """An epoch is done; *entry* is its line of the history."""
        now = time.monotonic()
        first = self.note["epoch"] == 0
        self.note |= {"epoch": entry["epoch"], "seconds": now - self.began, "first": first}
        self.note |= {key: entry[key] for key in ("loss", "dev_ua", "test_ua")}
        self.began = now
        self._write()

    def _write(self) -> None:
        with contextlib.suppress(OSError):  # a full disk ends the run where it matters
            self.path.write_text(json.dumps(self.note), encoding="utf-8")


class GridProgress:
    """Shows how far a grid is and how long it will take.

    The time left is that of the epochs left, each as long as the last one of its row took here;
    what earlier commands did counts for nothing. Epochs of rows that have not begun are taken to
    be as long as those of the others, and the time left is then told as "at least".

    Args:
        folder: of the notes.
        fold_runs: what is to be done.
        found: runs that were done before.
        jobs: runs at a time.
        shown: False: nothing is shown.
    """

    def __init__(
        self, folder: Path, fold_runs: Sequence[FoldRun], found: int, jobs: int, shown: bool
    ) -> None:
        self.folder = folder
        self.left = {str(fold_run): fold_run for fold_run in fold_runs}
        self.names = {fold_run.notes: name for name, fold_run in self.left.items()}
        self.found, self.total = found, found + len(fold_runs)
        self.jobs, self.shown = max(1, jobs), shown and bool(fold_runs)
        self.running: dict[str, dict] = {}
        self.speed: dict[str, float] = {}
        self.began = self.line = time.monotonic()
        self.bar: tqdm | None = None
        self._lock, self._stop = threading.RLock(), threading.Event()
        self._open = contextlib.ExitStack()

    def __enter__(self) -> GridProgress:
        for path in self.names:  # a killed run's
            path.unlink(missing_ok=True)
        if self.shown:
            if progress.looked_on():
                self.bar = tqdm(
                    total=self.total,
                    initial=self.found,
                    bar_format="{bar}",
                    dynamic_ncols=True,
                    file=sys.stderr,
                )
                self._open.callback(self.bar.close)
            thread = threading.Thread(target=self._watch, daemon=True)
            thread.start()
            self._open.callback(thread.join)
            self._open.callback(self._stop.set)
        return self

    def __exit__(self, *exc: object) -> None:
        self._open.close()
        for fold_run in self.left.values():
            fold_run.notes.unlink(missing_ok=True)

    def done(self, fold_run: FoldRun, record: dict | None) -> None:
        """*fold_run* is over; *record* is None where it failed."""
        name = str(fold_run)
        with self._lock:
            self._read(fold_run.notes)
            del self.left[name]
            self.running.pop(name, None)
            fold_run.notes.unlink(missing_ok=True)
            if record is not None and fold_run.row in BASELINES:
                self.speed[fold_run.row] = record["wall_seconds"]
            self._show(f"{name} {'failed' if record is None else 'is done'}")

    def seconds_left(self) -> tuple[float, bool] | None:
        """Seconds left, and whether they are of known rows alone; None where nothing is known."""
        nets = {fold_run.row for fold_run in self.left.values()} - set(BASELINES)
        known = [self.speed[row] for row in nets & self.speed.keys()]
        known = known or [took for row, took in self.speed.items() if row not in BASELINES]
        if not self.speed or (nets and not known):
            return None
        usual = max(known, default=0.0)
        slots = [0.0] * self.jobs
        for name in sorted(self.left, key=lambda name: name not in self.running):
            fold_run, done = self.left[name], self.running.get(name, {}).get("epoch", 0)
            took = self.speed.get(fold_run.row, usual if fold_run.row in nets else 0.0)
            heapq.heapreplace(slots, slots[0] + max(0, _units(fold_run) - done) * took)
        return max(slots), nets <= self.speed.keys()

    def text(self) -> str:
        """How many runs are done, the time passed and the time left."""
        passed = tqdm.format_interval(time.monotonic() - self.began)
        told = f"{self.total - len(self.left)} of {many(self.total, 'run')}, {passed} passed"
        left = self.seconds_left()
        if not self.left or left is None:
            return told
        return f"{told}, {'about' if left[1] else 'at least'} {tqdm.format_interval(left[0])} left"

    def _watch(self) -> None:
        while not self._stop.wait(1.0):
            with self._lock:
                for path in self.names.keys() & set(self.folder.glob("*.progress")):
                    self._read(path)
                if self.bar is not None or time.monotonic() - self.line >= progress.EVERY:
                    self._show(" and ".join(map(self._state, self.running)))

    def _state(self, name: str) -> str:
        epochs, note = self.left[name].train.epochs, self.running[name]
        if self.left[name].row in BASELINES:
            return name
        loss = f", loss {note['loss']:.3f}" if "loss" in note else ""
        return f"{name}: {note['epoch']} of {many(epochs, 'epoch')}{loss}"

    def _read(self, path: Path) -> None:
        try:
            note = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # gone, or being written
            return
        name = self.names[path]
        if name not in self.left:
            return
        self.running[name], row = note, self.left[name].row
        if "seconds" in note and not (note["first"] and row in self.speed):
            self.speed[row] = note["seconds"]

    def _show(self, now: str) -> None:
        if self.bar is None:
            self.line = time.monotonic()
            if self.shown:
                log.info("%s%s", self.text(), f"; {now}" if now else "")
            return
        done = [note["epoch"] / _units(self.left[name]) for name, note in self.running.items()]
        self.bar.n = self.total - len(self.left) + sum(done)
        shown = now.partition(" and ")[0].replace("{", "{{").replace("}", "}}")
        self.bar.bar_format = f"{self.text()} |{{bar}}| {shown}"
        self.bar.refresh()


def _units(fold_run: FoldRun) -> int:
    """Epochs of a network; a baseline is one piece."""
    return 1 if fold_run.row in BASELINES else fold_run.train.epochs
