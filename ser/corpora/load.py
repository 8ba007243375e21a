"""A corpus by its name: where it lies, which reader reads it."""

from __future__ import annotations

import difflib
import functools
import importlib
import os
from dataclasses import replace
from pathlib import Path

from ser.corpora import file_names
from ser.corpora.base import Corpus
from ser.corpora.copies import copy_problems
from ser.corpora.emotion_set import Emotions, emotion_set
from ser.corpora.registry import CORPORA, CorpusInfo
from ser.errors import CorpusError
from ser.paths import data_dir


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


def load_corpus(
    name: str, root: str | os.PathLike | None = None, emotions: Emotions = None
) -> Corpus:
    """Read corpus *name* from *root* and return its table of utterances.

    Args:
        name: a key of :data:`CORPORA`, e.g. ``"emodb"``.
        root: folder of the corpus as its owners ship it, or its parent; for ``"manifest"``
            the CSV file. None: the folder *name* in :func:`ser.paths.data_dir`. The synthetic
            corpus is made there on first use.
        emotions: the classes, in the order of logits: words, ``"all"`` that the corpus has, merges
            as ``"calm=neutral"``, in one string with commas or a list; None: angry, happy, neutral
            and sad. See :mod:`ser.corpora.emotion_set`.

    Returns:
        The :class:`Corpus`: ``.table`` (the classes, audio present), ``.everything``,
        ``.licence``, ``.citation``, ``.problems``.

    Raises:
        CorpusError: unknown name, missing folder, a folder that holds another layout, one where
            files of one clip differ and nothing says which is the right one, or an emotion asked
            for of which the corpus has nothing.

    Example:
        >>> corpus = load_corpus("emodb", "data/emodb")     # doctest: +SKIP
        >>> len(corpus), len(corpus.everything)             # doctest: +SKIP
        (339, 535)
        >>> len(load_corpus("ravdess", "data/ravdess", "all,calm=neutral"))    # doctest: +SKIP
        1440
    """
    corpus = read_corpus(name, root, emotions)
    for problem in copy_problems(corpus.copies, corpus.root):
        if problem.kind == "conflicting copies":
            raise CorpusError(
                f"{corpus.name}: {corpus.root}: {problem.message}; the first: {problem.files[0]}. "
                f"`{corpus.check_command}` names them all"
            )
    return corpus


def read_corpus(
    name: str, root: str | os.PathLike | None = None, emotions: Emotions = None
) -> Corpus:
    """:func:`load_corpus` that keeps going where nothing decides between files of one clip.

    For looking into a corpus: such files stand in ``.copies``, and the table has one of them.

    Example:
        >>> read_corpus("emodb", "data/emodb").copies       # doctest: +SKIP
        ()
    """
    info, chosen = corpus_info(name), emotion_set(emotions)
    if info.file_names:
        read = functools.partial(file_names.read, info=info)
    else:
        read = importlib.import_module(f"ser.corpora.{info.name}").read
    read = functools.partial(read, chosen=chosen)
    if root is not None:
        given = Path(root).expanduser()
        return replace(read(given), given=os.path.abspath(given))
    if info.name == "synthetic":
        return read(None)
    if info.name == "manifest":
        raise CorpusError(f"the manifest corpus needs a root: {info.get}")
    home = data_dir() / info.name
    if not home.is_dir():
        raise CorpusError(
            f"{info.name}: no folder {home}. Give the corpus's folder as root (--root DIR), or "
            f"set SER_DATA to the folder that holds {info.name}/. {info.get}"
        )
    return replace(read(home), given=str(home))
