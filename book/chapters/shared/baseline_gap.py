"""How far networks are above a model that is told next to nothing (book: "nEMO, measured")."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd
from ser.report.build import Report
from ser.report.comparison import compare
from ser.report.pool import pool_records
from ser.report.record import Record

from chapters.shared.result_tables import unseen_protocol

SIMPLE_BASELINES = ("level-lr", "duration-lr")
"""Rows that are given one number of each recording."""


def baseline_gap(report: Report, baselines: Iterable[Record]) -> pd.DataFrame:
    """UA of each network minus that of the best simple baseline, unseen speakers, the last epoch.

    Args:
        report: of one corpus.
        baselines: records of :data:`SIMPLE_BASELINES` on the same utterances; other records are
            passed over.

    Returns:
        DataFrame of text, a line a network: ``points`` with the interval over speakers, and ``p``
        of the swap test, which is not corrected for the number of rows. Empty without baselines;
        ``attrs["baseline"]`` names the one that was taken, with its UA.

    Example:
        >>> baseline_gap(report, load_records("book/results/nemo-floors"))  # doctest: +SKIP
    """
    protocol = unseen_protocol(report)
    found = [
        r
        for r in pool_records(list(baselines))
        if r.model in SIMPLE_BASELINES and (r.protocol, r.selection) == (protocol, "last")
    ]
    if not found:
        return pd.DataFrame(columns=["points", "p"])
    baseline = max(found, key=lambda r: r.ua.mean())
    lines = {}
    for row in report.rows:
        network = row.records[0].data.get("history")
        if network and row.selection == "last" and row.protocol == protocol:
            result = compare(row, baseline, report.resamples).result
            points = 100 * result.ua_difference
            between = f"{100 * result.ua_low:+.1f} to {100 * result.ua_high:+.1f}"
            lines[row.label] = {"points": f"{points:+.1f} ({between})", "p": f"{result.ua_p:.3f}"}
    table = pd.DataFrame.from_dict(lines, orient="index", columns=["points", "p"])
    table.index.name = "row"
    table.attrs["baseline"] = f"{baseline.model}, {100 * baseline.ua.mean():.1f} %"
    return table
