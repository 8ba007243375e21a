"""Spreads tasks over processes: joblib's backends, so one machine or an existing cluster.

``local`` uses processes of this machine; ``ray`` and ``dask`` join a running cluster (or start a
local one). Workers of a cluster must see the same results and cache folders.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ser.errors import SerError

log = logging.getLogger(__name__)

_EXTRA = {"ray": ("ray",), "dask": ("dask", "distributed")}


def spread(
    function: Callable[[Any], Any],
    items: Sequence[Any],
    *,
    jobs: int,
    threads: int,
    engine: str = "local",
    address: str | None = None,
) -> Iterator[Any]:
    """Call *function* on each of *items*, yielding results as they come, in any order.

    Args:
        function: picklable.
        jobs: calls at a time (``local``); a cluster decides for itself.
        threads: BLAS and PyTorch threads a worker.

    Raises:
        SerError: the engine's package is not installed.
    """
    if engine == "local" and jobs <= 1:
        yield from map(function, items)
        return
    from joblib import Parallel, delayed, parallel_config

    calls = [delayed(function)(item) for item in items]
    if engine == "local":
        from joblib.externals.loky import get_reusable_executor

        parallel = Parallel(
            n_jobs=jobs,
            return_as="generator_unordered",
            pre_dispatch="1*n_jobs",
            batch_size=1,
            backend="loky",
            inner_max_num_threads=threads,
            max_nbytes=None,
        )
        finished = False
        try:
            with warnings.catch_warnings():
                # A worker that keeps the memory of a long run (ser.allocator) looks to loky as if
                # it leaked; it is replaced after its task, nothing is lost, and saying so alarms.
                warnings.filterwarnings("ignore", message="A worker stopped while some jobs")
                yield from parallel(calls)
            finished = True
        finally:
            # Idle workers would hold their memory, and print a traceback at the next Ctrl-C;
            # after one, what they are at is resumed by the next command.
            get_reusable_executor().shutdown(wait=True, kill_workers=not finished)
        return
    with _cluster(engine, address) as options, parallel_config(**options):
        workers = jobs if jobs > 1 else -1
        yield from Parallel(n_jobs=workers, batch_size=1, pre_dispatch="all")(calls)


@contextlib.contextmanager
def _cluster(engine: str, address: str | None) -> Iterator[dict]:
    missing = [m for m in _EXTRA[engine] if importlib.util.find_spec(m) is None]
    if missing:
        raise SerError(
            f"--engine {engine} needs {' and '.join(missing)}: pip install 'ser-book[{engine}]', "
            "or leave --engine out to run on this machine"
        )
    if engine == "dask":
        from distributed import Client

        with Client(address) if address else Client(threads_per_worker=1) as client:
            log.info("dask: %s", client)
            yield {"backend": "dask"}
    else:
        import ray
        from ray.util.joblib import register_ray

        started = not ray.is_initialized()
        if started:
            ray.init(address=address, include_dashboard=False, log_to_driver=False)
        register_ray()
        try:
            yield {"backend": "ray"}
        finally:
            if started:
                ray.shutdown()


class Monitor:
    """One bar over all epochs of a grid whose runs go on in other processes.

    Workers leave a line an epoch in ``<run>.progress``; a thread reads them.
    """

    def __init__(self, folder: Path, epochs: int, runs: int, enabled: bool) -> None:
        self.folder, self.epochs, self.runs, self.enabled = folder, epochs, runs, enabled
        self.finished = 0
        self._seen: dict[str, int] = {}
        self._stop = threading.Event()

    def __enter__(self) -> Monitor:
        if self.enabled:
            from tqdm.auto import tqdm

            self.bar = tqdm(
                total=self.epochs, unit="epoch", desc="grid", dynamic_ncols=True, file=sys.stderr
            )
            self.thread = threading.Thread(target=self._watch, daemon=True)
            self.thread.start()
        return self

    def done(self, epochs: int) -> None:
        """One run has finished; its *epochs* are counted in full."""
        self.finished += 1

    def __exit__(self, *exc: object) -> None:
        if self.enabled:
            self._stop.set()
            self.thread.join(timeout=5)
            self._read()
            self.bar.close()

    def _watch(self) -> None:
        while not self._stop.wait(1.0):
            self._read()

    def _read(self) -> None:
        shown = ""
        for path in self.folder.glob("*.progress"):
            with contextlib.suppress(OSError, ValueError, KeyError):
                entry = json.loads(path.read_text(encoding="utf-8"))
                before = self._seen.get(path.name, 0)
                if entry["epoch"] > before:
                    self._seen[path.name] = entry["epoch"]
                    self.bar.update(entry["epoch"] - before)
                    shown = f"{entry['run']}: loss {entry['loss']:.3f}"
                    if entry.get("test_ua") is not None:
                        shown += f", test UA {100 * entry['test_ua']:.1f}"
        self.bar.set_description(f"{self.finished}/{self.runs} runs", refresh=False)
        if shown:
            self.bar.set_postfix_str(shown, refresh=False)
        self.bar.refresh()
