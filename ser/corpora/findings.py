"""From what was read to what to tell: the problems that ``ser check`` reports."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
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
from ser.corpora.originals import originals
from ser.corpora.registry import CorpusInfo
from ser.corpora.scan import below

SHOWN = 10
LEVEL_SPREAD = 10.0
"""dB between the loudest and the softest class's median from which loudness is a giveaway."""
ZEROS = 0.02
"""Seconds of exact zeros that count as a hole of digital silence."""
SPEAKER_GAIN = 0.25
"""By how much naming each speaker's commonest class may beat naming the commonest of all."""

READER = {
    "contradiction": ("error", "two places say different things of one clip"),
    "duplicate row": ("warning", "listed more than once; the first was taken"),
    "speakers alike": (
        "warning",
        "names of speakers that differ in capitals, blanks or hyphens only count as different "
        "people, who may stand on both sides of a speaker-disjoint split; if they are one, give "
        "them one name",
    ),
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
    "pointer": (
        "git-lfs pointer",
        "a pointer instead of audio",
        "type `git lfs install && git lfs pull` in the corpus's folder",
    ),
    "unreadable": ("unreadable", "not readable", "copy or download them again"),
    "short": ("too short", "shorter than 25 ms", "remove them or cut them anew"),
}


def files_problems(corpus: Corpus, clips: list[Clip]) -> list[Problem]:
    """Files that cannot be used, copies beside them, and what the reader itself met."""
    problems = []
    rows = list(zip(corpus.everything.emotion, clips, strict=True))
    for kind, (name, what, way_out) in UNUSABLE.items():
        for severity, wanted in (("error", True), ("note", False)):
            bad = [c for emotion, c in rows if c.kind == kind and bool(emotion) == wanted]
            if not bad:
                continue
            whose = "of the four classes" if wanted else "of other emotions"
            first = "" if kind in ("missing", "pointer") else f" (the first: {bad[0].error})"
            advice = f"; {way_out}" if wanted else "; the four-class task does not need them"
            names = [below(Path(c.path), corpus.root) for c in bad]
            text = f"{what}: {_many(len(bad), 'utterance')} {whose}{first}{advice}"
            problems.append(Problem(name, severity, text, names))
    copies = [Problem(*told) for told in tell(corpus.copies, corpus.root)]
    return [*problems, *copies, *_reader_problems(corpus)]


def _many(count: int, noun: str) -> str:
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


def sound_problems(corpus: Corpus, clips: list[Clip]) -> list[Problem]:
    """Silence, clipping, holes, the same audio twice."""
    problems = []
    listed = corpus.everything
    rows = list(zip(listed.emotion, clips, strict=True))

    def name(clip: Clip) -> str:
        return below(Path(clip.path), corpus.root)

    for severity, wanted in (("error", True), ("note", False)):
        silent = [name(c) for emotion, c in rows if c.silent and bool(emotion) == wanted]
        if silent:
            whose = "of the four classes" if wanted else "of other emotions"
            advice = "; leave them out: move them out of the folder" if wanted else ""
            text = f"silent from end to end: {_many(len(silent), 'clip')} {whose}{advice}"
            problems.append(Problem("silent", severity, text, silent))
    clipped = [c for _, c in rows if c.clipped]
    if clipped:
        samples = sum(c.clipped for c in clipped)
        text = (
            f"at full scale for three samples or more in a row: {_many(len(clipped), 'clip')} "
            f"({samples} samples in all), recorded or made too loud, and their spectra show it"
        )
        severity = "warning" if len(clipped) > 0.05 * len(rows) else "note"
        problems.append(Problem("clipped", severity, text, [name(c) for c in clipped]))
    holes = sorted((c for _, c in rows if not c.silent and c.zeros > ZEROS), key=lambda c: -c.zeros)
    if holes:
        text = (
            f"{_many(len(holes), 'clip')} with digital silence inside: exact zeros for up to "
            f"{1000 * holes[0].zeros:.0f} ms, whose logarithm needs a floor"
        )
        problems.append(Problem("digital silence", "note", text, [name(c) for c in holes]))
    return [*problems, *_duplicates(corpus, clips)]


