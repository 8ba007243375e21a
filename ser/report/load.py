"""Reading records from disk: each is one run, one JSON file; what is broken is named."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ser.corpora.base import EMOTIONS
from ser.errors import RecordError
from ser.experiments.compact import SCHEMA, plain
from ser.experiments.records import REQUIRED
from ser.experiments.shape import check_scores, check_seal, check_shape
from ser.report.variants import tagged

log = logging.getLogger(__name__)

SKIPPED = ("work", "models")
"""Sub-folders of a results folder that hold checkpoints, not records."""

AGAIN = "delete it and run the same command again, which makes it anew"


@dataclass(frozen=True)
class Record:
    """One run as its file tells it.

    Attributes:
        path: the file.
        data: the whole JSON object.
        logits: for each selection (``last``, ``dev``, ``test``) an array (n, 4).
        labels: (n,) true classes of the test utterances.
        tag: what sets it apart from the row's usual runs (:mod:`ser.report.variants`), or ``""``.
    """

    path: Path
    data: Mapping[str, Any] = field(repr=False)
    logits: Mapping[str, np.ndarray] = field(repr=False)
    labels: np.ndarray = field(repr=False)
    tag: str = ""

    @property
    def corpus(self) -> str:
        """Short name of the corpus trained on."""
        return self.data["corpus"]["name"]

    @property
    def test_corpus(self) -> str | None:
        """Short name of the corpus tested on, where it is another one."""
        other = self.data.get("test_corpus")
        return other["name"] if other else None

    @property
    def content(self) -> tuple[str, str | None]:
        """Content hashes of the corpus and of the test corpus."""
        other = self.data.get("test_corpus")
        hashes = [c.get("content_hash", "") if c else None for c in (self.data["corpus"], other)]
        return str(hashes[0]), hashes[1]

    @property
    def group(self) -> tuple[str, str, str, str, str]:
        """(corpus, test corpus or "", protocol, preset, model with its tag in brackets)."""
        data = self.data
        names = (self.corpus, self.test_corpus, data["protocol"]["name"], data.get("preset"))
        model = f"{data['model']} [{self.tag}]" if self.tag else str(data["model"])
        return (*(str(n or "") for n in names), model)  # type: ignore[return-value]

    @property
    def fold(self) -> str:
        """Name of the fold."""
        return str(self.data["protocol"]["fold"])

    @property
    def seed(self) -> int:
        """Training seed."""
        return int(self.data["seed"])


def load_records(folders: str | os.PathLike | Iterable[str | os.PathLike]) -> list[Record]:
    """Read every record below the folders.

    Sub-folders named ``work`` and ``models``, hidden files, and JSON files that are no records
    are passed over. A run found twice with the same answers (a copied folder) counts once. Runs of
    one row with another hidden size, frames or permuted labels are kept apart, see
    :mod:`ser.report.variants`.

    Args:
        folders: a results folder, or several; a single record file will do as well.

    Returns:
        Records sorted by group, seed and fold.

    Raises:
        RecordError: no such folder, no record in it, a record cut short or inconsistent, or
            one run with two different outcomes. The message names the file and the way out.

    Example:
        >>> load_records("no such folder")
        Traceback (most recent call last):
        ...
        ser.errors.RecordError: no such folder of results: no such folder...
    """
    if isinstance(folders, str | os.PathLike):
        folders = [folders]
    roots = [Path(f) for f in folders]
    files = sorted({p.resolve(): p for root in roots for p in _files(root)}.values())
    found = []
    for path in files:
        if _is_output(path):
            continue
        record = read_record(path)
        if record is None:
            log.debug("%s is no record; passed over", path)
        else:
            found.append(record)
    records: dict[tuple, Record] = {}
    for record in tagged(found):
        key = (record.group, record.seed, record.fold)
        if key in records:
            _same_outcome(records[key], record)
            log.info("%s repeats %s; counted once", record.path, records[key].path)
        records.setdefault(key, record)
    if not records:
        where = ", ".join(map(str, roots)) or "(no folder given)"
        out = roots[0] if roots else "DIR"
        raise RecordError(
            f"no records in {where}; 'ser run' makes them, for example: "
            f'ser run --model mfcc-lstm --protocol speakers --epochs 5 --out "{out}"'
        )
    return [records[key] for key in sorted(records)]


def _is_output(path: Path) -> bool:
    """Whether it is the still empty file that this program's output goes to (``> r/all.json``)."""
    try:
        status = path.stat()
        return status.st_size == 0 and os.path.samestat(status, os.fstat(1))
    except OSError:
        return False


