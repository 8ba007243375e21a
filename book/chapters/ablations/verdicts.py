"""The answers to the study's questions in words. Book: chapter "Ablations"."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from ser.report.build import Report
from ser.report.comparison import compare
from ser.report.pool import Row

from chapters.shared.seen import Seen, seen
from chapters.shared.study_questions import ALPHA

MAIN_QUESTIONS = {
    "two spectrograms": "Does the second resolution earn its place, beside the better one alone?",
    "one cell": "Does the DS-LSTM, beside two LSTMs on the same two spectrograms?",
    "fusion, DS-LSTM": "Does the dual level, beside its DS-LSTM branch?",
    "fusion, MFCC": "And beside its MFCC branch?",
}
"""What the architecture claims, in the order of the network's parts."""

MANY = 6
"""More open questions than these are counted, not named."""


def main_answers(asked: pd.DataFrame) -> str:
    """The answers to the four questions about the architecture, as a Markdown list.

    Args:
        asked: of :func:`chapters.shared.study_questions.questions`, of any corpora.

    Returns:
        A line a question: for each corpus the verdict, the difference in points of UA and its
        interval.

    Example:
        >>> print(main_answers(questions(report)))                      # doctest: +SKIP
        - Does the second resolution earn its place, beside the better one alone? emodb: open, ...
    """
    lines = []
    for key, question in MAIN_QUESTIONS.items():
        told = []
        for line in asked[asked.index == key].itertuples():
            words = {"better": "yes", "worse": "no, it costs"}.get(line.verdict, line.verdict)
            if line.verdict != "not run":
                words += f", {line.difference:+.1f} points ({line.low:+.1f} to {line.high:+.1f})"
            told.append(f"{line.corpus}: {words}")
        if told:
            lines.append(f"- {question} {'; '.join(told)}.")
    return "\n".join(lines)


def verdict_summary(asked: pd.DataFrame) -> str:
    """What is settled, what is open and what was not run, a line a corpus, as Markdown.

    Args:
        asked: of :func:`chapters.shared.study_questions.questions`.

    Returns:
        A list; a settled question stands with its rows, its difference and its interval. What
        could not have been settled, and which answers rest on one seed, is said with it.

    Example:
        >>> verdict_summary(questions(report))                   # doctest: +SKIP
        '- emodb, 10 speakers: settled are speakers (`dual (random)` higher than ...
    """
    lines = []
    for corpus, table in asked.groupby("corpus", sort=False):
        done = table[table.verdict != "not run"]
        sure = done[done.verdict != "open"]
        told = [
            f"{line.Index} (`{line.first}` {line.verdict} than `{line.second}`: "
            f"{line.difference:+.1f}, {line.low:+.1f} to {line.high:+.1f})"
            for line in sure.itertuples()
        ]
        left = done.index[done.verdict == "open"]
        still = "; ".join(left) if len(left) <= MANY else f"the other {len(left)}"
        parts = [f"settled: {'; '.join(told) or 'none'}", f"open: {still or 'none'}"]
        if missing := list(table.index[table.verdict == "not run"]):
            parts.append(f"not run: {'; '.join(missing)}")
        speakers = int(done.speakers.max()) if len(done) else 0
        parts += _reach(done, speakers)
        if found := asked.attrs.get("one seed", {}).get(corpus):
            parts.append(found.words(named=False))
        lines.append(f"- {corpus}, {speakers} speakers, {len(done)} questions. " + ". ".join(
            part[0].upper() + part[1:] for part in parts
        ) + ".")  # fmt: skip
    return "\n".join(lines)


def _reach(done: pd.DataFrame, speakers: int) -> list[str]:
    """The smallest corrected p there can be, by family."""
    told = []
    for family, asked in done.groupby("family", sort=False):
        least = min(1.0, 2.0 ** (1 - speakers) * len(asked))
        told.append(f"{least:.3f} among the {len(asked)} {family} ones")
        if least >= ALPHA:
            told[-1] += ", of which none could be settled"
    return [f"the smallest corrected p there can be is {' and '.join(told)}"] if told else []


