"""Runs at a time: processes of this machine, which end with the one that started them."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import signal
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from ser.errors import TrainingError
from ser.logs import logging_in_a_worker
from ser.threads import end_with

LIGHTER = "fewer --jobs or a smaller --batch-size"
KEPT = "Finished runs are kept; the same command takes up where it stopped"
_LIBRARIES = ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR", "NUMBA")
_THREADS = [f"{library}_NUM_THREADS" for library in _LIBRARIES] + ["VECLIB_MAXIMUM_THREADS"]


def _begin(parent: int) -> None:
    """What a worker does first."""
    end_with(parent)
    logging_in_a_worker()


def imap_unordered(
    function: Callable[[Any], Any], items: Sequence[Any], *, jobs: int, threads: int
) -> Iterator[Any]:
    """Call *function* on each of *items*, yielding results as they come, in any order.

    Args:
        function: picklable.
        items: picklable; their ``str`` names them in messages.
        jobs: calls at a time; 1: in this process.
        threads: BLAS and PyTorch threads a worker.

    Raises:
        TrainingError: a worker was ended from outside.

    Example:
        >>> list(imap_unordered(len, ["one", "three"], jobs=1, threads=1))
        [3, 5]
    """
    return map(function, items) if jobs <= 1 else _in_workers(function, items, jobs, threads)


def _in_workers(
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
        initializer=_begin,
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
