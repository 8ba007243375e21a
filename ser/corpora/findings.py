"""From what was read to what to tell: the problems that ``ser check`` reports."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ser.corpora.base import EMOTIONS, Corpus
from ser.corpora.completeness import completeness
from ser.corpora.copies import lines as copy_lines
from ser.corpora.copies import tell
from ser.corpora.examine import Clip
from ser.corpora.registry import CorpusInfo
from ser.corpora.scan import below
from ser.paths import quoted

SHOWN = 10
LEVEL_SPREAD = 10.0
"""dB between the loudest and the softest class's median from which loudness is a giveaway."""
SPEAKER_GAIN = 0.25
"""By how much naming each speaker's commonest class may beat naming the commonest of all."""

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

TOLD_HERE = {"missing", "empty", "unreadable", "git-lfs pointer"}
"""Kinds of the readers that are found anew here, with every file's name."""


@dataclass(frozen=True)
class Problem:
    """One thing to tell: a kind, how bad (``error``, ``warning``, ``note``), what, which files."""

    kind: str
    severity: str
    message: str
    files: Sequence[str] = ()
    count: int | None = None

    def as_dict(self) -> dict:
        """As JSON: the first ten files, and how many there are."""
        count = self.count if self.count is not None else max(1, len(self.files))
        return {
            "kind": self.kind,
            "severity": self.severity,
            "message": self.message,
            "files": list(self.files[:SHOWN]),
            "count": count,
        }


UNUSABLE = {
    "missing": ("missing", "listed but not there", "copy them or fetch the corpus again"),
    "empty": ("empty", "without a sound in it", "copy or download them again"),
    "pointer": ("git-lfs pointer", "a pointer instead of audio", ""),
    "unreadable": ("unreadable", "not readable", "copy or download them again"),
    "short": ("too short", "shorter than 25 ms", "remove them or cut them anew"),
}


def files_problems(corpus: Corpus, clips: list[Clip]) -> list[Problem]:
    """Files that cannot be used, copies beside them, and what the reader itself met.

    Each reason is told by itself; reasons that differ in numbers only are one.
    """
    groups: dict[tuple[str, str, bool], list[Clip]] = defaultdict(list)
    order = list(UNUSABLE)
    for emotion, clip in zip(corpus.everything.emotion, clips, strict=True):
        if clip.error:
            groups[clip.kind, reason_of(clip.error), bool(emotion)].append(clip)
    problems = []
    for (kind, _, wanted), bad in sorted(
        groups.items(), key=lambda item: (order.index(item[0][0]), not item[0][2])
    ):
        name, what, way_out = UNUSABLE[kind]
        whose = "of the four classes" if wanted else "of other emotions"
        text = f"{what}: {many(len(bad), 'utterance')} {whose}"
        first = bad[0].error
        if kind in ("empty", "unreadable", "short"):
            text += f": {first}" if len(bad) == 1 else f" (the first: {first})"
        if kind == "pointer":
            folder = quoted(Path(bad[0].path).parent)
            way_out = f"type `cd {folder} && git lfs install && git lfs pull`"
        if not wanted:
            text += "; the four-class task does not need them"
        elif kind in ("missing", "pointer") or ";" not in first:  # else it says the way out
            text += f"; {way_out}"
        names = [below(Path(clip.path), corpus.root) for clip in bad]
        problems.append(Problem(name, "error" if wanted else "note", text, names))
    copies = [Problem(*told) for told in tell(corpus.copies, corpus.root)]
    return [*problems, *copies, *_reader_problems(corpus)]


def reason_of(error: str) -> str:
    """A message without what changes from file to file.

    Example:
        >>> reason_of("is cut off: 310 of 800 samples are there; copy it again (WAV, 2 channels)")
        'is cut off: # of # samples are there; copy it again'
    """
    return re.sub(r"\d+(\.\d+)?", "#", re.sub(r"\s*\([^)]*\)|`[^`]*`", "", error))


