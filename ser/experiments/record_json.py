"""One run as a JSON file: what a run in progress leaves, and what all runs left before.

``<out>/<row>/<run>.json`` is written whole or not at all, its last key a digest of the rest. When
the command ends, :func:`ser.experiments.record_folder.fold_records` takes such files into the
folder's one file. Those of schema 1 to 4 are read as well: 2 and 3 code what is said again and
again, 1 to 3 have no digest, and none says what was asked for but in its command.
"""

from __future__ import annotations

import base64
import json
import shlex
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ser.errors import RecordError
from ser.experiments.record_schema import REQUIRED, check_record, given_options
from ser.experiments.record_table import SCHEMA
from ser.paths import atomic_write, sealed, unseal

SEALED = 4
"""Schema since which a record holds its digest."""

AGAIN = "delete it and run the same command again, which makes it anew"


def write_record(path: Path, record: Mapping[str, Any]) -> None:
    """Write *record* to *path*, whole or not at all, with its digest."""
    body = dict(record) | {"schema": SCHEMA}
    if "epoch_logits" in record:
        body["epoch_logits"] = {k: pack_logits(v) for k, v in record["epoch_logits"].items()}
    with atomic_write(path, "w") as stream:
        stream.write(sealed(body) + "\n")


def read_record(path: Path, required: bool = True) -> dict[str, Any] | None:
    """Read one file, of any schema; the record says what schema 5 says.

    Args:
        path: the file.
        required: False: None for a JSON file that is no record at all.

    Returns:
        The record, its ``epoch_logits`` as arrays (epochs, utterances, classes).

    Raises:
        RecordError: not whole JSON, a later schema, another digest than it states, or fields that
            do not fit together. The message names the file and the way out.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        cause = "it is empty" if path.stat().st_size == 0 else str(error)
        raise RecordError(f"{path} is not a whole record ({cause}); {AGAIN}") from None
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror}") from error
    there = REQUIRED & data.keys() if isinstance(data, dict) else set()
    if not required and len(there) < len(REQUIRED) // 2:
        return None
    if missing := REQUIRED - there:
        raise RecordError(f"{path} is a record without {', '.join(sorted(missing))}; {AGAIN}")
    schema = data["schema"]
    if not isinstance(schema, int) or schema > SCHEMA:
        raise RecordError(
            f"{path} has record schema {schema!r}; this version of ser reads {SCHEMA}. "
            "Update ser, or report this folder with the version that wrote it"
        )
    try:
        if not unseal(data, text) and schema >= SEALED:
            raise ValueError("its digest is missing: damaged or edited")
        record = _decoded(data)
        check_record(record)
        return record if schema == SCHEMA else _upgraded(record)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise RecordError(f"{path} is a damaged record ({error}); {AGAIN}") from None


def pack_logits(logits: np.ndarray) -> dict[str, Any]:
    """(epochs, utterances, classes) -> a small JSON-able dict, at float16.

    >>> unpack_logits(pack_logits(np.zeros((2, 3, 4)))).shape
    (2, 3, 4)
    """
    data = np.ascontiguousarray(np.clip(logits, -65504, 65504), dtype="<f2")
    packed = base64.b64encode(zlib.compress(data.tobytes(), 9)).decode()
    return {"shape": list(data.shape), "dtype": "<f2", "zlib": packed}


def unpack_logits(packed: Mapping[str, Any]) -> np.ndarray:
    """The inverse of :func:`pack_logits`, as float32.

    Raises:
        RecordError: what is packed cannot be unpacked.
    """
    try:
        data = zlib.decompress(base64.b64decode(packed["zlib"]))
        logits = np.frombuffer(data, dtype=np.dtype(str(packed["dtype"])))
        return logits.reshape(packed["shape"]).astype(np.float32)
    except (zlib.error, ValueError, KeyError, TypeError) as error:
        raise RecordError(f"its logits of all epochs are damaged ({error})") from None


def _decoded(record: dict[str, Any]) -> dict[str, Any]:
    """*record* with lists where it has values and codes, and logits where it names a selection's.

    Raises:
        ValueError: a code that stands for no value, not one for each utterance, or logits that
            are said to be those of a selection which is not there.
    """
    test, selection = dict(record["test"]), {}
    for name in ("genders", "speakers", "texts"):
        if isinstance(test.get(name), dict):
            values, codes = test[name]["values"], test[name]["codes"]
            if odd := [c for c in codes if type(c) is not int or not 0 <= c < len(values)]:
                raise ValueError(f"{name}: {odd[0]!r} stands for none of {len(values)} values")
            if len(codes) != len(test.get("utterances", codes)):
                raise ValueError(f"{len(codes)} {name} for {len(test['utterances'])} utterances")
            test[name] = [values[c] for c in codes]
    for rule, chosen in record["selection"].items():
        if chosen and isinstance(chosen.get("logits"), str):
            source = selection.get(chosen["logits"])
            if not source:
                raise ValueError(
                    f"the logits of {rule!r} are those of {chosen['logits']!r}, "
                    "which is not before it"
                )
            chosen = chosen | {"logits": source["logits"]}
        selection[rule] = chosen
    result = record | {"test": test, "selection": selection}
    if record.get("epoch_logits"):
        result["epoch_logits"] = {k: unpack_logits(v) for k, v in record["epoch_logits"].items()}
    return result


def _upgraded(record: dict[str, Any]) -> dict[str, Any]:
    """A record of schema 1 to 4 with what schema 5 has beside, as far as it tells."""
    try:
        words = shlex.split(record.get("command") or "")
    except ValueError:
        words = str(record["command"]).split()
    options = given_options(words)
    held = bool(record["protocol"].get("dev"))
    facts = {
        "dev_share": float(options.get("--dev", 0.2)) if held else 0.0,
        "dev_speakers": None if held else [],
        "test_speakers": sorted(set(record["test"]["speakers"])),
    }
    return {"study": "", **record} | {
        "schema": SCHEMA,
        "options": options,
        "protocol": record["protocol"] | facts,
        "transductive": (record.get("config") or {}).get("normalise") == "speaker",
    }
