"""One run of a grid: one row, one fold, one seed, and where it leaves what."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ser.corpora.base import EMOTIONS
from ser.experiments.baselines import BASELINES, INNER, INPUTS, grid_of
from ser.experiments.config import RunConfig
from ser.experiments.corpus_inputs import CorpusInputs
from ser.experiments.record_folder import record_path, run_name
from ser.normalise import enrolled_by
from ser.protocols import Fold
from ser.rows import ModelRow
from ser.training.config import TrainConfig, derived_seed


@dataclass(frozen=True)
class FoldRun:
    """One run of the grid; everything a worker process needs beside the corpora."""

    config: RunConfig
    row: str
    fold: Fold
    seed: int
    leak: dict
    train: TrainConfig
    device: str
    enrolled: dict[str, list[int]]
    test_enrolled: dict[str, list[int]]
    emotions: tuple[str, ...]
    own: ModelRow | None
    threads: int = 1

    def __str__(self) -> str:
        return f"{self.row}, fold {self.fold.name}, seed {self.seed}"

    @property
    def name(self) -> str:
        """Its name among the runs of its row."""
        return run_name(self.config.protocol, self.config.preset, self.fold.name, self.seed)

    @property
    def record(self) -> Path:
        """The file that this run leaves."""
        return record_path(self.config.out, self.row, self.name)

    @property
    def checkpoint(self) -> Path:
        """The file that it resumes from."""
        return self.config.out / "work" / f"{self.row}-{self.name}.safetensors"

    @property
    def notes(self) -> Path:
        """What it leaves to be shown while it goes on."""
        return self.checkpoint.with_suffix(".progress")

    @property
    def model_folder(self) -> Path:
        """Where the trained network goes."""
        return self.config.out / "models" / self.row / self.name

    @property
    def frames(self) -> str:
        """``fixed`` or ``true``."""
        return self.train.frames_of(self.config.preset)

    @property
    def leave_dev(self) -> bool:
        """Whether it is a baseline that learns without the dev set."""
        return self.config.leave_dev and self.row in BASELINES

    @property
    def tuning(self) -> str:
        """How its baseline is tuned; ``fixed`` where there is nothing to tune."""
        return self.config.baseline_tuning if self.row in INPUTS else "fixed"

    @property
    def unusual(self) -> dict:
        """Settings of the run that stand in a record only where they were asked for."""
        permuted = {} if self.config.permute is None else {"permute": self.config.permute}
        learnt = {"ssl": self.config.ssl} if INPUTS.get(self.row) == "ssl" else {}
        return permuted | ({"leave_dev": True} if self.leave_dev else {}) | learnt

    @property
    def classes(self) -> dict:
        """What a record says of the emotions, in the order of logits; nothing of the usual four."""
        return {} if self.emotions == EMOTIONS else {"emotions": list(self.emotions)}

    @property
    def recipe(self) -> dict:
        """What a baseline takes of the settings for networks: who normalises, and the clip.

        Their classifier scales by the training side whatever else is done, so ``none`` and
        ``train`` are one to it, and an utterance is one row of numbers, which has no deviation.
        """
        rule = self.train.normalise
        by_speaker = rule in ("speaker", "running") or enrolled_by(rule)
        if self.row not in INPUTS:
            return {}
        clip = {"clip_z": self.train.clip_z} if self.train.clip_z else {}
        return ({"normalise": rule} if by_speaker else {}) | clip

    @property
    def normaliser(self) -> str:
        """Whose mean is taken away, as a record says it; one of :data:`ser.normalise` rules."""
        if self.row in BASELINES:
            return self.recipe.get("normalise", "train" if self.row in INPUTS else "none")
        return self.train.normalise

    def settings(self, corpus: CorpusInputs, test: CorpusInputs) -> dict:
        """Everything that decides the result; its hash is the record's fingerprint."""
        baseline = self.row in BASELINES
        tuned: dict = {"order": self.config.split_seed} if self.normaliser == "running" else {}
        if self.tuning != "fixed":
            tuned["tuning"] = {"inner": INNER, **grid_of(self.row, self.tuning)}
            tuned["tuning"] |= {"speakers": "shared"} if self.fold.protocol == "random" else {}
        learnt = {"ssl_weights": corpus.ssl_weights} if "ssl" in self.unusual else {}
        also = {"also": [part["content_hash"] for part in corpus.also]} if corpus.also else {}
        source = {"source": self.own.source} if self.own is not None else {}
        return (
            self.unusual
            | self.classes
            | tuned
            | learnt
            | also
            | source
            | {
                "corpus": corpus.content_hash,
                "test_corpus": test.content_hash if self.config.protocol == "cross" else None,
                "fold": self.fold.hash,
                "preset": None if baseline else self.config.preset,
                "row": self.row,
                "seed": self.seed,
                "train": (self.recipe or None) if baseline else self.train.as_dict(),
                "select": sorted(self.config.select),
                "joint": self.config.joint,
            }
        )

    @property
    def model_settings(self) -> dict:
        """What builds its network again, as :func:`ser.saved_models.save_model` keeps it."""
        return {
            "row": self.row,
            "preset": self.config.preset,
            "frames": self.frames,
            "hidden": self.train.hidden,
            "normalise": self.train.normalise,
            "options": self.train.model_options,
            **({"clip_z": self.train.clip_z} if self.train.clip_z else {}),
            "emotions": list(self.emotions),
            **({"source": self.own.source} if self.own is not None else {}),
        }

    def training_labels(self, corpus: CorpusInputs) -> np.ndarray:
        """Class numbers (utterances,) of *corpus*'s table as the training is told them.

        With ``permute``, those of the fold's training side (dev included) change places among
        each other; the classes stay as frequent as they are. Only what the training side is told
        changes: test labels are read from the table, never from here.
        """
        labels = corpus.labels
        if self.config.permute is not None:
            rows = np.concatenate([self.fold.train, self.fold.dev])
            seed = derived_seed("permute", self.config.permute, self.fold.hash, self.seed)
            labels[rows] = np.random.default_rng(seed).permutation(labels[rows])
        return labels

    def run_id(self, corpus: CorpusInputs) -> str:
        """Readable name of the run, unique in a grid."""
        fold, preset = self.fold, self.config.preset
        parts = [corpus.name, fold.protocol, preset, self.row, fold.name, f"seed{self.seed}"]
        return "/".join(parts)
