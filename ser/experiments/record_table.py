"""Runs in a file: ``records.parquet``, a row a run, a column a fact (book: "Ablations").

Columns are named by the way to the fact (``protocol.fold``, ``config.epochs``, ``history.loss``);
what a run has not is null, and what no run of the folder has is no column. Logits are lists of
float32, utterance by utterance in the order of :func:`emotions_of` the record; read by this
module they are rounded to five decimals, as they were before they were written, which gives the
same number back. ``selection.dev.logits`` is null where the same epoch's are in a selection before.
With pandas::

    runs = pd.read_parquet("results/records.parquet")
    runs.groupby("model")["wall_seconds"].sum()

Every row holds two digests, of its facts and of the logits of all its epochs, and the file one of
these, so that neither a changed number nor a missing row goes unnoticed.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ser.corpora.base import EMOTIONS
from ser.errors import RecordError
from ser.paths import atomic_write

FILE = "records.parquet"
SCHEMA = 5
"""Of the records that are written and read."""
SELECTIONS: tuple[str, ...] = ("last", "dev", "test")
META = b"ser.records"
DIGESTS = ("digest", "epoch_digest")
EPOCHS = ("epoch_logits.test", "epoch_logits.dev")
_TABLES = ("history", "tuning.scores", "choice.scores")
_ALWAYS: dict[str, Any] = {
    "study": "", "command": None, "options": {}, "package": {"commit": None}, "versions": {},
    "corpus": {}, "test_corpus": None, "protocol": {}, "preset": None, "transductive": False,
    "device": None, "config": {}, "parameters": None, "test": {}, "history": [], "dev_labels": [],
    "selection": {},
}  # fmt: skip
"""What a record says even where its row is null."""


def emotions_of(record: Mapping[str, Any]) -> tuple[str, ...]:
    """The classes of a record, in the order of its logits; one that names none has the four.

    Example:
        >>> emotions_of({"emotions": ["calm", "angry"]}), len(emotions_of({}))
        (('calm', 'angry'), 4)
    """
    return tuple(record.get("emotions") or EMOTIONS)


class RecordFile:
    """The records of one file.

    Args:
        path: of ``records.parquet``.

    Raises:
        RecordError: on reading: damaged, edited, or of a later version. The message names the file
            and the way out.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    @cached_property
    def records(self) -> list[dict[str, Any]]:
        """Every record without the logits of all epochs, checked in itself and by its digest."""
        with _reading(self.path) as file:
            names = [n for n in file.schema_arrow.names if n not in EPOCHS]
            rows = _rows(file.read(columns=names))
            told = json.loads((file.schema_arrow.metadata or {}).get(META, b"null"))
            if not told:
                raise RecordError(
                    f"{self.path}: not written by ser, or written again by something else, which "
                    "left out what the records are checked by; copy it again, or delete it and "
                    "run the same commands again, which make it anew"
                )
            if told["schema"] > SCHEMA:
                raise RecordError(
                    f"{self.path}: has record schema {told['schema']}; this version reads "
                    f"{SCHEMA}. Update ser"
                )
            self._digests = [row.pop("epoch_digest") for row in rows]
            digests = [row.pop("digest") for row in rows]
            if _all([*digests, *self._digests]) != told["digest"]:
                raise ValueError("records are missing, or their digests differ")
            for row, digest in zip(rows, digests, strict=True):
                if _digest(row) != digest:
                    raise ValueError(f"{row.get('id')}: its digest differs")
            return [_checked(_nested(row)) for row in rows]

    @cached_property
    def epoch_logits(self) -> list[dict[str, np.ndarray]]:
        """For each record the logits of all its epochs by side, float16; empty if it has none."""
        records, found = self.records, []
        with _reading(self.path) as file:
            names = [n for n in file.schema_arrow.names if n in EPOCHS]
            rows = _rows(file.read(columns=names)) if names else [{} for _ in records]
            for record, row, digest in zip(records, rows, self._digests, strict=True):
                if digest != (_digest(row) if any(v is not None for v in row.values()) else None):
                    raise ValueError(f"{record['id']}: the digest of its epochs differs")
                counts = {"test": len(record["test"]["labels"]), "dev": len(record["dev_labels"])}
                found.append(
                    {
                        side: row[name].reshape(-1, counts[side], len(emotions_of(record)))
                        if counts[side]
                        else np.zeros((0, 0, len(emotions_of(record))), np.float16)
                        for name in names
                        if (side := name.rpartition(".")[2]) and row[name] is not None
                    }
                )
        return found

    def whole(self) -> list[dict[str, Any]]:
        """Every record with the logits of all epochs."""
        pairs = zip(self.records, self.epoch_logits, strict=True)
        return [r | {"epoch_logits": logits} if logits else r for r, logits in pairs]


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[pq.ParquetFile]:
    """The open file; whatever is wrong with its bytes is one error that names it."""
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            yield file
    except RecordError:
        raise
    except (FileNotFoundError, PermissionError) as error:
        raise RecordError(f"{path} cannot be read: {error.strerror}") from error
    except Exception as error:  # pyarrow has many ways to say that bytes are not what they were
        cause = (str(error) or type(error).__name__).splitlines()[0]
        raise RecordError(
            f"{path}: damaged or edited since it was written ({cause}); copy it again, or delete "
            "it and run the same commands again, which make it anew"
        ) from None


