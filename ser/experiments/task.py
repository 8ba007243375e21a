"""One task of a grid: one row, one fold, one seed, from features to a record on disk."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ser.corpora.base import EMOTIONS
from ser.errors import FeatureError, TrainingError
from ser.experiments.bar import Notes
from ser.experiments.baselines import (
    BASELINES,
    INNER,
    INPUTS,
    baseline_logits,
    by_speaker,
    grid_of,
    tune,
)
from ser.experiments.compact import pack_logits
from ser.experiments.records import (
    fingerprint,
    provenance,
    record_path,
    select,
    write_record,
)
from ser.experiments.side import Side, shortest
from ser.protocols import Fold
from ser.training.config import TrainConfig, derived_seed

if TYPE_CHECKING:
    from ser.batch import Dataset
    from ser.normalise import Scale

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Task:
    """One run of the grid; everything a worker process needs beside the two sides."""

    row: str
    fold: Fold
    seed: int
    leak: dict
    name: str
    out: Path
    preset: str
    train: TrainConfig
    select: tuple[str, ...]
    device: str
    threads: int
    joint: bool
    keep_models: bool
    command: str
    test_corpus: bool
    permute: int | None = None
    leave_dev: bool = False
    tuning: str = "fixed"
    options: dict[str, str] = field(default_factory=dict)
    study: str = ""
    dev_share: float = 0.0

    def __str__(self) -> str:
        return f"{self.row}, fold {self.fold.name}, seed {self.seed}"

    @property
    def record(self) -> Path:
        """The file that this task leaves."""
        return record_path(self.out, self.row, self.name)

    @property
    def checkpoint(self) -> Path:
        """The file that it resumes from."""
        return self.out / "work" / f"{self.row}-{self.name}.safetensors"

    @property
    def notes(self) -> Path:
        """What it leaves to be shown while it goes on."""
        return self.checkpoint.with_suffix(".progress")

    @property
    def model_folder(self) -> Path:
        """Where the trained network goes."""
        return self.out / "models" / self.row / self.name

    @property
    def frames(self) -> str:
        """``fixed`` or ``true``: what the preset does, unless told otherwise."""
        from ser.features.presets import get_preset

        if self.train.frames != "preset":
            return self.train.frames
        return "true" if get_preset(self.preset).frames is None else "fixed"

    @property
    def unusual(self) -> dict:
        """Settings of the run that stand in a record only where they were asked for."""
        permuted = {} if self.permute is None else {"permute": self.permute}
        return permuted | ({"leave_dev": True} if self.leave_dev else {})

    @property
    def recipe(self) -> dict:
        """What a baseline takes of the settings for networks: normalisation by speaker."""
        by_speaker = self.train.normalise == "speaker" and self.row in INPUTS
        return {"normalise": "speaker"} if by_speaker else {}

    def settings(self, side: Side, test: Side) -> dict:
        """Everything that decides the result; its hash is the record's fingerprint."""
        baseline = self.row in BASELINES
        tuned: dict = {}
        if self.tuning == "nested":
            tuned["tuning"] = {"inner": INNER, **grid_of(self.row)}
            tuned["tuning"] |= {"speakers": "shared"} if self.fold.protocol == "random" else {}
        return (
            self.unusual
            | tuned
            | {
                "corpus": side.content_hash,
                "test_corpus": test.content_hash if self.test_corpus else None,
                "fold": self.fold.hash,
                "preset": None if baseline else self.preset,
                "row": self.row,
                "seed": self.seed,
                "train": (self.recipe or None) if baseline else self.train.as_dict(),
                "select": sorted(self.select),
                "joint": self.joint,
            }
        )

    def training_labels(self, side: Side) -> np.ndarray:
        """Class numbers (utterances,) of *side*'s table as the training is told them.

        With ``permute``, those of the fold's training side (dev included) change places among
        each other; the classes stay as frequent as they are. Only what the training side is told
        changes: test labels are read from the table, never from here.
        """
        labels = np.array([EMOTIONS.index(e) for e in side.table.emotion])
        if self.permute is not None:
            rows = np.concatenate([self.fold.train, self.fold.dev])
            seed = derived_seed("permute", self.permute, self.fold.hash, self.seed)
            labels[rows] = np.random.default_rng(seed).permutation(labels[rows])
        return labels

    def run_id(self, side: Side) -> str:
        """Readable name of the run, unique in a grid."""
        protocol = self.fold.protocol
        parts = [side.name, protocol, self.preset, self.row, self.fold.name, f"seed{self.seed}"]
        return "/".join(parts)


