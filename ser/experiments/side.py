"""One side of a grid: a corpus with its features, as runs see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Side:
    """A corpus as a task sees it: its table, its features and what names it."""

    name: str
    table: Any
    features: Any
    content_hash: str
    licence: str = ""
    egemaps: np.ndarray | None = field(default=None, repr=False)
    speeds: dict[float, Any] = field(default_factory=dict, repr=False)
    level: np.ndarray | None = field(default=None, repr=False)
    duration: np.ndarray | None = field(default=None, repr=False)
    whole: dict = field(default_factory=dict, repr=False)
    check: str = "ser check"

    def completed(self, message: str) -> str:
        """*message* with the whole command where it says to type `ser check`."""
        return message.replace("`ser check`", f"`{self.check}`")

    def describe(self) -> dict:
        """What a record says of the corpus: its name, its content, and what of it is missing.

        The last as :func:`ser.corpora.completeness.completeness` found it; of a feature pack,
        which does not know what it was made of, nothing.
        """
        return {"name": self.name, "content_hash": self.content_hash, **self.whole} | {
            "utterances": len(self.table)
        }


def shortest(side: Side, test: Side) -> str:
    """Which utterances a network found too short, and what to do with them."""
    found = {}
    for part in (side, test):
        seconds = np.asarray(part.features.samples) / 16000
        found |= dict(zip(part.table.utterance, seconds, strict=True))
    three = sorted(found.items(), key=lambda item: item[1])[:3]
    named = ", ".join(f"{name} ({seconds:.2f} s)" for name, seconds in three)
    return (
        f"the shortest utterances are {named}: leave such out of the corpus, or squash all to one "
        "length (--frames fixed)"
    )