def _checked(record: dict[str, Any]) -> dict[str, Any]:
    from ser.experiments.record_schema import check_record

    try:
        check_record(record)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise ValueError(f"{record.get('id')}: {error}") from None
    return record


def write_table(path: Path, records: Sequence[Mapping[str, Any]]) -> None:
    """Write *records* to *path*, whole or not at all.

    Raises:
        RecordError: a record that would not come back as it is, or whose parts do not fit
            together (:func:`ser.experiments.record_schema.check_record`); nothing is written then.
    """
    for record in records:
        try:
            _checked(dict(record))
        except ValueError as error:
            raise RecordError(f"{path} cannot be written: {error}") from None
    rows = [dict(_flat(record)) for record in records]
    for row in rows:
        row.pop("schema", None)
        heavy = {name: row.pop(name) for name in EPOCHS if name in row}
        row |= {"digest": _digest(row), "epoch_digest": _digest(heavy) if heavy else None} | heavy
    names = list(dict.fromkeys(name for row in rows for name in row))
    names = [n for n in names if n not in (*DIGESTS, *EPOCHS)] + [*DIGESTS, *EPOCHS]
    columns = {name: _column(name, [row.get(name) for row in rows]) for name in names}
    total = _all([row[name] for name in DIGESTS for row in rows])
    table = pa.table(columns).replace_schema_metadata(
        {META: json.dumps({"schema": SCHEMA, "digest": total})}
    )
    for before, after in zip(rows, _rows(table), strict=True):
        if after.pop("epoch_digest") != before["epoch_digest"] or (
            _digest({k: v for k, v in after.items() if k not in (*DIGESTS, *EPOCHS)})
            != before["digest"]
        ):
            raise RecordError(f"{before['id']}: this record would not come back from {path}")
    paths = {name: name for name in names} | {"options": "options.key_value.value"}
    paths |= {f.name: f"{f.name}.list.element" for f in table.schema if pa.types.is_list(f.type)}
    logits = [name for name in names if name.endswith(".logits") or name in EPOCHS]
    logits = [name for name in logits if paths[name] != name]
    with atomic_write(path) as stream:
        pq.write_table(
            table,
            stream,
            compression="zstd",
            compression_level=15,
            use_dictionary=[paths[name] for name in names if name not in logits],
            column_encoding={paths[name]: "BYTE_STREAM_SPLIT" for name in logits},
            write_page_checksum=True,
            write_statistics=False,
        )


