"""What a page of results shows of one corpus, and a sentence of what is seen in each part.

Nothing here knows which rows, seeds or protocols there are. Tables of all rows are those of
:mod:`chapters.shared.result_tables`. Book: "EmoDB, measured" and "nEMO, measured".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from ser.corpora.base import EMOTIONS
from ser.plots import results_table_plot
from ser.report.build import Report
from ser.report.pool import Row

from chapters.shared.result_tables import ALPHA, effects, part_gains, unseen_protocol
from chapters.shared.seen import Seen, seen

HEADLINE: tuple[str, ...] = (
    "egemaps-lr", "mfcc-lstm", "ds-lstm", "dual", "egemaps-lr+", "dual+",
)  # fmt: skip
"""The rows on top: inductive ones first, then the two that normalise each speaker."""

UNSEEN, INTERVAL = "unseen speakers", "95 % interval"
SHARED, CHOSEN = "shared speakers", "unseen, chosen on the test *"


def headline_rows(report: Report) -> list[str]:
    """The rows of :data:`HEADLINE` that are there; without two of them the first six there are."""
    there = list(dict.fromkeys(report.table.model))
    wanted = [model for model in HEADLINE if model in there]
    return wanted if len(wanted) > 1 else there[:6]


def headline(report: Report) -> pd.DataFrame:
    """Six rows: UA of the last epoch on unseen speakers first, then what flatters it.

    Args:
        report: of one corpus.

    Returns:
        DataFrame of text in percent, a line a row; "" where a row was not run.
    """
    unseen = unseen_protocol(report)
    lines = {}
    for model in headline_rows(report):
        last = _row(report, model, unseen, "last")
        shared = _row(report, model, "random", "last") if unseen != "random" else None
        chosen = _row(report, model, unseen, "test")
        lines[_label(report, model)] = {
            UNSEEN: _ua(last),
            INTERVAL: _interval(last, report.resamples),
            SHARED: _ua(shared),
            CHOSEN: _ua(chosen),
        }
    return pd.DataFrame.from_dict(lines, orient="index").rename_axis("UA, percent")


def headline_words(report: Report) -> Seen:
    """What the six rows say: the highest, and what shared speakers do to the network."""
    unseen = unseen_protocol(report)
    rows = [_row(report, model, unseen, "last") for model in headline_rows(report)]
    rows = [row for row in rows if row is not None]
    told = []
    for kind, among in (
        ("of the rows that answer from one utterance", [r for r in rows if not r.transductive]),
        ("of those that normalise each speaker", [r for r in rows if r.transductive]),
    ):
        if among:
            best = max(among, key=lambda r: r.ua.mean())
            told.append(f"{kind} the highest is `{best.model}` ({_ua(best)} %)")
    text = f"On {_speakers(unseen)}, {'; '.join(told)}."
    pairs = [(r, _row(report, r.model, "random", "last")) for r in rows if not r.transductive]
    pairs = [(a, b) for a, b in pairs if b is not None and unseen != "random"]
    if pairs:
        first, second = max(pairs, key=lambda p: p[1].ua.mean() - p[0].ua.mean())
        text += (
            f" Shared speakers change `{first.model}` most: from {_ua(first)} to {_ua(second)} %."
        )
    return seen(text)


def headline_plot(report: Report) -> Figure:
    """The six rows as a figure, a panel a protocol."""
    table = report.table
    return results_table_plot(table[table.model.isin(headline_rows(report))])


def floor_words(above: pd.DataFrame) -> Seen:
    """How many networks stand above the floor of :func:`chapters.shared.baseline_gap`."""
    if above.empty:
        return seen("There are no records of a floor.")
    low = above.points.str.extract(r"\((\S+) to")[0].astype(float)
    return seen(
        f"The floor is `{above.attrs['baseline'].replace(',', '` with', 1)}. The lower end of the "
        f"interval is at least 0.1 points above it for {(low > 0).sum()} of {len(above)} networks."
    )


def effects_words(report: Report) -> Seen:
    """The smallest and the largest change of a network's UA under each reading."""
    networks = {r.model for r in report.rows if r.records[0].data.get("history")}
    words = {
        "speakers shared": "shared speakers",
        "dev-chosen": "the epoch chosen on dev speakers",
        "test-chosen *": "the epoch chosen on the test",
    }
    told = []
    for name, results in effects(report).items():
        values = [100 * r.ua_difference for m, r in results.items() if m in networks]
        if values and name in words:
            ends = dict.fromkeys(f"{v:+.1f}" for v in (min(values), max(values)))
            told.append(f"{words[name]} {' to '.join(ends)} points")
    if not told:
        return seen("No network was run under two protocols.")
    return seen(f"Change in UA of the networks: {'; '.join(told)}.")


