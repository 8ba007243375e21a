"""The answers to the study's questions in words. Book: chapter "Ablations"."""

from __future__ import annotations

import pandas as pd

from chapters.shared.study_questions import ALPHA

MAIN_QUESTIONS = {
    "two spectrograms": "Does the second resolution earn its place, beside the better one alone?",
    "one cell": "Does the DS-LSTM, beside two LSTMs on the same two spectrograms?",
    "fusion, DS-LSTM": "Does the dual level, beside its DS-LSTM branch?",
    "fusion, MFCC": "And beside its MFCC branch?",
}
"""The questions that the project was set, in the order of the network's parts."""


def main_answers(asked: pd.DataFrame) -> str:
    """The answers to the four questions that the project was set, as a Markdown list.

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
        parts = [f"settled: {'; '.join(told) or 'none'}", f"open: {'; '.join(left) or 'none'}"]
        if missing := list(table.index[table.verdict == "not run"]):
            parts.append(f"not run: {'; '.join(missing)}")
        speakers = int(done.speakers.max()) if len(done) else 0
        parts += _reach(done, speakers)
        notes = asked.attrs.get("notes", [])
        parts += [n.removeprefix(f"{corpus}: ") for n in notes if _of_seeds(n, corpus)]
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


def _of_seeds(note: str, corpus: str) -> bool:
    return note.startswith(f"{corpus}: one seed stands")


def power_notes(asked: pd.DataFrame) -> list[str]:
    """The notes that say that a corpus has too few speakers for so many questions."""
    return [note for note in asked.attrs.get("notes", []) if "corrected p" in note]
