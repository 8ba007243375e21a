"""Which folders of records a page reads: by what their records say they were made for.

``ser run --study`` puts a word into each record: ``main`` for the rows of the table, ``variants``
where all is the same but the preset, the lengths or the hidden size, ``even`` where baselines left
the dev set out of their training too (``--leave-dev``). Records of these with a dev set are the
study: its epochs can be chosen without the test, and all its rows were trained on the same
utterances. Book: chapters "Ablations" and "EmoDB, measured".
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from ser.experiments import stored_records
from ser.experiments.record_table import FILE

PROTOCOLS: tuple[str, ...] = ("loso", "speakers", "sessions", "random")
"""In the order of a page, those of unseen speakers first."""


class Facts(NamedTuple):
    """What the records of one folder have in common: those of its first run.

    Runs that say nothing of a study are taken for ``main``.
    """

    study: str
    corpus: str
    protocol: str
    dev: bool


def folder_facts(folder: str | os.PathLike) -> Facts | None:
    """What a folder's runs are about; None where it has no record.

    Args:
        folder: as ``ser run --out`` was told.

    Example:
        >>> folder_facts("no such folder") is None
        True
    """
    file = Path(folder) / FILE
    if file.exists():
        names = ["study", "corpus.name", "protocol.name", "protocol.dev"]
        study, corpus, protocol, dev = pd.read_parquet(file, columns=names).iloc[0]
    else:
        record = next(iter(stored_records(Path(folder)).values()), None)
        if record is None:
            return None
        about = record["protocol"]
        study, corpus, dev = record["study"], record["corpus"]["name"], about.get("dev") or 0
        protocol = about["name"]
    return Facts(study or "main", corpus, protocol, dev > 0)


def study_folders(
    results: str | os.PathLike, corpus: str | None = None, protocol: str | None = None
) -> list[Path]:
    """Folders of the study: ``main`` with a dev set, ``variants`` and ``even``.

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
    return [
        folder
        for folder, facts in folders_with_facts(results)
        if (facts.study in ("variants", "even") or (facts.study == "main" and facts.dev))
        and corpus in (None, facts.corpus)
        and protocol in (None, facts.protocol)
    ]


def page_folders(results: str | os.PathLike, corpus: str) -> list[Path]:
    """What the page of one corpus reads: for each protocol the records with a dev set, if any.

    Args:
        results: the folder of folders.
        corpus: short name.

    Returns:
        At most one folder of the study ``main`` a protocol.
    """
    found = [(f, facts) for f, facts in folders_with_facts(results) if facts.study == "main"]
    return [
        max(mine, key=lambda pair: pair[1].dev)[0]
        for name in PROTOCOLS
        if (mine := [p for p in found if (p[1].corpus, p[1].protocol) == (corpus, name)])
    ]


def corpora(folders: Sequence[Path]) -> list[str]:
    """The corpora that folders of records are about, each once, in order."""
    found = [folder_facts(folder) for folder in folders]
    return list(dict.fromkeys(facts.corpus for facts in found if facts))


def folders_with_facts(results: str | os.PathLike) -> list[tuple[Path, Facts]]:
    """Each folder below *results* that holds a record, in order of name, with what it is about.

    >>> folders_with_facts("no such folder")
    []
    """
    root = Path(results)
    below = sorted(p for p in root.iterdir() if p.is_dir()) if root.is_dir() else []
    return [(p, facts) for p in below if (facts := folder_facts(p))]
