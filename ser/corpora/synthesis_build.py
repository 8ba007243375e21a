"""Make the synthetic corpus on disk: all of it or nothing, also after a kill or a full disk.

Recordings are spoken into a hidden folder of parts beside the corpus, a file at a time, each
written whole or not at all; what a kill leaves there is used by the next call. When all are
there, they are put together with the texts and the marker in a second hidden folder, private
to the process, and that one is renamed to the corpus in one step.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import shutil
import time
import uuid
import wave
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from ser.corpora.base import EMOTIONS
from ser.corpora.synthesis_jobs import speak_all
from ser.corpora.synthesis_script import SENTENCES, VERSION, VOICES, plan
from ser.corpora.synthetic_layout import Turn, documents, stage
from ser.errors import FULL, CorpusError
from ser.paths import atomic_write
from ser.threads import cores

NAME = "synthetic"
MARKER = "synthetic.json"
"""Written with the whole corpus and never before: a folder without it is not the corpus."""

_BYTES_AN_UTTERANCE = 90_000


@dataclass(frozen=True)
class Size:
    """What to make. A smaller corpus is a part of a larger one: the same recordings.

    Attributes:
        speakers: 1 to 10, in the order Ses01F, Ses01M, Ses02F, ...
        sentences: 1 to 16.
        emotions: some of the four.
        takes: 1 to 50, how often each speaker says each sentence with each emotion.

    Raises:
        CorpusError: out of these ranges.
    """

    speakers: int = 10
    sentences: int = 12
    emotions: tuple[str, ...] = EMOTIONS
    takes: int = 1

    def __post_init__(self) -> None:
        limits = {"speakers": len(VOICES), "sentences": len(SENTENCES), "takes": 50}
        for name, most in limits.items():
            value = getattr(self, name)
            if not isinstance(value, (int, np.integer)) or not 1 <= value <= most:
                raise CorpusError(f"synthetic corpus: {name} must be 1 to {most}, not {value!r}")
            object.__setattr__(self, name, int(value))
        unknown = [e for e in self.emotions if e not in EMOTIONS]
        if unknown or not self.emotions:
            raise CorpusError(
                f"synthetic corpus: emotions must be some of {', '.join(EMOTIONS)}, "
                f"not {self.emotions!r}"
            )
        # The order asked for must not change the corpus.
        object.__setattr__(self, "emotions", tuple(e for e in EMOTIONS if e in self.emotions))

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "emotions": list(self.emotions)}


def make(
    root: str | os.PathLike,
    speakers: int = 10,
    sentences: int = 12,
    emotions: Sequence[str] = EMOTIONS,
    takes: int = 1,
    jobs: int | None = None,
    progress: bool = True,
) -> Path:
    """Make the synthetic corpus at *root*; nothing is done where it is there already.

    After a kill the same call goes on where it stopped; two processes that make the same
    corpus at the same time share the work and both end with a whole one. The bytes depend on
    neither. Different versions of Praat or another kind of processor may give other bytes; the
    marker ``synthetic.json`` holds the hash and what it was made with.

    Args:
        root: folder to make; may exist if empty.
        speakers, sentences, emotions, takes: see :class:`Size`.
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
    size = Size(speakers, sentences, tuple(emotions), takes)
    if _is_there(root, size):
        return root
    turns = stage(plan(size.speakers, size.sentences, size.emotions, size.takes))
    _require_parselmouth()
    parts = _beside(root, "parts", _digest(size))
    try:
        _require_space(root, len(turns))
        _sweep(root)
        speak_all(turns, parts, jobs or cores(), progress)
        _assemble(root, parts, turns, size)
    except (OSError, CorpusError) as error:
        # Another process may have finished it meanwhile and cleared the parts away.
        if not _is_there(root, size):
            raise _explain(error, root) from error
    shutil.rmtree(parts, ignore_errors=True)
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


def verify(root: str | os.PathLike) -> list[str]:
    """Compare every byte of a made corpus with its marker -> problems in words, if any."""
    root = Path(root)
    marker = find(root)
    if marker is None:
        return [f"{root} holds no synthetic corpus"]
    if content_hash(root) != marker.get("sha256"):
        return [f"{root} is not as it was made; remove it to have it made anew"]
    return []


