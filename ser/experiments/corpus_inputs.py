"""A corpus as a run sees it (:func:`ser.experiments.grid_inputs.load_inputs` makes it)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ser.corpora.base import EMOTIONS


@dataclass(frozen=True)
class CorpusInputs:
    """Its table, its features and what names it.

    ``values`` holds what classifiers are given, float32 (utterances, numbers) by the names of
    :data:`ser.experiments.baselines.INPUTS`.
    """

    name: str
    table: Any
    keys: list[str]
    samples: np.ndarray = field(repr=False)
    content_hash: str = ""
    features: Any = field(default=None, repr=False)
    licence: str = ""
    values: dict[str, np.ndarray] = field(default_factory=dict, repr=False)
    speeds: dict[float, Any] = field(default_factory=dict, repr=False)
    ssl_weights: str = ""
    whole: dict = field(default_factory=dict, repr=False)
    also: list[dict] = field(default_factory=list, repr=False)
    own: int = 0
    check: str = "ser check"
    emotions: tuple[str, ...] = EMOTIONS

    @property
    def labels(self) -> np.ndarray:
        """Class number of each utterance, int64 (utterances,): its emotion's place in the set."""
        place = {emotion: number for number, emotion in enumerate(self.emotions)}
        return np.array([place[e] for e in self.table.emotion], dtype=np.int64)

    def completed(self, message: str) -> str:
        """*message* with the whole command where it says to type `ser check`."""
        return message.replace("`ser check`", f"`{self.check}`")

    def describe(self) -> dict:
        """What a record says of the corpus: its name, its content, and what of it is missing.

        The last as :func:`ser.corpora.completeness.completeness` found it; of a feature pack,
        which does not know what it was made of, nothing.
        """
        return {"name": self.name, "content_hash": self.content_hash, **self.whole} | {
            "utterances": self.own or len(self.table)
        }
