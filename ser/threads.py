"""Processor cores: torch's threads, work that they share, workers that end with us.

Book: chapter "Making it fast".
"""

from __future__ import annotations

import functools
import itertools
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor


def cores() -> int:
    """Processor cores that this process may use.

    Example:
        >>> cores() >= 1
        True
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def torch_threads() -> int:
    """Threads that torch uses; where it is not loaded, those that it would.

    Example:
        >>> torch_threads() >= 1
        True
    """
    if "torch" in sys.modules:
        return sys.modules["torch"].get_num_threads()
    given = os.environ.get("OMP_NUM_THREADS", "")
    return int(given) if given.isdecimal() and int(given) else cores()


def set_torch_threads(number: int) -> None:
    """Tell torch its number of threads, if it is loaded; in a thread: of that thread."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(number)


def end_with(parent: int) -> None:
    """End this process, whatever it is at, soon after the process *parent* has ended.

    For workers, which would not notice that the process which started them was killed. A thread
    looks once a second, also while numba's or torch's compiled code is running.

    Args:
        parent: number of the process that started this one.
    """
    threading.Thread(target=_outlive, args=(parent,), daemon=True, name="ser-parent").start()


def _outlive(parent: int) -> None:
    if sys.platform == "win32":  # where a parent's number stays the same after its end
        import _winapi

        try:
            handle = _winapi.OpenProcess(_winapi.SYNCHRONIZE, False, parent)
        except PermissionError:
            return
        except OSError:
            os._exit(1)
        _winapi.WaitForSingleObject(handle, _winapi.INFINITE)
        os._exit(1)
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


@functools.cache
def _pool(threads: int, process: int) -> Executor:
    return ThreadPoolExecutor(threads, thread_name_prefix="ser-share")


def share_work(count: int, work: Callable[[int, int], None], alone: bool = False) -> None:
    """Run work(start, stop) over ``count`` items on torch's number of threads.

    Args:
        count: items; every thread gets one stretch of them.
        work: called in several threads at once.
        alone: torch's operations inside *work* run on one core each; for many small ones that is
            faster than many cores on each, and their results do not depend on the number.

    Example:
        >>> import torch
        >>> squares = torch.arange(10)
        >>> share_work(10, lambda start, stop: squares[start:stop].pow_(2), alone=True)
        >>> squares.tolist()
        [0, 1, 4, 9, 16, 25, 36, 49, 64, 81]
    """
    import torch

    before = torch.get_num_threads()
    if not alone or before == 1:
        _share(count, work, before)
        return

    def on_one_core(start: int, stop: int) -> None:
        torch.set_num_threads(1)
        work(start, stop)

    try:
        _share(count, on_one_core, before)
    finally:
        torch.set_num_threads(before)


def _share(count: int, work: Callable[[int, int], None], threads: int) -> None:
    threads = min(threads, count)
    if threads <= 1:
        work(0, count)
        return
    cuts = [count * k // threads for k in range(threads + 1)]
    pool = _pool(threads - 1, os.getpid())
    jobs = [pool.submit(work, a, b) for a, b in itertools.pairwise(cuts[1:])]
    try:
        work(cuts[0], cuts[1])
    finally:
        for job in jobs:
            job.exception()
    for job in jobs:
        job.result()
