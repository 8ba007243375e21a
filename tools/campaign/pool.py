"""Cases run in processes of their own, so that one that hangs or swells is seen and ended."""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import Any

from ser.errors import SerError

HANG = 5.0
"""Seconds a case may take."""
MEMORY = 2.0
"""Gigabytes that its process may reach."""


@dataclass(frozen=True)
class Outcome:
    """What came of a case: ``right``, ``error`` (a clear one), ``wrong``, ``traceback``,
    ``hang`` or ``memory``; what was done, and what was seen."""

    case: int
    verdict: str
    done: str
    seen: str


class Wrong(Exception):
    """An answer that is not the right one, in words."""


def run_cases(
    make: Callable[..., Any], arguments: tuple, numbers: list[int], jobs: int
) -> Iterator[Outcome]:
    """The outcome of every case, in the order in which they end.

    Args:
        make: called once a process with *arguments*, gives ``case(number) -> (done, check)``;
            ``check()`` says what was seen or raises :class:`Wrong` or an error.
        arguments: of *make*.
        numbers: the cases.
        jobs: processes at a time.
    """
    waiting = list(reversed(numbers))
    workers = [_Worker(make, arguments) for _ in range(min(jobs, len(numbers)))]
    try:
        while waiting or any(worker.busy for worker in workers):
            for worker in workers:
                if waiting and worker.ready and not worker.busy:
                    worker.give(waiting.pop())
            wait([worker.pipe for worker in workers], timeout=0.2)
            for worker in workers:
                if outcome := worker.look():
                    yield outcome
    finally:
        for worker in workers:
            worker.end()


class _Worker:
    def __init__(self, make: Callable[..., Any], arguments: tuple) -> None:
        self.make, self.arguments = make, arguments
        self.start()

    def start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, self.make, self.arguments))
        self.process.start()
        theirs.close()
        self.busy, self.ready, self.number, self.since = False, False, -1, 0.0

    def give(self, number: int) -> None:
        self.busy, self.number, self.since = True, number, time.monotonic()
        self.pipe.send(number)

    def look(self) -> Outcome | None:
        """What the worker has to say, if anything; one that is late or dead is replaced."""
        number = self.number
        try:
            if self.pipe.poll():
                message = self.pipe.recv()
                if message is None:
                    self.ready = True
                    return None
                self.busy = False
                outcome, gigabytes = message
                if gigabytes > MEMORY:
                    self.end()
                    self.start()
                    return Outcome(number, "memory", outcome.done, f"{gigabytes:.1f} GB")
                return outcome
        except EOFError:
            code = self.process.exitcode
            if not self.busy:
                raise RuntimeError(f"a process of the campaign ended ({code})") from None
            self.end()
            self.start()
            return Outcome(number, "traceback", "", f"the process died ({code})")
        if self.busy and time.monotonic() - self.since > 4 * HANG:
            self.end()
            self.start()
            return Outcome(number, "hang", "", f"more than {4 * HANG:.0f} s")
        return None

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _serve(pipe: Any, make: Callable[..., Any], arguments: tuple) -> None:
    case = make(*arguments)
    pipe.send(None)
    while True:
        try:
            number = pipe.recv()
        except EOFError:
            return
        pipe.send((judge(case, number), peak_gigabytes()))


def peak_gigabytes() -> float:
    """The most memory that this process has had."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def judge(case: Callable[[int], tuple[str, Callable[[], str]]], number: int) -> Outcome:
    """Run one case here."""
    done, check = case(number)
    started = time.monotonic()
    try:
        verdict, seen = "right", check()
    except Wrong as wrong:
        verdict, seen = "wrong", str(wrong)
    except SerError as error:
        verdict, seen = "error", str(error)
    except Exception:
        verdict, seen = "traceback", traceback.format_exc(limit=-3)
    if (took := time.monotonic() - started) > HANG:
        verdict, seen = "hang", f"{took:.1f} s; {seen}"
    return Outcome(number, verdict, done, seen)