def read_record(path: Path) -> Record | None:
    """One file as a :class:`Record`; None if it is JSON, but not a record.

    Raises:
        RecordError: not whole JSON, a newer schema, another digest than it states, or fields
            that do not fit together.
    """
    try:
        text = path.read_text(encoding="utf-8")
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        cause = "it is empty" if path.stat().st_size == 0 else str(error)
        raise RecordError(f"{path} is not a whole record ({cause}); {AGAIN}") from None
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror}") from error
    if not isinstance(data, dict) or len(REQUIRED & data.keys()) < len(REQUIRED) // 2:
        return None
    if missing := REQUIRED - data.keys():
        raise RecordError(f"{path} is a record without {', '.join(sorted(missing))}; {AGAIN}")
    if not isinstance(data["schema"], int) or data["schema"] > SCHEMA:
        raise RecordError(
            f"{path} has record schema {data['schema']!r}; this version of ser reads {SCHEMA}. "
            "Update ser, or report this folder with the version that wrote it"
        )
    try:
        check_shape(data)
        check_seal(data, text)
        return _checked(path, plain(data))
    except KeyError as error:
        raise RecordError(f"{path} is a record without {error}; {AGAIN}") from None
    except (TypeError, ValueError, AttributeError) as error:
        raise RecordError(f"{path} is a damaged record ({error}); {AGAIN}") from None


def _checked(path: Path, data: dict[str, Any]) -> Record:
    test = data["test"]
    numbers = [*test["labels"], data["seed"], data.get("parameters") or 0]
    numbers += [chosen.get("epoch") or 0 for chosen in data["selection"].values() if chosen]
    if odd := [n for n in numbers if type(n) is not int]:
        raise ValueError(f"{odd[0]!r} where a whole number belongs")
    labels = np.asarray(test["labels"], dtype=np.int64)
    count = len(labels)
    if count == 0:
        raise ValueError("it has no test utterances")
    if labels.min() < 0 or labels.max() >= len(EMOTIONS):
        raise ValueError(f"labels outside 0..{len(EMOTIONS) - 1}")
    for name in ("utterances", "speakers"):
        if len(test[name]) != count:
            raise ValueError(f"{len(test[name])} {name} for {count} labels")
    if len(set(test["utterances"])) < count:
        raise ValueError("an utterance is in it twice")
    logits = {}
    for name, chosen in data["selection"].items():
        if chosen is None:
            continue
        values = np.asarray(chosen["logits"], dtype=float)
        if values.shape != (count, len(EMOTIONS)):
            raise ValueError(f"logits of {name!r} have shape {values.shape}, not {(count, 4)}")
        if not np.isfinite(values).all():
            raise ValueError(f"logits of {name!r} contain NaN or infinity")
        logits[name] = values
    if not logits:
        raise ValueError("it has no selection")
    check_scores(data, logits)
    record = Record(path, data, logits, labels)
    _ = record.group, record.fold, record.seed, record.content, int(data["protocol"]["folds"])
    return record


def _files(root: Path) -> Iterator[Path]:
    if root.is_file():
        yield root
        return
    if not root.is_dir():
        raise RecordError(
            f"no such folder of results: {root}. Give the folder that 'ser run --out' wrote"
        )
    for folder, below, names in os.walk(root):
        below[:] = sorted(d for d in below if d not in SKIPPED and not d.startswith("."))
        for name in sorted(names):
            if name.endswith(".json") and not name.startswith("."):
                yield Path(folder) / name


def _same_outcome(first: Record, second: Record) -> None:
    same = first.logits.keys() == second.logits.keys() and all(
        np.array_equal(first.logits[k], second.logits[k]) for k in first.logits
    )
    if not same or first.data["test"] != second.data["test"]:
        raise RecordError(
            f"one run with two outcomes: {first.path} and {second.path} are both "
            f"{first.data.get('id', 'the same row, fold and seed')}; report the folders one at "
            "a time, or delete the one that does not belong"
        )
