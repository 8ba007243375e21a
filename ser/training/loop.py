"""One training run, from a seed to the logits of every epoch (book: "Training on a GPU").

The training loss of a fused row is the mean of its branches' cross-entropies, its prediction the
mean of their logits. The branches share no weight and Adam's step does not change when a gradient
is scaled, so a row trained jointly equals its branches trained apart, to rounding; order of
utterances and initial weights depend on the seed and the branch alone to keep it so (batches of
similar length excepted: those depend on the lengths that a branch sees).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from ser import metrics
from ser.errors import TrainingError
from ser.nn.precision import precision_context
from ser.training.augment import Augmenter
from ser.training.average import WeightAverage
from ser.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from ser.training.config import TrainConfig, derived_seed
from ser.training.optimiser import make_optimiser

if TYPE_CHECKING:
    from ser.batch import Batch
    from ser.normalise import Scale

log = logging.getLogger(__name__)

EVALUATION_BATCH = {"cpu": 32, "cuda": 128}
"""Utterances at a time where none is trained on: on a CPU no more than a step of training, so that
a run's peak of memory is that of its steps; logits differ by rounding (4e-9 of 0.02)."""
SHAKE = 0.05
"""Share by which lengths are shaken before similar ones are put together."""
DIVERGED = 1e4
"""A loss above this (guessing costs 1.39) is taken for a run that will not come back."""


class Data(Protocol):
    """What the loop needs of a dataset (:class:`ser.batch.Dataset` is one).

    It may have ``lengths``, the frames of each utterance; batches of similar length need them.
    """

    def __len__(self) -> int: ...
    def batch(self, indices: np.ndarray) -> Batch: ...


@dataclass
class Outcome:
    """What a run leaves: a trained network and its logits after every epoch.

    Attributes:
        model: the network after the last epoch; with ``ema`` the average.
        history: one dict an epoch: ``epoch``, ``lr``, ``loss``, ``train_ua``, ``test_ua``,
            ``test_wa``, ``dev_ua``.
        test_logits, dev_logits: (epochs, utterances, classes), float32.
        resumed: epochs that an earlier, interrupted run had done.
    """

    model: torch.nn.Module
    history: list[dict]
    test_logits: np.ndarray
    dev_logits: np.ndarray
    resumed: int


def train(
    model: torch.nn.Module,
    config: TrainConfig,
    data: Data,
    test: Data | None = None,
    dev: Data | None = None,
    *,
    seed: int = 0,
    device: str = "cpu",
    checkpoint: Path | None = None,
    fingerprint: str = "",
    on_epoch: Callable[[dict], None] | None = None,
    scale: Scale | None = None,
) -> Outcome:
    """Train *model* on *data* for ``config.epochs`` epochs, or go on where a kill stopped it.

    Args:
        model: maps a :class:`~ser.batch.Batch` to logits (utterances, classes); a fused one has
            ``branches(batch)``, a dict of logits.
        data, test, dev: the sides; ``test`` and ``dev`` are only looked at, after every epoch.
        seed: of the order of utterances (and dropout); the same seed gives the same bits on
            one CPU with the same number of threads.
        checkpoint: file to keep after every epoch and to resume from.
        fingerprint: names the configuration; a checkpoint with another one is not used.
        on_epoch: called with each epoch's entry of the history.
        scale: mean and deviation by which *data* was normalised, for ``config.level``.

    Raises:
        TrainingError: fewer than two utterances, or a loss that is not finite or above 10,000.
    """
    if len(data) < 2:
        raise TrainingError(f"{len(data)} training utterances; batch norm needs at least two")
    model.to(device)
    optimiser = make_optimiser(model, config)
    average = WeightAverage(model, config.ema) if config.ema else None
    progress = None
    if checkpoint is not None:
        progress = load_checkpoint(checkpoint, fingerprint, model, optimiser, average)
    progress = progress or Progress()
    resumed = len(progress.history)

    for epoch in range(resumed + 1, config.epochs + 1):
        torch.manual_seed(derived_seed("epoch", seed, epoch))
        _set_rate(optimiser, config.rate(epoch))
        entry = {"epoch": epoch, "lr": config.rate(epoch)}
        augment = Augmenter(config, seed, epoch, scale)
        entry |= _one_epoch(model, optimiser, config, data, seed, epoch, augment, average)
        judged = average.model if average is not None else model
        for side, part in (("test", test), ("dev", dev)):
            entry |= _evaluate(judged, part, side, progress, config)
        progress.history.append(entry)
        if checkpoint is not None:
            save_checkpoint(checkpoint, fingerprint, model, optimiser, progress, average)
        if on_epoch is not None:
            on_epoch(entry)
    if progress.history[-1]["loss"] > math.log(4) * 1.5:
        log.warning(
            "the last epoch's loss, %.2f, is worse than guessing (%.2f): the run did not learn; "
            "try a smaller --lr, --clip 1 or more epochs",
            progress.history[-1]["loss"],
            math.log(4),
        )
    logits = [p.numpy() for p in (progress.test_logits, progress.dev_logits)]
    kept = average.model if average is not None else model
    return Outcome(kept, progress.history, *logits, resumed)