def execute(task: Task, side: Side, test: Side) -> dict:
    """Run *task*, write its record (and network), and return the record.

    Raises:
        TrainingError: the run cannot go on (names the run and the way out).
    """
    started = time.monotonic()
    rows = test.table.iloc[task.fold.test]
    labels = [EMOTIONS.index(e) for e in rows.emotion]
    base = {
        "schema": 1,
        "id": task.run_id(side),
        "fingerprint": fingerprint(task.settings(side, test)),
        "study": task.study,
        "command": task.command,
        "options": task.options,
        **provenance(),
        "corpus": side.describe(),
        "test_corpus": test.describe() if task.test_corpus else None,
        "protocol": {
            "name": task.fold.protocol,
            "fold": task.fold.name,
            "folds": task.fold.folds,
            "hash": task.fold.hash,
            "train": len(task.fold.train),
            "dev": len(task.fold.dev),
            "dev_share": task.dev_share,
            "dev_speakers": sorted(set(side.table.speaker.iloc[task.fold.dev])),
            "test_speakers": sorted(set(rows.speaker)),
            "test": len(task.fold.test),
            "leak": {k: v for k, v in task.leak.items() if k != "told"},
            "leak_told": task.leak["told"],
        },
        "preset": task.preset,
        "model": task.row,
        "seed": task.seed,
        "device": task.device,
        "threads": task.threads,
        "config": task.train.as_dict() | {"joint": task.joint} | task.unusual,
        "test": {
            "utterances": rows.utterance.tolist(),
            "speakers": rows.speaker.tolist(),
            "genders": rows.gender.tolist(),
            "texts": rows.text.tolist(),
            "labels": labels,
        },
    }
    try:
        with Notes(task) as notes:
            baseline = task.row in BASELINES
            record = base | (
                _baseline(task, side, test) if baseline else _network(task, side, test, notes)
            )
    except TrainingError as error:
        raise TrainingError(f"{base['id']}: {side.completed(str(error))}") from error
    except FeatureError as error:
        raise FeatureError(f"{base['id']}: {error}; {shortest(side, test)}") from error
    record["transductive"] = record["config"].get("normalise") == "speaker"
    record["wall_seconds"] = round(time.monotonic() - started, 3)
    write_record(task.record, record)
    task.checkpoint.unlink(missing_ok=True)
    return record


def _baseline(task: Task, side: Side, test: Side) -> dict:
    train = [task.fold.train] if task.leave_dev else [task.fold.train, task.fold.dev]
    train = np.concatenate(train)
    speakers = side.table.speaker.iloc[train].tolist()
    if task.fold.protocol == "random":  # who is tested is heard in training: the inner folds too
        speakers = [""] * len(train)
    recipe, given = task.recipe, []
    for source, rows in ((side, train), (test, task.fold.test)):
        values = getattr(source, INPUTS.get(task.row, ""), None)
        values = None if values is None else values[rows]
        if values is not None and recipe.get("normalise") == "speaker":
            values = by_speaker(values, source.table.speaker.iloc[rows])
        given.append(values)
    labels, tuning = task.training_labels(side)[train], {}
    if task.tuning == "nested" and given[0] is not None:
        tuning = tune(task.row, given[0], labels, speakers, task.seed, task.threads)
    logits, parameters = baseline_logits(
        task.row,
        given[0],
        labels,
        given[1],
        len(task.fold.test),
        task.seed,
        **tuning.get("chosen", {}),
    )
    history = [{"epoch": 0}]
    return {
        "device": "cpu",
        "parameters": parameters,
        "config": recipe | task.unusual | ({"tuning": task.tuning} if tuning else {}),
        **({"tuning": tuning} if tuning else {}),
        "history": [],
        "dev_labels": [],
        "selection": select(history, logits[None], ("last",)),
    }


def _network(task: Task, side: Side, test: Side, notes: Notes) -> dict:
    import torch

    from ser.experiments.saved import save_model
    from ser.models import build_model
    from ser.nn import tune_allocator
    from ser.training.loop import train

    tune_allocator()
    previous = torch.get_num_threads()
    torch.set_num_threads(task.threads)
    try:
        model = build_model(
            task.row,
            preset=task.preset,
            hidden=task.train.hidden,
            seed=task.seed,
            **task.train.model_options,
        )
        sides, scale = _datasets(task, side, test, model.needs)
        outcome = train(
            model,
            task.train,
            sides["data"],
            sides.get("test"),
            sides.get("dev"),
            seed=task.seed,
            device=task.device,
            checkpoint=task.checkpoint,
            fingerprint=fingerprint(task.settings(side, test)),
            on_epoch=notes,
            scale=scale,
        )
    finally:
        torch.set_num_threads(previous)
    last = outcome.test_logits[-1]
    if not np.isfinite(outcome.test_logits).all():
        raise TrainingError(
            "its answers to test utterances are not finite; look for broken audio with "
            "`ser check`, or use a smaller --lr or --clip 1. Finished runs are kept."
        )
    result = {
        "parameters": sum(p.numel() for p in outcome.model.parameters()),
        "history": outcome.history,
        "dev_labels": task.training_labels(side)[task.fold.dev].tolist(),
        "selection": select(outcome.history, outcome.test_logits, task.select, last),
        "epoch_logits": {
            "test": pack_logits(outcome.test_logits),
            "dev": pack_logits(outcome.dev_logits),
        },
    }
    if task.keep_models:
        save_model(task.model_folder, outcome.model, task, side, test, outcome.history[-1], scale)
    return result


def _datasets(
    task: Task, side: Side, test: Side, needs: frozenset[str]
) -> tuple[dict[str, Dataset], Scale | None]:
    """Training, dev and test side as the network is to see them, and the scale of ``train``."""
    from ser.batch import Dataset
    from ser.normalise import measure, normalised

    rule, scale, sides = task.train.normalise, None, {}
    if rule == "train":
        scale = measure(side.features, task.fold.train, needs)
    told = task.training_labels(side)
    true = np.array([EMOTIONS.index(e) for e in test.table.emotion])
    for name, source, labels, rows in (
        ("data", side, told, task.fold.train),
        ("dev", side, told, task.fold.dev),
        ("test", test, true, task.fold.test),
    ):
        if len(rows):
            speakers = source.table.speaker.iloc[rows]
            seen = normalised(source.features, rule, needs, rows, speakers, scale)
            faster = [source.speeds[s] for s in task.train.speed] if name == "data" else []
            sides[name] = Dataset(
                seen,
                rows,
                labels[rows],
                needs=needs,
                frames=task.frames,
                device=task.device,
                versions=[normalised(f, rule, needs, rows, speakers, scale) for f in faster],
            )
    return sides, scale