def _duplicates(corpus: Corpus, clips: list[Clip]) -> list[Problem]:
    groups: dict[str, list[int]] = defaultdict(list)
    for index, clip in enumerate(clips):
        if clip.sound and not clip.silent:
            groups[clip.sound].append(index)
    known = originals(corpus.name)
    emotions, labels = corpus.everything.emotion, corpus.everything.label
    sorts: dict[tuple[str, str], list[list[str]]] = defaultdict(list)
    for indices in groups.values():
        if len(indices) < 2:
            continue
        names = [below(Path(clips[i].path), corpus.root) for i in indices]
        used = sum(bool(emotions[i]) for i in indices)
        owners = known and len(known.by_digest.get(clips[indices[0]].digest, ())) >= len(indices)
        if len({labels[i] for i in indices}) > 1:
            sorts["different", "error" if used else "note"].append(names)
        elif used < 2:
            sorts["same", "note"].append(names)
        else:
            sorts["same", "warning" if owners else "error"].append(names)
    problems = []
    for (labels_, severity), found in sorted(sorts.items()):
        files = sum(map(len, found))
        if labels_ == "different":
            kind = "duplicate audio with different labels"
            text = (
                f"the same audio under different labels: {_many(len(found), 'recording')} "
                f"({files} files, such as {' = '.join(found[0][:3])}); one label must be wrong: "
                "move them out of the folder"
            )
        else:
            kind = "duplicate audio"
            text = (
                f"there more than once: {_many(len(found), 'recording')} ({files} files, such as "
                f"{' = '.join(found[0][:3])}); in a random split one copy trains and the other "
                "tests: keep one"
            )
        if severity == "note":
            text += " (not in the four-class task)"
        elif severity == "warning":
            text += " (so the owners ship it)"
        problems.append(Problem(kind, severity, text, [n for names in found for n in names]))
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
    by_speaker = cross.max(axis=1).sum() / len(table)
    by_class = cross.sum().max() / len(table)
    single = int(((cross > 0).sum(axis=1) == 1).sum())
    if len(table) < 2 * speakers or by_speaker - by_class < SPEAKER_GAIN:
        return []
    text = (
        f"the speaker gives the emotion away: naming each speaker's commonest class scores "
        f"{100 * by_speaker:.0f} % ({100 * by_class:.0f} % without knowing the speaker), as "
        f"{single} of {speakers} speakers appear in one class only; a random split measures "
        "the speaker, use a speaker-disjoint protocol"
    )
    return [Problem("speaker predicts class", "warning", text, count=single)]


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
    rates = Counter(clip.rate for _, clip in used)
    if len(rates) > 1:
        shown = ", ".join(f"{count} at {rate} Hz" for rate, count in rates.most_common())
        usual = rates.most_common(1)[0][0]
        odd = [below(Path(c.path), corpus.root) for _, c in used if c.rate != usual]
        text = f"sample rates differ ({shown}); all are brought to 16 kHz"
        problems.append(Problem("sample rate", "note", text, odd))
    several = [below(Path(c.path), corpus.root) for _, c in used if c.channels > 1]
    if several:
        text = f"{_many(len(several), 'file')} with several channels; their mean is used"
        problems.append(Problem("channels", "note", text, several))
    lengths = {round(clip.seconds, 3) for _, clip in used}
    if len(lengths) == 1 and len(used) >= 10 and not corpus.everything.segment.any():
        text = (
            f"every clip lasts exactly {lengths.pop():.3f} s: they were cut or padded to one "
            "length; look for the originals"
        )
        problems.append(Problem("one length", "warning", text))
    return problems
