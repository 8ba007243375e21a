"""A store of arrays on disk that several processes may fill at once and a kill cannot spoil.

A store is a folder of shards: safetensors files that are written once, whole or not at all, and
never changed. A shard's name is the SHA-256 of its bytes, so what is not as it was written is
noticed, by :meth:`FeatureStore.check` or when it is first read; what it held is computed again.
A kill loses at most the shard that was being computed; two processes may compute the same key:
both shards are whole, either is used.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from ser.errors import FeatureError, shortage
from ser.paths import atomic_write, cache_dir

log = logging.getLogger(__name__)

FORMAT = 3
"""Of the shards."""

AGAIN = (
    "run the same command again, it computes what is missing (a pack of features: copy it again)"
)


class Entry(NamedTuple):
    """Where the arrays of one key are.

    Attributes:
        shard: name of its file.
        samples: of the waveform.
        shapes: of the arrays.
    """

    shard: str
    samples: int
    shapes: list[list[int]]


class FeatureStore:
    """Arrays by key in a folder; opening it reads the heads of its shards only.

    Args:
        folder: where the shards are; made by the first :meth:`write`.

    Attributes:
        entries: where each key's arrays are.
        damaged: shards that are, and why; nothing of them is in the store.

    Example:
        >>> import tempfile
        >>> store = FeatureStore(tempfile.mkdtemp())
        >>> store.write({"a": ([np.ones((2, 3))], 16000)})
        >>> "a" in store.entries, store.read("a")[0].shape
        (True, (2, 3))
    """

    def __init__(self, folder: str | os.PathLike):
        self.folder = Path(folder)
        self.damaged: dict[str, str] = {}
        self.entries: dict[str, Entry] = {}
        self._whole: set[str] = set()
        self._opened: tuple[str, Any] = ("", None)
        self._look()

    def __getstate__(self) -> dict:
        return self.__dict__ | {"_opened": ("", None)}

    def check(self, keys: Iterable[str]) -> None:
        """Read the shards of *keys*, as far as they are there and were not checked before.

        Those that do not hold what was written are in ``damaged`` afterwards.
        """
        keys = list(keys)
        names = list({self.entries[k].shard for k in keys if k in self.entries} - self._whole)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            faults = dict(zip(names, pool.map(self._fault, names), strict=True))
        self._whole.update(name for name, fault in faults.items() if not fault)
        if any(faults.values()):
            self.damaged |= {name: fault for name, fault in faults.items() if fault}
            self._look()  # another shard may have the same keys
            self.check(keys)

    def throw_away(self) -> None:
        """Delete the damaged shards, and say so in the log."""
        for name, reason in self.damaged.items():
            path = self._path(name)
            if not self._fault(name):
                continue  # another process has made it again meanwhile
            log.warning("%s: damaged features (%s): thrown away, and made again", path, reason)
            with contextlib.suppress(OSError):  # a read-only folder is told where it is written
                path.unlink()
        self.damaged = {}

    def read(self, key: str) -> list[np.ndarray]:
        """The arrays of *key*, float32, read anew each time.

        Raises:
            KeyError: no such key.
            FeatureError: the shard has vanished since the store was opened, or is damaged.
        """
        entry = self.entries[key]
        if self._opened[0] != entry.shard:  # one stays open: what is mapped counts as our memory
            self._opened = entry.shard, self._open(entry.shard)
        shard = self._opened[1]
        return [shard.get_tensor(f"{key} {i}") for i in range(len(entry.shapes))]

    def write(self, items: dict[str, tuple[list[np.ndarray], int]]) -> None:
        """Add one shard.

        Args:
            items: key -> (arrays, samples of the waveform).

        Raises:
            FeatureError: the folder cannot be written (disk full, permissions).
        """
        if not items:
            return
        index, tensors = {}, {}
        for key, (arrays, samples) in items.items():
            index[key] = [int(samples), [list(array.shape) for array in arrays]]
            for i, array in enumerate(arrays):
                tensors[f"{key} {i}"] = np.ascontiguousarray(array, np.float32)
        data = save(tensors, {"index": json.dumps(index)})
        name = hashlib.sha256(data).hexdigest()
        try:
            with atomic_write(self._path(name)) as stream:
                stream.write(data)
        except OSError as error:
            raise FeatureError(
                f"cannot write features to {self.folder}: {error.strerror or error}; free some "
                "space there, or name another folder with --cache or the variable SER_CACHE "
                "(what was written so far is kept)"
            ) from error
        self.entries |= {key: Entry(name, *told) for key, told in index.items()}

    def bytes(self) -> int:
        """Size of the store on disk."""
        return sum(path.stat().st_size for path in self._files())

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.safetensors"

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("[!.]*.safetensors"))

    def _look(self) -> None:
        """Take in the shards that are there."""
        self.entries = {}
        for path in self._files():
            if path.stem in self.damaged:
                continue
            try:
                with safe_open(path, "numpy") as shard:
                    index = json.loads(shard.metadata()["index"])
                found = {key: Entry(path.stem, *told) for key, told in index.items()}
            except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
                self.damaged[path.stem] = f"its head: {error!r}"
            else:
                self.entries = found | self.entries

    def _fault(self, name: str) -> str:
        """What is wrong with a shard; empty if nothing is."""
        try:
            with open(self._path(name), "rb") as stream:
                same = hashlib.file_digest(stream, "sha256").hexdigest() == name
        except OSError as error:
            return str(error.strerror)
        return "" if same else "it is not what was written"

    def _open(self, name: str) -> Any:
        path = self._path(name)
        if name not in self._whole and (fault := self._fault(name)):
            raise FeatureError(f"{path}: damaged features ({fault}); {AGAIN}")
        self._whole.add(name)
        try:
            return safe_open(path, "numpy")
        except (OSError, SafetensorError) as error:
            if shortage(error):
                raise
            raise FeatureError(f"{path}: features cannot be read ({error}); {AGAIN}") from error


def open_store(parameters: dict, cache: str | Path | None = None) -> FeatureStore:
    """The store of features in *cache* (None: the user's cache).

    Args:
        parameters: all that they depend on besides the audio; hashed into the folder's name.
        cache: folder of the cache.
    """
    text = json.dumps(parameters | {"store": FORMAT}, sort_keys=True)
    folder = Path(cache) if cache is not None else cache_dir()
    return FeatureStore(folder / "features" / hashlib.sha256(text.encode()).hexdigest()[:16])
