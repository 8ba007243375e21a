"""The questions of the study, each a pair of rows, answered together from any set of records.

:data:`chapters.shared.question_list.QUESTIONS` names them; :func:`questions` answers those whose
rows are there and says of the others which command would make the records. Unlike
:mod:`chapters.shared.paired_questions`, whose family is the rows of the paper's table, a question
here may also set two presets, two hidden sizes, two choices of epoch or two protocols against each
other. Book: chapter "Ablations".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from ser.errors import RecordError
from ser.report.build import Report
from ser.report.comparison import compare
from ser.report.pool import Row
from ser.report.variants import HELD_OUT, setting

from chapters.shared.missing_runs import command_for
from chapters.shared.paired_questions import holm
from chapters.shared.question_list import QUESTIONS, StudyQuestion, Wanted

ALPHA = 0.05
EQUAL = 0.05
"""Two rows are of about the same size if their parameters differ by this share at most."""


COLUMNS = [
    "question", "family", "corpus", "protocol", "first", "second", "ua_first", "ua_second",
    "difference", "low", "high", "p", "p_holm", "seeds", "speakers", "verdict", "command",
]  # fmt: skip


@dataclass(frozen=True)
class OneSeed:
    """Answers of a corpus that rest on one seed on a side.

    Attributes:
        keys: of the questions.
        least, most: standard deviations, in points of UA, between the seeds of other rows there.
    """

    keys: tuple[str, ...]
    least: float
    most: float

    def words(self, named: bool) -> str:
        """What that means; *named*: with the questions' keys."""
        keys = f" ({'; '.join(self.keys)})" if named else ""
        return (
            f"one seed stands on a side of {len(self.keys)} answers{keys}. Their intervals know "
            "nothing of its luck: between the seeds of one row UA has a standard deviation of "
            f"{self.least:.1f} to {self.most:.1f} points here"
        )


def questions(
    report: Report,
    only: Iterable[str] | None = None,
    asked: Sequence[StudyQuestion] = QUESTIONS,
    corpus: str | None = None,
) -> pd.DataFrame:
    """Every question of the study, answered where the records allow.

    Speakers are the unit: the interval resamples them with the answers of all seeds, p is of
    swapping the two rows' answers for whole speakers. Holm's correction is over the questions
    answered of one corpus and one family: ``main`` are the four that the architecture raises, the
    ``other`` ones the rest. A verdict needs a corrected p below 0.05; all else is open, which is
    not the same as no difference.

    Args:
        report: of :func:`ser.report.make_report`, with the folders of a study: any seeds,
            selections, presets and protocols. Runs of one corpus tested on another are left out.
        only: keys of the questions to ask, if not all. The fewer, the milder the correction; they
            should be chosen before the answers are seen.
        asked: the questions to choose from.
        corpus: only this one.

    Returns:
        DataFrame, a line a question and corpus; the index is the key. ``first`` and ``second``
        are the two rows, ``ua_first``, ``ua_second``, ``difference`` (first minus second),
        ``low`` and ``high`` are points of UA, ``p`` and ``p_holm`` its p-values; ``seeds`` as
        ``"5"`` or ``"5/3"``, ``"-"`` for a baseline, which has none; ``verdict``: ``"better"`` or
        ``"worse"`` (of the first row; where two ways of scoring are compared, ``"higher"`` or
        ``"lower"``), ``"open"``, or ``"not run"``, and then ``command`` says how to make what is
        missing. ``attrs["notes"]`` has what the reader should know, ``attrs["one seed"]`` for
        each corpus the :class:`OneSeed` of its answers, where there is one.

    Raises:
        RecordError: an unknown question or corpus, or nothing but runs across corpora.

    Example:
        >>> report = make_report("book/results/emodb-loso")       # doctest: +SKIP
        >>> questions(report)[["difference", "low", "high", "verdict"]]  # doctest: +SKIP
    """
    chosen = _chosen(asked, only)
    blocks = _blocks(report, corpus)
    parts, notes, one_seed = [], [], {}
    for name, (here, protocol) in blocks.items():
        lines = [_answer(q, here, protocol, report.resamples) for q in chosen]
        table = pd.DataFrame(lines, columns=COLUMNS, index=pd.Index([q.key for q in chosen]))
        table.index.name = "key"
        table["p_holm"] = table.groupby("family").p.transform(lambda p: holm(p))
        table["verdict"] = [
            _verdict(*each)
            for each in zip(table.difference, table.p_holm, chosen, strict=True)
        ]  # fmt: skip
        table["corpus"] = name
        parts.append(table)
        alone = [q.key for q, line in zip(chosen, lines, strict=True) if line.get("one seed")]
        if found := _one_seed(alone, here, protocol):
            one_seed[name] = found
        notes += _notes(table, found)
    result = pd.concat(parts)
    result.attrs |= {"notes": notes, "one seed": one_seed}
    return result


