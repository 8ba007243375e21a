"""What is to be heard in a corpus's clips, from what :mod:`ser.corpora.examine` found in each."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

from ser.corpora.base import Corpus
from ser.corpora.examine import Clip
from ser.corpora.originals import originals
from ser.corpora.overlaps import overlapping_rows
from ser.corpora.problems import Problem, many
from ser.corpora.scan import below
from ser.sound_quality import EFFECTS

ZEROS = 0.02
"""Seconds of exact zeros that count as a hole of digital silence."""

NEVER = ("cancelling", "no voice")
"""Of what :mod:`ser.sound_quality` tells, what no clip of a corpus should be."""


Rows = list[tuple[bool, Clip]]
"""Whether an utterance is of the classes, and what was found in it."""


def _of(rows: Rows, some: Rows, classes: str) -> str:
    """How many *some* of *rows* are, and how many of them the task uses."""
    read = sum(not clip.error for _, clip in rows)
    used = sum(wanted for wanted, _ in some)
    whole = all(wanted for wanted, clip in rows if not clip.error)
    return f"{len(some)} of {read} clips" + ("" if whole else f", {used} of them of {classes}")


def sound_problems(corpus: Corpus, clips: list[Clip]) -> list[Problem]:
    """What moves an answer (silence, clipping, band ...); audio there twice or in part."""
    listed, wanted, classes = corpus.everything, corpus.wanted, corpus.class_words
    rows = list(zip(wanted.tolist(), clips, strict=True))
    problems: list[Problem] = []

    def tell(kind: str, severity: str, text: str, some: Rows) -> None:
        names = [below(Path(clip.path), corpus.root) for _, clip in some]
        problems.append(Problem(kind, severity, text, names))

    def common(some: Rows) -> str:
        return "warning" if len(some) > 0.05 * len(rows) else "note"

    for severity, used in (("error", True), ("note", False)):
        silent = [row for row in rows if row[1].silent and row[0] == used]
        if silent:
            whose = f"of {classes}" if used else "of other emotions"
            advice = "; leave them out: move them out of the folder" if used else ""
            text = f"silent from end to end: {many(len(silent), 'clip')} {whose}{advice}"
            tell("silent", severity, text, silent)
    if clipped := [row for row in rows if row[1].clipped]:
        samples = sum(c.clipped for _, c in clipped)
        text = (
            f"at full scale for three samples or more in a row: {_of(rows, clipped, classes)} "
            f"({samples} samples in all), recorded or made too loud, and their spectra show it"
        )
        tell("clipped", common(clipped), text, clipped)
    holes = [row for row in rows if not row[1].silent and row[1].zeros > ZEROS]
    if holes:
        holes.sort(key=lambda row: -row[1].zeros)
        text = (
            f"digital silence inside: {_of(rows, holes, classes)}, exact zeros for up to "
            f"{1000 * holes[0][1].zeros:.0f} ms, whose logarithm needs a floor"
        )
        tell("digital silence", "note", text, holes)
    rates = Counter(clip.rate for _, clip in rows if not clip.error).most_common()
    if len(rates) > 1:
        shown = ", ".join(f"{count} at {rate} Hz" for rate, count in rates)
        odd = [row for row in rows if not row[1].error and row[1].rate != rates[0][0]]
        of = _of(rows, odd, classes)
        text = f"sample rates differ ({shown}): {of} unlike most; all become 16 kHz"
        tell("sample rate", "note", text, odd)
    if several := [row for row in rows if row[1].channels > 1]:
        text = f"several channels: {_of(rows, several, classes)}; their mean is used"
        tell("channels", "note", text, several)
    for kind, effect in EFFECTS.items():
        odd = [row for row in rows if kind in row[1].heard]
        odd = [row for row in odd if kind != "clipped" or not row[1].clipped]  # told above
        if odd and kind != "silence":
            text = f"{_of(rows, odd, classes)}, the first: {odd[0][1].heard[kind]}. {effect}"
            tell(kind, "warning" if kind in NEVER else common(odd), text, odd)
    problems += _duplicates(corpus, clips)
    usable = [None if clip.error else clip.digest for clip in clips]
    if found := overlapping_rows(listed.assign(emotion=listed.emotion.where(wanted, "")), usable):
        problems.append(Problem("overlapping rows", "error", *found))
    return problems


def _duplicates(corpus: Corpus, clips: list[Clip]) -> list[Problem]:
    groups: dict[str, list[int]] = defaultdict(list)
    for index, clip in enumerate(clips):
        if clip.sound and not clip.silent:
            groups[clip.sound].append(index)
    known = originals(corpus.name)
    wanted, labels = corpus.wanted, corpus.everything.label
    sorts: dict[tuple[str, str], list[list[str]]] = defaultdict(list)
    for indices in groups.values():
        if len(indices) < 2:
            continue
        names = [below(Path(clips[i].path), corpus.root) for i in indices]
        used = sum(wanted[i] for i in indices)
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
                f"the same audio under different labels: {many(len(found), 'recording')} "
                f"({files} files, such as {' = '.join(found[0][:3])}); one label must be wrong: "
                "move them out of the folder"
            )
        else:
            kind = "duplicate audio"
            text = (
                f"there more than once: {many(len(found), 'recording')} ({files} files, such as "
                f"{' = '.join(found[0][:3])}); in a random split one copy trains and the other "
                "tests: keep one"
            )
        if severity == "note":
            text += f" (not of {corpus.class_words})"
        elif severity == "warning":
            text += " (so the owners ship it)"
        problems.append(Problem(kind, severity, text, [n for names in found for n in names]))
    return problems
