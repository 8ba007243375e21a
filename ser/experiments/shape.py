"""Whether a record is what was written, and of which kinds its parts are, before it is read.

A file that is whole JSON can still be damaged or edited by hand; said here, it is one line that
names the part, and not a traceback from wherever that part is first used, nor a wrong number.
Since schema 4 a record holds a digest of itself. In any, the scores that the history states for a
chosen epoch have to follow from its logits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ser.paths import unseal

SEALED = 4
"""Schema since which a record holds its digest."""

_NONE = type(None)

KINDS: dict[str, tuple[type, ...]] = {
    "schema": (int,),
    "id": (str,),
    "fingerprint": (str,),
    "command": (str, _NONE),
    "corpus": (dict,),
    "corpus.name": (str,),
    "corpus.content_hash": (str,),
    "test_corpus": (dict, _NONE),
    "test_corpus.name": (str,),
    "test_corpus.content_hash": (str,),
    "protocol": (dict,),
    "protocol.name": (str,),
    "protocol.fold": (str,),
    "protocol.folds": (int,),
    "protocol.hash": (str,),
    "protocol.dev": (int,),
    "protocol.leak": (dict, _NONE),
    "protocol.leak_told": (str, _NONE),
    "preset": (str, _NONE),
    "model": (str,),
    "seed": (int,),
    "device": (str, _NONE),
    "config": (dict, _NONE),
    "parameters": (int, _NONE),
    "test": (dict,),
    "test.utterances": (list,),
    "test.speakers": (list, dict),
    "test.labels": (list,),
    "history": (list,),
    "dev_labels": (list,),
    "selection": (dict,),
    "epoch_logits": (dict,),
    "fused_from": (list, _NONE),
    "tuning": (dict, _NONE),
    "tuning.chosen": (dict,),
    "tuning.inner": (str,),
    "tuning.scores": (list,),
}
"""Part of a record -> what it may be, where it is there at all."""

_WORDS = {dict: "an object", list: "a list", str: "text", int: "a whole number", _NONE: "null"}


def check_shape(record: Mapping[str, Any]) -> None:
    """Look at every part named in :data:`KINDS` that *record* has.

    Raises:
        ValueError: a part of another kind; the message names it.

    Example:
        >>> check_shape({"schema": 2, "preset": ["release"]})
        Traceback (most recent call last):
        ...
        ValueError: 'preset' is a list, not text or null
    """
    for name, kinds in KINDS.items():
        holder: Any = record
        *outer, last = name.split(".")
        for part in outer:
            holder = holder.get(part)
        if not isinstance(holder, Mapping) or last not in holder:
            continue
        value = holder[last]
        if not isinstance(value, kinds) or isinstance(value, bool):
            wanted = " or ".join(_WORDS[kind] for kind in kinds)
            found = _WORDS.get(type(value), repr(value))
            raise ValueError(f"{name!r} is {found}, not {wanted}")
    for name in ("history", "selection"):
        parts = record.get(name) or []
        for entry in parts.values() if isinstance(parts, dict) else parts:
            if not isinstance(entry, dict | _NONE):
                raise ValueError(f"{name!r} holds {entry!r:.40} where an object belongs")
    for kind, count in ((record.get("protocol") or {}).get("leak") or {}).items():
        if type(count) is not int:
            raise ValueError(f"'protocol.leak' has {count!r:.40} as its number of {kind}")


def check_seal(record: dict[str, Any], text: str) -> None:
    """Check *record*, which was read from *text*, against its digest, and take that out.

    Raises:
        ValueError: it has another digest, or none where its schema has one.
    """
    if not unseal(record, text) and record["schema"] >= SEALED:
        raise ValueError("its digest is missing: damaged or edited")


def check_scores(record: Mapping[str, Any], logits: Mapping[str, np.ndarray] | None = None) -> None:
    """Whether UA and WA in the history follow from the logits of the epochs that were chosen.

    Logits are kept rounded, and those of a fused row come from float16: utterances whose first
    two answers are closer than that may count as right or as wrong.

    Args:
        record: plain (:func:`ser.experiments.compact.plain`).
        logits: those of its selections, where they are at hand as arrays.

    Raises:
        ValueError: they do not; the message names the epoch.
    """
    entries = {entry.get("epoch"): entry for entry in record.get("history") or () if entry}
    labels = np.asarray(record["test"]["labels"])
    counts = np.bincount(labels)
    for rule, chosen in record["selection"].items():
        if not chosen or not entries:
            continue
        entry = entries.get(chosen["epoch"])
        if entry is None:
            raise ValueError(f"{rule!r} chose epoch {chosen['epoch']!r}, not one of its history")
        values = np.array(chosen["logits"] if logits is None else logits[rule], dtype=float)
        place = np.arange(len(labels)), labels
        truth = values[place]
        values[place] = -np.inf
        lead = truth - values.max(1)
        stated = [entry.get("test_ua"), entry.get("test_wa")]
        if _fit(stated, *[_scores(lead > 0, labels, counts)] * 2):
            continue
        slack = 2e-5 + (np.abs(truth).max() * 2**-9 if record.get("fused_from") else 0)
        low, high = (_scores(lead > margin, labels, counts) for margin in (slack, -slack))
        if not _fit(stated, low, high):
            raise ValueError(
                f"UA and WA of epoch {chosen['epoch']} are {stated} in its history, and "
                f"{[round(float(score), 6) for score in high]} by its logits"
            )


def _fit(stated: list, low: list, high: list) -> bool:
    """Whether what is stated lies between; None is nothing stated."""
    rows = zip(stated, low, high, strict=True)
    return all(value is None or a - 1e-5 <= value <= b + 1e-5 for value, a, b in rows)


def _scores(right: np.ndarray, labels: np.ndarray, counts: np.ndarray) -> list[float]:
    """UA and WA of answers that are *right*."""
    found = np.bincount(labels[right], minlength=len(counts))
    present = counts > 0
    return [(found[present] / counts[present]).sum() / present.sum(), right.sum() / len(right)]
