"""A store of arrays on disk that several processes may fill at once and a kill cannot spoil.

A store is a folder of shards. A shard is two files that are written once and never changed: the
numbers (``.npy``, one flat float32 array, memory-mapped when read) and an index (``.json``: key ->
where the arrays of that key are). The numbers are written first, the index last, each under a
temporary name and renamed when complete. So:

- a kill loses at most the shard that was being computed;
- two processes may compute the same key: both shards are whole, either is used;
- a shard whose numbers are shorter than its index says, or whose index cannot be parsed, is left
  out and its keys are computed again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import secrets
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ser.errors import FeatureError
from ser.paths import atomic_write

log = logging.getLogger(__name__)

FORMAT = 1
MAX_OPEN = 128
"""Shards kept mapped at a time (each holds a file handle)."""

MAX_MAPPED = 1 << 30
"""Bytes of shards kept mapped at a time: pages that were read count as the process's memory."""


def parameter_hash(parameters: dict) -> str:
    """Short hash of the parameters that features depend on; names the store's folder.

    Example:
        >>> parameter_hash({"n_fft": 512}) == parameter_hash({"n_fft": 512})
        True
    """
    text = json.dumps(parameters, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Entry:
    """Where the arrays of one key are: shard, first number, shapes, samples of the waveform."""

    shard: str
    offset: int
    shapes: tuple[tuple[int, ...], ...]
    samples: int

    @property
    def size(self) -> int:
        """Numbers in all arrays together."""
        return sum(_size(shape) for shape in self.shapes)


class FeatureStore:
    """Arrays by key in a folder; opening it reads the indexes only.

    Args:
        folder: where the shards are; made by the first :meth:`write`.

    Example:
        >>> import tempfile
        >>> store = FeatureStore(tempfile.mkdtemp())
        >>> store.write({"a": ([np.ones((2, 3))], 16000)})
        >>> "a" in store, store.read("a")[0].shape
        (True, (2, 3))
    """

    def __init__(self, folder: str | os.PathLike):
        self.folder = Path(folder)
        self._entries: dict[str, Entry] = {}
        self._seen: set[str] = set()
        self._open: OrderedDict[str, np.ndarray] = OrderedDict()
        self.refresh()

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_open": OrderedDict()}

    def entry(self, key: str) -> Entry:
        """Shapes and samples of *key*, without reading its numbers."""
        return self._entries[key]

    def refresh(self) -> None:
        """Take in the shards that have come since, from this or other processes."""
        for index in sorted(self.folder.glob("*.json")):
            if index.name.startswith(".") or index.stem in self._seen:
                continue
            self._seen.add(index.stem)
            try:
                for key, entry in self._parse(index).items():
                    self._entries.setdefault(key, entry)
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                log.warning(
                    "feature cache: %s is damaged (%s); what it held is computed again. Delete it "
                    "to be rid of this line",
                    index,
                    error,
                )

    def read(self, key: str) -> list[np.ndarray]:
        """The arrays of *key* as read-only views of the mapped file.

        Raises:
            KeyError: no such key.
            FeatureError: the shard has vanished or was cut since the store was opened.
        """
        entry = self._entries[key]
        flat = self._map(entry.shard)[entry.offset : entry.offset + entry.size]
        arrays, begin = [], 0
        for shape in entry.shapes:
            end = begin + _size(shape)
            arrays.append(flat[begin:end].reshape(shape))
            begin = end
        return arrays

    def write(self, items: dict[str, tuple[list[np.ndarray], int]]) -> None:
        """Add one shard.

        Args:
            items: key -> (arrays, samples of the waveform).

        Raises:
            FeatureError: the folder cannot be written (disk full, permissions).
        """
        if not items:
            return
        name = secrets.token_hex(8) + f"-{os.getpid():x}"
        total, index = 0, {}
        for key, (arrays, samples) in items.items():
            index[key] = [total, [list(a.shape) for a in arrays], int(samples)]
            total += sum(a.size for a in arrays)
        header = {"shape": (total,), "fortran_order": False, "descr": "<f4"}
        content = {"format": FORMAT, "numbers": total, "keys": index}
        try:
            with atomic_write(self.folder / f"{name}.npy") as stream:
                np.lib.format.write_array_header_1_0(stream, header)
                for arrays, _ in items.values():
                    for array in arrays:
                        stream.write(np.ascontiguousarray(array, dtype="<f4").data)
                content["bytes"] = stream.tell()
            with atomic_write(self.folder / f"{name}.json", "w") as stream:
                json.dump(content, stream)
        except OSError as error:
            with contextlib.suppress(OSError):
                (self.folder / f"{name}.npy").unlink()  # of no use without its index
            raise FeatureError(
                f"cannot write features to {self.folder}: {error.strerror or error}; free some "
                "space there, or name another folder with --cache or the variable SER_CACHE "
                "(what was written so far is kept)"
            ) from error
        self.refresh()

    def bytes(self) -> int:
        """Size of the store on disk."""
        return sum(p.stat().st_size for p in self._files())

    def _files(self) -> Iterable[Path]:
        return (p for p in self.folder.glob("*") if p.suffix in (".npy", ".json"))

    def _parse(self, index: Path) -> dict[str, Entry]:
        content = json.loads(index.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']}, expected {FORMAT}")
        numbers = content["numbers"]
        have = index.with_suffix(".npy").stat().st_size
        if have < content["bytes"]:
            raise ValueError(f"its data has {have} of {content['bytes']} bytes")
        entries = {}
        for key, (offset, shapes, samples) in content["keys"].items():
            shapes = tuple(tuple(int(n) for n in shape) for shape in shapes)
            entry = Entry(index.stem, int(offset), shapes, int(samples))
            if offset < 0 or min((n for s in shapes for n in s), default=0) < 0:
                raise ValueError(f"negative position or shape of {key}")
            if entry.offset + entry.size > numbers:
                raise ValueError(f"{key} lies beyond the end of the data")
            entries[key] = entry
        return entries

    def _map(self, shard: str) -> np.ndarray:
        if shard in self._open:
            self._open.move_to_end(shard)
            return self._open[shard]
        path = self.folder / f"{shard}.npy"
        try:
            data = np.load(path, mmap_mode="r", allow_pickle=False)
            if data.dtype != np.dtype("<f4") or data.ndim != 1:
                raise ValueError(f"holds {data.dtype} of shape {data.shape}")
        except (OSError, ValueError) as error:
            raise FeatureError(
                f"{path}: cached features can no longer be read ({error}); run the same command "
                "again, it computes what is missing"
            ) from error
        self._open[shard] = data
        mapped = sum(each.nbytes for each in self._open.values())
        while len(self._open) > MAX_OPEN or (mapped > MAX_MAPPED and len(self._open) > 1):
            mapped -= self._open.popitem(last=False)[1].nbytes
        return data


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for n in shape:
        size *= n
    return size
