"""Which folders of records a page reads, by their names.

A folder is named ``<corpus>-<protocol>`` and may have an ending: ``-dev`` where some of the
training side was held out as a dev set, ``-paper`` for that preset, ``-true`` for true lengths,
``-hidden260`` for another hidden size, ``-even`` where baselines were trained without the dev set
too (``ser run --leave-dev``). Records with a dev set are the study: its epochs can be
chosen without the test, and all its rows were trained on the same utterances. Book: chapters
"Ablations" and "EmoDB, measured".
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

PROTOCOLS: tuple[str, ...] = ("loso", "speakers", "sessions", "random")
"""Protocols by which a folder may be named, those of unseen speakers first."""

_NAME = re.compile(rf"(?P<corpus>.+?)-(?P<protocol>{'|'.join(PROTOCOLS)})(?P<ending>-.+)?")
_STUDY = re.compile(r"(-(dev|paper|true|fixed|hidden\d+|even))+")


def study_folders(
    results: str | os.PathLike, corpus: str | None = None, protocol: str | None = None
) -> list[Path]:
    """Folders of the study: with a dev set, or with another preset, length or hidden size.

    Baselines that left the dev set out of their training are among them (``-even``).

    Args:
        results: the folder of folders, as ``book/results``; it need not exist.
        corpus: only this one.
        protocol: only this one.

    Returns:
        Folders that hold a record, in order of name.

    Example:
        >>> study_folders("no such folder")
        []
    """
    found = []
    for folder in _filled(results):
        name = _NAME.fullmatch(folder.name)
        if (
            name
            and _STUDY.fullmatch(name["ending"] or "")
            and corpus in (None, name["corpus"])
            and protocol in (None, name["protocol"])
        ):
            found.append(folder)
    return found


def page_folders(results: str | os.PathLike, corpus: str) -> list[Path]:
    """What the page of one corpus reads: for each protocol the records with a dev set, if any.

    Args:
        results: the folder of folders.
        corpus: short name.

    Returns:
        At most one folder a protocol, ``<corpus>-<protocol>-dev`` or else ``<corpus>-<protocol>``.
    """
    there = {folder.name: folder for folder in _filled(results)}
    wanted = [[f"{corpus}-{p}-dev", f"{corpus}-{p}"] for p in PROTOCOLS]
    found = [next((there[n] for n in names if n in there), None) for names in wanted]
    return [folder for folder in found if folder]


def corpora(folders: Sequence[Path]) -> list[str]:
    """The corpora that folders of records are named after, each once, in order.

    >>> corpora([Path("emodb-loso-dev"), Path("emodb-random-dev"), Path("nemo-loso")])
    ['emodb', 'nemo']
    """
    names = [_NAME.fullmatch(folder.name) for folder in folders]
    return list(dict.fromkeys(name["corpus"] for name in names if name))


def _filled(results: str | os.PathLike) -> list[Path]:
    root = Path(results)
    below = sorted(root.iterdir()) if root.is_dir() else []
    return [p for p in below if p.is_dir() and next(p.glob("*/*.json"), None)]