def content_hash(root: Path) -> str:
    """SHA-256 over the names and bytes of all files but the marker."""
    total = hashlib.sha256()
    for name in sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()):
        if name != MARKER:
            total.update(name.encode() + b"\0")
            total.update(hashlib.sha256((root / name).read_bytes()).digest())
    return total.hexdigest()


def _is_there(root: Path, size: Size) -> bool:
    marker = find(root)
    if marker is None:
        return False
    if marker.get("size") == size.as_json() and marker.get("version") == VERSION:
        return True
    raise CorpusError(
        f"{root} holds a synthetic corpus of another size or version ({marker.get('size')}, "
        f"version {marker.get('version')}); remove that folder or choose another one"
    )


def _assemble(root: Path, parts: Path, turns: list[Turn], size: Size) -> None:
    """Recordings, texts and marker into a private folder, which then becomes *root*."""
    whole = _beside(root, "whole", uuid.uuid4().hex[:8])
    try:
        seconds = {}
        for turn in turns:
            target = whole / turn.wav
            target.parent.mkdir(parents=True, exist_ok=True)
            _link(parts / turn.wav, target)
            with wave.open(str(target)) as file:
                seconds[turn.utterance] = file.getnframes() / file.getframerate()
        for name, text in documents(turns, seconds).items():
            with atomic_write(whole / name) as file:
                file.write(text.encode("utf-8"))
        marker = {
            "corpus": NAME,
            "version": VERSION,
            "size": size.as_json(),
            "utterances": len(turns),
            "sha256": content_hash(whole),
            "made_with": {
                "praat-parselmouth": metadata.version("praat-parselmouth"),
                "numpy": np.__version__,
                "machine": f"{platform.system()} {platform.machine()}",
            },
        }
        with atomic_write(whole / MARKER) as file:
            file.write((json.dumps(marker, indent=1, sort_keys=True) + "\n").encode())
        with contextlib.suppress(OSError):
            root.rmdir()  # Windows cannot rename onto an empty folder
        os.rename(whole, root)
    finally:
        shutil.rmtree(whole, ignore_errors=True)


def _link(source: Path, target: Path) -> None:
    """The same file under a second name: no copy, and already safe on the disk."""
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:  # a file system without links
        shutil.copyfile(source, target)


def _require_parselmouth() -> None:
    try:
        import parselmouth  # noqa: F401
    except ImportError as error:
        raise CorpusError(
            f"the synthetic corpus is spoken by Praat through parselmouth ({error}); run: "
            "pip install 'ser-book[synthetic]' (it is GPL-3, and so an extra), or name a corpus "
            "of recordings with --corpus (ser corpora lists them)"
        ) from error


def _require_space(root: Path, utterances: int) -> None:
    folder = next(p for p in root.parents if p.is_dir())
    needed = 2 * utterances * _BYTES_AN_UTTERANCE
    if shutil.disk_usage(folder).free < needed:
        raise CorpusError(
            f"the disk of {folder} is nearly full: {needed / 1e6:.0f} MB are needed to make the "
            "synthetic corpus; free some, or set SER_DATA to a folder on another disk"
        )


def _explain(error: Exception, root: Path) -> CorpusError:
    if isinstance(error, CorpusError):
        return error
    if isinstance(error, OSError) and error.errno in FULL:
        return CorpusError(f"the disk is full: {root} was not made; free some space and try again")
    return CorpusError(f"{root} cannot be made: {error}; set SER_DATA to a folder you may write")


def _beside(root: Path, kind: str, name: str) -> Path:
    return root.parent / f".{root.name}.{kind}-{name}"


def _digest(size: Size) -> str:
    return hashlib.sha256(json.dumps([VERSION, size.as_json()]).encode()).hexdigest()[:8]


def _sweep(root: Path) -> None:
    """Remove what kills have left long ago, so that nobody can be at it any more."""
    for kind, hours in (("whole", 1), ("parts", 48)):
        for folder in root.parent.glob(f".{root.name}.{kind}-????????"):
            with contextlib.suppress(OSError):
                if time.time() - folder.stat().st_mtime > 3600 * hours:
                    shutil.rmtree(folder, ignore_errors=True)
