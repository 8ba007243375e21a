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

from ser.corpora import corpus_info, read_corpus
from ser.corpora.base import EMOTIONS, Corpus
from ser.corpora.examine import Clip, examine_all
from ser.corpora.findings import Problem, files_problems, table_problems
from ser.corpora.originals import originals
from ser.corpora.registry import CorpusInfo
from ser.corpora.scan import below
from ser.corpora.sound_findings import sound_problems
from ser.errors import CorpusError

SEVERITIES = ("error", "warning", "note")


def check(
    name: str,
    root: str | os.PathLike | None = None,
    progress: Callable[[Iterable, int], Iterable] | None = None,
) -> dict:
    """Read corpus *name* from *root*, every recording of it, and report.

    Args:
        name: a key of :data:`ser.corpora.CORPORA`.
        root: its folder (manifest: the CSV file); None as in :func:`ser.load_corpus`.
        progress: wraps the iterator over recordings, given their number (a progress bar).

    Returns:
        A dictionary that JSON can hold: ``corpus``, ``root``, ``utterances`` (four-class task),
        ``total`` (all that the corpus lists), ``emotions``, ``labels`` (the owners', all),
        ``speakers``, ``speaker_emotions``, ``texts`` (different sentences), ``seconds``,
        ``hours``, ``rates`` and ``channels`` (of the four classes' files), ``levels`` (median dB
        re full scale by emotion), ``originals`` (``known``, ``compared``, ``matching``,
        ``differing``, ``renamed``, ``unlisted``; None where no list exists), ``problems`` (each
        with ``kind``, ``severity``, ``message``, ``count`` and up to ten ``files``; errors first)
        and ``ok`` (no error among them).

    Raises:
        CorpusError: unknown corpus, or nothing at *root*. A root that is there but cannot be read
            as this corpus is a problem of kind ``layout`` in the report.

    Example:
        >>> report = check("emodb", "data/emodb")                        # doctest: +SKIP
        >>> report["utterances"], report["emotions"]["angry"], report["ok"]    # doctest: +SKIP
        (339, 127, True)
    """
    info = corpus_info(name)
    try:
        corpus = read_corpus(name, root)
    except CorpusError as error:
        if root is None or not Path(root).expanduser().exists():
            raise
        return _report(info.name, str(root), [Problem("layout", "error", str(error))])
    listed = corpus.everything
    items = [
        (str(path), float(start) if segment else 0.0, float(seconds) if segment else None)
        for path, start, seconds, segment in zip(
            listed.path, listed.start, listed.seconds, listed.segment, strict=True
        )
    ]
    items = [(p, s, None if d is not None and np.isnan(d) else d) for p, s, d in items]
    clips = examine_all(items, progress=progress)
    problems = [
        *files_problems(corpus, clips),
        *sound_problems(corpus, clips),
        *table_problems(corpus, info, clips),
    ]
    counts, found = _originals(corpus, clips)
    return _report(info.name, str(corpus.root), problems + found, corpus, clips, info, counts)


def _report(
    name: str,
    root: str,
    problems: list[Problem],
    corpus: Corpus | None = None,
    clips: list[Clip] | None = None,
    info: CorpusInfo | None = None,
    counts: dict | None = None,
) -> dict:
    everything = corpus.everything if corpus else pd.DataFrame(columns=["label"])
    table = corpus.table if corpus else pd.DataFrame(columns=["emotion", "speaker", "text"])
    four = four_class_clips(corpus, clips) if corpus else []
    readable = [(emotion, clip) for emotion, clip in four if not clip.error]
    seconds = sum(clip.seconds for _, clip in readable)
    levels = {
        emotion: [c.level for e, c in readable if e == emotion and np.isfinite(c.level)]
        for emotion in EMOTIONS
    }
    cross = pd.crosstab(table.speaker, table.emotion) if len(table) else {}
    ordered = sorted(problems, key=lambda problem: SEVERITIES.index(problem.severity))
    return {
        "corpus": name,
        "root": root,
        "utterances": len(table),
        "total": len(everything),
        "emotions": {e: int((table.emotion == e).sum()) for e in EMOTIONS},
        "labels": _counts(everything.label),
        "speakers": _counts(table.speaker),
        "speaker_emotions": {
            str(speaker): {e: int(cross.loc[speaker].get(e, 0)) for e in EMOTIONS}
            for speaker in (cross.index if len(table) else ())
        },
        "texts": int(table.text[table.text != ""].nunique()),
        "seconds": round(seconds, 3),
        "hours": round(seconds / 3600, 4),
        "rates": _counts(clip.rate for _, clip in readable),
        "channels": _counts(clip.channels for _, clip in readable),
        "levels": {e: round(float(np.median(v)), 1) if v else None for e, v in levels.items()},
        "originals": counts,
        "problems": [problem.as_dict() for problem in ordered],
        "ok": not any(problem.severity == "error" for problem in problems),
    }


def four_class_clips(corpus: Corpus, clips: list[Clip]) -> list[tuple[str, Clip]]:
    """(emotion, clip) of the utterances in ``corpus.table``."""
    wanted = set(corpus.table.utterance)
    rows = zip(corpus.everything.utterance, corpus.everything.emotion, clips, strict=True)
    return [(emotion, clip) for utterance, emotion, clip in rows if utterance in wanted]


def _counts(values: Iterable) -> dict[str, int]:
    return {str(key): count for key, count in sorted(Counter(values).items())}


def _originals(corpus: Corpus, clips: list[Clip]) -> tuple[dict | None, list[Problem]]:
    """Compare the files with the owners' list: numbers, and what to say about them."""
    known = originals(corpus.name)
    if known is None:
        return None, []
    groups: dict[str, list[str]] = {}
    for clip in clips:
        if clip.digest:
            verdict = known.verdict(Path(clip.path).name, clip.digest)
            groups.setdefault(verdict, []).append(below(Path(clip.path), corpus.root))
    renamed, unlisted = groups.get("renamed", []), groups.get("unlisted", [])
    recoded, differing = groups.get("re-encoded", []), groups.get("differing", [])
    counts = {
        "known": len(known),
        "compared": sum(map(len, groups.values())),
        "matching": len(groups.get("original", [])),
        "differing": len(recoded) + len(differing),
        "renamed": len(renamed),
        "unlisted": len(unlisted),
    }
    problems = []
    if renamed:
        problems.append(
            Problem(
                "renamed original",
                "error",
                "the name of one of the owners' clips, the bytes of another, so the label is in "
                f"doubt ({len(renamed)}); restore the owners' names",
                renamed,
            )
        )
    if differing:
        problems.append(
            Problem(
                "not original",
                "warning",
                f"an owners' name but other bytes ({len(differing)}): re-encoded, resampled or "
                "cut? Numbers made on them compare with nothing published. "
                f"{corpus_info(corpus.name).get}",
                differing,
            )
        )
    if recoded:
        problems.append(
            Problem(
                "not original",
                "warning",
                f"another format than the owners' ({len(recoded)}, such as "
                f"{Path(recoded[0]).suffix} for {Path(known.clips[0].name).suffix}), so they "
                "cannot be compared with the originals byte for byte; say so beside your numbers",
                recoded,
            )
        )
    if unlisted:
        problems.append(
            Problem(
                "not original",
                "warning",
                f"names that the list of the owners' clips does not hold ({len(unlisted)})",
                unlisted,
            )
        )
    return counts, problems