def _set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate


def unlabelled(batch: Batch) -> Batch:
    """What a network is given of a batch: all but the answers.

    >>> from ser.batch import Batch
    >>> unlabelled(Batch(labels=torch.tensor([0, 3]))).labels is None
    True
    """
    from ser.batch import Batch

    if not isinstance(batch, Batch):  # another's own kind of data
        return batch
    return replace(batch, labels=None, mixed=None, share=1.0)


def branch_logits(model: torch.nn.Module, batch: Batch) -> list[torch.Tensor]:
    """The logits (B, classes) of each branch of a fused model; of a model alone, its own.

    >>> [logits.shape for logits in branch_logits(torch.nn.Linear(2, 4), torch.ones(3, 2))]
    [torch.Size([3, 4])]
    """
    if hasattr(model, "branches"):
        return list(model.branches(batch).values())
    return [model(batch)]


def epoch_order(n: int, seed: int, epoch: int) -> np.ndarray:
    """The order of *n* utterances in *epoch*; depends on nothing else.

    >>> sorted(epoch_order(5, seed=0, epoch=1).tolist())
    [0, 1, 2, 3, 4]
    """
    return np.random.default_rng(derived_seed("order", seed, epoch)).permutation(n)


def batches(order: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Cut *order* into pieces of *size*; a last piece of one joins the piece before it.

    Batch norm cannot take the statistics of one utterance; the release crashes there.

    >>> [len(b) for b in batches(np.arange(9), 4)]
    [4, 5]
    """
    cuts = list(range(size, len(order), size))
    if cuts and len(order) - cuts[-1] == 1:
        cuts.pop()
    yield from np.split(order, cuts)


def epoch_batches(
    data: Data, size: int, seed: int, epoch: int, kind: str = "shuffled"
) -> list[np.ndarray]:
    """Positions of the utterances of every training batch of *epoch*, in order.

    A padded batch costs as many steps as its longest sequence has. ``similar`` sorts the shuffled
    utterances by length, each length shaken by up to 5 % so that no two epochs have the same
    batches, cuts, and shuffles the batches (bucketing; Khomenko et al. 2017). Where no utterance
    has a length of its own (spectrograms squashed to fixed frames), both are the same.

    Args:
        data: the training side.
        size: utterances a batch.
        seed, epoch: decide the order, with the lengths and nothing else.
        kind: ``shuffled`` or ``similar``.

    Example:
        >>> class Corpus:
        ...     lengths = np.array([100, 900, 120, 800])
        ...     def __len__(self): return 4
        >>> pairs = epoch_batches(Corpus(), 2, seed=0, epoch=1, kind="similar")
        >>> sorted(sorted(pair.tolist()) for pair in pairs)
        [[0, 2], [1, 3]]
    """
    order = epoch_order(len(data), seed, epoch)
    lengths = getattr(data, "lengths", None)
    if kind != "similar" or lengths is None:
        return list(batches(order, size))
    draw = np.random.default_rng(derived_seed("batches", seed, epoch))
    shaken = np.asarray(lengths)[order] * (1 + SHAKE * draw.uniform(-1, 1, len(order)))
    parts = list(batches(order[np.argsort(shaken, kind="stable")], size))
    return [parts[i] for i in draw.permutation(len(parts))]


def _one_epoch(
    model: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
    config: TrainConfig,
    data: Data,
    seed: int,
    epoch: int,
    augment: Augmenter,
    average: WeightAverage | None,
) -> dict:
    model.train()
    total, labels, guesses = 0.0, [], []
    parts = epoch_batches(data, config.batch_size, seed, epoch, config.batches)
    for step, part in enumerate(parts, 1):
        if config.schedule == "one-cycle":
            _set_rate(optimiser, config.rate(epoch, (step - 1) / len(parts)))
        batch = augment(augment.pick(data, part))
        with precision_context(config.precision, batch.labels.device):
            each = branch_logits(model, unlabelled(batch))
        if config.precision != "float32":
            each = [logits.float() for logits in each]
        loss = sum(augment.loss(logits, batch) for logits in each) / len(each)
        value = loss.item()
        if not value <= DIVERGED:
            raise TrainingError(
                f"the loss is {value:.3g} in epoch {epoch}, step {step}: the run cannot go on. "
                "Look for broken audio with `ser check`, or use a smaller --lr (now "
                f"{config.rate(epoch):g}) or --clip 1. Finished runs are kept."
            )
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        if config.clip:
            torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        optimiser.step()
        if average is not None:
            average.update(model)
        total += value * len(part)
        guesses.append(sum(logits.detach() for logits in each).argmax(1))
        labels.append(batch.labels)
        del loss, each  # the graph of this step, and what it keeps, before the next one is built
    truth, guess = (torch.cat(x).cpu().numpy() for x in (labels, guesses))
    return {"loss": round(total / len(data), 6), "train_ua": round(metrics.ua(truth, guess), 6)}


@torch.no_grad()
def logits_of(
    model: torch.nn.Module, data: Data, precision: str = "float32", batches: str = "shuffled"
) -> tuple[torch.Tensor, np.ndarray]:
    """Logits (utterances, classes) and labels of *data*, in evaluation mode, on the CPU.

    With *batches* ``similar``, utterances of similar length are computed together, which changes
    rounding alone.
    """
    model.eval()
    found, labels = [], []
    order = np.arange(len(data))
    if batches == "similar" and getattr(data, "lengths", None) is not None:
        order = np.argsort(data.lengths, kind="stable")
    size = EVALUATION_BATCH.get(next(model.parameters()).device.type, 32)
    cuts = range(size, len(data), size)
    for part in np.split(order, cuts):
        batch = data.batch(part)
        with precision_context(precision, batch.labels.device):
            logits = model(unlabelled(batch))
        found.append(logits.float().cpu())
        labels.append(batch.labels.cpu())
    back = torch.from_numpy(np.argsort(order))
    return torch.cat(found)[back], torch.cat(labels)[back].numpy()


def _evaluate(
    model: torch.nn.Module, data: Data | None, side: str, progress: Progress, config: TrainConfig
) -> dict:
    if data is None or len(data) == 0:
        return {f"{side}_ua": None, f"{side}_wa": None}
    logits, labels = logits_of(model, data, config.precision, config.batches)
    name = f"{side}_logits"
    before = getattr(progress, name)
    setattr(progress, name, torch.cat([before, logits[None]]) if before.numel() else logits[None])
    guess = logits.argmax(1).numpy()
    return {
        f"{side}_ua": round(metrics.ua(labels, guess), 6),
        f"{side}_wa": round(metrics.wa(labels, guess), 6),
    }
