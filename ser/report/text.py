"""The report as plain text, for a terminal 100 characters wide."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from tabulate import tabulate

from ser.corpora.completeness import ABSENT
from ser.corpora.emotion_set import number
from ser.marks import footnotes
from ser.report.comparison import Comparison
from ser.report.pool import Row
from ser.report.summary import TEST_CHOSEN, leak_counts, tuning, tuning_words

PROTOCOLS = {
    "random": "random folds, the same speakers on both sides",
    "speakers": "folds of unseen speakers",
    "loso": "leave one speaker out",
    "sessions": "leave one session out",
    "cross": "trained on one corpus, tested on another",
}


def render(
    rows: Sequence[Row],
    numbers: Sequence[dict],
    notes: Sequence[str],
    confusions: Sequence[Row],
    comparisons: Sequence[Comparison],
) -> str:
    """The whole report as text.

    Args:
        rows: of the report.
        numbers: what each comes to (:func:`ser.report.summary.row_dict`).
        notes: what the reader should know.
        confusions: rows whose confusion matrices are shown.
        comparisons: of rows.
    """
    blocks: dict[tuple, list[tuple[Row, dict]]] = {}
    for row, one in zip(rows, numbers, strict=True):
        blocks.setdefault(row.block, []).append((row, one))
    parts = [_block(block) for block in blocks.values()]
    if any(r.test_chosen for r in rows):
        parts.append(
            "* chosen on the test fold, as the paper did; not an estimate of anything a user would "
            "get"
        )
    parts += footnotes(r.rules for r in rows)
    others = [n for n in notes if n != TEST_CHOSEN]
    if others:
        parts.append("\n".join(f"note: {n}" for n in others))
    parts += [_confusion(row) for row in confusions]
    if comparisons:
        parts.append(_comparisons(comparisons))
    return "\n\n".join(parts) + "\n"


def _block(rows: Sequence[tuple[Row, dict]]) -> str:
    corpus, other, protocol, *asked = rows[0][0].block
    presets = sorted({r.preset for r, _ in rows if r.preset})
    title = f"{corpus} -> {other}" if other else corpus
    meaning = f" ({PROTOCOLS[protocol]})" if protocol in PROTOCOLS else ""
    with_preset = len(presets) > 1
    preset = "" if with_preset or not presets else f", preset {presets[0]}"
    head = ["model", "preset", "epoch", "seeds", "folds", "n"]
    head += ["WA %", "sd", "95 % interval", "UA %", "sd", "95 % interval", "params"]
    lines = [head]
    for row, d in rows:
        line = [row.label, row.preset or "-", row.selection + "*" * row.test_chosen]
        line += [str(d["seeds"]), f"{d['folds']}/{d['folds_total']}", str(d["n"])]
        for metric in ("wa", "ua"):
            line += [percent(d[metric]), percent(d[f"{metric}_sd"])]
            line.append(span(d[f"{metric}_low"], d[f"{metric}_high"]))
        line.append(short(d["parameters"]))
        lines.append(line)
    if not with_preset:
        lines = [line[:1] + line[2:] for line in lines]
    left = 3 if with_preset else 2
    return "\n".join(
        [
            f"{title}, protocol {protocol}{meaning}{preset}",
            *asked,
            *columns(lines, left),
            *_under(rows),
        ]
    )


def _under(rows: Sequence[tuple[Row, dict]]) -> list[str]:
    """The lines below a table: seeds, epochs, how epochs were chosen, the leak check."""
    seeds = sorted({d["seeds"] for _, d in rows})
    epochs = sorted({d["epochs"] for _, d in rows if d["epochs"]})
    trained = f"; {_range(epochs)} epoch{'s' * (epochs != [1])} of training" if epochs else ""
    speakers = max(d["speakers"] for _, d in rows)
    lines = [
        f"{_range(seeds)} seed{'' if seeds == [1] else 's'}{trained}; sd over seeds; intervals "
        f"over {speakers} speaker{'' if speakers == 1 else 's'}, resampled"
    ]
    lines += whole([d for _, d in rows])
    told: dict[str, list[str]] = {}
    for row, _ in rows:
        if tuning(row) and row.selection == "last":
            told.setdefault(tuning_words(row), []).append(row.label)
    lines += [f"{', '.join(names)}: {words}" for words, names in told.items()]
    for row, d in rows:
        if d["choice"] and row.selection == "last":
            lines += _choice(row.label, d["choice"], d["folds"])
    kinds = leak_counts(*(row for row, _ in rows))
    if kinds:
        names = {
            "audio": "identical recordings",
            "overlaps": "rows that overlap in time",
            "seconds": "s of sound in them",
        }
        found = ", ".join(f"{count} {names.get(k, k)}" for k, count in kinds.items())
        lines.append(f"leak check, shared by training and test in the worst fold: {found}")
    return lines


def _choice(label: str, told: dict, folds: int) -> list[str]:
    """Every option that was tried, its score on training speakers, how often it was chosen."""
    lines = [["option", "inner UA %", "from", "to", "chosen"]]
    for option in told["options"]:
        scores = [percent(option[k]) for k in ("ua", "least", "most")]
        lines.append([option["option"], *scores, f"{option['chosen']} of {folds}"])
    head = f"{label}: in each fold the best of these options on its training side ({told['inner']})"
    return [head, *("  " + line for line in columns(lines))]


def whole(rows: Sequence[dict]) -> list[str]:
    """How much of the corpus was tested, over which classes UA is, and what is missing.

    Args:
        rows: of one corpus and protocol, as the JSON report has them.
    """
    most = max(rows, key=lambda d: d["n"])
    of = f" of {most['n_expected']}" if most["n_expected"] else ""
    classes = max((d["classes"] for d in rows), key=len)
    emotions = most["emotions"]
    absent = [e for e in emotions if e not in classes]
    over = f"all {number(len(emotions))} classes"
    if absent:
        count = f"{len(classes)} class{'es' * (len(classes) > 1)}"
        over = f"UA over {count} (no {' or '.join(absent)})"
    lines = [f"{most['n']}{of} utterances tested; {over}"]
    missing = dict.fromkeys(m for d in rows for m in d["missing"] if not m.startswith(ABSENT))
    return lines + [f"missing: {m}" for m in missing]


def _confusion(row: Row) -> str:
    counts, shares = row.confusion, row.confusion_percent
    several = f", sum over {len(row.seeds)} seeds" if len(row.seeds) > 1 else ""
    emotions = row.emotions
    lines = [["true \\ answered", *emotions, "|", *[f"{e} %" for e in emotions]]]
    for name, count, share in zip(emotions, counts, shares, strict=True):
        cells = ["-" if v != v else f"{v:.1f}" for v in share]
        lines.append([name, *map(str, count), "|", *cells])
    star = "*" if row.test_chosen else ""
    return "\n".join(
        [f"confusion of {row.name}{star}: counts{several} | rows in percent", *columns(lines)]
    )


def _comparisons(comparisons: Sequence[Comparison]) -> str:
    lines = [
        ["a - b", "where", "metric", "a %", "b %", "difference", "95 % interval", "p", "detect"]
    ]
    for c in comparisons:
        where = f"{c.a.corpus}{' -> ' + c.a.test_corpus if c.a.test_corpus else ''} {c.a.protocol}"
        names = [f"{c.a.label} - {c.b.label}{'*' * c.a.test_chosen}", where]
        for metric in ("wa", "ua"):
            keys = ("a", "b", "difference", "low", "high", "p", "detectable")
            a, b, gap, low, high, p, detect = (getattr(c.result, f"{metric}_{k}") for k in keys)
            points = [percent(a), percent(b), f"{100 * gap:+.1f}", span(low, high, sign=True)]
            least = percent(detect if isfinite(detect) else None)
            lines.append([*names, metric.upper(), *points, p_value(p), least])
            names = ["", ""]
    return "\n".join(["paired comparisons, in points", *columns(lines, 3), *_limits(comparisons)])


def _limits(comparisons: Sequence[Comparison]) -> list[str]:
    """Below comparisons: how intervals and p came about, and what so few speakers can show."""
    lines = []
    for result in {c.result.speakers: c.result for c in comparisons}.values():
        swaps = "all swaps" if result.exact else "a sample of swaps"
        lines.append(
            f"intervals: speakers resampled; p: {swaps} of the two rows' answers over "
            f"{result.speakers} speaker{'' if result.speakers == 1 else 's'}"
        )
        few = ": no difference, however large, would be found" * (result.least_p > 0.05)
        lines.append(f"with so many speakers p is never below {result.least_p:.2g}{few}")
    if any(isfinite(c.result.ua_detectable) for c in comparisons):
        lines.append(
            "detect: the least true difference that 4 of 5 studies with as many other speakers "
            "would find\n(p < 0.05), if those differ as these do; by a paired t-test"
        )
    return lines


def columns(lines: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    """Aligned lines under a header: the first *left* columns to the left, the rest right."""
    sides = ["left"] * left + ["right"] * (len(lines[0]) - left)
    # Headers as a row: under a header of its own tabulate makes every column two wider.
    text = tabulate(lines, tablefmt="plain", colalign=sides, disable_numparse=True).splitlines()
    return [text[0], "-" * max(map(len, text)), *text[1:]]


def percent(value: float | None) -> str:
    """A fraction in percent, one decimal; "-" where there is none."""
    return "-" if value is None or value != value else f"{100 * value:.1f}"


def short(number: int | None) -> str:
    """A number of parameters with three figures; "-" where there is none.

    >>> short(4), short(514_804), short(3_220_000), short(None)
    ('4', '515 k', '3.22 M', '-')
    """
    if not number:
        return "-"
    if number < 1000:
        return str(number)
    return f"{number / 1e6:.2f} M" if number >= 999_500 else f"{number / 1e3:.3g} k"


def span(low: float | None, high: float | None, sign: bool = False) -> str:
    """An interval of fractions in percent; "-" where there is none."""
    if low is None or high is None or low != low:
        return "-"
    plus = "+" if sign else ""
    return f"{100 * low:{plus}.1f} to {100 * high:{plus}.1f}"


def p_value(p: float) -> str:
    """A p value with three decimals, or "< 0.001"."""
    return "< 0.001" if p < 0.0005 else f"{p:.3f}"


def _range(values: Sequence[int]) -> str:
    if not values:
        return "-"
    return str(values[0]) if len(values) == 1 else f"{values[0]} to {values[-1]}"
