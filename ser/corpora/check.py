"""What is in a corpus on disk, and what is wrong with it (book: chapter "Corpora").

A number made on a broken copy looks like any other number. So every recording is read, listened
to for silence and clipping, compared with all others and, where the owners' bytes are known, with
those. A problem is an ``error`` where it would spoil a result, a ``warning`` where one must know
it to judge a result, a ``note`` otherwise.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from ser.corpora.base import Corpus, make_table
from ser.corpora.emotion_set import Emotions, emotion_set, ordered
from ser.corpora.examine import Clip, examine_all
from ser.corpora.file_problems import compare_with_originals, file_problems
from ser.corpora.load import corpus_info, read_corpus
from ser.corpora.problems import Problem
from ser.corpora.sound_problems import sound_problems
from ser.corpora.table_problems import table_problems
from ser.errors import CorpusError

SEVERITIES = ("error", "warning", "note")


def check(
    name: str,
    root: str | os.PathLike | None = None,
    progress: Callable[[Iterable, int], Iterable] | None = None,
    emotions: Emotions = None,
) -> dict:
    """Read corpus *name* from *root*, every recording of it, and report.

    Args:
        name: a key of :data:`ser.corpora.CORPORA`.
        root: its folder (manifest: the CSV file); None as in :func:`ser.load_corpus`.
        progress: wraps the iterator over recordings, given their number (a progress bar).
        emotions: the classes, as :func:`ser.load_corpus` takes them.

    Returns:
        A dictionary that JSON can hold: ``corpus``, ``root``, ``utterances`` (of the classes),
        ``total`` (all that the corpus lists), ``emotions`` (class -> utterances), ``left_out``
        (emotion that is no class -> utterances listed), ``labels`` (the owners', all),
        ``speakers``, ``speaker_emotions``, ``texts`` (different sentences), ``seconds``,
        ``hours``, ``rates`` and ``channels`` (of the classes' files), ``levels`` (median dB
        re full scale by emotion), ``originals`` (``known``, ``compared``, ``matching``,
        ``differing``, ``renamed``, ``unlisted``; None where no list exists), ``problems`` (each
        with ``kind``, ``severity``, ``message``, ``count`` and up to ten ``files``; errors first)
        and ``ok`` (no error among them).

    Raises:
        CorpusError: unknown corpus, nothing at *root*, or a set that is none. A root that is there
            but cannot be read as this corpus is a problem of kind ``layout`` in the report.

    Example:
        >>> report = check("emodb", "data/emodb")                        # doctest: +SKIP
        >>> report["utterances"], report["emotions"]["angry"], report["ok"]    # doctest: +SKIP
        (339, 127, True)
    """
    info, chosen = corpus_info(name), emotion_set(emotions)
    try:
        corpus = read_corpus(name, root, chosen)
    except CorpusError as error:
        if root is None or not Path(root).expanduser().exists():
            raise
        nothing = make_table([])
        empty = Corpus(info.name, Path(root), nothing, nothing, "", "", emotions=chosen.words)
        return _report(empty, [], [Problem("layout", "error", str(error))])
    listed = corpus.everything
    whole = ~listed.segment
    start = listed.start.mask(whole, 0.0).tolist()
    seconds = [None if np.isnan(length) else length for length in listed.seconds.mask(whole)]
    clips = examine_all(list(zip(listed.path, start, seconds, strict=True)), progress=progress)
    here = listed.utterance.isin(corpus.table.utterance)
    used = [
        (emotion, clip)
        for emotion, clip, wanted in zip(listed.emotion, clips, here, strict=True)
        if wanted and not clip.error
    ]
    counts, not_original = compare_with_originals(corpus, clips)
    problems = [
        *file_problems(corpus, clips),
        *sound_problems(corpus, clips),
        *table_problems(corpus, info, used),
        *not_original,
    ]
    return _report(corpus, used, problems, counts)


def _report(
    corpus: Corpus,
    used: list[tuple[str, Clip]],
    problems: list[Problem],
    originals: dict | None = None,
) -> dict:
    everything, table, emotions = corpus.everything, corpus.table, list(corpus.emotions)
    seconds = sum(clip.seconds for _, clip in used)
    others = Counter(everything.emotion[~corpus.wanted])
    levels = {
        emotion: [c.level for e, c in used if e == emotion and np.isfinite(c.level)]
        for emotion in emotions
    }
    cross = pd.crosstab(table.speaker, table.emotion).reindex(columns=emotions, fill_value=0)
    by_severity = sorted(problems, key=lambda problem: SEVERITIES.index(problem.severity))
    return {
        "corpus": corpus.name,
        "root": str(corpus.root),
        "utterances": len(table),
        "total": len(everything),
        "emotions": {e: int((table.emotion == e).sum()) for e in emotions},
        "left_out": {word: others[word] for word in [*ordered(others), *{""} & others.keys()]},
        "labels": _counts(everything.label),
        "speakers": _counts(table.speaker),
        "speaker_emotions": {str(speaker): row.to_dict() for speaker, row in cross.iterrows()},
        "texts": int(table.text[table.text != ""].nunique()),
        "seconds": round(seconds, 3),
        "hours": round(seconds / 3600, 4),
        "rates": _counts(clip.rate for _, clip in used),
        "channels": _counts(clip.channels for _, clip in used),
        "levels": {e: round(float(np.median(v)), 1) if v else None for e, v in levels.items()},
        "originals": originals,
        "problems": [problem.as_dict() for problem in by_severity],
        "ok": not any(problem.severity == "error" for problem in problems),
    }


def _counts(values: Iterable) -> dict[str, int]:
    return {str(key): count for key, count in sorted(Counter(values).items())}
