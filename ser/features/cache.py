"""A store of arrays on disk that several processes may fill at once and a kill cannot spoil.

A store is a folder of shards. A shard is two files that are written once and never changed: the
numbers (``.npy``, one flat float32 array, memory-mapped when read) and an index (``.json``: key ->
where the arrays of that key are, and their CRC-32). The numbers are written first, the index last,
each under a temporary name and renamed when complete. So:

- a kill loses at most the shard that was being computed;
- two processes may compute the same key: both shards are whole, either is used;
- damage is noticed: the index holds a digest of itself (:func:`ser.paths.sealed`), and each key's
  numbers are checked once, by :meth:`FeatureStore.check` or when they are first read. A CRC because
  it is quick (4 GB a second, SHA-256 1.3), and what it has to see is accident: to open nEMO's
  578 MB and read them all takes a quarter of a second more. What a damaged shard of a cache held
  is computed again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import math
import os
import secrets
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ser.errors import FeatureError, shortage
from ser.paths import atomic_write, cache_dir, sealed, unseal

log = logging.getLogger(__name__)

FORMAT = 2
"""Of the shards that are written. Those of 1 have neither digest nor CRC and are not checked."""

AGAIN = (
    "run the same command again, it computes what is missing (a pack of features: copy it again)"
)


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
    """Where the arrays of one key are.

    Attributes:
        shard: name of its files.
        start: byte of the file at which they begin.
        shapes: of the arrays.
        samples: of the waveform.
        crc: CRC-32 of all their bytes; None in a shard of format 1.
    """

    shard: str
    start: int
    shapes: tuple[tuple[int, ...], ...]
    samples: int
    crc: int | None = None

    @property
    def size(self) -> int:
        """Numbers in all arrays together."""
        return sum(map(math.prod, self.shapes))


class FeatureStore:
    """Arrays by key in a folder; opening it reads the indexes only.

    Args:
        folder: where the shards are; made by the first :meth:`write`.

    Attributes:
        damaged: shards that are, and why; nothing of them is in the store.

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
        self._right: set[str] = set()
        self.damaged: dict[str, str] = {}
        self._mapped: tuple[str, np.ndarray | None] = ("", None)
        self.refresh()

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __getstate__(self) -> dict:
        return self.__dict__ | {"_mapped": ("", None)}

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
                self.damaged[index.stem] = f"its index: {error!r}"

    def check(self, keys: Iterable[str]) -> None:
        """Read the numbers of *keys*, as far as they are there and were not checked before.

        Shards that do not hold what was written are in ``damaged`` afterwards.
        """
        keys = list(dict.fromkeys(keys))
        wanted: dict[str, list[str]] = {}
        for key in keys:
            if key in self._entries and key not in self._right:
                wanted.setdefault(self._entries[key].shard, []).append(key)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            faults = list(pool.map(self._fault, wanted, wanted.values()))
        for shard, fault in zip(wanted, faults, strict=True):
            if fault:
                self.damaged[shard] = fault
            else:
                self._right.update(wanted[shard])
        if any(faults):  # another shard may have the same keys
            self._entries, self._seen, self._right = {}, set(self.damaged), set()
            self.refresh()
            self.check(keys)

    def throw_away(self) -> None:
        """Delete the damaged shards, and say so in the log."""
        for shard, reason in self.damaged.items():
            log.warning(
                "features in %s were damaged (%s): thrown away, and made again",
                self.folder / shard,
                reason,
            )
            for suffix in (".json", ".npy"):
                with contextlib.suppress(OSError):
                    (self.folder / f"{shard}{suffix}").unlink()
        self.damaged, self._mapped = {}, ("", None)

    def read(self, key: str) -> list[np.ndarray]:
        """The arrays of *key* as read-only views of the mapped file.

        Raises:
            KeyError: no such key.
            FeatureError: the shard has vanished since the store was opened, or is damaged.
        """
        entry = self._entries[key]
        data = self._map(entry.shard)[entry.start : entry.start + 4 * entry.size]
        if key not in self._right:
            if len(data) != 4 * entry.size or entry.crc not in (None, zlib.crc32(data)):
                raise FeatureError(f"{self._data(entry.shard)}: damaged features; {AGAIN}")
            self._right.add(key)
        flat, arrays, begin = data.view("<f4"), [], 0
        for shape in entry.shapes:
            end = begin + math.prod(shape)
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
                for key, (arrays, _) in items.items():
                    crc = 0
                    for array in arrays:
                        data = np.ascontiguousarray(array, dtype="<f4").data
                        crc = zlib.crc32(data, crc)
                        stream.write(data)
                    index[key].append(crc)
                content["bytes"] = stream.tell()
            with atomic_write(self.folder / f"{name}.json", "w") as stream:
                stream.write(sealed(content))
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
        text = index.read_text(encoding="utf-8")
        content = json.loads(text)
        if not unseal(content, text) and content["format"] != 1:
            raise ValueError("its digest is missing")
        if content["format"] not in (1, FORMAT):
            raise ValueError(f"format {content['format']}, expected {FORMAT}")
        numbers, end = content["numbers"], content["bytes"]
        have = index.with_suffix(".npy").stat().st_size
        if have < end:
            raise ValueError(f"its data has {have} of {end} bytes")
        entries = {}
        for key, (offset, shapes, samples, *crc) in content["keys"].items():
            shapes = tuple(tuple(int(n) for n in shape) for shape in shapes)
            start = end - 4 * (numbers - int(offset))
            entry = Entry(index.stem, start, shapes, int(samples), *crc)
            if offset < 0 or start < 0 or min((n for s in shapes for n in s), default=0) < 0:
                raise ValueError(f"negative position or shape of {key}")
            if offset + entry.size > numbers:
                raise ValueError(f"{key} lies beyond the end of the data")
            entries[key] = entry
        return entries

    def _data(self, shard: str) -> Path:
        return self.folder / f"{shard}.npy"

    def _fault(self, shard: str, keys: list[str]) -> str:
        """What is wrong with the numbers of *keys* in *shard*; empty if nothing is."""
        try:
            with open(self._data(shard), "rb") as stream:
                for entry in sorted((self._entries[k] for k in keys), key=lambda e: e.start):
                    stream.seek(entry.start)
                    data = stream.read(4 * entry.size)
                    if len(data) != 4 * entry.size or entry.crc not in (None, zlib.crc32(data)):
                        return "its numbers are not those that were written"
        except OSError as error:
            return str(error.strerror)
        return ""

    def _map(self, shard: str) -> np.ndarray:
        """The bytes of a shard. One stays mapped: pages that were read count as our memory."""
        name, data = self._mapped
        if name != shard:
            try:
                data = np.asarray(np.memmap(self._data(shard), mode="r"))
            except (OSError, ValueError) as error:
                if shortage(error):
                    raise
                raise FeatureError(
                    f"{self._data(shard)}: features can no longer be read ({error}); {AGAIN}"
                ) from error
            self._mapped = shard, data
        return data


def open_store(parameters: dict, cache: str | Path | None = None) -> FeatureStore:
    """The store for features with these parameters, in *cache* (None: the user's cache)."""
    folder = Path(cache) if cache is not None else cache_dir()
    return FeatureStore(folder / "features" / parameter_hash(parameters | {"store": FORMAT}))
