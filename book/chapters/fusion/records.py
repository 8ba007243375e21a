"""Fusion on human voices, from the records of long runs (book: chapter "Fusion")."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from ser.report import Report, load_records, make_report

from chapters.fusion.figures import FATES, compared, fates

PARTS = ("mfcc-lstm", "ds-lstm", "dual")
"""Branch A, branch B and their fusion."""


def reports_of(results: str | Path) -> dict[str, Report]:
    """Reports of the last epoch, a folder each, where all of :data:`PARTS` were run.

    Leave-one-speaker-out comes first; ``-dev``: some of the training side was held out.
    """
    found = {}
    for corpus in ("emodb", "nemo"):
        for ending in ("loso", "loso-dev", "random", "random-dev"):
            folder = Path(results) / f"{corpus}-{ending}"
            runs = load_records(folder) if folder.is_dir() else []
            runs = [run for run in runs if run.data["model"] in PARTS]
            if {run.data["model"] for run in runs} == set(PARTS):
                found[folder.name] = make_report(runs, "last")
    return found


def fate_table(reports: dict[str, Report]) -> pd.DataFrame:
    """What became of the utterances in each report, a column each, with its first seed.

    Rows: the names of :data:`chapters.fusion.figures.FATES`; ``both wrong`` and how many of these
    have the ``same wrong answer``; the ``correlation`` of the margins; the percentage of fused
    answers that are right, by the ``formula, %`` and ``counted, %``.
    """
    columns = {}
    for name, report in reports.items():
        a, b, fused = (report.row(row) for row in PARTS)
        truth, first, second = a.labels, a.logits[0], b.logits[0]
        fate = fates(truth, first, second, fused.logits[0])
        counts = np.bincount(fate, minlength=len(FATES))
        wrong = (first.argmax(1) != truth) & (second.argmax(1) != truth)
        alike = wrong & (first.argmax(1) == second.argmax(1))
        frame, rho = compared(truth, first, second)
        columns[name] = {
            **{fate[0].split(":")[0]: int(n) for fate, n in zip(FATES, counts, strict=True)},
            "both wrong": int(wrong.sum()),
            "same wrong answer": int(alike.sum()),
            "correlation": round(rho, 2),
            "formula, %": frame.loc["formula", "fused"],
            "counted, %": frame.loc["counted", "fused"],
        }
    return pd.DataFrame({k: pd.Series(v, dtype=object) for k, v in columns.items()})


def paired_gains(reports: dict[str, Report]) -> pd.DataFrame:
    """The fusion less each branch: UA in points with its 95 % interval over speakers, and p."""
    rows = {}
    for name, report in reports.items():
        for partner in PARTS[:2]:
            result = report.paired("dual", partner)[0].result
            rows[name, f"dual - {partner}"] = {
                "UA, points": 100 * result.ua_difference,
                "low": 100 * result.ua_low,
                "high": 100 * result.ua_high,
                "p": result.ua_p,
                "repaired": result.only_a,
                "spoiled": result.only_b,
            }
    table = pd.DataFrame(rows).T.round(2)
    return table.astype({"repaired": int, "spoiled": int})
