"""What the chapter's tables and figures show, in sentences, from the records that are there.

Book: chapter "Voices it has not heard".
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from ser.corpora import EMOTIONS
from ser.report.comparison import compare
from ser.report.pool import Row
from sklearn.metrics import confusion_matrix

from chapters.shared.seen import Seen, seen
from chapters.unheard_voices.records import (
    CORPORA,
    INPUTS,
    Voices,
    best,
    column,
    gain,
    percent,
    speaker_recalls,
)

NOT_RUN = "No record was there for this when the page was made."
NETWORKS = (
    *("dual+", "ds-lstm+", "mfcc-lstm+", "dual", "ds-lstm", "mfcc-lstm", "prosody-lstm"),
    "ds-lstm-prosody",
)
"""Networks normalised by speaker: those with a plus have the released sizes."""

VIEW_PAIRS = (
    ("ds-lstm-prosody", "prosody-lstm"),
    ("ds-lstm-prosody", "mfcc-lstm"),
    ("prosody-twice", "prosody-lstm"),
    ("ds-lstm-prosody", "prosody-twice"),
    ("ds-lstm-prosody", "side-by-side"),
    ("view-dropout", "ds-lstm-prosody"),
    ("mfcc-lstm+prosody-lstm", "prosody-lstm"),
)
"""What is asked of one view and two: one row minus another."""

Ends = dict[str, dict[str, tuple[float, float, float]]]
"""Group -> kind -> UA and its ends in percent, as the figure of intervals takes them."""


def failure(
    unseen: Mapping[str, Row], shared: Mapping[str, Row], names: tuple[str, ...], resamples: int
) -> Ends:
    """UA of rows with the speakers heard in training, and not heard."""
    kinds = {"speakers heard": shared, "speakers not heard": unseen}
    return {
        name: {kind: percent(rows[name], resamples) for kind, rows in kinds.items() if name in rows}
        for name in names
    }


def failure_words(ends: Ends, network: str, simple: str) -> Seen:
    """What the network loses with the voice, and where the simple row stands then."""
    kinds = "speakers heard", "speakers not heard"
    (heard, new), (known, left) = ([ends[n][k][0] for k in kinds] for n in (network, simple))
    order = "below" if new < left else "above"
    return seen(
        f"`{network}` falls from {heard:.1f} to {new:.1f} % when the voice is new, `{simple}` from "
        f"{known:.1f} to {left:.1f} %. On a new voice the network is {abs(left - new):.1f} points "
        f"{order} the linear classifier."
    )


def by_inputs(
    found: Voices, studied: Mapping[str, Mapping[str, Row]], rule: str, resamples: int
) -> Ends:
    """UA by what a row is given, all under one rule: input -> corpus -> ends.

    Args:
        found: of :func:`chapters.unheard_voices.records.voices`.
        studied: corpus -> row -> row of the study; only its rows under the same rule are taken.
        rule: one of ``records.RULES``.
        resamples: of the intervals.
    """
    ends: Ends = {}
    for name, words in INPUTS.items():
        if "+" in name.rstrip("+"):
            continue
        for corpus, said in CORPORA.items():
            row = found[corpus][rule].get(name) or studied.get(corpus, {}).get(name)
            if row is not None and row.normaliser == rule:
                ends.setdefault(words, {})[said] = percent(row, resamples)
    return ends


def inputs_words(ends: Ends) -> Seen:
    """Which input comes first and last on each corpus."""
    told = []
    for corpus in CORPORA.values():
        mine = {words: each[corpus][0] for words, each in ends.items() if corpus in each}
        if len(mine) > 1:
            first, last = max(mine, key=mine.__getitem__), min(mine, key=mine.__getitem__)
            told.append(
                f"on {corpus} from {mine[last]:.1f} % ({last}) to {mine[first]:.1f} % ({first})"
            )
    return seen(f"Under one rule, UA goes {'; '.join(told)}." if told else NOT_RUN)


def networks(found: Voices, studied: Mapping[str, Mapping[str, Row]]) -> dict[str, dict[str, Row]]:
    """Corpus -> the rows of :data:`NETWORKS` by speaker, of the study and of these runs."""
    together = {corpus: {**studied.get(corpus, {}), **found[corpus]["speaker"]} for corpus in found}
    return {
        corpus: {n: rows[n] for n in NETWORKS if n in rows and rows[n].normaliser == "speaker"}
        for corpus, rows in together.items()
    }


def size_table(rows: Mapping[str, Mapping[str, Row]], resamples: int) -> pd.DataFrame:
    """Numbers trained and UA of networks: a line a corpus and network, the largest first."""
    lines = {}
    for corpus, nets in rows.items():
        sizes = {name: _size(row) for name, row in nets.items()}
        for name in sorted(sizes, key=lambda n: -sizes[n]):
            middle, low, high = percent(nets[name], resamples)
            lines[CORPORA[corpus], name] = {
                "numbers": f"{sizes[name]:,}",
                "UA": f"{middle:.1f} ({low:.0f} to {high:.0f})",
                "seeds": len(nets[name].seeds),
            }
    frame = pd.DataFrame(list(lines.values()), columns=["numbers", "UA", "seeds"])
    if lines:
        frame.index = pd.MultiIndex.from_tuples(lines, names=["corpus", "network"])
    return frame


def size_words(rows: Mapping[str, Mapping[str, Row]], resamples: int = 2000) -> Seen:
    """The same network small and large, compared on the same utterances."""
    told = []
    for corpus, nets in rows.items():
        pairs = []
        for name, large in nets.items():
            small = nets.get(name.removesuffix(", released sizes").removesuffix("+"))
            if small is not None and small is not large:
                pairs.append(
                    f"{_size(small):,} numbers instead of the {_size(large):,} of `{name}` "
                    + gain(small, large, resamples, " points")
                )
        if pairs:
            told.append(f"on {CORPORA[corpus]}, {', '.join(pairs)}")
    return seen(f"Small instead of large, by speaker: {'; '.join(told)}." if told else NOT_RUN)


def _size(row: Row) -> int:
    return int(row.records[0].data["parameters"])


def by_rule(rules: Mapping[str, Mapping[str, Row]], resamples: int) -> Ends:
    """UA of single rows (none that joins several) by whose mean was taken: row -> rule -> ends."""
    ends: Ends = {}
    for rule, rows in rules.items():
        for name, row in rows.items():
            if "+" not in name:
                ends.setdefault(name, {})[column(rule)] = percent(row, resamples)
    return {name: kinds for name, kinds in ends.items() if len(kinds) > 1}


def surprise_words(found: Voices, resamples: int) -> Seen:
    """What enrolling gains, which part it is of what all recordings gain, and where it is sure."""
    told, sure, unsure = [], [], []
    for corpus, rules in found.items():
        gains = []
        for name in ("egemaps-lr", "compare-lr", "prosody-lstm", "ds-lstm"):
            if all(name in rows for rows in rules.values()):
                result, rest = (
                    compare(rules[one][name], rules[other][name], resamples).result
                    for one, other in (("enrol:3", "train"), ("speaker", "enrol:3"))
                )
                brought = 100 * result.ua_difference
                every = brought + 100 * rest.ua_difference
                gains.append(f"{brought:+.1f} of {every:+.1f} points for `{name}`")
                where = sure if result.ua_low > 0 else unsure
                where.append(f"`{name}` on {CORPORA[corpus]}")
        if gains:
            told.append(f"on {CORPORA[corpus]} {', '.join(gains)}")
    if not told:
        return seen(NOT_RUN)
    ends = "The gain's whole interval lies above zero for"
    not_for = f"; not for {', '.join(unsure)}" if unsure else ""
    return seen(
        "On utterances that were not enrolled, three sentences bring, of what all recordings "
        f"bring, {'; '.join(told)}. {ends} "
        f"{', '.join(sure) or 'none'}{not_for}."
    )


def answers_words(answers: pd.DataFrame) -> Seen:
    """How many answers are above zero, and which are settled after the correction."""
    if not len(answers):
        return seen(NOT_RUN)
    settled = [
        f"{each.asked} ({CORPORA[each.corpus]}, {column(each.rule)}), {each.difference:+.1f}"
        for each in answers[answers.p_holm < 0.05].itertuples()
    ]
    return seen(
        f"{(answers.difference > 0).sum()} of the {len(answers)} differences lie above zero. "
        f"Settled after the correction: {'; '.join(settled) or 'none'}."
    )


def views_words(rows: Mapping[str, Mapping[str, Row]], resamples: int) -> Seen:
    """Rows that read one view or two, pair by pair.

    Args:
        rows: of :func:`chapters.unheard_voices.tried.views`.
        resamples: of the intervals.
    """
    told = []
    for row, against in VIEW_PAIRS:
        gains = [
            f"{corpus} {gain(rows[row][corpus], other, resamples)}"
            for corpus, other in rows.get(against, {}).items()
            if corpus in rows.get(row, {})
        ]
        told += [f"`{row}` minus `{against}`: {', '.join(gains)}"] if gains else []
    return seen(f"Points of UA on the same utterances. {'; '.join(told)}." if told else NOT_RUN)


def worst_words(found: Voices, name: str) -> Seen:
    """Who is worst under each rule, and how far apart the speakers are."""
    told = []
    for corpus, rules in found.items():
        ends = []
        for rule, rows in rules.items():
            if name in rows:
                each = speaker_recalls(rows[name]).UA
                ends.append(
                    f"{each.iloc[0]:.0f} % for {each.index[0]} and {each.iloc[-1]:.0f} % for "
                    f"{each.index[-1]} ({rule})"
                )
        if ends:
            told.append(f"on {CORPORA[corpus]} {', '.join(ends)}")
    said = f"The worst and the best voice under `{name}`:"
    return seen(f"{said} {'; '.join(told)}." if told else NOT_RUN)


def recalls_words(row: Row) -> Seen:
    """The worst speaker's weakest emotion, and the emotion that is weakest over all."""
    table = speaker_recalls(row)
    worst, emotions = table.iloc[0], table.columns[1:]
    weakest, mean = worst[emotions].idxmin(), table[emotions].mean()
    return seen(
        f"{table.index[0]} stays the worst voice, with {worst.UA:.0f} %; of its {weakest} clips "
        f"{worst[weakest]:.0f} % are recognised. Over all speakers {mean.idxmin()} is recognised "
        f"least ({mean.min():.0f} %) and {mean.idxmax()} most ({mean.max():.0f} %)."
    )


