"""What else was tried: options chosen in each fold, two views, other ways of training, corpora.

Records lie in ``voices-chosen-CORPUS-RULE`` (``ser run --choose FILE``), ``voices-views-CORPUS``
(``--rows book/chapters/unheard_voices/views.py``), ``voices-options*`` and ``voices-cross-*``.
Book: chapter "Voices it has not heard".
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
from ser.experiments.choice import CHOSEN
from ser.experiments.record_folder import record_files
from ser.report.load import load_records
from ser.report.pool import Row, pool_records
from ser.report.summary import choice

from chapters.unheard_voices.records import CORPORA, RULES, Voices, best, column, gain, percent

VIEWS: dict[str, str] = {
    "prosody-lstm": "LSTM: prosody",
    "mfcc-lstm": "LSTM: MFCCs",
    "mfcc-lstm+prosody-lstm": "the two, averaged",
    "side-by-side": "LSTM: both side by side",
    "prosody-twice": "DS-LSTM: prosody twice",
    "ds-lstm-prosody": "DS-LSTM: MFCCs, prosody",
    "view-dropout": "the same, a view dropped",
}
"""Row -> how it reads MFCCs, prosody or both."""


def views(results: str | os.PathLike) -> dict[str, dict[str, Row]]:
    """Row of :data:`VIEWS` -> corpus, as it is written -> its row, all folds there.

    Args:
        results: the folder that holds ``voices-views-CORPUS``.
    """
    here = {
        CORPORA[corpus]: {
            r.base: r for r in _whole_rows([Path(results) / f"voices-views-{corpus}"])
        }
        for corpus in CORPORA
    }
    return {
        name: {corpus: rows[name] for corpus, rows in here.items() if name in rows}
        for name in VIEWS
        if any(name in rows for rows in here.values())
    }


def chosen_table(found: Voices, results: str | os.PathLike, resamples: int = 2000) -> pd.DataFrame:
    """What choosing among rows is worth where each fold chooses on its training speakers.

    Args:
        found: of :func:`chapters.unheard_voices.records.voices`.
        results: the folder that holds ``voices-chosen-CORPUS-RULE``.
        resamples: of the intervals.

    Returns:
        DataFrame: index (corpus, rule); ``chosen in each fold`` (UA with its interval),
        ``best afterwards`` (the row of *found* with the highest test UA), ``folds that chose``
        (row and number of folds, the most frequent first). Empty where none was run.
    """
    lines = {}
    for corpus, rules in found.items():
        for rule, rows in rules.items():
            folder = Path(results) / f"voices-chosen-{corpus}-{rule.replace(':', '')}"
            here = [r for r in _whole_rows([folder]) if r.base == CHOSEN]
            for row in here[:1]:
                middle, low, high = percent(row, resamples)
                counts = {o["option"]: o["chosen"] for o in choice(row)["options"] if o["chosen"]}
                order = sorted(counts, key=lambda name: -counts[name])
                top = best(rows) if rows else None
                lines[CORPORA[corpus], column(rule)] = {
                    "chosen in each fold": f"{middle:.1f} ({low:.0f} to {high:.0f})",
                    "best afterwards": f"{100 * top.ua.mean():.1f}" if top else "-",
                    "folds that chose": ", ".join(f"{name} {counts[name]}" for name in order),
                }
    names = ["chosen in each fold", "best afterwards", "folds that chose"]
    frame = pd.DataFrame(list(lines.values()), columns=names)
    if lines:
        frame.index = pd.MultiIndex.from_tuples(lines, names=["corpus", "rule"])
    return frame


def options_table(results: str | os.PathLike, resamples: int = 2000) -> pd.DataFrame:
    """Other ways of training, each beside the same row without it; empty where none was run.

    Args:
        results: the folder that holds ``voices-options*``, a folder of runs an option below.
        resamples: of the intervals.

    Returns:
        DataFrame: index (corpus, rule, row with the option's name), columns ``UA``, ``gain``
        (paired, with 95 % interval over speakers; nothing for the row without any) and ``seeds``.
    """
    rows = _whole_rows(Path(results).glob("voices-options*"))
    plain = {_kind(r): r for r in rows if not _own_tags(r)}
    lines = {}
    for row in sorted(rows, key=lambda r: (*_kind(r), len(_own_tags(r)), r.model)):
        base = plain.get(_kind(row))
        name = ", ".join([row.base, *_own_tags(row)])
        corpus, rule, _ = _kind(row)
        where = (CORPORA.get(corpus, corpus), column(rule), name)
        beside = gain(row, base, resamples) if base is not None and row is not base else ""
        lines[where] = {
            "UA": f"{100 * row.ua.mean():.1f}", "gain": beside, "seeds": len(row.seeds),
        }  # fmt: skip
    frame = pd.DataFrame(list(lines.values()), columns=["UA", "gain", "seeds"])
    if lines:
        frame.index = pd.MultiIndex.from_tuples(lines, names=["corpus", "rule", "row"])
    return frame


def cross_table(results: str | os.PathLike, resamples: int = 2000) -> pd.DataFrame:
    """Rows trained on one corpus and tested on another, by whose mean was taken.

    Args:
        results: the folder that holds ``voices-cross-*``.
        resamples: of the intervals.

    Returns:
        DataFrame: index (trained on, tested on, row), a column a rule, empty where none was run.
    """
    lines: dict[tuple[str, str, str], dict[str, str]] = {}
    for row in _whole_rows(Path(results).glob("voices-cross-*")):
        if row.normaliser in RULES:
            middle, low, high = percent(row, resamples)
            names = [CORPORA.get(c, c) for c in (row.corpus, row.test_corpus)]
            line = lines.setdefault((*names, row.base), {})
            line[column(row.normaliser)] = f"{middle:.1f} ({low:.0f} to {high:.0f})"
    columns = [c for c in map(column, RULES) if any(c in line for line in lines.values())]
    frame = pd.DataFrame(list(lines.values()), columns=columns).fillna("-")
    if lines:
        frame.index = pd.MultiIndex.from_tuples(lines, names=["trained on", "tested on", "row"])
    return frame


def _whole_rows(folders: Iterable[Path]) -> list[Row]:
    """Rows of the folders at the last epoch, those whose folds are all there."""
    there = sorted(f for f in folders if any(record_files(f)))
    rows = pool_records(load_records(there)) if there else []
    return [r for r in rows if r.selection == "last" and r.folds == r.folds_total]


def _kind(row: Row) -> tuple[str, str, str]:
    return row.test_corpus or row.corpus, row.normaliser, row.base


def _own_tags(row: Row) -> list[str]:
    """What sets a row apart, but for who normalises: that has a column of its own."""
    return [words for name, words in row.tags.items() if name != "normalise"]
