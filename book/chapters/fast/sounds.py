"""The few utterances that a page about speed needs (book: chapter "Making it fast")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from ser import load_corpus
from ser.batch import Batch, Dataset
from ser.corpora import EMOTIONS
from ser.features import extract
from ser.plots.html import Html
from torch import Tensor

from chapters.shared.player import page_gain, player, players
from chapters.shared.utterances import wave_of


def some_utterances(corpus: str, root: str | None, count: int) -> tuple[Batch, pd.Series]:
    """A batch of both spectrograms of *count* utterances, and the table's row of the first.

    They are spread evenly over the corpus, so that speakers and emotions differ.
    """
    data = load_corpus(corpus, root)
    chosen = np.linspace(0, len(data.table) - 1, count).astype(int)
    features = extract(replace(data, table=data.table.iloc[chosen]), progress=False)
    labels = [EMOTIONS.index(emotion) for emotion in features.table.emotion]
    held = Dataset(features, range(count), np.array(labels), {"s1", "s2"})
    return held.batch(range(count)), features.table.iloc[0]


def rounded(values: Tensor, digits: int) -> Tensor:
    """*values* with so many significant binary digits each.

    Example:
        >>> rounded(torch.tensor([0.7, 70.0]), 2)
        tensor([ 0.7500, 64.0000])
    """
    part, exponent = torch.frexp(values)
    return torch.ldexp(torch.round(part * 2**digits), exponent - digits)


def played_in_digits(row: pd.Series, digits: Sequence[int]) -> Html:
    """Players of one utterance, every sample rounded to each number of binary digits."""
    waves = [rounded(torch.as_tensor(wave_of(row)), d).numpy() for d in digits]
    said = {"transcript": row.text, "gain": page_gain(waves)}
    return players(
        [player(w, caption=f"{d} digits", **said) for w, d in zip(waves, digits, strict=True)]
    )


def noise_db(row: pd.Series, digits: int) -> float:
    """How far below the sound of a row the noise of rounding lies, in dB."""
    wave = torch.as_tensor(wave_of(row))
    error = rounded(wave, digits) - wave
    return float(10 * (wave.square().mean() / error.square().mean()).log10())
