"""Random against unseen speakers, last epoch against chosen: the reader picks, without a kernel.

Everything is made from records beforehand and stands in the page as a small table: scores with
their intervals, confusion matrices, speakers, learning curves. Without JavaScript a plain table
is there instead. Book: chapter "The protocol laboratory".
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from ser.corpora.base import EMOTIONS
from ser.metrics import speaker_counts
from ser.metrics.scores import count_ua
from ser.plots.html import Html
from ser.plots.style import BLUE, CARD, GREY, GRID, INK, MUTED, VERMILLION
from ser.report.load import load_records
from ser.report.pool import Row, pool_records
from ser.report.record import Record

from chapters.shared.study_folders import folders_with_facts
from chapters.shared.widget import FIELD, svg, widget

UNSEEN: tuple[str, ...] = ("loso", "speakers", "sessions")
"""Protocols whose test speakers are not trained on, the most usual first."""

COLOURS = {
    "blue": BLUE, "card": CARD, "grey": GREY, "grid": GRID, "ink": INK, "vermillion": VERMILLION,
}  # fmt: skip
DRAWN = "Of the chosen row: UA with its interval, confusion matrix, learning curves, speakers."
SELECTIONS = {"last": "last epoch", "dev": "chosen on dev", "test": "chosen on the test"}


def recorded(folder: str | Path) -> dict[str, list[Record]]:
    """Records of every corpus that has both protocols in *folder*.

    Args:
        folder: of folders of the study ``main`` (``ser run --study main``), as ``book/results``;
            where both protocols are there with a dev set, those are taken. It may be missing.

    Returns:
        Corpus -> records of both protocols, by name; only rows that are complete in both (every
        fold is there), and no corpus without one.

    Raises:
        RecordError: a damaged record.

    Example:
        >>> recorded("no such folder")
        {}
    """
    main = [(f, facts) for f, facts in folders_with_facts(folder) if facts.study == "main"]
    found: dict[str, list[Record]] = {}
    for corpus, dev in product(sorted({facts.corpus for _, facts in main}), (True, False)):
        by = {f.protocol: p for p, f in main if (f.corpus, f.dev) == (corpus, dev)}
        unseen = [by[name] for name in UNSEEN if name in by]
        if corpus not in found and "random" in by and unseen:
            found |= {corpus: kept} if (kept := _both([by["random"], unseen[0]])) else {}
    return found


def _both(folders: list[Path]) -> list[Record]:
    """Records of the rows that are complete under random folds and with unseen speakers."""
    records = load_records(folders)
    complete = [
        {r.model for r in pool_records(part) if r.folds == r.folds_total}
        for part in (
            [r for r in records if (r.data["protocol"]["name"] == "random") == is_random]
            for is_random in (True, False)
        )
    ]
    both = complete[0] & complete[1]
    return [r for r in records if r.data["model"] in both]


def protocol_table(records: Iterable[Record], resamples: int = 2000) -> dict[str, Any]:
    """What the interactive part knows, made from records.

    Args:
        records: of one or several corpora; rows that lack one of the two protocols, or a fold,
            are left out.
        resamples: bootstrap resamples of the intervals.

    Returns:
        corpus -> model -> ``"random"`` / ``"unseen"`` -> ``{"name", "folds", "n", "seeds",
        "speakers", "curve", "last", "dev", "test"}``. A selection has ``ua``, ``low``, ``high``
        (percent, None where there is none), ``counts`` (4 rows, true), ``each``: UA of every
        speaker, and ``epochs``: those that were chosen. ``curve`` has UA ``train`` and ``test``
        after each epoch, mean over runs.

    Raises:
        ValueError: no row was recorded under both protocols.
    """
    table: dict[str, Any] = {}
    for row in pool_records(records):
        side = "random" if row.protocol == "random" else "unseen"
        if row.folds < row.folds_total or row.test_corpus or row.selection not in SELECTIONS:
            continue
        if side == "unseen" and row.protocol not in UNSEEN:
            continue
        model = table.setdefault(row.corpus, {}).setdefault(row.label, {})
        known = model.setdefault(side, _about(row))
        if known["name"] == row.protocol and known["preset"] == row.preset:
            known[row.selection] = _scores(row, resamples)
    for corpus, models in list(table.items()):
        table[corpus] = {m: s for m, s in models.items() if len(s) == 2}
        if not table[corpus]:
            del table[corpus]
    if not table:
        raise ValueError("no row was recorded under both random folds and unseen speakers")
    return table


def interactive_protocols(
    records: Iterable[Record], *, caption: str = "", resamples: int = 2000
) -> Html:
    """Corpus, row, protocol and choice of epoch, picked by the reader; the score moves.

    Args:
        records: as :func:`protocol_table` takes them.
        caption: below the drawing.
        resamples: of the intervals.

    Returns:
        :class:`ser.plots.Html`, less than 400 kB for a dozen rows of a few corpora.

    Raises:
        ValueError: as :func:`protocol_table`.
    """
    table = protocol_table(records, resamples)
    data = {
        "table": table,
        "emotions": list(EMOTIONS),
        "selections": SELECTIONS,
        "start": _start(table),
        "colours": COLOURS,
    }
    corpora = "".join(f"<option>{escape(c)}</option>" for c in table)
    sides = {"random": "random split", "unseen": "unseen speakers"}

    def inside(name: str) -> str:
        return (
            f'<div class="controls" hidden>'
            f'<label for="{name}-corpus" style="display:inline-block;margin-right:1em">Corpus '
            f'<select id="{name}-corpus" class="corpus" style="{FIELD};max-width:100%">{corpora}'
            f'</select></label><label for="{name}-model" style="display:inline-block">Row '
            f'<select id="{name}-model" class="model" style="{FIELD};max-width:100%"></select>'
            f"</label>{_radios(name, 'side', 'Who is tested', sides)}"
            f"{_radios(name, 'epoch', 'Which epoch', SELECTIONS)}"
            f'<label for="{name}-compare" style="display:block;margin:.5em 0 0">'
            f'<input type="checkbox" id="{name}-compare"> show the difference from unseen '
            f"speakers, last epoch</label>"
            f'<output for="{name}-corpus {name}-model {name}-compare" aria-live="polite" '
            f'style="display:block;margin:.6em 0;min-height:4.2em"></output>'
            f"{svg(520, 534, label=DRAWN)}</div><noscript>{_plain(table)}</noscript>"
        )

    return widget(
        Path(__file__).with_suffix(".js"),
        data,
        inside,
        kind="protocols",
        title="protocols",
        caption=caption,
        described=_describe(table),
    )


def _radios(name: str, key: str, legend: str, choices: dict[str, str]) -> str:
    box = f"border:1px solid {MUTED};border-radius:4px;margin:.5em 0 0;padding:.2em .6em .4em"
    inside = "".join(
        f'<label for="{name}-{key}-{value}" style="display:inline-block;margin-right:1em">'
        f'<input type="radio" name="{name}-{key}" id="{name}-{key}-{value}" value="{value}"'
        f"{' checked' if i == 0 else ''}> {escape(text)}</label>"
        for i, (value, text) in enumerate(choices.items())
    )
    return f'<fieldset class="{key}" style="{box}"><legend>{legend}</legend>{inside}</fieldset>'


def _about(row: Row) -> dict[str, Any]:
    history = [r.data["history"] for r in row.records if r.data.get("history")]
    curve = {}
    for key in ("train", "test"):
        runs = [[point.get(f"{key}_ua") for point in run] for run in history]
        full = len({len(run) for run in runs}) == 1 and all(None not in run for run in runs)
        curve[key] = np.round(100 * np.mean(runs, axis=0), 1).tolist() if full else []
    return {
        "name": row.protocol,
        "preset": row.preset,
        "folds": row.folds,
        "n": len(row.labels),
        "seeds": len(row.seeds),
        "speakers": sorted(set(map(str, row.speakers))),
        "curve": curve,
    }


def _scores(row: Row, resamples: int) -> dict[str, Any]:
    _, counts = speaker_counts(row.labels, row.predictions, row.speakers)
    ends = row.interval("ua", resamples)
    each = count_ua(counts).mean(1)
    return {
        "ua": _percent(row.ua.mean()),
        "low": _percent(ends.low),
        "high": _percent(ends.high),
        "counts": row.confusion.tolist(),
        "each": [_percent(v) for v in each],
        "epochs": sorted({_epoch(r, row.selection) for r in row.records} - {0}),
    }


def _epoch(record: Record, selection: str) -> int:
    return int(record.data["selection"][selection].get("epoch") or 0)


def _percent(value: float) -> float | None:
    return round(100 * float(value), 1) if np.isfinite(value) else None


def _start(table: dict[str, Any]) -> dict[str, str]:
    """For each corpus the row that is shown at first: the last one that has a choice of epoch."""
    result = {}
    for corpus, models in table.items():
        chosen = [m for m, sides in models.items() if "test" in sides["random"]]
        result[corpus] = (chosen or list(models))[-1]
    return result


def _describe(table: dict[str, Any]) -> str:
    """The widest gap of each corpus, in words."""
    parts = []
    for corpus, models in table.items():
        model = _start(table)[corpus]
        sides = models[model]
        most = sides["random"].get("test", sides["random"]["last"])
        parts.append(
            f"{corpus}, {model}: {most['ua']:.1f} % with random folds"
            f"{' and the best test epoch' if 'test' in sides['random'] else ''}, "
            f"{sides['unseen']['last']['ua']:.1f} % with unseen speakers and the last epoch."
        )
    return "UA of the same runs, judged in different ways. " + " ".join(parts)


def _plain(table: dict[str, Any]) -> str:
    """The table for readers without JavaScript."""
    keys = [(side, s) for side in ("random", "unseen") for s in SELECTIONS]
    used = [
        (side, s)
        for side, s in keys
        if any(s in sides[side] for models in table.values() for sides in models.values())
    ]
    head = "".join(f'<th scope="col">{side}, {SELECTIONS[s]}</th>' for side, s in used)
    lines = []
    for corpus, models in table.items():
        for model, sides in models.items():
            cells = [f"{sides[side][s]['ua']:.1f}" if s in sides[side] else "" for side, s in used]
            values = "".join(f"<td>{c}</td>" for c in cells)
            lines.append(f'<tr><th scope="row">{escape(corpus)}, {escape(model)}</th>{values}</tr>')
    return (
        f'<div style="overflow-x:auto"><table><caption>UA in percent</caption>'
        f"<thead><tr><th>corpus, row</th>{head}</tr></thead><tbody>{''.join(lines)}</tbody>"
        "</table></div>"
    )
