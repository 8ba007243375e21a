"""The answers to the study's questions in words. Book: chapter "Ablations"."""

from __future__ import annotations

import pandas as pd


def verdict_summary(asked: pd.DataFrame) -> str:
    """What is settled, what is open and what was not run, a line a corpus, as Markdown.

    Args:
        asked: of :func:`ser.report.questions.questions`.

    Returns:
        A list; a settled question stands with its rows, its difference and its interval.

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
        lines.append(f"- {corpus}, {speakers} speakers, {len(done)} questions. " + ". ".join(
            part[0].upper() + part[1:] for part in parts
        ) + ".")  # fmt: skip
    return "\n".join(lines)


def too_many(asked: pd.DataFrame) -> list[str]:
    """The notes that say that a corpus has too few speakers for so many questions."""
    return [note for note in asked.attrs.get("notes", []) if "no corrected p" in note]