def parts_words(report: Report) -> Seen:
    """How many questions about a part come out below 0.05, before and after the correction."""
    table, told = part_gains(report), []
    for protocol in dict.fromkeys(table.index.get_level_values(0)) if len(table) else ():
        part = table.loc[protocol].astype({"p": float, "Holm": float})
        left = [f"*{name}*" for name in part.index[part.Holm < ALPHA]]
        told.append(
            f"{_speakers(protocol)}: p is below {ALPHA} for {(part.p < ALPHA).sum()} of "
            f"{len(part)} questions, after the correction for {len(left)}"
            + f" ({'; '.join(left)})"
            * bool(left)
        )
    return seen(". ".join(t[0].upper() + t[1:] for t in told) + ".") if told else seen(
        "No two rows here differ in one part."
    )  # fmt: skip


def confusion_words(row: Row) -> Seen:
    """Which emotion a row recalls least, and what it is taken for."""
    shares = np.asarray(row.confusion, dtype=float)
    shares = 100 * shares / np.maximum(1, shares.sum(1, keepdims=True))
    worst = int(np.diag(shares).argmin())
    wrong = shares[worst].copy()
    wrong[worst] = -1
    taken = int(wrong.argmax())
    return seen(
        f"{EMOTIONS[worst].capitalize()} speech is recalled least ({shares[worst, worst]:.0f} %); "
        f"{wrong[taken]:.0f} % of it is taken for {EMOTIONS[taken]}."
    )


def speaker_words(each: pd.DataFrame) -> Seen:
    """The range over speakers, of :func:`chapters.shared.study.by_group`."""
    ua = each.ua
    return seen(
        f"UA of a speaker reaches from {ua.min():.1f} % ({ua.idxmin()}) to {ua.max():.1f} % "
        f"({ua.idxmax()}); the median is {ua.median():.1f} %."
    )


def settings_words(records: Sequence) -> Seen:
    """What the runs had in common: epochs, batch, and whether two kinds of device trained them."""
    trained = [r.data for r in records if r.data.get("history")]
    epochs = sorted({len(data["history"]) for data in trained})
    sizes = sorted({(data.get("config") or {}).get("batch_size", 128) for data in trained})
    devices = {"CPU" if data.get("device") == "cpu" else "GPU" for data in trained}
    text = (
        f"The networks were trained for {_any(epochs)} epochs in batches of {_any(sizes)}; "
        "the authors' release trains for 50 in batches of 128."
    )
    if len(devices) > 1:
        text += (
            " Some runs were made on a CPU and some on a GPU, which rounds differently: between "
            "them lies about what lies between two seeds."
        )
    return seen(text)


def _any(values: Sequence[int]) -> str:
    return " or ".join(map(str, values)) or "no"


def _row(report: Report, model: str, protocol: str, selection: str) -> Row | None:
    for row in report.rows:
        if (row.model, row.protocol, row.selection) == (model, protocol, selection):
            return row if row.folds == row.folds_total else None
    return None


def _label(report: Report, model: str) -> str:
    return next(row.label for row in report.rows if row.model == model)


def _ua(row: Row | None) -> str:
    return "" if row is None else f"{100 * row.ua.mean():.1f}"


def _interval(row: Row | None, resamples: int) -> str:
    if row is None:
        return ""
    ends = row.interval("ua", resamples)
    return f"{100 * ends.low:.1f}–{100 * ends.high:.1f}"


def _speakers(protocol: str) -> str:
    return "shared speakers" if protocol == "random" else "unseen speakers"
