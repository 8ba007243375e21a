"""The tables of a page of results, and its summary in words, from the records of one corpus.

Nothing here knows which rows, seeds or protocols there are: what is missing is left out, and a
sentence says what the numbers say. Book: chapters "EmoDB, measured" and "nEMO, measured".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
from ser.metrics import Paired
from ser.normalise import MARK
from ser.report.build import Report
from ser.report.comparison import compare
from ser.report.pool import Row

from chapters.shared.paired_questions import answers, ask

ALPHA = 0.05
FUNCTIONALS = ("egemaps-lr", "egemaps-lr+", "egemaps-svm", "egemaps-svm+")


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
        wide.index = wide.index.rename({"model": f"model, {MARK} transductive"})
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


def summary(report: Report) -> str:
    """What the records of a corpus say, as a list in Markdown; every number is computed.

    Args:
        report: of one corpus.

    Returns:
        A line each for where the rows stand, what the protocol does, every question about a part
        that two rows answer, and what all this rests on.
    """
    unseen = unseen_protocol(report)
    last = [r for r in report.rows if r.selection == "last" and r.protocol == unseen]
    return "\n".join(
        [*_standing(last, report.resamples), *_protocol(report), *_parts(report, unseen),
         *_rests(report, last)]
    )  # fmt: skip


def _standing(rows: Sequence[Row], resamples: int) -> list[str]:
    networks = [r for r in rows if r.records[0].data.get("history")]
    plain = [r for r in rows if r.model in FUNCTIONALS]
    told = []
    for what, some in (("networks", networks), ("functionals with a plain classifier", plain)):
        if some:
            best = max(some, key=lambda r: r.ua.mean())
            ends = best.interval("ua", resamples)
            mark = f" {MARK}" * best.transductive
            head = f"of {len(some)} row(s) of {what}, the highest is `{best.model}`{mark}"
            told.append(
                f"{head} with {100 * best.ua.mean():.1f} % "
                f"({100 * ends.low:.1f} to {100 * ends.high:.1f}; {len(best.seeds)} seed(s))"
            )
    if not told:
        return []
    classes = max(len(set(r.labels)) for r in rows)
    chance = f"Guessing scores {100 / classes:.0f} %."
    who = "Random folds" if rows[0].protocol == "random" else "Unseen speakers"
    picked = ""
    if len(networks) > 1:
        more = f"; {MARK} is transductive" if any(r.transductive for r in rows) else ""
        picked = f" The highest of several is flattered by being picked{more}."
    return [f"- {who}, last epoch, UA: {'; '.join(told)}. {chance}{picked}"]


def _protocol(report: Report) -> list[str]:
    words = {
        "speakers shared": "speakers on both sides change their UA by {}",
        "dev-chosen": "an epoch chosen on dev speakers, not the last, by {}",
        "test-chosen *": "one chosen on the test by {}",
    }
    networks = {r.model for r in report.rows if r.records[0].data.get("history")}
    told = []
    for name, results in effects(report).items():
        values = [100 * r.ua_difference for m, r in results.items() if m in networks]
        if values and name in words:
            low, high = (f"{v:+.1f}" for v in (min(values), max(values)))
            told.append(words[name].format(low if low == high else f"{low} to {high}"))
    return [f"- The same networks under other protocols: {'; '.join(told)} points."] if told else []


def _parts(report: Report, protocol: str) -> list[str]:
    asked = ask(report, report.rows[0].corpus, protocol)
    lines = []
    for part, line in answers(asked).iterrows() if asked else ():
        if line.p_holm < ALPHA:
            verdict = "in favour of the first" if line.difference > 0 else "against the first"
        else:
            verdict = "not settled"
        lines.append(
            f"- {str(part)[0].upper()}{str(part)[1:]} (`{line['with']}` minus "
            f"`{line['without']}`): {_points(line.difference, line.low, line.high)} points, "
            f"p {line.p:.3f}, corrected {line.p_holm:.3f}: {verdict}."
        )
    return lines


def _rests(report: Report, rows: Sequence[Row]) -> list[str]:
    if not rows:
        return []
    speakers = max(len(set(r.speakers)) for r in rows)
    least = 2.0 ** (1 - speakers)
    here = report.table[(report.table.protocol == rows[0].protocol) & report.table.epochs.notna()]
    trained = f", {span(here.seeds)} seed(s) a network, {span(here.epochs)} epochs" * bool(
        len(here)
    )
    return [
        f"- All this rests on {speakers} speakers{trained}. With so many no p-value of the swap "
        f"test can be below {least:.4f}, however large a difference."
    ]


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
