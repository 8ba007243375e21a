"""Spreads tasks over processes: joblib's backends, so one machine or an existing cluster.

``local`` uses processes of this machine; ``ray`` and ``dask`` join a running cluster (or start a
local one). Workers of a cluster must see the same results and cache folders.
"""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import logging
import os
import re
import signal
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from ser.errors import SerError, TrainingError
from ser.threads import end_with

log = logging.getLogger(__name__)

LIGHTER = "fewer --jobs or a smaller --batch-size"
KEPT = "Finished runs are kept; the same command takes up where it stopped"
_LIBRARIES = ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR", "NUMBA")
_THREADS = [f"{library}_NUM_THREADS" for library in _LIBRARIES] + ["VECLIB_MAXIMUM_THREADS"]
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
        items: picklable; their ``str`` names them in messages.
        jobs: calls at a time (``local``); a cluster decides for itself.
        threads: BLAS and PyTorch threads a worker.

    Raises:
        SerError: the engine's package is not installed.
        TrainingError: a worker was ended from outside.
    """
    if engine == "local":
        yield from map(function, items) if jobs <= 1 else _local(function, items, jobs, threads)
        return
    from joblib import Parallel, delayed, parallel_config

    calls = [delayed(function)(item) for item in items]
    with _cluster(engine, address) as options, parallel_config(**options):
        workers = jobs if jobs > 1 else -1
        yield from Parallel(n_jobs=workers, batch_size=1, pre_dispatch="all")(calls)


def _local(
    function: Callable[[Any], Any], items: Sequence[Any], jobs: int, threads: int
) -> Iterator[Any]:
    """Results of processes of this machine, which end with this one, whatever ends it.

    joblib's executor itself, not its ``Parallel``: that one leaves a folder in shared memory when
    it is killed, and does not say which items a lost worker was at.
    """
    from multiprocessing import resource_tracker

    from joblib.externals.loky import ProcessPoolExecutor

    if os.name != "nt":  # its start would let through what _uninterrupted holds back
        resource_tracker.ensure_running()
    pool = ProcessPoolExecutor(
        jobs,
        initializer=end_with,
        initargs=(os.getpid(),),
        env={name: str(threads) for name in _THREADS},
    )
    left, running = iter(items), {}
    try:
        with warnings.catch_warnings():
            # A worker that keeps the memory of a long run (ser.allocator) looks to loky as if it
            # leaked; it is replaced after its task, nothing is lost, and saying so alarms.
            warnings.filterwarnings("ignore", message="A worker stopped while some jobs")
            while True:
                for item in itertools.islice(left, jobs - len(running)):
                    with _uninterrupted():
                        running[pool.submit(function, item)] = item
                if not running:
                    break
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    yield future.result()
                    del running[future]
    except BrokenProcessPool as error:
        raise TrainingError(_lost(error, running.values())) from error
    finally:
        # Idle workers would hold their memory; after an error or a Ctrl-C, what they are at is
        # resumed by the next command.
        pool.shutdown(wait=True, kill_workers=bool(running))


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Hold a Ctrl-C back, here until the end, in processes that are started meanwhile for good.

    A terminal sends it to all processes. This one ends the others; each of them would say so too,
    with a traceback of whatever it was importing.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _lost(error: Exception, items: Iterable[Any]) -> str:
    how = re.search(r"\{(.+)\}", str(error))
    return (
        f"a worker process was ended from outside{f' ({how[1]})' if how else ''} while at "
        f"{' or '.join(map(str, items))}. A system does that when memory runs out: give "
        f"{LIGHTER}. {KEPT}"
    )


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
