"""The tables of a page of results, from the records of one corpus.

Nothing here knows which rows, seeds or protocols there are: what is missing is left out. What they
show is said by :mod:`chapters.shared.result_page`. Book: "EmoDB, measured" and "nEMO, measured".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
from ser.marks import TRANSDUCTIVE
from ser.metrics import Paired
from ser.report.build import Report
from ser.report.comparison import compare
from ser.report.pool import Row

from chapters.shared.paired_questions import answers, ask

ALPHA = 0.05


def unseen_protocol(report: Report) -> str:
    """The report's protocol of unseen speakers; of several that with most rows, else ``random``."""
    named = Counter(r.protocol for r in report.rows if r.protocol != "random")
    return named.most_common(1)[0][0] if named else "random"


def runs_table(report: Report) -> pd.DataFrame:
    """What was run, a line a protocol: how many rows, utterances, speakers... and on what.

    Args:
        report: of one corpus.

    Returns:
        DataFrame of text; a range where rows differ. ``dev set`` says whether some of each
        training side was held out, ``devices`` what trained the networks.
    """
    lines = {}
    trained = {r.data["id"]: r.data.get("device") for row in report.rows for r in row.records}
    for protocol in dict.fromkeys(report.table.protocol):
        part = report.table[report.table.protocol == protocol]
        runs = [r.data for row in report.rows if row.protocol == protocol for r in row.records]
        held = {bool(data["protocol"].get("dev")) for data in runs}
        devices = {"CPU" if name == "cpu" else "GPU" for name in trained_on(runs, trained)}
        lines[protocol] = {
            "rows": str(part.model.nunique()),
            "utterances": span(part.n),
            "speakers": span(part.speakers),
            "folds": span(part.folds),
            "seeds": span(part.seeds),
            "epochs": span(part.epochs.dropna()),
            "dev set": "/".join("yes" if h else "no" for h in sorted(held, reverse=True)),
            "devices": "/".join(sorted(devices)),
        }
    return pd.DataFrame.from_dict(lines, orient="index").rename_axis("protocol")


def trained_on(runs: Iterable[dict], devices: Mapping[str, Any]) -> set[str]:
    """The devices that trained runs; those of a fused run's branches, as far as they are known.

    Args:
        runs: the data of records.
        devices: what trained each run, by its ``id``.

    Example:
        >>> runs = [{"fused_from": ["a", "b"], "device": "cpu"}]
        >>> sorted(trained_on(runs, {"a": "cpu", "b": "cuda"}))
        ['cpu', 'cuda']
    """
    return {
        str(devices.get(part, run.get("device")))
        for run in runs
        for part in run.get("fused_from") or [run.get("id")]
    }


def scores(report: Report) -> pd.DataFrame:
    """WA and UA of every row, protocol and choice of epoch, with intervals where nobody peeked.

    Args:
        report: of one corpus.

    Returns:
        DataFrame of text, percent; the index is protocol and row, the columns are the choice of
        epoch and ``WA``, ``UA``, ``interval`` (95 % of UA over speakers), ``sd`` (of UA over
        seeds). A transductive row is marked, and the index says so.
    """
    table = report.table
    percent = (100 * table[["wa", "ua", "ua_low", "ua_high", "ua_sd"]]).map("{:.1f}".format)
    cells = table[["protocol", "model", "selection"]].assign(
        model=table.label,
        WA=percent.wa,
        UA=percent.ua,
        interval=percent.ua_low + "–" + percent.ua_high,
        sd=percent.ua_sd.where(table.ua_sd.notna(), ""),
    )
    order = cells[["protocol", "model"]].drop_duplicates()
    wide = cells.pivot(index=list(order), columns="selection")
    for name in ("interval", "sd"):
        others = [(name, s) for s in set(cells.selection) - {"last"}]
        wide = wide.drop(columns=others, errors="ignore")
    wide = wide.reindex(pd.MultiIndex.from_frame(order)).fillna("")
    if table.transductive.any():
        wide.index = wide.index.rename({"model": f"model, {TRANSDUCTIVE} transductive"})
    return wide.swaplevel(axis=1)[list(dict.fromkeys(cells.selection))]


