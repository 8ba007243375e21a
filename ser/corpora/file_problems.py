"""The files of a corpus: what cannot be used, what its reader met, what is not the owners'."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from ser.corpora.base import Corpus
from ser.corpora.copies import copy_problems
from ser.corpora.examine import Clip
from ser.corpora.originals import originals
from ser.corpora.problems import ABSENT, Problem, many
from ser.corpora.registry import CORPORA
from ser.corpora.scan import below
from ser.paths import quoted

READER = {
    "contradiction": ("error", "two places say different things of one clip"),
    "duplicate row": ("warning", "listed more than once; the first was taken"),
    "speakers alike": (
        "warning",
        "names of speakers that differ in capitals, blanks, hyphens, zeros (3, 03, 3.0) or the "
        "coding of letters only; one person may stand on both sides of a split by speaker, so a "
        "run refuses it: give each person one name, or tell it --distinct-speakers",
    ),
    "segment": ("warning", "rows that reach beyond the end of their files"),
    "not listed": ("warning", "audio without a label; left out"),
    "unknown label": ("warning", "labels that nobody knows; left out"),
    "unknown name": ("warning", "names that do not fit the corpus; left out"),
    "other signal": ("warning", "the folder given holds something else than the owners' clips"),
    "nested copy": ("warning", "read already elsewhere; each turn was taken once"),
}
"""Kinds that the readers report -> severity and what they mean."""

FOUND_ANEW = ("missing", ABSENT, "empty", "unreadable", "git-lfs pointer")
"""Kinds of the readers that are found anew here, with every file's name."""

UNUSABLE = {
    "missing": ("missing", "listed but not there", "copy them or fetch the corpus again"),
    "empty": ("empty", "without a sound in it", "copy or download them again"),
    "pointer": ("git-lfs pointer", "a pointer instead of audio", ""),
    "unreadable": ("unreadable", "not readable", "copy or download them again"),
    "short": ("too short", "shorter than 25 ms", "remove them or cut them anew"),
}
"""Kinds of :class:`Clip` -> kind of problem, what is wrong, the way out."""


def file_problems(corpus: Corpus, clips: list[Clip]) -> list[Problem]:
    """Files that cannot be used, copies beside them, and what the reader itself met."""
    copies = copy_problems(corpus.copies, corpus.root)
    return [*_unusable(corpus, clips), *copies, *_met_by_reader(corpus)]


def _unusable(corpus: Corpus, clips: list[Clip]) -> list[Problem]:
    """Each reason is told by itself; reasons that differ in numbers only are one."""
    groups: dict[tuple[str, str, bool], list[Clip]] = defaultdict(list)
    for wanted, clip in zip(corpus.wanted, clips, strict=True):
        if clip.error:
            groups[clip.kind, reason_of(clip.error), bool(wanted)].append(clip)
    problems, order = [], list(UNUSABLE)
    for (kind, _, wanted), bad in sorted(
        groups.items(), key=lambda item: (order.index(item[0][0]), not item[0][2])
    ):
        name, what, way_out = UNUSABLE[kind]
        whose = f"of {corpus.class_words}" if wanted else "of other emotions"
        text = f"{what}: {many(len(bad), 'utterance')} {whose}"
        first = bad[0].error
        if kind in ("empty", "unreadable", "short"):
            text += f": {first}" if len(bad) == 1 else f" (the first: {first})"
        if kind == "pointer":
            folder = quoted(Path(bad[0].path).parent)
            way_out = f"type `cd {folder} && git lfs install && git lfs pull`"
        if not wanted:
            text += "; the task does not need them"
        elif kind in ("missing", "pointer") or ";" not in first:  # else it says the way out
            text += f"; {way_out}"
        names = [below(Path(clip.path), corpus.root) for clip in bad]
        problems.append(Problem(name, "error" if wanted else "note", text, names))
    return problems


def reason_of(error: str) -> str:
    """A message without what changes from file to file.

    Example:
        >>> reason_of("is cut off: 310 of 800 samples are there; copy it again (WAV, 2 channels)")
        'is cut off: # of # samples are there; copy it again'
    """
    return re.sub(r"\d+(\.\d+)?", "#", re.sub(r"\s*\([^)]*\)|`[^`]*`", "", error))


def _met_by_reader(corpus: Corpus) -> list[Problem]:
    notes = corpus.reader_problems.get("note", ())
    problems = [Problem("note", "note", text) for text in notes]
    for kind, texts in corpus.reader_problems.items():
        if kind not in ("note", *FOUND_ANEW):
            severity, meaning = READER.get(kind, ("warning", "see the files"))
            problems.append(Problem(kind, severity, f"{meaning} ({len(texts)})", texts))
    return problems


def compare_with_originals(corpus: Corpus, clips: list[Clip]) -> tuple[dict | None, list[Problem]]:
    """The files against the owners' list: numbers (None where there is no list), problems."""
    known = originals(corpus.name)
    if known is None:
        return None, []
    groups: dict[str, list[str]] = defaultdict(list)
    for clip in clips:
        if clip.digest:
            verdict = known.verdict(Path(clip.path).name, clip.digest)
            groups[verdict].append(below(Path(clip.path), corpus.root))
    number = {verdict: len(names) for verdict, names in groups.items()}
    counts = {
        "known": len(known),
        "compared": sum(number.values()),
        "matching": number.get("original", 0),
        "differing": number.get("re-encoded", 0) + number.get("differing", 0),
        "renamed": number.get("renamed", 0),
        "unlisted": number.get("unlisted", 0),
    }
    suffix = Path((groups.get("re-encoded") or [""])[0]).suffix
    texts = {
        "renamed": "the name of one of the owners' clips, the bytes of another, so the label is in "
        "doubt ({}); restore the owners' names",
        "differing": "an owners' name but other bytes ({}): re-encoded, resampled or cut? Numbers "
        f"made on them compare with nothing published. {CORPORA[corpus.name].get}",
        "re-encoded": f"another format than the owners' ({{}}, such as {suffix} for "
        f"{Path(known.clips[0].name).suffix}), so they cannot be compared with the originals byte "
        "for byte; say so beside your numbers",
        "unlisted": "names that the list of the owners' clips does not hold ({})",
    }
    problems = []
    for verdict, text in texts.items():
        if names := groups.get(verdict):
            renamed = verdict == "renamed"
            kind, severity = (
                ("renamed original", "error") if renamed else ("not original", "warning")
            )
            message = text.replace("{}", str(len(names)))
            problems.append(Problem(kind, severity, message, names))
    return counts, problems