def _chosen(asked: Sequence[StudyQuestion], only: Iterable[str] | None) -> list[StudyQuestion]:
    if only is None:
        return list(asked)
    keys = [only] if isinstance(only, str) else list(only)
    known = {q.key: q for q in asked}
    if unknown := [k for k in keys if k not in known]:
        raise RecordError(f"no question {unknown[0]!r}; there are: {', '.join(known)}")
    return [known[k] for k in dict.fromkeys(keys)]


def _blocks(report: Report, corpus: str | None) -> dict[str, tuple[list[Row], str]]:
    """Corpus -> its rows, and the protocol the questions are asked under."""
    rows = [r for r in report.rows if not r.test_corpus and corpus in (None, r.corpus)]
    if not rows:
        have = ", ".join(dict.fromkeys(r.corpus for r in report.rows if not r.test_corpus))
        raise RecordError(f"no rows to ask of corpus {corpus or '(any)'}; there are: {have or '-'}")
    blocks = {}
    for name in dict.fromkeys(r.corpus for r in rows):
        here = [r for r in rows if r.corpus == name]
        unseen = [r.protocol for r in here if r.protocol != "random"]
        # Of several protocols of unseen speakers: the one under which most rows were run.
        protocol = max(dict.fromkeys(unseen), key=unseen.count) if unseen else "random"
        blocks[name] = (here, protocol)
    return blocks


def _answer(question: StudyQuestion, rows: list[Row], protocol: str, resamples: int) -> dict:
    sides = [(pair, _pair(pair, rows, protocol)) for pair in question.pairs]
    there = [found for _, found in sides if all(found)]
    if question.best:
        # Judged by one row alone, "the better one" would only be the one that was run.
        ready = len(there) == len(sides)
        there = sorted(there, key=lambda f: -f[1].ua.mean()) if ready else []
    line: dict = dict.fromkeys(COLUMNS, np.nan)
    line |= {"question": question.text, "protocol": protocol, "seeds": "", "command": ""}
    line["family"] = "main" if question.main else "other"
    if not there:
        wanted, found = next(s for s in sides if not all(s[1]))
        line |= {"first": _title(wanted[0]), "second": _title(wanted[1]), "speakers": 0}
        lacking = sides if question.best else [(wanted, found)]
        pairs = [p for s in lacking for p in zip(*s, strict=True)]
        missing = list(dict.fromkeys(side for side, row in pairs if row is None))
        line["command"] = command_for(missing, rows, protocol)
        return line
    first, second = there[0]
    compared = compare(first, second, resamples)
    result = compared.result
    counts = [
        len(s) if r.records[0].data.get("history") else None
        for s, r in zip(compared.seeds, (first, second), strict=True)
    ]
    seeds = ["-" if count is None else str(count) for count in counts]
    return line | {
        "first": _named(first, second),
        "second": _named(second, first),
        "ua_first": 100 * result.ua_a,
        "ua_second": 100 * result.ua_b,
        "difference": 100 * result.ua_difference,
        "low": 100 * result.ua_low,
        "high": 100 * result.ua_high,
        "p": result.ua_p,
        "seeds": seeds[0] if seeds[0] == seeds[1] else "/".join(seeds),
        "one seed": 1 in counts,
        "speakers": result.speakers,
    }


def _pair(pair: tuple[Wanted, Wanted], rows: list[Row], protocol: str) -> list[Row | None]:
    first = _find(pair[0], rows, protocol)
    if first and pair[0]._replace(selection="") == pair[1]._replace(selection=""):
        # Two choices of epoch are compared within the same runs.
        same = (r for r in rows if r.records == first.records and r.selection == pair[1].selection)
        return [first, next(same, None)]
    # Under one protocol both must have been trained on the same utterances: a row that had its
    # dev speakers in training is no partner for one that had not.
    alike = rows
    if first and pair[0].random == pair[1].random:
        alike = [r for r in rows if _divisions(r) == _divisions(first)]
    return [first, _find(pair[1], alike, protocol)]


