"""Spread the voices of the synthetic corpus over processes, a fresh process a voice."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ser.corpora.synthetic_layout import Turn
from ser.errors import CorpusError
from ser.progress import counted


def speak_all(turns: list[Turn], folder: Path, jobs: int, progress: bool = True) -> None:
    """Write the recordings of *turns* below *folder*; those already there are kept.

    Args:
        turns: what to speak; ``turn.wav`` is the path below the folder.
        folder: made if absent.
        jobs: processes at a time.
        progress: show a bar.

    Raises:
        CorpusError: a process failed, or the disk is full.
    """
    voices = sorted({turn.line.voice for turn in turns})
    # Two makers of the same corpus begin with different voices and so share the work.
    turn_by = os.getpid() % len(voices)
    voices = voices[turn_by:] + voices[:turn_by]
    folder.mkdir(parents=True, exist_ok=True)
    running: set[subprocess.Popen] = set()
    stop = threading.Event()
    with (
        counted("synthetic corpus", len(turns), "clips", progress) as bar,
        ThreadPoolExecutor(min(jobs, len(voices))) as pool,
    ):
        tasks = [pool.submit(_speak, _job(v, turns, folder), bar, running, stop) for v in voices]
        try:
            for task in tasks:
                task.result()
        except BaseException:
            stop.set()
            for process in list(running):
                process.kill()
            raise


def _job(voice: int, turns: list[Turn], folder: Path) -> dict[str, Any]:
    lines = [t for t in turns if t.line.voice == voice]
    return {
        "voice": voice,
        "folder": str(folder),
        "lines": [(t.wav, t.line.emotion, t.line.sentence, t.line.take) for t in lines],
    }


def _speak(
    job: dict[str, Any], bar: tqdm, running: set[subprocess.Popen], stop: threading.Event
) -> None:
    """Run one process (``python -m ser.corpora.synthesis``) to its end, or to that of this one."""
    if stop.is_set():
        return
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(p or os.getcwd() for p in sys.path),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(
            [sys.executable, "-m", "ser.corpora.synthesis", str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            env=environment,
        )
        running.add(process)
        try:
            with contextlib.suppress(BrokenPipeError):  # it died early; its complaint says why
                process.stdin.write(json.dumps(job).encode())
                process.stdin.close()
            last: dict[str, Any] = {}
            for line in process.stdout:
                if stop.is_set():
                    return
                if line.startswith(b"{"):
                    last = json.loads(line)
                    bar.update(last.get("done", 0))
            if process.wait() != 0 and not stop.is_set():
                complaints.seek(0)
                raise CorpusError(_why(last, complaints.read(), job["folder"]))
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
            running.discard(process)


def _why(last: dict[str, Any], complaint: bytes, folder: str) -> str:
    if last.get("full"):
        return f"the disk is full while making {folder}; free some space and call again"
    reason = last.get("error") or complaint.decode(errors="replace").strip()[-800:]
    reason = reason or "its process was ended from outside"
    return f"the synthetic corpus cannot be spoken: {reason}"
