"""Compute what the cache lacks of a corpus, by threads.

Threads take a few utterances each, read and compute them, every thread on one core: for arrays as
small as these that is faster than many cores on one product, and another busy program slows it
less. What a thread returns is one shard of the store, so memory stays bounded however large the
corpus, and a kill costs no more than what is in work.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from ser.audio import load_audio
from ser.errors import AudioError, FeatureError, shortage
from ser.features.cache import FeatureStore, open_store
from ser.features.presets import SAMPLE_RATE
from ser.progress import counted
from ser.threads import set_torch_threads, torch_threads

if TYPE_CHECKING:
    from ser.corpora.base import Corpus

TASK = 16
"""Utterances that a thread takes at a time."""

Item = tuple[str, tuple[str, float, float | None]]
"""Key of a sound; its file, where it begins (s), its duration (s, None: to the end)."""
Compute = Callable[[list[np.ndarray]], list[list[np.ndarray]]]
"""Waveforms -> for each the list of its arrays; called in several threads."""


def compute_missing(
    corpus: Corpus,
    parameters: dict,
    compute: Compute,
    cache: str | Path | None = None,
    progress: bool = True,
    skip_bad: bool = False,
    name: str = "",
) -> tuple[FeatureStore, pd.DataFrame, list[str], dict]:
    """Compute and keep what the cache lacks of a corpus, or holds damaged.

    Args:
        corpus: its ``table`` is used.
        parameters: what the arrays depend on besides the audio.
        compute: makes them.
        cache: folder of the cache; None: ``$SER_CACHE`` or the user's cache folder.
        progress: show a progress bar.
        skip_bad: do not raise if some audio cannot be read.
        name: of the corpus, for the progress bar and messages; empty: its own.

    Returns:
        The store; the rows whose audio could be read, in order; the content hash of each one's
        audio; and what was done: ``computed`` utterances now (the others were in the store) of
        ``computed_seconds`` in ``wall_seconds``, ``left_out`` (a message for each row that could
        not be read), ``folder`` of the store.

    Raises:
        FeatureError: audio that cannot be read: all files are tried first (and what could be read
            is kept), the message lists the first few; or a store that cannot be written.
    """
    began, name, table = time.perf_counter(), name or corpus.name, corpus.table
    stamps = {path: _stamp(path) for path in set(table["path"])}
    keys, store = audio_keys(table), open_store(parameters, cache)
    store.check(keys)
    store.throw_away()
    bad = {key: key[1:].partition("@")[0] for key in keys if key.startswith("!")}
    missing = {
        key: (path, start, seconds) if segment else (path, 0.0, None)
        for key, (path, start, seconds, segment) in zip(keys, _parts(table), strict=True)
        if key not in store.entries and key not in bad
    }
    items, threads = list(missing.items()), torch_threads()
    report = {"computed": 0, "computed_seconds": 0.0, "folder": str(store.folder)}
    pool = Parallel(threads, backend="threading", batch_size=1, return_as="generator")
    tasks = (items[i : i + TASK] for i in range(0, len(items), TASK))
    with counted(f"features of {name}", len(items), "utterances", progress) as bar:
        try:
            for shard, failed in pool(delayed(_work)(task, compute, stamps) for task in tasks):
                store.write(shard)
                bad |= failed
                report["computed"] += len(shard)
                samples = sum(count for _, count in shard.values())
                report["computed_seconds"] += samples / SAMPLE_RATE
                bar.update(len(shard) + len(failed))
        finally:
            set_torch_threads(threads)
    errors = [f"{p}: {bad[key]}" for p, key in zip(table["path"], keys, strict=True) if key in bad]
    rows = [i for i, key in enumerate(keys) if key not in bad]
    if errors and not (skip_bad and rows):
        raise FeatureError(_complaint(name, corpus.check_command, errors, len(table)))
    report |= {"left_out": errors, "wall_seconds": time.perf_counter() - began}
    return store, table.iloc[rows].reset_index(drop=True), [keys[i] for i in rows], report


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


def _parts(table: pd.DataFrame) -> zip:
    return zip(table["path"], table["start"], table["seconds"], table["segment"], strict=True)


def _work(
    items: list[Item], compute: Compute, stamps: dict[str, tuple[int, int] | None]
) -> tuple[dict[str, tuple[list[np.ndarray], int]], dict[str, str]]:
    """Read and compute a few utterances: a shard, and why others could not be read.

    A file that changed since its bytes were hashed would be kept under the wrong hash.
    """
    set_torch_threads(1)
    waves, failed = {}, {}
    for key, (path, start, seconds) in items:
        try:
            wave = load_audio(path, start=start, seconds=seconds)
        except AudioError as error:
            failed[key] = str(error).removeprefix(f"{Path(path)}: ")
        except MemoryError as error:
            failed[key] = f"{shortage(error)}, or cut the file into utterances"
        else:
            if _stamp(path) == stamps[path]:
                waves[key] = wave
            else:
                failed[key] = "changed while it was read; give the command again"
    try:
        arrays = compute(list(waves.values())) if waves else []
    except (MemoryError, RuntimeError) as error:
        if not shortage(error):
            raise
        path = dict(items)[max(waves, key=lambda key: len(waves[key]))][0]
        raise FeatureError(f"{path}: {shortage(error)}, or cut it into utterances") from error
    sizes = map(len, waves.values())
    return dict(zip(waves, zip(arrays, sizes, strict=True), strict=True)), failed


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
    return (
        f"{len(errors)} of {total} utterances of {name} cannot be read:\n{shown}{more}\n"
        f"`{check}` lists all problems; --skip-bad (extract(..., skip_bad=True)) "
        "leaves such utterances out"
    )
