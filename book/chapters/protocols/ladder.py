"""How much of a score is protocol: one small network, judged ever more kindly, a rung at a time.

Every rung is tested on the same utterances, so that two rungs can be compared utterance by
utterance (:func:`ser.metrics.paired_test`). The network is small enough (one hidden layer on one
vector an utterance) that all seeds train at once in seconds. Book: "The protocol laboratory".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike
from ser.corpora.base import EMOTIONS
from ser.metrics import bootstrap_interval, paired_test, ua
from ser.protocols import Fold
from ser.training.config import derived_seed

RUNGS: tuple[str, ...] = (
    "unseen speakers",
    "speakers on both sides",
    "scaled with the test set",
    "copies left in",
    "best test epoch",
    "best seed on the test",
)
"""From the first, which is what a user would get, to the last, each on top of those before."""


def train_many(
    x: np.ndarray,
    labels: np.ndarray,
    test: np.ndarray,
    seeds: int = 5,
    epochs: int = 20,
    hidden: int = 32,
    lr: float = 1e-2,
    batch_size: int = 64,
    seed: int = 0,
) -> np.ndarray:
    """Train one small network from several seeds at once; its test logits after every epoch.

    The network is linear, tanh, linear. The seeds share no weight, and Adam treats every weight
    by itself, so training them together is training them apart.

    Args:
        x: (n, F) training vectors, each column near mean 0 and deviation 1.
        labels: (n,) their class numbers.
        test: (m, F).
        seeds: networks, each with its own start and its own order of the utterances.
        epochs, hidden, lr, batch_size: of the training (Adam).
        seed: from which all others follow.

    Returns:
        float32 (seeds, epochs, m, 4).

    Raises:
        ValueError: sizes that do not fit.

    Example:
        >>> x = np.eye(4, dtype=np.float32).repeat(8, axis=0)
        >>> logits = train_many(x, np.arange(4).repeat(8), x[::8], seeds=2, epochs=20)
        >>> logits.shape, logits[:, -1].argmax(-1).tolist()
        ((2, 20, 4, 4), [[0, 1, 2, 3], [0, 1, 2, 3]])
    """
    if x.ndim != 2 or test.ndim != 2 or x.shape[1] != test.shape[1] or len(labels) != len(x):
        raise ValueError(
            f"vectors {x.shape}, labels {len(labels)} and test {test.shape} do not fit"
        )
    if min(seeds, epochs, hidden, len(x)) < 1:
        raise ValueError("seeds, epochs, hidden units and utterances are at least 1 each")
    generators = [torch.Generator().manual_seed(derived_seed(seed, s)) for s in range(seeds)]
    features, classes = x.shape[1], len(EMOTIONS)

    def weights(rows: int, columns: int) -> torch.Tensor:
        made = [torch.randn(rows, columns, generator=g) / rows**0.5 for g in generators]
        return torch.stack(made).requires_grad_()

    w1, w2 = weights(features, hidden), weights(hidden, classes)
    b1, b2 = (torch.zeros(seeds, 1, size, requires_grad=True) for size in (hidden, classes))
    optimiser = torch.optim.Adam([w1, b1, w2, b2], lr=lr, fused=True)
    inputs, truth, asked = torch.tensor(x).float(), torch.tensor(labels), torch.tensor(test).float()

    def forward(v: torch.Tensor) -> torch.Tensor:
        return torch.tanh(v @ w1 + b1) @ w2 + b2

    result = np.empty((seeds, epochs, len(test), classes), dtype=np.float32)
    for epoch in range(epochs):
        order = torch.stack([torch.randperm(len(x), generator=g) for g in generators])
        for rows in order.split(batch_size, dim=1):
            optimiser.zero_grad()
            logits = forward(inputs[rows]).flatten(0, 1)
            loss = torch.nn.functional.cross_entropy(logits, truth[rows].flatten())
            (seeds * loss).backward()
            optimiser.step()
        with torch.no_grad():
            result[:, epoch] = forward(asked.expand(seeds, -1, -1)).numpy()
    return result


def ladder(
    x: np.ndarray,
    labels: ArrayLike,
    unseen: Sequence[Fold],
    shared: Sequence[Fold],
    seeds: int = 5,
    epochs: int = 20,
    copies: float = 0.1,
    seed: int = 0,
    **training: float,
) -> dict[str, np.ndarray]:
    """The answers of one small network on every rung of :data:`RUNGS`.

    Args:
        x: (n, F), one vector an utterance, not yet scaled.
        labels: (n,) class numbers.
        unseen: folds whose test speakers are not trained on (``speakers``, ``loso``).
        shared: folds that mix the speakers (``random``).
        seeds, epochs: networks, and passes over the training side.
        copies: share of each test side that, from the fourth rung on, lies on the training side
            as well, as it does where a corpus holds some files twice.
        seed: of everything.
        training: passed to :func:`train_many`.

    Returns:
        Name of the rung -> (seeds, n) answers; the last rung has (1, n).

    Raises:
        ValueError: folds that do not test every utterance once.

    Example:
        >>> from ser.protocols import split
        >>> table = pd.DataFrame({"utterance": range(32), "speaker": list("ABCD") * 8,
        ...                       "emotion": np.repeat(["angry", "happy", "neutral", "sad"], 8)})
        >>> folds = [split(table, p, 2) for p in ("speakers", "random")]
        >>> x = np.random.default_rng(0).normal(size=(32, 6))
        >>> rungs = ladder(x, np.arange(4).repeat(8), *folds, seeds=3, epochs=4)
        >>> [answers.shape for answers in rungs.values()][-2:]
        [(3, 32), (1, 32)]
    """
    truth = np.asarray(labels)
    for folds in (unseen, shared):
        tested = np.sort(np.concatenate([f.test for f in folds]))
        if not np.array_equal(tested, np.arange(len(truth))):
            raise ValueError("the folds must test every utterance exactly once")
    rows = {name: np.empty((seeds, len(truth)), dtype=int) for name in RUNGS[:-1]}
    rows[RUNGS[-1]] = np.empty((1, len(truth)), dtype=int)

    def answers(train: np.ndarray, test: np.ndarray, scale: np.ndarray, k: int) -> np.ndarray:
        """Guesses (seeds, epochs, tested) of one fold, scaled by the rows *scale*."""
        mean, spread = x[scale].mean(0), x[scale].std(0)
        z = (x - mean) / np.where(spread > 0, spread, 1)
        options = {"seeds": seeds, "epochs": epochs, "seed": derived_seed(seed, k), **training}
        return train_many(z[train], truth[train], z[test], **options).argmax(-1)

    for k, fold in enumerate(unseen):
        train = np.concatenate([fold.train, fold.dev])
        rows[RUNGS[0]][:, fold.test] = answers(train, fold.test, train, k)[:, -1]
    generator = np.random.default_rng(seed)
    for k, fold in enumerate(shared):
        train, test = np.concatenate([fold.train, fold.dev]), fold.test
        everything = np.concatenate([train, test])
        rows[RUNGS[1]][:, test] = answers(train, test, train, k)[:, -1]
        rows[RUNGS[2]][:, test] = answers(train, test, everything, k)[:, -1]
        twice = generator.choice(test, round(copies * len(test)), replace=False)
        leaky = answers(np.concatenate([train, twice]), test, everything, k)
        rows[RUNGS[3]][:, test] = leaky[:, -1]
        scores = np.array([[ua(truth[test], a) for a in run] for run in leaky])
        best = leaky[np.arange(seeds), scores.argmax(1)]
        rows[RUNGS[4]][:, test] = best
        rows[RUNGS[5]][0, test] = best[scores.max(1).argmax()]
    return rows


def gains(
    labels: ArrayLike,
    rungs: Mapping[str, ArrayLike],
    speakers: Sequence[str],
    resamples: int = 2000,
) -> pd.DataFrame:
    """UA of every rung, and what each adds to the one before, with 95 % intervals over speakers.

    Args:
        labels: (n,) true classes.
        rungs: name -> (n,) or (seeds, n) answers to the same utterances, in order.
        speakers: (n,) who talks.
        resamples: of the bootstrap.

    Returns:
        One line a rung: ``name``, ``ua``, ``low``, ``high`` and, against the rung before, ``gain``,
        ``gain_low``, ``gain_high``, ``p`` (NaN on the first); fractions of 1.

    Raises:
        ValueError: no rungs, or answers that do not fit the labels.

    Example:
        >>> rungs = {"half": [0, 0] * 4, "all": [0, 1] * 4}
        >>> gains([0, 1] * 4, rungs, list("AABBCCDD")).gain.tolist()
        [nan, 0.5]
    """
    if not rungs:
        raise ValueError("no rungs to compare")
    lines, before = [], None
    for name, answers in rungs.items():
        found = np.atleast_2d(answers)
        low, high = bootstrap_interval(labels, found, speakers, resamples=resamples)
        line = {"name": name, "ua": float(np.mean([ua(labels, a) for a in found]))}
        line |= {"low": low, "high": high}
        if before is not None:
            result = paired_test(labels, found, before, speakers, resamples=resamples)
            line |= {"gain": result.ua_difference, "gain_low": result.ua_low}
            line |= {"gain_high": result.ua_high, "p": result.ua_p}
        lines.append(line)
        before = found
    columns = ["name", "ua", "low", "high", "gain", "gain_low", "gain_high", "p"]
    return pd.DataFrame(lines, columns=columns)