def _flat(part: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """(name of the column, value) of every fact that is not None."""
    for key, value in part.items():
        name = f"{above}{key}"
        if name in _TABLES:
            for column in dict.fromkeys(k for entry in value for k in entry or ()):
                yield f"{name}.{column}", [(entry or {}).get(column) for entry in value]
        elif name == "options":
            yield name, list(value.items())
        elif name == "selection":
            yield from _chosen(value)
        elif name.startswith("epoch_logits."):
            yield name, np.asarray(value, np.float16).ravel()
        elif isinstance(value, Mapping):
            yield from _flat(value, f"{name}.")
        elif value is not None:
            yield name, value


def _chosen(selection: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    first: dict[int, np.ndarray] = {}
    for rule in sorted(filter(selection.get, selection), key=selection_order):
        epoch = selection[rule]["epoch"]
        logits = np.asarray(selection[rule]["logits"], float).ravel()
        yield f"selection.{rule}.epoch", epoch
        if not np.array_equal(first.setdefault(epoch, logits), logits) or first[epoch] is logits:
            yield f"selection.{rule}.logits", logits


def selection_order(name: str) -> tuple[int, str]:
    """Key that sorts selections as ``SELECTIONS`` does, others last, by name."""
    return (SELECTIONS.index(name) if name in SELECTIONS else len(SELECTIONS)), name


def _column(name: str, values: Sequence[Any]) -> pa.Array:
    if name.endswith(".logits"):
        small = [None if v is None else v.astype(np.float32) for v in values]
        exact = all(
            v is None or np.array_equal(_round(s), v) for s, v in zip(small, values, strict=True)
        )
        return pa.array(small if exact else values)
    try:
        return pa.array(values, pa.map_(pa.string(), pa.string()) if name == "options" else None)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise RecordError(f"records differ in what kind of value {name} is ({error})") from None


def _round(values: np.ndarray) -> np.ndarray:
    """The decimals with five places that were written as float32."""
    return np.round(values.astype(float), 5)


def _rows(table: pa.Table) -> list[dict[str, Any]]:
    """Rows as :func:`_flat` made them; what is null is None."""
    columns = {}
    for name in table.column_names:
        column = table[name].combine_chunks()
        if name.endswith(".logits") or name in EPOCHS:
            columns[name] = _arrays(column, name)
        else:
            columns[name] = column.to_pylist()
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _arrays(column: pa.ListArray, name: str) -> list[np.ndarray | None]:
    if pa.types.is_null(column.type):
        return [None] * len(column)
    values = column.values.to_numpy(zero_copy_only=False)
    if values.dtype == np.float32 and name not in EPOCHS:
        values = _round(values)
    ends, there = column.offsets.to_numpy(), column.is_valid().to_pylist()
    return [
        values[a:b] if ok else None for a, b, ok in zip(ends[:-1], ends[1:], there, strict=True)
    ]


def _nested(row: Mapping[str, Any]) -> dict[str, Any]:
    """The record of a row."""
    record: dict[str, Any] = {"schema": SCHEMA, **copy.deepcopy(_ALWAYS)}
    for name, value in row.items():
        if value is None:
            continue
        *above, last = name.split(".")
        if name == "options":
            record[name] = dict(value)
        elif name.rpartition(".")[0] in _TABLES:
            holder = _inner(record, above[:-1])
            entries = holder.get(above[-1]) or [{} for _ in value]
            holder[above[-1]] = entries
            for entry, each in zip(entries, value, strict=True):
                entry[last] = each
        else:
            _inner(record, above)[last] = value
    first: dict[int, list] = {}
    record["selection"] = {
        k: record["selection"][k] for k in sorted(record["selection"], key=selection_order)
    }
    classes = len(emotions_of(record))
    for chosen in record["selection"].values():
        if "logits" in chosen:
            chosen["logits"] = chosen["logits"].reshape(-1, classes).tolist()
        chosen["logits"] = chosen.get("logits") or first[chosen["epoch"]]
        first.setdefault(chosen["epoch"], chosen["logits"])
    if "tuning" in record:
        record["tuning"] = {"chosen": {}, "scores": []} | record["tuning"]
        if record["tuning"]["chosen"]:
            record["tuning"]["chosen"].setdefault("class_weight", None)
    return record


def _inner(record: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    for name in names:
        if record.get(name) is None:
            record[name] = {}
        record = record[name]
    return record


def _digest(row: Mapping[str, Any]) -> str:
    """BLAKE2b (128 bits, as hex) of the facts of a row that are not null."""
    found = hashlib.blake2b(digest_size=16)
    for name in sorted(row):
        if row[name] is not None:
            found.update(f"{name}\n".encode())
            if isinstance(row[name], np.ndarray):
                found.update(np.ascontiguousarray(row[name]).tobytes())
            else:
                text = json.dumps(_plain(row[name]), ensure_ascii=False, separators=(",", ":"))
                found.update(text.encode())
    return found.hexdigest()


def _plain(value: Any) -> Any:
    """1.0 as 1: a column of whole numbers may become one of fractions when a run is added."""
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _all(digests: Iterable[str | None]) -> str:
    return hashlib.blake2b("\n".join(map(str, digests)).encode(), digest_size=16).hexdigest()
