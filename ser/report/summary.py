"""What one row comes to, as plain numbers, and what the reader should know about it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ser.corpora.base import EMOTIONS
from ser.corpora.registry import CORPORA
from ser.experiments.baselines import INPUTS
from ser.normalise import enrolled_by, one_class_speakers
from ser.report.pool import Row

TEST_CHOSEN = (
    "selection test: the epoch was chosen on the test fold, as the paper did: this shows what that "
    "does and is not an estimate of anything a user would get"
)
"""A note of reports that have such rows; as text they mark the rows and say it below."""


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
            "label": row.label,
            "selection": row.selection,
            "test_chosen": row.test_chosen,
            "transductive": row.transductive,
            "normaliser": row.normaliser,
            "tuning": tuning(row),
            "choice": choice(row),
            "seeds": len(row.seeds),
            "folds": row.folds,
            "folds_total": row.folds_total,
            "n": len(row.labels),
            **completeness(row),
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
            "emotions": list(row.emotions),
            "recalls": dict(zip(row.emotions, row.recalls.tolist(), strict=True)),
            "confusion": row.confusion.tolist(),
            "confusion_percent": row.confusion_percent.tolist(),
            "leak": leak_counts(row),
            "notes": list(row.notes),
        }
    )


def completeness(row: Row) -> dict[str, Any]:
    """How much of the tested corpus stands behind a row.

    Returns:
        ``n_expected`` (utterances of the whole corpus; None where nobody knows), ``classes`` (those
        that were tested, by name), ``missing`` (sentences, as the run's record has them).
    """
    name = row.test_corpus or row.corpus
    tested = np.bincount(row.labels, minlength=len(row.emotions))
    told = [r.data.get("test_corpus") or r.data["corpus"] for r in row.records]
    expected = None
    if known := CORPORA.get(name):
        expected = known.four_class if row.emotions == EMOTIONS else told[0].get("expected")
    return {
        "n_expected": expected,
        "classes": [e for e, count in zip(row.emotions, tested, strict=True) if count],
        "missing": list(dict.fromkeys(str(m) for each in told for m in each.get("missing") or ())),
    }


def tuning(row: Row) -> str | None:
    """How C and class weights of a baseline came about, of ``TUNINGS``; None: it has none.

    See :func:`ser.experiments.baselines.tune`.
    """
    if row.records[0].data["model"] not in INPUTS:
        return None
    return str((row.records[0].data.get("config") or {}).get("tuning", "fixed"))


def tuning_words(row: Row) -> str:
    """What the folds of a tuned baseline chose, in words."""
    if tuning(row) == "fixed":
        return "C = 1, no class weights, the same in every fold"
    found = [r.data.get("tuning") or {} for r in row.records]
    chosen = [f["chosen"] for f in found if f.get("chosen")]
    inner = ", ".join(sorted({str(f.get("inner")) for f in found}))
    if not chosen:
        return f"{inner}: C = 1, no class weights"
    values = sorted(float(c["C"]) for c in chosen)
    weighted = sum(c["class_weight"] == "balanced" for c in chosen)
    ends = f"{values[0]:g}" if values[0] == values[-1] else f"{values[0]:g} to {values[-1]:g}"
    clips = Counter(float(c["clip_z"]) for c in chosen if "clip_z" in c)
    where = ", ".join(
        f"{f'at {z:g}' if z else 'nowhere'} in {count}" for z, count in sorted(clips.items())
    )
    return (
        f"chosen in each fold on its training side ({inner}): C {ends}, classes weighted in "
        f"{weighted} of {len(found)}" + f", numbers clipped {where}" * bool(clips)
    )


def choice(row: Row) -> dict[str, Any] | None:
    """What the folds of a row chose, each on its training side; None: nothing was chosen.

    Returns:
        ``inner`` (what the inner folds were) and ``options``: for each ``option`` its ``ua``, the
        mean over folds of its inner UA, with the ``least`` and ``most``, and ``chosen``, by how
        many folds. See :func:`ser.experiments.choice.choose`.
    """
    seed = row.seeds[0]  # all seeds share the choice
    found = [r.data["choice"] for r in row.records if r.data.get("choice") and r.seed == seed]
    if not found:
        return None
    scores = pd.DataFrame([score for fold in found for score in fold["scores"]])
    options = scores.groupby("option", sort=False).ua.agg(ua="mean", least="min", most="max")
    options["chosen"] = options.index.map(Counter(fold["chosen"] for fold in found))
    return {
        "inner": ", ".join(sorted({fold["inner"] for fold in found})),
        "options": options.reset_index().to_dict("records"),
    }


def leak_counts(*rows: Row) -> dict[str, int]:
    """What training and test shared in the worst fold; empty if the records do not say."""
    kinds: dict[str, int] = {}
    for record in (record for row in rows for record in row.records):
        for kind, count in (record.data["protocol"].get("leak") or {}).items():
            if isinstance(count, int):
                kinds[kind] = max(kinds.get(kind, 0), count)
    return kinds


def all_notes(rows: Sequence[Row]) -> list[str]:
    """Missing folds, mixed settings, test-chosen rows, single speakers: one line each."""
    notes = [f"{row.name}: {note}" for row in rows for note in row.notes]
    if any(r.test_chosen for r in rows):
        notes.append(TEST_CHOSEN)
    for block in dict.fromkeys(r.block for r in rows):
        here = [r for r in rows if r.block == block]
        if len({r.records[0].content for r in here}) > 1:
            notes.append(f"rows of {', '.join(filter(None, block))} differ in the corpus's content")
        every = [(rule, len(r.labels)) for r in here for rule in r.normaliser.split(", ")]
        if enrolled := sorted({rule for rule, _ in every if enrolled_by(rule)}):
            left = "; ".join(
                f"{rule}: {min(n for other, n in every if other == rule)} utterances tested"
                for rule in enrolled
            )
            notes.append(
                f"the neutral utterances that enrol speakers of {', '.join(filter(None, block))} "
                f"are not tested ({left})"
            )
        if len({(r.utterances.tobytes(), r.folds_total) for r in here}) > 1:
            notes.append(
                f"rows of {', '.join(filter(None, block))} differ in what they were tested on"
            )
    for row in rows:
        if len(set(row.speakers)) < 2:
            notes.append(f"{row.name}: one speaker, so no interval over speakers")
        if alone := one_class(row):
            notes.append(
                f"{row.name}: normalised by speaker although {len(alone)} of "
                f"{len(set(row.speakers))} speakers are heard in one class only, which takes away "
                "what tells that class from others"
            )
    return list(dict.fromkeys(notes))


def one_class(row: Row) -> list[str]:
    """Speakers of a transductive row with test utterances of one class only in a fold."""
    found: set[str] = set()
    for record in row.records if row.transductive else ():
        found.update(one_class_speakers(record.labels.tolist(), record.data["test"]["speakers"]))
    return sorted(found)


def finite(value: Any) -> Any:
    """NaN -> None, all the way down."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {k: finite(v) for k, v in value.items()}
    if isinstance(value, list):
        return [finite(v) for v in value]
    return value
