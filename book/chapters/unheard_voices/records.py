"""The runs behind the chapter: rows of records, by corpus and by who normalises.

Folders ``voices-CORPUS-RULE`` hold them (``ser run --settings small --normalise RULE --study
voices``). Rows whose folds are not all there are passed over, so a page can be made while runs go
on. Book: chapter "Voices it has not heard".
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from ser.corpora import EMOTIONS
from ser.experiments.record_folder import record_files
from ser.marks import mark_of
from ser.report.comparison import Comparison, compare
from ser.report.load import load_records
from ser.report.pool import Row, pool_records

from chapters.shared.paired_questions import holm
from chapters.shared.study_folders import page_folders

CORPORA: dict[str, str] = {"emodb": "EmoDB", "nemo": "nEMO"}
"""Short name -> the corpus as it is written."""

RULES: dict[str, str] = {
    "train": "the training side",
    "enrol:3": "three neutral sentences",
    "speaker": "all recordings of the voice",
}
"""Whose mean is taken away -> the same in words."""

INPUTS: dict[str, str] = {
    "dual+": "spectrograms and MFCCs, large",
    "dual": "spectrograms and MFCCs",
    "ds-lstm": "two spectrograms",
    "mfcc-lstm": "39 MFCCs a frame",
    "prosody-lstm": "prosody a frame",
    "ds-lstm-prosody": "MFCCs and prosody",
    "egemaps-lr": "88 functionals",
    "compare-lr": "6,373 functionals",
    "egemaps-lr+compare-lr": "both sets of functionals",
    "prosody-lstm+egemaps-lr": "prosody a frame and 88 functionals",
    "prosody-lstm+compare-lr": "prosody a frame and 6,373 functionals",
    "prosody-lstm+egemaps-lr+compare-lr": "prosody a frame and both sets of functionals",
    "ds-lstm+compare-lr": "two spectrograms and 6,373 functionals",
    "ds-lstm+mfcc-lstm+compare-lr": "spectrograms, MFCCs and 6,373 functionals",
}
"""Row -> what it is given, the first of the failing system, in the order of the tables."""

Voices = dict[str, dict[str, dict[str, Row]]]
"""Corpus -> rule -> name of the row -> row, last epoch."""


class Question(NamedTuple):
    """Two rows under one rule, and what their difference answers."""

    asked: str
    row: str
    against: str


QUESTIONS: tuple[Question, ...] = (
    Question("ComParE, not eGeMAPS", "compare-lr", "egemaps-lr"),
    Question("eGeMAPS beside ComParE", "egemaps-lr+compare-lr", "compare-lr"),
    Question("frames of prosody beside eGeMAPS", "prosody-lstm+egemaps-lr", "egemaps-lr"),
    Question("frames of prosody beside ComParE", "prosody-lstm+compare-lr", "compare-lr"),
    Question("all three, not ComParE alone", "prosody-lstm+egemaps-lr+compare-lr", "compare-lr"),
    Question("DS-LSTM on prosody, not prosody alone", "ds-lstm-prosody", "prosody-lstm"),
    Question("DS-LSTM on prosody, not MFCCs alone", "ds-lstm-prosody", "mfcc-lstm"),
    Question("small DS-LSTM, not ComParE", "ds-lstm", "compare-lr"),
    Question("small DS-LSTM beside ComParE", "ds-lstm+compare-lr", "compare-lr"),
    Question("MFCCs beside the small DS-LSTM", "dual", "ds-lstm"),
)
"""What the chapter asks of its records, each as one row minus another."""


def voices(results: str | os.PathLike) -> Voices:
    """The rows of every corpus and rule, one speaker left out, last epoch, all folds there.

    The failing system's ``dual+`` and ``mfcc-lstm+`` come from the study, where they are trained
    on other terms (dev speakers held out).

    Args:
        results: the folder of folders, as ``book/results``.

    Example:
        >>> voices("no such folder")["nemo"]
        {'train': {}, 'enrol:3': {}, 'speaker': {}}
    """
    found: Voices = {corpus: {rule: {} for rule in RULES} for corpus in CORPORA}
    for corpus, rules in found.items():
        for rule, rows in rules.items():
            folder = Path(results) / f"voices-{corpus}-{rule.replace(':', '')}"
            here = [row for row in _whole(folder) if (row.corpus, row.normaliser) == (corpus, rule)]
            order = list(INPUTS)
            here.sort(key=lambda row: order.index(row.base) if row.base in order else len(order))
            rows |= {row.base: row for row in here}
    return found


def released_sizes(results: str | os.PathLike) -> dict[str, dict[str, Row]]:
    """Corpus -> networks of the released sizes trained in the small ones' way, by speaker.

    Their folders are ``voices-large-CORPUS`` (``ser run --settings small --hidden 200 --channels
    64,16 --normalise speaker --study voices``); a name is ``ROW, released sizes``.
    """
    return {
        corpus: {
            f"{row.base}, released sizes": row
            for row in _whole(Path(results) / f"voices-large-{corpus}")
        }
        for corpus in CORPORA
    }


def _whole(folder: Path) -> list[Row]:
    if not any(record_files(folder)):
        return []
    rows = [r for r in pool_records(load_records(folder)) if r.protocol == "loso"]
    return [r for r in rows if r.selection == "last" and r.folds == r.folds_total]


def study_rows(results: str | os.PathLike, corpus: str, protocol: str) -> dict[str, Row]:
    """Rows of the study at the last epoch, untagged: those that the page of results shows.

    Args:
        results: the folder of folders.
        corpus: short name.
        protocol: ``loso`` or ``random``.
    """
    folders = [
        f for f in page_folders(results, corpus) if f.name.startswith(f"{corpus}-{protocol}")
    ]
    rows = pool_records(load_records(folders)) if folders else []
    return {r.model: r for r in rows if r.selection == "last" and r.folds == r.folds_total}


def percent(row: Row, resamples: int = 2000) -> tuple[float, float, float]:
    """UA of a row, mean over its seeds, and its 95 % interval over speakers, in percent."""
    ends = row.interval("ua", resamples)
    return 100 * float(row.ua.mean()), 100 * ends.low, 100 * ends.high


def gain(row: Row, other: Row, resamples: int = 2000, unit: str = "") -> str:
    """UA of *row* minus that of *other* on the same utterances, with its 95 % interval."""
    result = compare(row, other, resamples).result
    ends = [100 * getattr(result, f"ua_{k}") for k in ("difference", "low", "high")]
    return "{:+.1f}{unit} ({:+.1f} to {:+.1f})".format(*ends, unit=unit)


def column(rule: str) -> str:
    """A rule as the head of a column, with the mark of its rows.

    Example:
        >>> [column(rule) for rule in RULES]
        ['train', 'enrol:3 (E 3)', 'speaker (T)']
    """
    return f"{rule} {mark_of(rule)}".strip()


def score_table(rules: Mapping[str, Mapping[str, Row]], resamples: int = 2000) -> pd.DataFrame:
    """UA with its interval of every row under every rule; ``-`` where it has not been run.

    Args:
        rules: of one corpus, of :func:`voices`.
        resamples: of the intervals.

    Returns:
        DataFrame: a line a row; ``seeds`` are those of each column, in its order.
    """
    there = [name for rows in rules.values() for name in rows]
    names = [n for n in dict.fromkeys([*INPUTS, *there]) if n in there]
    lines = {}
    for name in names:
        line, seeds = {}, []
        for rule, rows in rules.items():
            if name in rows:
                middle, low, high = percent(rows[name], resamples)
                line[column(rule)] = f"{middle:.1f} ({low:.0f} to {high:.0f})"
            else:
                line[column(rule)] = "-"
            seeds.append(str(len(rows[name].seeds)) if name in rows else "-")
        lines[name] = line | {"seeds": ", ".join(seeds)}
    return pd.DataFrame.from_dict(lines, orient="index")


def asked(found: Voices, resamples: int = 2000) -> pd.DataFrame:
    """The answers to :data:`QUESTIONS`, each under every rule and on every corpus where both are.

    Returns:
        DataFrame, a line a comparison: ``corpus``, ``rule``, ``asked``, ``difference``, ``low``,
        ``high`` (points of UA, 95 % interval over speakers), ``p``, ``p_holm`` (corrected over the
        lines of a corpus under one rule), ``seeds``.
    """
    lines = [
        {
            "corpus": corpus, "rule": rule, "asked": question.asked,
            "difference": 100 * c.result.ua_difference, "low": 100 * c.result.ua_low,
            "high": 100 * c.result.ua_high, "p": c.result.ua_p,
            "seeds": " and ".join(str(len(s)) for s in c.seeds),
        }
        for corpus, rule, question, c in _comparisons(found, resamples)
    ]  # fmt: skip
    names = ["corpus", "rule", "asked", "difference", "low", "high", "p", "seeds"]
    table = pd.DataFrame(lines, columns=names)
    table["p_holm"] = np.nan
    for _, mine in table.groupby(["corpus", "rule"]):
        table.loc[mine.index, "p_holm"] = holm(mine.p)
    return table


def _comparisons(found: Voices, resamples: int) -> Iterator[tuple[str, str, Question, Comparison]]:
    for corpus, rules in found.items():
        for rule, rows in rules.items():
            for question in QUESTIONS:
                if {question.row, question.against} <= rows.keys():
                    pair = compare(rows[question.row], rows[question.against], resamples)
                    yield corpus, rule, question, pair


def asked_table(answers: pd.DataFrame) -> pd.DataFrame:
    """The answers for a page: a line a corpus and question, a column a rule.

    A star stands where p is below 0.05 after the correction.
    """
    told = [
        f"{r.difference:+.1f} ({r.low:+.1f} to {r.high:+.1f}){' *' if r.p_holm < 0.05 else ''}"
        for r in answers.itertuples()
    ]
    frame = answers.assign(
        told=told, rule=answers.rule.map(column), corpus=answers.corpus.map(CORPORA)
    )
    wide = frame.pivot(index=["corpus", "asked"], columns="rule", values="told").fillna("-")
    order = [(c, q.asked) for c in CORPORA.values() for q in QUESTIONS]
    columns = [column(rule) for rule in RULES if column(rule) in wide]
    return wide.reindex([key for key in order if key in wide.index])[columns]


def speaker_recalls(row: Row) -> pd.DataFrame:
    """Recall of every emotion for each speaker, percent, mean over seeds; ``UA`` is their mean.

    Returns:
        DataFrame, a line a speaker, the worst UA first.
    """
    right = 100 * (row.predictions == row.labels).mean(0)
    frame = pd.DataFrame({"speaker": row.speakers, "label": row.labels, "right": right})
    table = frame.pivot_table(index="speaker", columns="label", values="right")
    table = table.rename(columns=dict(enumerate(EMOTIONS)))
    table.insert(0, "UA", table.mean(axis=1))
    return table.sort_values("UA").rename_axis(columns=None)


def best(rows: Mapping[str, Row]) -> Row:
    """The row with the highest UA.

    Raises:
        ValueError: no row.
    """
    if not rows:
        raise ValueError("no row to choose from")
    return max(rows.values(), key=lambda row: float(row.ua.mean()))
