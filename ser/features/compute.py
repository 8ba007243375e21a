"""Compute what a store of features lacks of a table, by threads.

Threads take a few utterances each, read and compute them, every thread on one core: for arrays as
small as these that is faster than many cores on one product, and another busy program slows it
less. What they return is collected into shards of at most 256 utterances, so memory stays bounded
however large the corpus and a kill costs at most one shard.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ser.audio import load_audio
from ser.errors import AudioError, FeatureError, shortage
from ser.features.cache import FeatureStore
from ser.features.presets import SAMPLE_RATE
from ser.threads import set_torch_threads, torch_threads

if TYPE_CHECKING:
    from tqdm import tqdm

SHARD_UTTERANCES = 256
SHARD_NUMBERS = 1 << 24

Item = tuple[str, str, float, float | None]
Result = tuple[str, list[np.ndarray] | str, int]
Compute = Callable[[list[np.ndarray]], list[list[np.ndarray]]]


@dataclass
class Computed:
    """What :func:`compute_missing` did.

    Attributes:
        table: the rows whose audio could be read, in order.
        keys: content hash of each one's audio.
        errors: one message for each row that could not be read.
        computed: utterances computed now; the others were in the store.
        computed_seconds: their duration.
        wall_seconds: time it took.
    """

    table: pd.DataFrame
    keys: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    computed: int = 0
    computed_seconds: float = 0.0
    wall_seconds: float = 0.0


def compute_missing(
    store: FeatureStore,
    table: pd.DataFrame,
    compute: Compute,
    *,
    name: str = "",
    check: str = "",
    task: int = 16,
    progress: bool = True,
    skip_bad: bool = False,
) -> Computed:
    """Compute and keep what *store* lacks of *table*, or holds damaged.

    Args:
        store: where the features go.
        table: with columns path, start, seconds, segment.
        compute: waveforms -> for each the list of its arrays; called in several threads.
        name: of the corpus, for the progress bar and messages.
        check: the command that looks into the corpus, for messages.
        task: utterances a thread takes at a time.
        progress: show a progress bar.
        skip_bad: do not raise if some audio cannot be read.

    Returns:
        Computed.

    Raises:
        FeatureError: audio that cannot be read: all files are tried first (and what could be read
            is kept), the message lists the first few; or a store that cannot be written.
    """
    began = time.perf_counter()
    stamps = {path: _stamp(path) for path in dict.fromkeys(table["path"])}
    keys, done = audio_keys(table), Computed(table)
    store.check(keys)
    store.throw_away()
    bad: dict[str, str] = {}
    missing = _missing(table, keys, store, bad)
    from ser.progress import counted  # here: presets are read where tqdm is missing

    with counted(f"features of {name}", len(missing), "utterances", progress) as bar:
        for shard in _shards(_results(missing, compute, task, stamps), bad, bar):
            store.write(shard)
            done.computed += len(shard)
            done.computed_seconds += sum(count for _, count in shard.values()) / SAMPLE_RATE
    for path, key in zip(table["path"], keys, strict=True):
        if key not in store:
            reason = bad.get(key, "its features were lost while they were computed")
            done.errors.append(f"{path}: {reason}")
    rows = [i for i, key in enumerate(keys) if key in store]
    done.table, done.keys = table.iloc[rows].reset_index(drop=True), [keys[i] for i in rows]
    done.wall_seconds = time.perf_counter() - began
    if done.errors and not (skip_bad and rows):
        raise FeatureError(_complaint(name, check, done.errors, len(table)))
    return done


def audio_keys(table: pd.DataFrame) -> list[str]:
    """Content hash of each row's audio.

    Args:
        table: with columns path, start, seconds, segment.

    Returns:
        sha256 of each file's bytes, with ``@start+seconds`` for segments; for a file that cannot
        be read ``!`` and the reason.
    """
    paths = list(dict.fromkeys(table["path"]))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        hashes = dict(zip(paths, pool.map(_hash_file, paths), strict=True))
    return [
        f"{hashes[path]}@{start:.6f}+{seconds:.6f}" if segment else hashes[path]
        for path, start, seconds, segment in _parts(table)
    ]


def _parts(table: pd.DataFrame) -> Iterator[tuple[str, float, float, bool]]:
    return zip(table["path"], table["start"], table["seconds"], table["segment"], strict=True)


def _missing(
    table: pd.DataFrame, keys: list[str], store: FeatureStore, bad: dict[str, str]
) -> list[Item]:
    """(key, path, start, seconds) of what the store lacks, each key once; *bad* takes the rest."""
    wanted = {}
    for key, (path, start, seconds, segment) in zip(keys, _parts(table), strict=True):
        if key.startswith("!"):
            bad[key] = key[1:].partition("@")[0]
        elif key not in store and key not in wanted:
            wanted[key] = (key, path, start, seconds) if segment else (key, path, 0.0, None)
    return list(wanted.values())


def _results(
    missing: list[Item], compute: Compute, size: int, stamps: dict[str, tuple[int, int] | None]
) -> Iterator[list[Result]]:
    """Features of all items, task by task and in order; a few tasks are in work at a time."""
    threads = torch_threads()
    pool = ThreadPoolExecutor(threads, initializer=set_torch_threads, initargs=(1,))
    try:
        pending: deque = deque()
        for start in range(0, len(missing), size):
            pending.append(pool.submit(_work, missing[start : start + size], compute, stamps))
            if len(pending) > 2 * threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
        set_torch_threads(threads)


def _work(
    items: list[Item], compute: Compute, stamps: dict[str, tuple[int, int] | None]
) -> list[Result]:
    """Read and compute a few utterances; of one that cannot be read, say why.

    A file that changed since its bytes were hashed would be kept under the wrong hash.
    """
    waves: list[np.ndarray | str] = []
    for _, path, start, seconds in items:
        try:
            wave = load_audio(path, start=start, seconds=seconds)
            same = _stamp(path) == stamps[path]
            waves.append(wave if same else "changed while it was read; give the command again")
        except AudioError as error:
            waves.append(str(error).removeprefix(f"{Path(path)}: "))
        except MemoryError as error:
            waves.append(f"{shortage(error)}, or cut the file into utterances")
    good = [wave for wave in waves if not isinstance(wave, str)]
    try:
        arrays = iter(compute(good) if good else [])
    except (MemoryError, RuntimeError) as error:
        if not shortage(error):
            raise
        sizes = [0 if isinstance(wave, str) else len(wave) for wave in waves]
        path = items[sizes.index(max(sizes))][1]
        raise FeatureError(f"{path}: {shortage(error)}, or cut it into utterances") from error
    return [
        (item[0], wave, 0) if isinstance(wave, str) else (item[0], next(arrays), len(wave))
        for item, wave in zip(items, waves, strict=True)
    ]


def _shards(
    results: Iterator[list[Result]], bad: dict[str, str], bar: tqdm
) -> Iterator[dict[str, tuple[list[np.ndarray], int]]]:
    """Collect results into shards; what could not be read goes to *bad*."""
    shard, numbers = {}, 0
    for result in results:
        for key, arrays, samples in result:
            if isinstance(arrays, str):
                bad[key] = arrays
                continue
            shard[key] = (arrays, samples)
            numbers += sum(a.size for a in arrays)
            if len(shard) >= SHARD_UTTERANCES or numbers >= SHARD_NUMBERS:
                yield shard
                shard, numbers = {}, 0
        bar.update(len(result))
    if shard:
        yield shard


def _stamp(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def _hash_file(path: str) -> str:
    try:
        with open(path, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        return "!no such file; check the name and the corpus folder"
    except OSError as error:
        return f"!cannot be read ({error.strerror})"


def _complaint(name: str, check: str, errors: list[str], total: int) -> str:
    shown = "\n".join(f"  {error}" for error in errors[:5])
    more = f"\n  ... and {len(errors) - 5} more" if len(errors) > 5 else ""
    lists = f"`{check}` lists all problems; " if check else ""
    return (
        f"{len(errors)} of {total} utterances of {name} cannot be read:\n{shown}{more}\n"
        f"{lists}--skip-bad (extract(..., skip_bad=True)) "
        "leaves such utterances out"
    )
