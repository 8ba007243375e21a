"""Make the synthetic corpus on disk: all of it or nothing, also after a kill or a full disk.

Recordings are spoken into a hidden folder beside the corpus, a file at a time, each written whole
or not at all; what a kill leaves there is used by the next call. When all are there, the texts and
the marker join them, and the folder is renamed to the corpus in one step.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import soundfile
from tqdm import tqdm

from ser.corpora.base import EMOTIONS
from ser.corpora.synthetic.layout import Turn, documents, stage
from ser.corpora.synthetic.script import SENTENCES, VERSION, VOICES, plan
from ser.errors import FULL, CorpusError
from ser.paths import atomic_write
from ser.progress import counted
from ser.threads import cores

NAME = "synthetic"
MARKER = "synthetic.json"
"""Written with the whole corpus and never before: a folder without it is not the corpus."""

_BYTES_AN_UTTERANCE = 90_000


def make(
    root: str | os.PathLike,
    speakers: int = 10,
    sentences: int = 12,
    jobs: int | None = None,
    progress: bool = True,
) -> Path:
    """Make the synthetic corpus at *root*; nothing is done where it is there already.

    After a kill the same call goes on where it stopped; of two processes that make the same corpus
    at the same time, one waits for the other. Different versions of Praat or another kind of
    processor may give other bytes; the marker ``synthetic.json`` holds the hash and what it was
    made with.

    Args:
        root: folder to make; may exist if empty.
        speakers: 1 to 10, in the order Ses01F, Ses01M, Ses02F, ...
        sentences: 1 to 16. A smaller corpus is a part of a larger one: the same recordings.
        jobs: processes at a time; ``None``: one a core.
        progress: show a progress bar.

    Returns:
        *root*, absolute.

    Raises:
        CorpusError: *root* holds something else or a corpus of another size, parselmouth is
            not installed, the disk is full or cannot be written, or a size is out of range.

    Example:
        >>> make("tiny", speakers=4, sentences=3)      # doctest: +SKIP
    """
    root = Path(root).expanduser().resolve()
    size = _size(speakers=speakers, sentences=sentences)
    if _is_there(root, size):
        return root
    turns = stage(plan(speakers, sentences))
    _require_parselmouth()
    name = hashlib.sha256(json.dumps([VERSION, size]).encode()).hexdigest()[:8]
    parts = root.with_name(f".{root.name}.parts-{name}")
    lock = root.with_name(f".{root.name}.lock")
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        _require_space(root.parent, len(turns))
        with filelock.FileLock(lock):
            if not _is_there(root, size):  # another process may have made it meanwhile
                speak_all(turns, parts, jobs or cores(), progress)
                _complete(parts, turns, size)
                with contextlib.suppress(OSError):
                    root.rmdir()  # Windows cannot rename onto an empty folder
                os.rename(parts, root)
            lock.unlink(missing_ok=True)
    except OSError as error:
        if error.errno in FULL:
            text = f"the disk is full: {root} was not made; free some space and try again"
        else:
            text = f"{root} cannot be made: {error}; set SER_DATA to a folder you may write"
        raise CorpusError(text) from error
    return root


def find(root: Path) -> dict[str, Any] | None:
    """The marker at *root*; ``None`` where there is nothing, or an empty folder.

    Raises:
        CorpusError: there is something else.
    """
    try:
        marker = json.loads((root / MARKER).read_text(encoding="utf-8"))
        if isinstance(marker, dict) and marker.get("corpus") == NAME:
            return marker
    except (OSError, ValueError):
        if not os.path.lexists(root) or (root.is_dir() and not any(root.iterdir())):
            return None
    raise CorpusError(
        f"{root} exists but is no synthetic corpus (no valid {MARKER} in it); choose another "
        "folder, or remove this one if it is not needed"
    )


def content_hash(root: Path) -> str:
    """SHA-256 over the names and bytes of all files but the marker."""
    total = hashlib.sha256()
    for name in sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()):
        if name != MARKER:
            total.update(name.encode() + b"\0")
            total.update(hashlib.sha256((root / name).read_bytes()).digest())
    return total.hexdigest()


def _size(**asked: int) -> dict[str, Any]:
    """What to make, as the marker holds it: also that each emotion is acted once."""
    for name, most in (("speakers", len(VOICES)), ("sentences", len(SENTENCES))):
        if not isinstance(asked[name], (int, np.integer)) or not 1 <= asked[name] <= most:
            raise CorpusError(f"synthetic corpus: {name} must be 1 to {most}, not {asked[name]!r}")
    return {name: int(count) for name, count in asked.items()} | {
        "emotions": list(EMOTIONS),
        "takes": 1,
    }


def _is_there(root: Path, size: dict[str, Any]) -> bool:
    marker = find(root)
    if marker is None:
        return False
    if marker.get("size") == size and marker.get("version") == VERSION:
        return True
    raise CorpusError(
        f"{root} holds a synthetic corpus of another size or version ({marker.get('size')}, "
        f"version {marker.get('version')}); remove that folder or choose another one"
    )


def _complete(parts: Path, turns: list[Turn], size: dict[str, Any]) -> None:
    """Put texts and marker beside the recordings."""
    spoken = {parts / turn.wav for turn in turns}
    for path in [path for path in parts.rglob("*") if path.is_file() and path not in spoken]:
        path.unlink()  # what a kill has left
    seconds = {turn.utterance: soundfile.info(parts / turn.wav).duration for turn in turns}
    for name, text in documents(turns, seconds).items():
        with atomic_write(parts / name) as file:
            file.write(text.encode("utf-8"))
    marker = {
        "corpus": NAME,
        "version": VERSION,
        "size": size,
        "utterances": len(turns),
        "sha256": content_hash(parts),
        "made_with": {
            "praat-parselmouth": metadata.version("praat-parselmouth"),
            "numpy": np.__version__,
            "machine": f"{platform.system()} {platform.machine()}",
        },
    }
    with atomic_write(parts / MARKER) as file:
        file.write((json.dumps(marker, indent=1, sort_keys=True) + "\n").encode())


def _require_parselmouth() -> None:
    try:
        import parselmouth  # noqa: F401
    except ImportError as error:
        raise CorpusError(
            f"the synthetic corpus is spoken by Praat through parselmouth ({error}); run: "
            "pip install 'ser-book[synthetic]' (it is GPL-3, and so an extra), or name a corpus "
            "of recordings with --corpus (ser corpora lists them)"
        ) from error


def _require_space(folder: Path, utterances: int) -> None:
    needed = 2 * utterances * _BYTES_AN_UTTERANCE
    if shutil.disk_usage(folder).free < needed:
        raise CorpusError(
            f"the disk of {folder} is nearly full: {needed / 1e6:.0f} MB are needed to make the "
            "synthetic corpus; free some, or set SER_DATA to a folder on another disk"
        )


def speak_all(turns: list[Turn], folder: Path, jobs: int, progress: bool = True) -> None:
    """Write the recordings of *turns* below *folder*, each voice by a fresh process.

    Args:
        turns: what to speak; ``turn.wav`` is the path below the folder. Those already there are
            kept.
        folder: made if absent.
        jobs: processes at a time.
        progress: show a bar.

    Raises:
        CorpusError: a process failed, or the disk is full.
    """
    voices: dict[int, list] = {}
    for turn in turns:
        line = turn.line
        lines = voices.setdefault(line.voice, [])
        lines.append((turn.wav, line.emotion, line.sentence))
    folder.mkdir(parents=True, exist_ok=True)
    running: set[subprocess.Popen] = set()
    stop = threading.Event()
    with (
        counted("synthetic corpus", len(turns), "clips", progress) as bar,
        ThreadPoolExecutor(min(jobs, len(voices))) as pool,
    ):
        tasks = []
        for voice, lines in sorted(voices.items()):
            job = {"voice": voice, "folder": str(folder), "lines": lines}
            tasks.append(pool.submit(_speak, job, bar, running, stop))
        try:
            for task in tasks:
                task.result()
        except BaseException:
            stop.set()
            for process in list(running):
                process.kill()
            raise


def _speak(
    job: dict[str, Any], bar: tqdm, running: set[subprocess.Popen], stop: threading.Event
) -> None:
    """Run one process (:mod:`ser.corpora.synthetic.speech`) to its end, or to that of this one."""
    if stop.is_set():
        return
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(p or os.getcwd() for p in sys.path),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "ser.corpora.synthetic.speech", str(os.getpid())]
    pipe = subprocess.PIPE
    with (
        tempfile.TemporaryFile() as complaints,
        subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=complaints, env=environment
        ) as process,
    ):
        running.add(process)
        try:
            # One that dies early breaks the pipe; its complaint says why.
            with contextlib.suppress(BrokenPipeError), process.stdin as stdin:
                stdin.write(json.dumps(job).encode())
            last: dict[str, Any] = {}
            for line in process.stdout:
                if line.startswith(b"{"):
                    last = json.loads(line)
                    bar.update(last.get("done", 0))
            if process.wait() != 0 and not stop.is_set():
                complaints.seek(0)
                raise CorpusError(_why(last, complaints.read(), job["folder"]))
        finally:
            process.kill()
            running.discard(process)


def _why(last: dict[str, Any], complaint: bytes, folder: str) -> str:
    if last.get("full"):
        return f"the disk is full while making {folder}; free some space and call again"
    reason = last.get("error") or complaint.decode(errors="replace").strip()[-800:]
    reason = reason or "its process was ended from outside"
    return f"the synthetic corpus cannot be spoken: {reason}"
