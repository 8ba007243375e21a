"""Records made small without losing what tables are made of (book: "Ablations").

A record repeats each sentence of the corpus for every utterance that says it, and the same logits
for every selection that chose the same epoch; a network's record keeps the logits of all epochs,
which only rows that are fused with others need.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from ser.errors import RecordError

SCHEMA = 4
"""Of the records that are written; earlier ones are read too."""

CODED = ("genders", "speakers", "texts")
"""Columns of ``test`` that say the same few things again and again."""


def pack_logits(logits: np.ndarray) -> dict:
    """(epochs, utterances, classes) -> a small JSON-able dict, at float16.

    >>> unpack_logits(pack_logits(np.zeros((2, 3, 4)))).shape
    (2, 3, 4)
    """
    data = np.ascontiguousarray(np.clip(logits, -65504, 65504), dtype="<f2")
    packed = base64.b64encode(zlib.compress(data.tobytes(), 9)).decode()
    return {"shape": list(data.shape), "dtype": "<f2", "zlib": packed}


def unpack_logits(packed: dict) -> np.ndarray:
    """The inverse of :func:`pack_logits`, as float32.

    Raises:
        RecordError: what is packed cannot be unpacked.
    """
    try:
        data = zlib.decompress(base64.b64decode(packed["zlib"]))
        logits = np.frombuffer(data, dtype=np.dtype(str(packed["dtype"])))
        return logits.reshape(packed["shape"]).astype(np.float32)
    except (zlib.error, ValueError, KeyError, TypeError) as error:
        raise RecordError(
            f"a record's logits of all epochs are damaged ({error}); delete it and run again"
        ) from None


def every_epoch(record: Mapping[str, Any], side: str, named: object) -> np.ndarray:
    """(epochs, utterances, classes) logits of a record's ``test`` or ``dev`` side.

    Raises:
        RecordError: there are none, or they are damaged; the message begins with *named*.
    """
    try:
        return unpack_logits(record["epoch_logits"][side])
    except KeyError as error:
        raise RecordError(f"{named}: a record without {error}; delete it and run again") from None
    except RecordError as error:
        raise RecordError(f"{named}: {error}") from None


def coded(record: dict[str, Any]) -> dict[str, Any]:
    """*record* with its repetitive columns as distinct values and a number for each utterance.

    Logits that an earlier selection has too are its name.

    Example:
        >>> coded({"test": {"texts": ["no", "yes", "no"]}})
        {'test': {'texts': {'values': ['no', 'yes'], 'codes': [0, 1, 0]}}}
    """
    test = dict(record["test"])
    for name in CODED:
        if isinstance(test.get(name), list):
            values = sorted(set(test[name]))
            place = {value: i for i, value in enumerate(values)}
            test[name] = {"values": values, "codes": [place[v] for v in test[name]]}
    result = record | {"test": test}
    if "selection" in record:
        result["selection"] = _named(record["selection"])
    return result


def _named(selection: dict[str, Any]) -> dict[str, Any]:
    """Selections, equal logits by the name of the first that has them."""
    named, first = {}, {}
    for rule, chosen in selection.items():
        named[rule] = chosen
        if not chosen:
            continue
        same = next((name for name, logits in first.items() if logits == chosen["logits"]), None)
        if same is None:
            first[rule] = chosen["logits"]
        else:
            named[rule] = chosen | {"logits": same}
    return named


def _told(selection: dict[str, Any]) -> dict[str, Any]:
    """The inverse of :func:`_named`."""
    told = {}
    for rule, chosen in selection.items():
        if chosen and isinstance(chosen.get("logits"), str):
            source = told.get(chosen["logits"])
            if not source:
                raise ValueError(f"the logits of {rule!r} are those of {chosen['logits']!r}, "
                                 "which is not before it")  # fmt: skip
            chosen = chosen | {"logits": source["logits"]}
        told[rule] = chosen
    return told


def plain(record: dict[str, Any]) -> dict[str, Any]:
    """The inverse of :func:`coded`; a record that is plain already comes back as it is.

    Raises:
        ValueError: a code that stands for no value, not one for each utterance, or logits that
            are said to be those of a selection which is not there.

    Example:
        >>> plain({"test": {"texts": {"values": ["no", "yes"], "codes": [0, 1, 0]}}})
        {'test': {'texts': ['no', 'yes', 'no']}}
    """
    test = dict(record["test"])
    for name in CODED:
        if isinstance(test.get(name), dict):
            values, codes = test[name]["values"], test[name]["codes"]
            if odd := [c for c in codes if type(c) is not int or not 0 <= c < len(values)]:
                raise ValueError(f"{name}: {odd[0]!r} stands for none of {len(values)} values")
            if len(codes) != len(test.get("utterances", codes)):
                raise ValueError(f"{len(codes)} {name} for {len(test['utterances'])} utterances")
            test[name] = [values[c] for c in codes]
    result = record | {"test": test}
    if isinstance(record.get("selection"), dict):
        result["selection"] = _told(record["selection"])
    return result


def thinned(record: dict[str, Any]) -> dict[str, Any]:
    """*record* with the logits of no other epochs than those that a selection chose.

    Tables, intervals and calibration stay as they were. What is lost: the row can't be fused with
    another any more, and no other epoch can be chosen. A record without logits of its epochs (a
    baseline's, a fused row's) comes back as it is.

    Raises:
        RecordError: a selection of an epoch that is not in the record's history.
    """
    if "epoch_logits" not in record:
        return record
    epochs = [entry["epoch"] for entry in record["history"]]
    chosen = {s["epoch"] for s in record["selection"].values() if s}
    if not chosen <= set(epochs):
        raise RecordError(f"{record['id']}: it chose an epoch which is not in its history")
    packed = {}
    for side, kept in record["epoch_logits"].items():
        logits = unpack_logits(kept)
        if len(logits) == len(epochs):
            logits[[epoch not in chosen for epoch in epochs]] = np.nan
        packed[side] = pack_logits(logits)
    return record | {"epoch_logits": packed}
