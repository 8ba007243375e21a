"""An utterance's wave, and a few speakers to learn from and to be heard unseen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from ser import load_audio
from ser.batch import Dataset
from ser.corpora import EMOTIONS, Corpus
from ser.features import extract

__all__ = ["Sides", "few_speakers", "wave_of"]


def wave_of(row: Any) -> np.ndarray:
    """The wave of a row of a corpus's table; of a long recording, the utterance's part alone."""
    if not row.segment:
        return load_audio(row.path)
    return load_audio(row.path, start=row.start, seconds=row.seconds)


@dataclass(frozen=True, repr=False)
class Sides:
    """Utterances to learn from and utterances of speakers that are left out.

    Attributes:
        train, test: for :func:`ser.training.train` and for batches.
        unseen: the table of the test side, in its order.
    """

    train: Dataset
    test: Dataset
    unseen: pd.DataFrame

    def __repr__(self) -> str:
        left_out = ", ".join(sorted(self.unseen.speaker.unique()))
        return (
            f"{len(self.train)} utterances to learn from; left out: {len(self.test)} of {left_out}"
        )


def few_speakers(
    data: Corpus, speakers: int, each: int, needs: set[str], preset: str = "paper"
) -> Sides:
    """The first *speakers* of a corpus, a third of them left out, *each* utterances an emotion.

    Args:
        data: the corpus.
        speakers: at most so many, in order of their names; the last third is the test side.
        each: utterances of each speaker and emotion, at most.
        needs: features, such as ``{"mfcc"}``; spectrograms come at their true lengths.
        preset: of the spectrograms.
    """
    table = data.table
    names = sorted(table.speaker.unique())[:speakers]
    left_out = names[-max(1, len(names) // 3) :]
    part = table[table.speaker.isin(names)].groupby(["speaker", "emotion"]).head(each)
    features = extract(replace(data, table=part), preset, progress=False)
    labels = np.array([EMOTIONS.index(e) for e in features.table.emotion])
    out = features.table.speaker.isin(left_out).to_numpy()
    train, test = (
        Dataset(features, np.flatnonzero(s), labels[s], needs, "true") for s in (~out, out)
    )
    return Sides(train, test, features.table[out].reset_index(drop=True))