def limits_words(found: Voices, studied: Mapping[str, Mapping[str, Row]]) -> Seen:
    """The best row of each corpus and rule, and the next mark of five points that none passes.

    Rows of the study count too; without normalisation they know as little of a voice as ``train``.
    """
    told = []
    for corpus, rules in found.items():
        first, top = [], 0.0
        for rule, rows in rules.items():
            known = {rule, "none"} if rule == "train" else {rule}
            others = studied.get(corpus, {}).items()
            rows = {n: r for n, r in others if r.normaliser in known} | dict(rows)
            if rows:
                row = best(rows)
                ua = 100 * float(row.ua.mean())
                top = max(top, ua)
                first.append(f"`{row.base}` with {ua:.1f} % ({rule})")
        if first:
            told.append(
                f"on {CORPORA[corpus]} {', '.join(first)}, and no row passes "
                f"{5 * math.ceil(top / 5)} %"
            )
    return seen(f"First in each column: {'; '.join(told)}." if told else NOT_RUN)


def left_words(found: Voices) -> Seen:
    """Which two emotions the errors of the best rows lie between most often."""
    told = []
    for corpus, rules in found.items():
        shares = []
        for rule, rows in rules.items():
            if rows:
                (one, other), share = worst_pair(best(rows))
                shares.append(f"{share:.0f} % between {one} and {other} ({rule})")
        if shares:
            told.append(f"on {CORPORA[corpus]} {', '.join(shares)}")
    return seen(f"Of the errors that these rows leave, {'; '.join(told)}." if told else NOT_RUN)