EFFECTS: dict[str, tuple[tuple[bool, str], tuple[bool, str]]] = {
    "speakers shared": ((True, "last"), (False, "last")),
    "dev-chosen": ((False, "dev"), (False, "last")),
    "test-chosen *": ((False, "test"), (False, "last")),
    "shared, test-chosen *": ((True, "test"), (True, "last")),
}
"""What a protocol changes -> the two readings, each (random folds?, choice of epoch)."""


def held_out(row: Row) -> bool:
    """Whether it was trained without some of its training side, held out as a dev set.

    A row without epochs, as functionals, chooses none and is trained on all of its training side,
    unless it was told to leave the dev set (``ser run --leave-dev``).
    """

    def left(data: dict) -> bool:
        return bool(data.get("history") or (data.get("config") or {}).get("leave_dev"))

    return any(left(r.data) and r.data["protocol"].get("dev") for r in row.records)


def effects(report: Report) -> dict[str, dict[str, Paired]]:
    """What the protocol changes in UA, each row compared with itself.

    Args:
        report: of one corpus.

    Returns:
        Key of :data:`EFFECTS` -> row -> comparison. Rows that lack one of the two are left out, and
        so are those that had a dev set held out in one of the two only: they would be compared
        with themselves trained on less.
    """
    unseen = unseen_protocol(report)
    done = [r for r in report.rows if r.folds == r.folds_total]
    rows = {(r.model, r.protocol == "random", r.selection): r for r in done
            if r.protocol in ("random", unseen)}  # fmt: skip
    found: dict[str, dict[str, Paired]] = {}
    for name, (first, second) in EFFECTS.items():
        pairs = {m: (rows.get((m, *first)), rows.get((m, *second))) for m, *_ in rows}
        results = {
            m: compare(a, b, report.resamples).result
            for m, (a, b) in pairs.items()
            if a and b and unseen != "random" and held_out(a) == held_out(b)
        }
        if results:
            found[name] = results
    return found


def effect_table(report: Report) -> pd.DataFrame:
    """:func:`effects` as text: points of UA with their 95 % interval over speakers."""
    columns = {
        name: {m: _points(100 * r.ua_difference, 100 * r.ua_low, 100 * r.ua_high)
               for m, r in results.items()}
        for name, results in effects(report).items()
    }  # fmt: skip
    table = pd.DataFrame(columns).fillna("")
    table = table.reindex([m for m in dict.fromkeys(report.table.model) if m in table.index])
    return table.rename(index={r.model: r.label for r in report.rows})


def part_gains(report: Report) -> pd.DataFrame:
    """Which part earns what: :mod:`chapters.shared.paired_questions`, both protocols.

    Args:
        report: of one corpus.

    Returns:
        DataFrame of text, a line a protocol and question whose two rows are there: ``points`` of
        UA at the last epoch with the interval, ``p``, ``Holm`` over the questions of a protocol.
    """
    parts = {}
    corpus = report.rows[0].corpus
    for protocol in dict.fromkeys(report.table.protocol):
        asked = ask(report, corpus, protocol)
        if asked:
            table = answers(asked)
            ends = table[["difference", "low", "high"]].to_numpy()
            parts[protocol] = pd.DataFrame(
                {
                    "points": [_points(*v) for v in ends],
                    "p": table.p.map("{:.3f}".format),
                    "Holm": table.p_holm.map("{:.3f}".format),
                },
                index=table.index,
            )
    return pd.concat(parts, names=["protocol"]) if parts else pd.DataFrame()


def span(values: Iterable[float]) -> str:
    """The smallest and the largest of some whole numbers, once if they are equal.

    >>> span([5, 1, 3]), span([15.0]), span([])
    ('1 to 5', '15', '')
    """
    numbers = sorted(int(v) for v in values)
    if not numbers:
        return ""
    low, high = numbers[0], numbers[-1]
    return str(low) if low == high else f"{low} to {high}"


def _points(middle: float, low: float, high: float) -> str:
    return f"{middle:+.1f} ({low:+.1f} to {high:+.1f})"
