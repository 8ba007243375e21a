"""A corpus of noise, of the release's shapes: to measure with, on machines without a corpus.

Book: "Training on a GPU".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ser.batch import Dataset

CORPUS = 5531
"""Utterances of IEMOCAP's four classes, with excitement counted as happiness."""


@dataclass(frozen=True)
class Plan:
    """What is the same for all measurements of a record.

    Attributes:
        utterances: of the random corpus.
        shortest, longest: their durations in seconds, drawn evenly; matters to the MFCCs (100
            frames a second), since the spectrograms are squashed to fixed frames.
        hidden: hidden size of every LSTM.
        warmup: steps before the clock starts.
        rounds: how often is measured; a round is as many steps as take ``round_seconds``.
        seed: of the inputs, the weights and the order.
    """

    utterances: int = CORPUS
    shortest: float = 1.0
    longest: float = 8.0
    hidden: int = 200
    warmup: int = 3
    rounds: int = 5
    round_seconds: float = 0.5
    seed: int = 0


class RandomFeatures:
    """Stands in for a corpus' features: noise at the scale of decibels, of the release's shapes.

    Args:
        plan: durations and seed.
        seconds: durations instead of the plan's, one for each of the DISTINCT utterances.

    Example:
        >>> features = RandomFeatures(Plan())
        >>> [part.shape for part in features.mel(0)]
        [(128, 230), (256, 120)]
    """

    DISTINCT = 64

    def __init__(self, plan: Plan, seconds: Sequence[float] | None = None) -> None:
        from ser.features.presets import get_preset

        self.preset = get_preset("release")
        self._random = np.random.default_rng(plan.seed)
        low, high = round(100 * plan.shortest), round(100 * plan.longest)
        frames = self._random.integers(low, high + 1, self.DISTINCT)
        if seconds is not None:
            frames = [max(1, round(100 * s)) for s in seconds]
        self._mfcc = [self._noise(f, 39, sd=20) for f in frames]
        sizes = list(zip(self.preset.n_mels, self.preset.frames, strict=True))
        self._mel = [
            tuple(self._noise(*size, mean=50, sd=15) for size in sizes)
            for _ in range(self.DISTINCT)
        ]

    def _noise(self, *size: int, mean: float = 0, sd: float = 1) -> np.ndarray:
        return mean + sd * self._random.standard_normal(size, dtype=np.float32)

    def mfcc(self, i: int) -> np.ndarray:
        """(F, 39)."""
        return self._mfcc[i % self.DISTINCT]

    def mel(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """S1 (128, 230) and S2 (256, 120)."""
        return self._mel[i % self.DISTINCT]


def random_dataset(plan: Plan, needs: frozenset[str], device: str = "cpu") -> Dataset:
    """A dataset of ``plan.utterances`` random utterances that lies on *device*."""
    labels = np.arange(plan.utterances) % 4
    return Dataset(RandomFeatures(plan), range(plan.utterances), labels, needs, "fixed", device)