def many(count: int, noun: str) -> str:
    """``1 clip``, ``2 clips``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _reader_problems(corpus: Corpus) -> list[Problem]:
    grouped: dict[str, list[str]] = defaultdict(list)
    totals: dict[str, int] = {}
    told = set(copy_lines(corpus.copies, corpus.root))
    for line in corpus.problems:
        if line in told:
            continue
        kind, _, text = line.partition(": ")
        if more := re.fullmatch(r"and \d+ more \((\d+) in all\)", text):
            totals[kind] = int(more[1])
        elif kind not in TOLD_HERE:
            grouped[kind].append(text)
    notes = [text for text in grouped.pop("note", []) if "have no audio here" not in text]
    problems = [Problem("note", "note", text) for text in notes]
    for kind, texts in grouped.items():
        severity, meaning = READER.get(kind, ("warning", "see the files"))
        count = totals.get(kind, len(texts))
        problems.append(Problem(kind, severity, f"{meaning} ({count})", texts, count))
    return problems


def table_problems(corpus: Corpus, info: CorpusInfo, clips: list[Clip]) -> list[Problem]:
    """Counts against the owners', what a speaker or a level gives away, odd formats."""
    return [
        *_count_problems(corpus, info),
        *_speaker_problems(corpus.table),
        *_format_problems(corpus, clips),
    ]


def _count_problems(corpus: Corpus, info: CorpusInfo) -> list[Problem]:
    missing = completeness(corpus)["missing"]
    problems = [Problem("incomplete", "warning", text) for text in missing]
    total = len(corpus.everything)
    if info.total and total != info.total:
        rest = "" if missing else "; the four classes are complete"
        text = f"{total} utterances are listed, the whole corpus has {info.total}{rest}"
        problems.append(Problem("count", "note", text))
    return problems


def _speaker_problems(table: pd.DataFrame) -> list[Problem]:
    speakers = table.speaker.nunique()
    if speakers < 2:
        text = "all utterances are of one speaker: no speaker-disjoint split can be made"
        return [Problem("one speaker", "warning", text)]
    cross = pd.crosstab(table.speaker, table.emotion)
    problems = _one_class_problems(cross)
    by_speaker = cross.max(axis=1).sum() / len(table)
    by_class = cross.sum().max() / len(table)
    single = int(((cross > 0).sum(axis=1) == 1).sum())
    if len(table) < 2 * speakers or by_speaker - by_class < SPEAKER_GAIN:
        return problems
    text = (
        f"the speaker gives the emotion away: naming each speaker's commonest class scores "
        f"{100 * by_speaker:.0f} % ({100 * by_class:.0f} % without knowing the speaker), as "
        f"{single} of {speakers} speakers appear in one class only; a random split measures "
        "the speaker, use a speaker-disjoint protocol"
    )
    return [*problems, Problem("speaker predicts class", "warning", text, count=single)]


def _one_class_problems(cross: pd.DataFrame) -> list[Problem]:
    """Speakers heard in one class: normalised by themselves they lose it."""
    single = cross.index[(cross > 0).sum(axis=1) == 1]
    if cross.shape[1] < 2 or not len(single):
        return []
    text = (
        f"{len(single)} of {len(cross)} speakers are heard in one class only: normalising by "
        "speaker (`--normalise speaker`, the rows with a +) takes the class away with the "
        "speaker, and such rows may score below chance"
    )
    return [Problem("one class a speaker", "warning", text, [str(name) for name in single])]


def _format_problems(corpus: Corpus, clips: list[Clip]) -> list[Problem]:
    problems = []
    wanted = set(corpus.table.utterance)
    pairs = zip(corpus.everything.utterance, corpus.everything.emotion, clips, strict=True)
    used = [(emotion, clip) for name, emotion, clip in pairs if name in wanted and not clip.error]
    levels = {
        emotion: float(np.median(values))
        for emotion in EMOTIONS
        if len(values := [c.level for e, c in used if e == emotion and not c.silent]) >= 3
    }
    if levels and max(levels.values()) - min(levels.values()) > LEVEL_SPREAD:
        loud, soft = max(levels, key=levels.__getitem__), min(levels, key=levels.__getitem__)
        text = (
            f"levels differ by {levels[loud] - levels[soft]:.0f} dB between classes ({loud} "
            f"{levels[loud]:.0f} dB, {soft} {levels[soft]:.0f} dB re full scale, medians): a "
            "model may learn the loudness of the recording"
        )
        problems.append(Problem("level", "warning", text))
    lengths = {round(clip.seconds, 3) for _, clip in used}
    if len(lengths) == 1 and len(used) >= 10 and not corpus.everything.segment.any():
        text = (
            f"every clip of the four classes lasts exactly {lengths.pop():.3f} s: they were cut or "
            "padded to one length; look for the originals"
        )
        problems.append(Problem("one length", "warning", text))
    return problems
