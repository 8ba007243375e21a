"""What lies in a tree: audio files, their headers, and what is wrong."""

from __future__ import annotations

import contextlib
import math
import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from ser import audio
from ser.errors import AudioError

SUFFIXES: tuple[str, ...] = (
    *(".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif", ".au", ".aifc", ".caf", ".oga", ".opus"),
    *(".rf64", ".snd", ".w64", ".m4a", ".m4b", ".mp4", ".mov", ".3gp", ".3g2", ".aac", ".amr"),
    *(".webm", ".mka", ".mkv", ".wma", ".mp2"),
)
"""Endings taken for audio, the preferred first where a clip is there in several formats."""

MAX_DEPTH = 10


def walk(root: Path, suffixes: Iterable[str] = SUFFIXES, skip: Iterable[str] = ()) -> list[Path]:
    """Files below *root* with one of *suffixes* (any case), sorted; links are followed once.

    Hidden files and folders, ``__MACOSX`` (the resource forks a Mac's zip leaves) and folders
    called as in *skip* (small letters) are passed over.
    """
    skip = frozenset(skip)
    wanted = frozenset(suffixes)
    found: list[Path] = []
    seen: set[str] = set()
    base = len(Path(root).parts)
    for folder, folders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            folders[:] = []
            continue
        seen.add(real)
        deep = len(Path(folder).parts) - base >= MAX_DEPTH
        folders[:] = (
            [] if deep else sorted(f for f in folders if not _hidden(f) and f.lower() not in skip)
        )
        found += [
            Path(folder, f)
            for f in files
            if not _hidden(f) and os.path.splitext(f)[1].lower() in wanted
        ]
    return sorted(found)


def _hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


Listings = dict[Path, dict[str, list[str]]]


def find(folder: Path, *names: str, known: Listings | None = None) -> Path:
    """``folder / names[0] / ...``, and where a part is not there, one in another case.

    Names are compared without case and in one Unicode form; where none fits, or several do, the
    path stays as it was asked for. *known* keeps what folders hold from one call to the next.
    """
    known = {} if known is None else known
    for at, name in enumerate(names):
        if not (folder / name).exists():
            if folder not in known:
                known[folder] = _listing(folder)
            like = known[folder].get(_plain(name), ())
            if len(like) != 1:
                return folder.joinpath(*names[at:])
            name = like[0]
        folder = folder / name
    return folder


def _listing(folder: Path) -> dict[str, list[str]]:
    names: dict[str, list[str]] = defaultdict(list)
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            names[_plain(name)].append(name)
    return names


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def below(path: Path, root: Path) -> str:
    """*path* relative to *root*, with forward slashes on every system."""
    try:
        return path.relative_to(root).as_posix()
    except ValueError:
        return path.as_posix()


def look(path: Path) -> tuple[float, str, str]:
    """Duration in seconds from a file's header, and if there is none, the kind of problem.

    Returns:
        ``(seconds, "", "")``, or ``(nan, kind, reason)`` with the kind of an
        :class:`~ser.errors.AudioError`.
    """
    try:
        header = audio.probe(path)
    except AudioError as error:
        return math.nan, error.kind, str(error).removeprefix(f"{path}: ")
    if header.frames <= 0:
        return math.nan, "empty", "its header counts no samples"
    return header.seconds, "", ""