def worst_pair(row: Row) -> tuple[tuple[str, str], float]:
    """The two emotions that a row takes for each other most often, and their share of its errors.

    In percent; pairs are counted over all seeds, in either direction.
    """
    counts = confusion_matrix(
        np.tile(row.labels, len(row.predictions)), np.concatenate(row.predictions),
        labels=range(len(EMOTIONS)),
    )  # fmt: skip
    both = np.triu(counts + counts.T, 1)
    one, other = np.unravel_index(both.argmax(), both.shape)
    return (EMOTIONS[one], EMOTIONS[other]), 100 * float(both.max() / max(both.sum(), 1))


def chosen_words(chosen: pd.DataFrame) -> Seen:
    """What a choice on training speakers costs against the best row picked afterwards."""
    if not len(chosen):
        return seen(NOT_RUN)
    own = chosen["chosen in each fold"].str.split().str[0].astype(float)
    gaps = own - pd.to_numeric(chosen["best afterwards"], errors="coerce")
    told = [f"{corpus}, {rule} {gap:+.1f}" for (corpus, rule), gap in gaps.dropna().items()]
    return seen(f"Chosen beforehand against picked afterwards, points of UA: {'; '.join(told)}.")


def options_words(options: pd.DataFrame) -> Seen:
    """How many of the other ways of training gained something, and whether it is settled."""
    gains = options.gain[options.gain != ""] if len(options) else options
    if not len(gains):
        return seen(NOT_RUN)
    low = gains.str.extract(r"\((\S+) to (\S+)\)").astype(float)
    points = gains.str.split().str[0].astype(float)
    (corpus, rule, row), most = points.idxmax(), gains.iloc[points.argmax()]
    return seen(
        f"{(points > 0).sum()} of {len(gains)} comparisons with the plain way come out above zero; "
        f"in {(low[0] > 0).sum()} the whole interval lies above zero, in {(low[1] < 0).sum()} "
        f"below. The largest: {row} ({corpus}, {rule}), {most}."
    )