def verdict_table(family: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The answers of several corpora side by side: points with their interval, and Holm's p.

    Args:
        family: corpus -> table of :func:`chapters.shared.paired_questions.answers`.

    Returns:
        DataFrame of text, a line a part, two columns a corpus.
    """
    columns = {}
    for corpus, table in family.items():
        ends = table[["difference", "low", "high"]].map("{:+.1f}".format)
        columns[corpus] = ends.difference + " (" + ends.low + " to " + ends.high + ")"
        columns[f"{corpus}, p"] = table.p_holm.map("{:.2f}".format)
    return pd.DataFrame(columns).fillna("")


def verdict_words(family: Mapping[str, pd.DataFrame]) -> Seen:
    """How many of the questions are settled on each corpus, and what else stands out."""
    told = []
    for corpus, table in family.items():
        sure = table[table.p_holm < ALPHA]
        clear = table[(table.low > 0) | (table.high < 0)]
        said = f"On {corpus} {len(sure) or 'none'} of the {len(table)} questions "
        said += "is settled" if len(sure) < 2 else "are settled"
        names = " and ".join(f"*{name}*" for name in clear.index)
        said += f"; the interval misses zero for {names}" * bool(names)
        said += "; every interval holds zero" * (not names)
        told.append(f"{said}.")
    return seen(" ".join(told))


def inflow_words(tables: Mapping[str, pd.DataFrame]) -> Seen:
    """In which emotion most enters the memory by each gate, before and after training.

    Args:
        tables: ``"before"`` and ``"after"`` (or other states) -> table of
            :func:`chapters.ablations.gate_means.gates_by_emotion`.
    """
    told = []
    for state, table in tables.items():
        most = table.difference.unstack("emotion").idxmax(axis=1)
        if most.nunique() == 1:
            where = f"in {most.iloc[0]} speech, by both gates and in every layer"
        else:
            counts = most.value_counts()
            parts = [f"{emotion} speech in {n}" for emotion, n in counts.items()]
            where = f"in {' and '.join(parts)} of the {len(most)} cases (two gates, each layer)"
        told.append(f"{state.capitalize()} training most enters {where}.")
    return seen(" ".join(told))


def questions_table(asked: pd.DataFrame) -> pd.DataFrame:
    """The answers as text: family, corpus, rows, points with their interval, seeds, p, verdict.

    Args:
        asked: lines of :func:`chapters.shared.study_questions.questions` that were run.
    """
    table = asked[["family", "corpus", "first", "second"]].copy()
    ends = asked[["difference", "low", "high"]].map("{:+.1f}".format)
    table["points"] = ends.difference + " (" + ends.low + " to " + ends.high + ")"
    table["seeds"], table["p, Holm"] = asked.seeds, asked.p_holm.map("{:.3f}".format)
    table["verdict"] = asked.verdict
    return table


VARIANTS = {
    "ds-lstm": "as released",
    "ds-lstm-no-gate-norm": "no gate norm",
    "ds-lstm-no-output-norm": "no output norm",
    "ds-lstm-equations": "neither (equations)",
    "ds-lstm-no-y-candidate": "no y-candidate",
    "cnn-lstm-pair": "two LSTMs",
    "concat-lstm": "one LSTM",
}
"""Rows of one memory over both spectrograms, and what sets them apart."""


def variants_table(report: Report) -> pd.DataFrame:
    """UA of the DS-LSTM's variants and its competitors: the release's preset, unseen, last epoch.

    Returns:
        DataFrame of text, a line a variant, a column a corpus: percent, and seeds in brackets.
    """
    columns: dict[str, dict[str, str]] = {}
    for row in _variants(report):
        told = f"{100 * row.ua.mean():.1f} ({len(row.seeds)})"
        columns.setdefault(row.corpus, {})[VARIANTS[row.model]] = told
    table = pd.DataFrame(columns).reindex(list(VARIANTS.values())).dropna(how="all")
    return table.fillna("").rename_axis("UA, percent (seeds)")


def norm_words(report: Report, corpus: str) -> Seen:
    """The cell against two LSTMs and one LSTM, with the released norms and without them."""
    there = {row.model: row for row in _variants(report) if row.corpus == corpus}
    told = []
    for other in ("cnn-lstm-pair", "concat-lstm"):
        for norms, first in (("with", "ds-lstm"), ("without", "ds-lstm-equations")):
            if {first, other} <= set(there):
                result = compare(there[first], there[other], report.resamples).result
                gap, low, high = (
                    100 * getattr(result, f"ua_{k}") for k in ("difference", "low", "high")
                )
                told.append(
                    f"against {VARIANTS[other]} {gap:+.1f} ({low:+.1f} to {high:+.1f}, "
                    f"p {result.ua_p:.3f}) {norms} norms"
                )
    return seen(f"The DS-LSTM on {corpus}, points of UA: {'; '.join(told) or 'not run'}.")


def _variants(report: Report) -> list[Row]:
    return [
        row
        for row in report.rows
        if row.model in VARIANTS
        and (row.protocol != "random" and row.selection == "last" and row.preset == "release")
        and row.folds == row.folds_total
    ]
