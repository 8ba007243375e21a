"""What one row comes to, as plain numbers, and what the reader should know about it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ser.corpora.base import EMOTIONS
from ser.report.pool import Row

TEST_CHOSEN = (
    "the epoch was chosen on the test fold, as the paper did: this shows what that does and is "
    "not an estimate of anything a user would get"
)


def row_dict(row: Row, resamples: int) -> dict[str, Any]:
    """A row as the JSON report has it; scores are fractions of 1, None where unknown."""
    wa, ua = row.interval("wa", resamples), row.interval("ua", resamples)
    first = row.records[0].data
    epochs = sorted(
        {int(r.data["selection"][row.selection].get("epoch") or 0) for r in row.records}
    )
    several = len(row.seeds) > 1
    return finite(
        {
            "corpus": row.corpus,
            "test_corpus": row.test_corpus or None,
            "protocol": row.protocol,
            "preset": row.preset or None,
            "model": row.model,
            "selection": row.selection,
            "test_chosen": row.test_chosen,
            "seeds": len(row.seeds),
            "folds": row.folds,
            "folds_total": row.folds_total,
            "n": len(row.labels),
            "speakers": len(set(row.speakers)),
            "wa": float(row.wa.mean()),
            "wa_sd": float(row.wa.std(ddof=1)) if several else None,
            "wa_low": wa.low,
            "wa_high": wa.high,
            "ua": float(row.ua.mean()),
            "ua_sd": float(row.ua.std(ddof=1)) if several else None,
            "ua_low": ua.low,
            "ua_high": ua.high,
            "parameters": first.get("parameters"),
            "epochs": (first.get("config") or {}).get("epochs") if first.get("history") else None,
            "first_epoch": epochs[0] or None,
            "last_epoch": epochs[-1] or None,
            "wall_seconds": float(sum(r.data.get("wall_seconds") or 0 for r in row.records)),
            "recalls": dict(zip(EMOTIONS, row.recalls.tolist(), strict=True)),
            "confusion": row.confusion.tolist(),
            "confusion_percent": row.confusion_percent.tolist(),
            "leak": leak_counts(row),
            "notes": list(row.notes),
        }
    )


def leak_counts(row: Row) -> dict[str, int]:
    """What training and test shared in the worst fold; empty if the records do not say."""
    kinds: dict[str, int] = {}
    for record in row.records:
        for kind, count in (record.data["protocol"].get("leak") or {}).items():
            if isinstance(count, int):
                kinds[kind] = max(kinds.get(kind, 0), count)
    return kinds


def all_notes(rows: Sequence[Row]) -> list[str]:
    """Missing folds, mixed settings, test-chosen rows, single speakers: one line each."""
    notes = [f"{row.name}: {note}" for row in rows for note in row.notes]
    if any(r.test_chosen for r in rows):
        notes.append(f"selection test: {TEST_CHOSEN}")
    for block in dict.fromkeys(r.block for r in rows):
        here = [r for r in rows if r.block == block]
        if len({r.records[0].content for r in here}) > 1:
            notes.append(f"rows of {', '.join(filter(None, block))} differ in the corpus's content")
        if len({(r.utterances.tobytes(), r.folds_total) for r in here}) > 1:
            notes.append(
                f"rows of {', '.join(filter(None, block))} differ in what they were tested on"
            )
    for row in rows:
        if len(set(row.speakers)) < 2:
            notes.append(f"{row.name}: one speaker, so no interval over speakers")
    return list(dict.fromkeys(notes))


def finite(value: Any) -> Any:
    """NaN -> None, all the way down."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {k: finite(v) for k, v in value.items()}
    if isinstance(value, list):
        return [finite(v) for v in value]
    return value