def _divisions(row: Row) -> set[tuple[str, str]]:
    return {(r.fold, str(r.data["protocol"].get("hash"))) for r in row.records}


def _find(wanted: Wanted, rows: list[Row], protocol: str) -> Row | None:
    """The finished row that fits; the usual preset and the largest number of seeds first."""

    def fits(row: Row) -> bool:
        """The model and setting that are asked for, all folds, and no tag but those left free."""
        config = row.records[0].data.get("config") or {}
        frames = setting(config, row.preset, "frames")
        free = {"frames"} if wanted.frames else {"hidden"} if wanted.like else set()
        if wanted.even:
            free |= {"leave_dev"}
        if wanted.selection == "dev" and row.tags.get(HELD_OUT) == HELD_OUT:
            free |= {HELD_OUT}
        return (
            row.base == wanted.model
            and row.tags.keys() <= free
            and row.selection == wanted.selection
            and row.protocol == ("random" if wanted.random else protocol)
            and row.folds == row.folds_total
            and wanted.preset in ("", row.preset)
            and wanted.frames in ("", frames)
            and (not wanted.like or _as_large(row, wanted.like, rows))
            and wanted.even == (list(row.tags) == ["leave_dev"])
        )  # fmt: skip

    found = [row for row in rows if fits(row)]
    return max(found, key=lambda r: (r.preset == "release", len(r.seeds)), default=None)


def _as_large(row: Row, like: str, rows: list[Row]) -> bool:
    """Whether *row* has as many parameters as the row *like* with the same preset, about."""
    size = _size(row)
    sizes = [_size(r) for r in rows if r.model == like and r.preset == row.preset]
    return bool(size) and any(s and abs(size / s - 1) <= EQUAL for s in sizes)


def _size(row: Row) -> int | None:
    return row.records[0].data.get("parameters")


def _title(wanted: Wanted) -> str:
    said = [wanted.preset, wanted.frames and f"{wanted.frames} frames", wanted.random and "random"]
    said += [wanted.selection if wanted.selection != "last" else ""]
    said += [f"as many parameters as {wanted.like}" if wanted.like else ""]
    more = ", ".join(s for s in said if s)
    return f"{wanted.model} ({more})" if more else wanted.model


def _named(row: Row, other: Row) -> str:
    """The row's name, with what sets it apart from the other."""
    parts = [
        getattr(row, k) for k in ("preset", "protocol", "selection")
        if getattr(row, k) != getattr(other, k) and getattr(row, k) and getattr(other, k)
    ]  # fmt: skip
    star = "*" if row.test_chosen else ""
    if row.records[0].data.get("parameters") is None or other.preset == "" or row.preset == "":
        parts = [p for p in parts if p not in ("paper", "release")]
    return f"{row.label}{star} ({', '.join(parts)})" if parts else f"{row.label}{star}"


def _verdict(difference: float, p: float, question: StudyQuestion) -> str:
    if np.isnan(difference):
        return "not run"
    if not p < ALPHA:
        return "open"
    words = ("higher", "lower") if question.scores else ("better", "worse")
    return words[0] if difference > 0 else words[1]


def _one_seed(keys: Sequence[str], rows: Sequence[Row], protocol: str) -> OneSeed | None:
    several = [r for r in rows if len(r.seeds) > 2 and r.protocol == protocol]
    spread = [100 * np.std(r.ua, ddof=1) for r in several if r.selection == "last"]
    return OneSeed(tuple(keys), min(spread), max(spread)) if keys and spread else None


def _notes(table: pd.DataFrame, one_seed: OneSeed | None) -> list[str]:
    """What the numbers cannot say; one line each."""
    corpus, known = table.corpus.iloc[0], table[table.p.notna()]
    if known.empty:
        return [f"{corpus}: no question can be answered from these records"]
    notes = []
    speakers = int(known.speakers.max())
    for family, asked in known.groupby("family", sort=False):
        least = 2.0 ** (1 - speakers) * len(asked)
        if least >= ALPHA:
            notes.append(
                f"{corpus}: with {speakers} speakers and {len(asked)} {family} questions no "
                f"corrected p can be below {min(1.0, least):.3f}, so every answer among them is "
                "open; ask fewer questions, or more speakers"
            )
    if one_seed:
        notes.append(f"{corpus}: {one_seed.words(named=True)}")
    left = table.index[table.p.isna()]
    if len(left):
        notes.append(f"{corpus}: not run: {'; '.join(left)}")
    return notes
