"""What a network answered to its dev speakers, at the epoch that was chosen, from its record.

Book: chapter "Confusion matrices".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

import numpy as np
from ser.errors import RecordError
from ser.report.record import Record

__all__ = ["dev_answers"]

OPTION = "ser run --select last,dev"
"""The command's option that holds dev speakers out and keeps their logits."""


def dev_answers(
    record: Record, selection: str = "last", among: Iterable[Record] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """Labels and logits of a run's dev utterances, at the epoch that a selection chose.

    A fused row keeps no logits of its own; they are the mean of its branches', at the fused row's
    epoch. Logits of all epochs are stored as float16, so they are known to three digits.

    Args:
        record: of a network or of a fused row.
        selection: of the epoch.
        among: where the branches of a fused row are looked for.

    Returns:
        (n,) classes and (n, 4) logits, both of the dev utterances.

    Raises:
        RecordError: no such selection, no dev utterances, no record of a branch, or logits that
            are not those of the network that was tested.

    Example:
        >>> labels, logits = dev_answers(report.row("ds-lstm").records[0])  # doctest: +SKIP
    """
    data, name = record.data, f"{record.group[-1]}, fold {record.fold}, seed {record.seed}"
    chosen = data["selection"].get(selection)
    if not chosen:
        raise RecordError(f"{name}: no selection {selection!r}; '{OPTION}' keeps last and dev")
    labels = np.asarray(data.get("dev_labels") or [], dtype=np.int64)
    if not len(labels):
        raise RecordError(f"{name}: no dev logits; {_way_out(record)}")
    epochs = [entry["epoch"] for entry in data["history"]]
    if chosen["epoch"] not in epochs:
        raise RecordError(
            f"{record.source} chose epoch {chosen['epoch']}, which is not in its history"
        )
    index = epochs.index(chosen["epoch"])
    for parts in _parts(record, name, among):
        dev, test = (_epoch(parts, side, index) for side in ("dev", "test"))
        # float16 has 11 bits: the same network's test logits agree to a thousandth.
        near = 1e-3 * max(1.0, float(np.abs(record.logits[selection]).max()))
        fits = test.shape == record.logits[selection].shape and len(dev) == len(labels)
        if fits and np.abs(test - record.logits[selection]).max() <= near:
            return labels, dev
    raise RecordError(
        f"{name}: the logits of its epochs are not those of the network that was tested; "
        f"delete {record.path} and run the same command again"
    )


def _way_out(record: Record) -> str:
    if not record.data.get("history"):
        return f"a baseline keeps none, only networks do, run with '{OPTION}'"
    return f"'{OPTION}' keeps them: run the row again with it, into another folder"


def _parts(record: Record, name: str, among: Iterable[Record]) -> Iterable[tuple[Record, ...]]:
    """The record itself, or the sets of records that its branches may be."""
    if record.epoch_logits:
        return [(record,)]
    wanted = record.data.get("fused_from")
    if not wanted:
        raise RecordError(f"{name}: no dev logits; {_way_out(record)}")
    found: dict[str, dict[int, Record]] = {identity: {} for identity in wanted}
    for other in among:
        if other.data["id"] in found and other.epoch_logits and _same(other, record):
            found[other.data["id"]][id(other)] = other
    missing = [identity for identity, records in found.items() if not records]
    if missing:
        raise RecordError(
            f"{name}: its dev logits are the mean of its branches', and the report lacks "
            f"{', '.join(missing)} with dev logits ('{OPTION}'); report their folder as well"
        )
    return product(*(records.values() for records in found.values()))


def _same(one: Record, other: Record) -> bool:
    """Whether two runs were given the same utterances to learn from and to judge."""
    mine, theirs = (
        (r.content, r.data["protocol"].get("hash"), r.data.get("dev_labels")) for r in (one, other)
    )
    return mine == theirs


def _epoch(parts: Sequence[Record], side: str, index: int) -> np.ndarray:
    """(n, 4) mean logits of the parts at one epoch; empty where the epoch or the side is not."""
    every = [part.epoch_logits[side] for part in parts]
    if len({each.shape for each in every}) != 1 or len(every[0]) <= index:
        return np.empty((0, 0))
    return np.mean([each[index].astype(float) for each in every], axis=0)
