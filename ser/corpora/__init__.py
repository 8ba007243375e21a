"""Corpora: one reader a corpus, one table of utterances for all (book: chapter "Corpora").

>>> from ser.corpora import CORPORA, EMOTIONS
>>> EMOTIONS
('angry', 'happy', 'neutral', 'sad')
>>> CORPORA["emodb"].total, CORPORA["emodb"].four_class, CORPORA["emodb"].speakers
(535, 339, 10)
"""

from __future__ import annotations

import difflib
import importlib
import os
from pathlib import Path

from ser.corpora.base import COLUMNS, EMOTIONS, Corpus
from ser.corpora.registry import CORPORA, CorpusInfo
from ser.errors import CorpusError
from ser.paths import data_dir

__all__ = ["COLUMNS", "CORPORA", "EMOTIONS", "Corpus", "CorpusInfo", "corpus_info", "load_corpus"]


def corpus_info(name: str) -> CorpusInfo:
    """What is known of corpus *name*.

    Raises:
        CorpusError: no corpus has that name; the message lists those there are.

    Example:
        >>> corpus_info("tess").licence
        'CC BY-NC-ND 4.0'
    """
    key = str(name).strip().lower().replace("-", "").replace("_", "")
    if key not in CORPORA:
        near = difflib.get_close_matches(key, CORPORA, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise CorpusError(f"unknown corpus {name!r}; known: {', '.join(CORPORA)}.{hint}")
    return CORPORA[key]


def load_corpus(name: str, root: str | os.PathLike | None = None) -> Corpus:
    """Read corpus *name* from *root* and return its table of utterances.

    Args:
        name: a key of :data:`CORPORA`, e.g. ``"emodb"``.
        root: folder of the corpus as its owners ship it, or its parent; for ``"manifest"``
            the CSV file. None: the folder *name* in :func:`ser.paths.data_dir`. The synthetic
            corpus is made there on first use.

    Returns:
        The :class:`Corpus`: ``.table`` (four classes, audio present), ``.everything``,
        ``.licence``, ``.citation``, ``.problems``.

    Raises:
        CorpusError: unknown name, missing folder, or a folder that holds another layout.

    Example:
        >>> corpus = load_corpus("emodb", "data/emodb")     # doctest: +SKIP
        >>> len(corpus), len(corpus.everything)             # doctest: +SKIP
        (339, 535)
    """
    info = corpus_info(name)
    reader = importlib.import_module(info.module)
    if root is not None:
        return reader.read(Path(root).expanduser())
    if info.name == "synthetic":
        return reader.read(None)
    if info.name == "manifest":
        raise CorpusError(f"the manifest corpus needs a root: {info.get}")
    home = data_dir() / info.name
    if not home.is_dir():
        raise CorpusError(
            f"{info.name}: no folder {home}. Give the corpus's folder as root (--root DIR), or "
            f"set SER_DATA to the folder that holds {info.name}/. {info.get}"
        )
    return reader.read(home)
