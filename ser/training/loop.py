"""One training run, from a seed to the logits of every epoch (book: "Training on a GPU").

The training loss of a fused row is the mean of its branches' cross-entropies, its prediction the
mean of their logits. The branches share no weight and Adam's step does not change when a gradient
is scaled, so a row trained jointly equals its branches trained apart, to rounding; order of
utterances and initial weights depend on the seed and the branch alone to keep it so (batches of
similar length excepted: those depend on the lengths that a branch sees).
"""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from ser import metrics
from ser.errors import TrainingError
from ser.nn.precision import precision_context
from ser.training.adversary import Adversaries, strength
from ser.training.augment import Augmenter
from ser.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from ser.training.config import TrainConfig, derived_seed
from ser.training.optimiser import averaged, make_optimiser
from ser.training.order import epoch_batches

if TYPE_CHECKING:
    from torch.optim.swa_utils import AveragedModel

    from ser.batch import Batch
    from ser.normalise import Scale

log = logging.getLogger(__name__)

EVALUATION_BATCH = {"cpu": 32, "cuda": 128}
"""Utterances at a time where none is trained on: on a CPU no more than a step of training, so that
a run's peak of memory is that of its steps; logits differ by rounding (4e-9 of 0.02)."""
DIVERGED = 1e4
"""A loss above this (guessing costs 1.39) is taken for a run that will not come back."""


class Data(Protocol):
    """What the loop needs of a dataset (:class:`ser.batch.Dataset` is one).

    It may have ``lengths``, the frames of each utterance, which batches of similar length need,
    and ``speakers`` and ``labels``, which balanced ones need; ``speakers`` are what an adversarial
    head is to name.
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
        TrainingError: fewer than two utterances, a loss that is not finite or above 10,000, or
            other voices (``config.voices``) of data that cannot give them.
    """
    if len(data) < 2:
        raise TrainingError(f"{len(data)} training utterances; batch norm needs at least two")
    if config.voices and not hasattr(data, "voiced"):
        raise TrainingError(
            "vtlp, tempo and pitch_shift change features before they are normalised: give the "
            "training side as ser.training.voices.Voices, as ser.run does"
        )
    model.to(device)
    adversaries = _adversaries(model, config, data, seed)
    trained = model
    if adversaries is not None:
        trained = torch.nn.ModuleList([model, adversaries.to(device)])
    optimiser = make_optimiser(trained, config)
    average = averaged(model, config.ema) if config.ema else None
    progress = None
    if checkpoint is not None:
        progress = load_checkpoint(checkpoint, fingerprint, trained, optimiser, average)
    progress = progress or Progress()
    resumed = len(progress.history)

    for epoch in range(resumed + 1, config.epochs + 1):
        torch.manual_seed(derived_seed("epoch", seed, epoch))
        _set_rate(optimiser, config.rate(epoch))
        entry = {"epoch": epoch, "lr": config.rate(epoch)}
        augment = Augmenter(config, seed, epoch, scale)
        more = augment, average, adversaries
        entry |= _one_epoch(model, optimiser, config, data, seed, epoch, *more)
        judged = average.module if average is not None else model
        for side, part in (("test", test), ("dev", dev)):
            entry |= _evaluate(judged, part, side, progress, config)
        progress.history.append(entry)
        if checkpoint is not None:
            save_checkpoint(checkpoint, fingerprint, trained, optimiser, progress, average)
        if on_epoch is not None:
            on_epoch(entry)
    kept = [p for p in (progress.test_logits, progress.dev_logits) if p.numel()]
    classes = kept[0].shape[-1] if kept else 4
    if progress.history[-1]["loss"] > math.log(classes) * 1.5:
        log.warning(
            "the last epoch's loss, %.2f, is worse than guessing (%.2f): the run did not learn; "
            "try a smaller --lr, --clip 1 or more epochs",
            progress.history[-1]["loss"],
            math.log(classes),
        )
    logits = [p.numpy() for p in (progress.test_logits, progress.dev_logits)]
    kept = average.module if average is not None else model
    return Outcome(kept, progress.history, *logits, resumed)


def _adversaries(
    model: torch.nn.Module, config: TrainConfig, data: Data, seed: int
) -> Adversaries | None:
    if not config.adversarial:
        return None
    if (speakers := getattr(data, "speakers", None)) is None:
        raise TrainingError(
            "an adversarial head needs to know who speaks: give the data speakers "
            "(ser.batch.Dataset), or train with adversarial 0"
        )
    return Adversaries(model, int(speakers.max()) + 1, seed)


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
    return replace(batch, labels=None, mixed=None, share=1.0, speakers=None)


def branch_logits(model: torch.nn.Module, batch: Batch) -> list[torch.Tensor]:
    """The logits (B, classes) of each branch of a fused model; of a model alone, its own.

    >>> [logits.shape for logits in branch_logits(torch.nn.Linear(2, 4), torch.ones(3, 2))]
    [torch.Size([3, 4])]
    """
    if hasattr(model, "branches"):
        return list(model.branches(batch).values())
    return [model(batch)]


def _one_epoch(
    model: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
    config: TrainConfig,
    data: Data,
    seed: int,
    epoch: int,
    augment: Augmenter,
    average: AveragedModel | None,
    adversaries: Adversaries | None,
) -> dict:
    model.train()
    total, labels, guesses = 0.0, [], []
    parts = epoch_batches(data, config.batch_size, seed, epoch, config.batches)
    for step, part in enumerate(parts, 1):
        if config.schedule == "one-cycle":
            _set_rate(optimiser, config.rate(epoch, (step - 1) / len(parts)))
        batch = augment(augment.pick(data, part))
        with (
            precision_context(config.precision, batch.labels.device),
            adversaries or contextlib.nullcontext(),
        ):
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
        if adversaries is not None:
            done = (epoch - 1 + (step - 1) / len(parts)) / config.epochs
            weight = config.adversarial * strength(done)
            loss = loss + adversaries.loss(batch.speakers, weight, batch.mixed, batch.share)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        if config.clip:
            weights = [w for group in optimiser.param_groups for w in group["params"]]
            torch.nn.utils.clip_grad_norm_(weights, config.clip)
        optimiser.step()
        if average is not None:
            average.update_parameters(model)
        total += value * len(part)
        guesses.append(sum(logits.detach() for logits in each).argmax(1))
        classes = each[0].shape[1]
        labels.append(batch.labels)
        del loss, each  # the graph of this step, and what it keeps, before the next one is built
    truth, guess = (torch.cat(x).cpu().numpy() for x in (labels, guesses))
    ua = round(metrics.ua(truth, guess, classes), 6)
    return {"loss": round(total / len(data), 6), "train_ua": ua}


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
        f"{side}_ua": round(metrics.ua(labels, guess, logits.shape[1]), 6),
        f"{side}_wa": round(metrics.wa(labels, guess, logits.shape[1]), 6),
    }
