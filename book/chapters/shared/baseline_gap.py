"""How far networks are above a model that is told next to nothing (book: "nEMO, measured")."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd
from ser.report.build import Report
from ser.report.comparison import compare
from ser.report.pool import pool_records
from ser.report.record import Record

from chapters.shared.result_tables import unseen_protocol

FLOORS = ("level-lr", "duration-lr")
"""Rows that are given one number of each recording."""


def above_floor(report: Report, floors: Iterable[Record]) -> pd.DataFrame:
    """UA of each network minus that of the highest floor, unseen speakers, the last epoch.

    Args:
        report: of one corpus.
        floors: records of :data:`FLOORS` on the same utterances; others are passed over.

    Returns:
        DataFrame of text, a line a network: ``points`` with the interval over speakers, and ``p``
        of the swap test, which is not corrected for the number of rows. Empty without floors;
        ``attrs["floor"]`` names the one that was taken, with its UA.

    Example:
        >>> above_floor(report, load_records("book/results/nemo-floors"))  # doctest: +SKIP
    """
    protocol = unseen_protocol(report)
    found = [
        r
        for r in pool_records(list(floors))
        if r.model in FLOORS and (r.protocol, r.selection) == (protocol, "last")
    ]
    if not found:
        return pd.DataFrame(columns=["points", "p"])
    floor = max(found, key=lambda r: r.ua.mean())
    lines = {}
    for row in report.rows:
        network = row.records[0].data.get("history")
        if network and row.selection == "last" and row.protocol == protocol:
            result = compare(row, floor, report.resamples).result
            points = 100 * result.ua_difference
            between = f"{100 * result.ua_low:+.1f} to {100 * result.ua_high:+.1f}"
            lines[row.label] = {"points": f"{points:+.1f} ({between})", "p": f"{result.ua_p:.3f}"}
    table = pd.DataFrame.from_dict(lines, orient="index", columns=["points", "p"])
    table.index.name = "row"
    table.attrs["floor"] = f"{floor.model}, {100 * floor.ua.mean():.1f} %"
    return table
