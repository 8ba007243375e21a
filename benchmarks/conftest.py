"""Every figure is a ratio: ours and the plain thing, turn by turn, in the same run."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import numpy as np
import pytest
import torch


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of ``python -m benchmarks``."""
    parser.addoption("--quick", action="store_true", help="few rounds, small sizes")
    parser.addoption("--corpus-size", type=int, default=35000, help="made-up utterances")


@pytest.fixture(scope="session")
def quick(request: pytest.FixtureRequest) -> bool:
    """Only see that everything runs; the figures are then worth little."""
    return request.config.getoption("--quick")


@pytest.fixture(scope="session")
def threads() -> int:
    """Processor cores used: two, the laptop this book has in mind, or one where there is one."""
    return min(2, os.cpu_count() or 1)


@pytest.fixture(autouse=True)
def _two_threads(threads: int):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def compare(benchmark, quick: bool) -> Callable:
    """``compare(ours, plain, against=..., goal=...)``: rounds of plain and ours in turn.

    The ratio is that of the medians; its range is the quartiles of the rounds' own ratios.
    ``cost=True`` turns it round: how many times as long ours takes, and the goal is an upper bound.
    A call that does the thing ``repeats`` times is kept as seconds of one (``plain_repeats``
    where the plain side does it another number of times).
    """

    def measure(
        ours: Callable[[], object],
        plain: Callable[[], object],
        *,
        against: str,
        goal: float | None = None,
        cost: bool = False,
        rounds: int = 7,
        warm_up: int = 1,
        repeats: int = 1,
        plain_repeats: int | None = None,
        **extra: object,
    ) -> float:
        rounds = 2 if quick else rounds
        for _ in range(warm_up):
            plain()
            ours()
        plain_times: list[float] = []

        def before() -> None:
            """The plain side's turn, just before each of ours."""
            begun = time.perf_counter()
            plain()
            plain_times.append(time.perf_counter() - begun)

        benchmark.pedantic(ours, setup=before, rounds=rounds)
        our_times = np.array(benchmark.stats.stats.data) / repeats
        theirs = np.array(plain_times) / (plain_repeats or repeats)
        each = our_times / theirs if cost else theirs / our_times
        medians = np.median(our_times), np.median(theirs)
        ratio = float(medians[0] / medians[1] if cost else medians[1] / medians[0])
        benchmark.extra_info.update(
            against=against,
            plain_seconds=float(medians[1]),
            ratio=ratio,
            low=float(np.percentile(each, 25)),
            high=float(np.percentile(each, 75)),
            kind="cost" if cost else "speedup",
            goal=goal,
            repeats=repeats,
            **extra,
        )
        return ratio

    return measure
