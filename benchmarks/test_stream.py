"""A long recording on one core: faster than it lasts, and how late an answer comes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from benchmarks.inputs import noise
from ser.loading import SavedModel
from ser.models import build_model
from ser.streaming import predict_stream

WINDOW, HOP = 3.0, 1.0


def untrained(row: str) -> SavedModel:
    """A model of the released size; what it answers does not matter for the time it takes."""
    parts = ("mfcc-lstm", "ds-lstm") if row == "dual" else (row,)
    branches = {part: build_model(part, "release", seed=0).parts[0].eval() for part in parts}
    return SavedModel(row, "release", "fixed", branches, {"seconds": [1.0, 9.0]}, "cpu")


@pytest.mark.parametrize("row", ["mfcc-lstm", "dual"])
def test_stream_on_one_core(benchmark, quick, row):
    """Goal: faster than real time; the answer's own delay is what it adds to the window."""
    torch.set_num_threads(1)
    model, seconds = untrained(row), 10 if quick else 60
    minute = noise(seconds, 0)
    blocks = [minute[i : i + 4000] for i in range(0, len(minute), 4000)]
    list(predict_stream(itertools.islice(blocks, 20), model, WINDOW, HOP))
    answered: list[float] = []

    def whole() -> None:
        answered.extend(a.compute_seconds for a in predict_stream(blocks, model, WINDOW, HOP))

    benchmark.pedantic(whole, rounds=1 if quick else 3)
    median, late = 1000 * np.percentile(answered, (50, 95))
    spent = float(benchmark.stats.stats.median)
    benchmark.extra_info.update(
        against="the duration of the sound",
        plain_seconds=float(seconds),
        ratio=seconds / spent,
        kind="speedup",
        goal=1,
        latency_median_ms=round(float(median), 2),
        latency_p95_ms=round(float(late), 2),
        window_seconds=WINDOW,
        hop_seconds=HOP,
    )
