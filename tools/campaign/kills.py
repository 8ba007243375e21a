"""Runs killed at any time, and given again: no process stays, and the records are bit-equal."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil

from ser.experiments import stored_records
from tools.campaign.damage import make_manifest
from tools.campaign.pool import Outcome, Wrong

GONE = 10.0
"""Seconds in which every process of a killed run has ended."""
VOLATILE = ("wall_seconds", "options", "command", "package", "versions")


def run_kills(seed: int, numbers: list[int]) -> Iterator[Outcome]:
    """Start, kill and start again; one at a time, since each uses two workers."""
    folder = Path(tempfile.mkdtemp(prefix="campaign-"))
    table = make_manifest(folder / "corpus", speakers=4, each=3)

    def command(out: Path) -> list[str]:
        return [
            sys.executable, "-m", "ser", "run", "--corpus", "manifest", "--root", str(table),
            "--model", "mfcc-lstm,majority", "--folds", "4", "--epochs", "6", "--batch-size", "8",
            "--hidden", "8", "--jobs", "2", "--threads", "1", "--cache", f"{out}-cache",
            "--out", str(out), "--quiet", "--json",
        ]  # fmt: skip

    for name in ("kernels", "whole"):  # the first run compiles them, if no run has before
        started = time.monotonic()
        subprocess.run(command(folder / name), check=True, capture_output=True)
        takes = time.monotonic() - started
    truth = records(folder / "whole")
    for number in numbers:
        rng = np.random.default_rng([seed, number])
        delay = float(rng.uniform(0.2, takes))
        kind = ("parent", "child", "group", "interrupt")[number % 4]
        out = folder / "case"
        shutil.rmtree(out, ignore_errors=True)
        shutil.rmtree(f"{out}-cache", ignore_errors=True)
        done = f"{kind} killed after {delay:.1f} s"
        try:
            seen = _kill_and_resume(command(out), kind, delay, rng)
            if records(out) != truth:
                raise Wrong("other records than an undisturbed run's")
            yield Outcome(number, "right", done, seen)
        except Wrong as wrong:
            yield Outcome(number, "wrong", done, str(wrong))
        except subprocess.TimeoutExpired as late:
            yield Outcome(number, "hang", done, str(late))
    shutil.rmtree(folder, ignore_errors=True)


def _kill_and_resume(command: list[str], kind: str, delay: float, rng: np.random.Generator) -> str:
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    time.sleep(delay)
    family = _family(process.pid)
    _signals(kind, process, family, rng)
    process.wait(timeout=120)
    _, alive = psutil.wait_procs(family, timeout=GONE)
    for one in alive:
        one.kill()
    _, told = process.communicate(timeout=30)
    if alive:
        raise Wrong(f"{len(alive)} processes still there after {GONE:.0f} s")
    if "Traceback" in told:
        raise Wrong(f"a traceback: {told.strip()[-300:]}")
    if kind == "child" and process.returncode not in (0, 3):
        raise Wrong(f"exit code {process.returncode}: {told.strip()[-200:]}")
    if kind == "interrupt" and process.returncode not in (0, 130, -signal.SIGINT):  # 130 in a shell
        raise Wrong(f"exit code {process.returncode}: {told.strip()[-200:]}")
    again = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if again.returncode:
        raise Wrong(f"given again: exit code {again.returncode}: {again.stderr.strip()[-300:]}")
    json.loads(again.stdout)
    return f"exit code {process.returncode}, then 0"


def _family(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _signals(
    kind: str, process: subprocess.Popen, family: list[psutil.Process], rng: np.random.Generator
) -> None:
    send: Callable[[], None]
    workers = [one for one in family if "resource_tracker" not in " ".join(_command_line(one))]
    if kind == "child" and workers:
        send = workers[int(rng.integers(len(workers)))].kill
    elif kind == "group":

        def send() -> None:
            os.killpg(process.pid, signal.SIGKILL)
    elif kind == "interrupt":

        def send() -> None:
            os.killpg(process.pid, signal.SIGINT)
    elif kind == "parent":
        send = process.kill
    else:
        return
    try:
        send()
    except (ProcessLookupError, psutil.NoSuchProcess):
        return


def records(folder: Path) -> dict[str, dict]:
    """What every record says, without when and where it was made."""
    found = {}
    for (row, name), record in stored_records(folder).items():
        told = {k: v for k, v in record.items() if k not in VOLATILE}
        told["epoch_logits"] = {k: v.tolist() for k, v in record.get("epoch_logits", {}).items()}
        found[f"{row}/{name}"] = told
    return found
