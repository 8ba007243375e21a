"""Numbers that others have published, each with its protocol: the one place where they are typed.

They are facts to stand beside measurements of our own (book: "Ablations in full"), never mixed
with them: a published number has another corpus, another protocol or another choice of epoch than
a record of ours, and :func:`published` says which. All are on IEMOCAP's four classes.

Sources:
    paper: Wang, Xue, Culhane, Diao, Ding, Tarokh, "Speech Emotion Recognition with Dual-Sequence
        LSTM Architecture", ICASSP 2020, arXiv 1910.08874; its table of results.
    logs: the logs that the authors committed with their released code (repository
        diaoenmao/Speech-Emotion-Recognition-with-Dual-Sequence-LSTM-Architecture).
    benchmark: Wang, Boumadane, Heba, arXiv 2111.02735; fine-tuned networks that were pretrained
        on much more speech, with and without shared speakers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd
from ser.rows import ROWS

RANDOM, UNSEEN = "random", "unseen speakers"
CHOSEN = "best of ten seeds a fold, chosen on the test fold"
BEST, LAST = "mean of the ten best test epochs", "last epoch"


@dataclass(frozen=True)
class Published:
    """One published score on IEMOCAP's four classes.

    Attributes:
        row: our name of the system (:data:`ser.rows.ROWS`), or a name of its own.
        source: ``"paper"``, ``"logs"`` or ``"benchmark"`` (see the module).
        protocol: ``"random"`` (the same speakers on both sides) or ``"unseen speakers"``.
        epoch: how the epoch or the run that counts was chosen; ``""`` where it is not said.
        wa, ua: lowest and highest of the values given, in percent; None where there is none.
    """

    row: str
    source: str
    protocol: str
    epoch: str
    wa: tuple[float, float] | None
    ua: tuple[float, float] | None


def _of(row: str, source: str, protocol: str, epoch: str, wa, ua=None) -> Published:
    ends = [(float(v), float(v)) if isinstance(v, (int, float)) else v for v in (wa, ua)]
    return Published(row, source, protocol, epoch, *ends)


PUBLISHED: tuple[Published, ...] = (
    _of("ds-lstm", "paper", RANDOM, CHOSEN, 69.4, 69.5),
    _of("dual", "paper", RANDOM, CHOSEN, 72.7, 73.3),
    _of("mfcc-lstm", "logs", RANDOM, BEST, (63.5, 63.9), (64.6, 64.9)),
    _of("cnn-lstm-s1", "logs", RANDOM, BEST, (62.2, 63.0), (63.0, 64.4)),
    _of("cnn-lstm-s2", "logs", RANDOM, BEST, (62.2, 63.0), (63.0, 64.4)),
    _of("cnn-lstm-pair", "logs", RANDOM, BEST, 63.6, 64.4),
    _of("mfcc+cnn-lstm-pair", "logs", RANDOM, BEST, 67.7, 68.5),
    _of("ds-lstm", "logs", RANDOM, BEST, (65.4, 67.3), (66.0, 67.5)),
    _of("dual", "logs", RANDOM, BEST, 70.2, 70.8),
    _of("mfcc-lstm", "logs", RANDOM, LAST, (61.0, 62.0), (61.0, 63.0)),
    _of("cnn-lstm-s1", "logs", RANDOM, LAST, (60.0, 62.0), (61.0, 62.0)),
    _of("cnn-lstm-s2", "logs", RANDOM, LAST, (60.0, 62.0), (61.0, 62.0)),
    _of("cnn-lstm-pair", "logs", RANDOM, LAST, (61.0, 63.0), (62.0, 63.0)),
    _of("mfcc+cnn-lstm-pair", "logs", RANDOM, LAST, (67.0, 68.0), 68.0),
    _of("ds-lstm", "logs", RANDOM, LAST, (65.0, 67.0), (65.0, 67.0)),
    _of("dual", "logs", RANDOM, LAST, 69.0, 69.0),
    _of("mfcc+cnn-lstm", "logs", UNSEEN, "", 56.2, 57.1),
    _of("pretrained, fine-tuned", "benchmark", RANDOM, "", 79.6),
    _of("pretrained, fine-tuned", "benchmark", UNSEEN, "", 73.0),
)
"""Where a log names a range, or two rows share one, both ends are kept. The logs of ``base6`` are
left out: that script imports ``base5`` by mistake. ``mfcc+cnn-lstm`` under ``unseen speakers`` is
an MFCC LSTM with a CNN-LSTM, leave one session out, as the same repository reports it."""


def range_text(ends: tuple[float, float] | None) -> str:
    """A published value as text: ``69.4``, ``61.0–62.0``, or nothing.

    Example:
        >>> range_text((69.4, 69.4)), range_text((61.0, 62.0)), range_text(None)
        ('69.4', '61.0–62.0', '')
    """
    if ends is None:
        return ""
    low, high = (f"{value:.1f}" for value in ends)
    return low if low == high else f"{low}–{high}"


def published(sources: Iterable[str] = ("paper", "logs", "benchmark")) -> pd.DataFrame:
    """The published scores as a table of text, a line a score.

    Args:
        sources: which to show.

    Returns:
        DataFrame: ``row``, ``release`` (its name in the authors' code), ``source``, ``protocol``,
        ``epoch``, ``WA``, ``UA`` (percent, as printed; a range where several values are given).

    Raises:
        ValueError: an unknown source.

    Example:
        >>> published(["paper"])[["row", "WA", "UA"]].values.tolist()
        [['ds-lstm', '69.4', '69.5'], ['dual', '72.7', '73.3']]
    """
    sources = tuple(sources)
    known = {entry.source for entry in PUBLISHED}
    if unknown := set(sources) - known:
        raise ValueError(f"unknown source {sorted(unknown)}; there are {sorted(known)}")
    return pd.DataFrame(
        {
            "row": entry.row,
            "release": ROWS[entry.row].release if entry.row in ROWS else "",
            "source": entry.source,
            "protocol": entry.protocol,
            "epoch": entry.epoch,
            "WA": range_text(entry.wa),
            "UA": range_text(entry.ua),
        }
        for entry in PUBLISHED
        if entry.source in sources
    )


SOURCES: dict[str, tuple[str, str]] = {
    "paper": ("paper", CHOSEN),
    "logs, best": ("logs", BEST),
    "logs, last": ("logs", LAST),
}
"""Heading -> source and choice of epoch, of what is published on random folds of IEMOCAP."""

CLAIMS: dict[str, tuple[str, str]] = {
    "cell": ("ds-lstm", "cnn-lstm-pair"),
    "fusion": ("dual", "ds-lstm"),
}
"""What is claimed -> the row with it and the row without."""


def published_rows() -> pd.DataFrame:
    """UA of the paper's rows on random folds of IEMOCAP, a column for each of :data:`SOURCES`."""
    columns = {
        head: {
            e.row: range_text(e.ua)
            for e in PUBLISHED
            if (e.source, e.epoch, e.protocol) == (source, epoch, RANDOM)
        }
        for head, (source, epoch) in SOURCES.items()
    }
    table = pd.DataFrame(columns)
    return table.reindex([row for row in ROWS if row in table.index]).fillna("")


def claimed(head: str, claim: str) -> str:
    """Points of UA that a source has for a claim, as far as the printed ranges allow.

    Example:
        >>> claimed("paper", "fusion"), claimed("logs, last", "cell"), claimed("paper", "cell")
        ('+3.8', '+2.0 to +5.0', '')
    """
    source, epoch = SOURCES[head]
    found = {e.row: e.ua for e in PUBLISHED if (e.source, e.epoch) == (source, epoch) and e.ua}
    a, b = CLAIMS[claim]
    if not {a, b} <= set(found):
        return ""
    ends = (found[a][0] - found[b][1], found[a][1] - found[b][0])
    return " to ".join(dict.fromkeys(f"{end:+.1f}" for end in ends))


def claims_table(families: Mapping[tuple[str, str], pd.DataFrame]) -> pd.DataFrame:
    """What each source says of the cell and the fusion, and what the records say.

    Args:
        families: (corpus, protocol) -> table of :func:`chapters.shared.paired_questions.answers`.

    Returns:
        DataFrame of text: points of UA; those of records have a 95 % interval over speakers.
    """
    said = {head: {claim: claimed(head, claim) for claim in CLAIMS} for head in SOURCES}
    for (corpus, protocol), table in families.items():
        line = {}
        for claim, (a, b) in CLAIMS.items():
            for row in table[(table["with"] == a) & (table.without == b)].itertuples():
                line[claim] = f"{row.difference:+.1f} ({row.low:+.1f} to {row.high:+.1f})"
        said[f"{corpus}, {protocol}, last"] = line
    return pd.DataFrame(said).T.fillna("")
