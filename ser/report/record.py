"""One run, as a report sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ser.corpora.emotion_set import set_name
from ser.experiments.record_folder import name_of
from ser.experiments.record_table import FILE, RecordFile, emotions_of


@dataclass(frozen=True)
class Record:
    """One run as its record tells it (:mod:`ser.experiments.record_schema`).

    Attributes:
        file: the file as it was read.
        index: which of its records this is.
        tags: what sets it apart from the row's usual runs, setting -> words
            (:mod:`ser.report.variants`); empty for most.
    """

    file: RecordFile = field(repr=False)
    index: int
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """The file's, which may hold other runs too."""
        return self.file.path

    @property
    def data(self) -> Mapping[str, Any]:
        """The facts; the logits of all epochs are in :attr:`epoch_logits`."""
        return self.file.records[self.index]

    @cached_property
    def logits(self) -> Mapping[str, np.ndarray]:
        """For each selection (``last``, ``dev``, ``test``) an array (n, classes)."""
        chosen = self.data["selection"]
        return {k: np.asarray(v["logits"], dtype=float) for k, v in chosen.items() if v}

    @cached_property
    def labels(self) -> np.ndarray:
        """(n,) true classes of the test utterances."""
        return np.asarray(self.data["test"]["labels"], dtype=np.int64)

    @property
    def epoch_logits(self) -> Mapping[str, np.ndarray]:
        """Side (``test``, ``dev``) -> (epochs, n, classes); empty for baselines and fused rows.

        Raises:
            RecordError: this part of the file is damaged.
        """
        return self.file.epoch_logits[self.index]

    @property
    def folder(self) -> Path:
        """The folder of runs, as ``ser run --out`` was told."""
        return self.path.parent if self.path.name == FILE else self.path.parent.parent

    @property
    def name(self) -> str:
        """Name of the run within its row, as its network's folder has it."""
        return name_of(dict(self.data))

    @property
    def source(self) -> str:
        """Where it was read, for messages."""
        return f"{self.path} ({self.data['model']}/{self.name})"

    @property
    def corpus(self) -> str:
        """Short name of the corpus trained on."""
        return self.data["corpus"]["name"]

    @property
    def test_corpus(self) -> str | None:
        """Short name of the corpus tested on, where it is another one."""
        other = self.data.get("test_corpus")
        return other["name"] if other else None

    @property
    def emotions(self) -> tuple[str, ...]:
        """The classes, in the order of logits."""
        return emotions_of(self.data)

    @property
    def content(self) -> tuple[str, str | None]:
        """Content hashes of the corpus and of the test corpus."""
        other = self.data.get("test_corpus")
        return self.data["corpus"]["content_hash"], other["content_hash"] if other else None

    @property
    def model(self) -> str:
        """The row, its tags behind it in brackets."""
        tags = ", ".join(self.tags.values())
        return f"{self.data['model']} [{tags}]" if tags else self.data["model"]

    @property
    def group(self) -> tuple[str, str, str, str, str]:
        """(corpus, test corpus or "", protocol, preset or "", model with its tags).

        Behind the corpus stand its emotions where they are not the usual four.
        """
        data, asked = self.data, set_name(self.emotions)
        corpus = f"{self.corpus} ({asked})" if asked else self.corpus
        names = (corpus, self.test_corpus, data["protocol"]["name"], data["preset"])
        return (*(n or "" for n in names), self.model)  # type: ignore[return-value]

    @property
    def fold(self) -> str:
        """Name of the fold."""
        return self.data["protocol"]["fold"]

    @property
    def seed(self) -> int:
        """Training seed."""
        return self.data["seed"]
