"""The mistake that a network makes with the greatest confidence, to be heard."""

from __future__ import annotations

import numpy as np
import pandas as pd
from ser.corpora import EMOTIONS
from ser.metrics import softmax
from ser.plots.html import Html
from ser.training import logits_of
from torch import nn

from chapters.shared.player import page_gain, player
from chapters.shared.seen import Seen, seen
from chapters.shared.utterances import Sides, wave_of

__all__ = ["worst_mistake"]


def worst_mistake(model: nn.Module, sides: Sides, gain: float) -> tuple[Html, Seen]:
    """Of all mistakes on the test side the one whose answer has the largest probability.

    A network without a mistake gives the utterance that it is least sure of.

    Args:
        model: a module from a batch to logits.
        sides: who was left out.
        gain: of the page's players; a sound that it would clip is played softer, and says so.

    Returns:
        A player, and a sentence that says how often each unseen speaker is heard right.
    """
    logits, truth = logits_of(model, sides.test)
    probabilities, truth = softmax(np.asarray(logits)), np.asarray(truth)
    answer, table = probabilities.argmax(1), sides.unseen
    sure = probabilities.max(1)
    at = int(np.where(answer != truth, 1 + sure, 1 - sure).argmax())
    right = pd.Series(100.0 * (answer == truth)).groupby(table.speaker.to_numpy()).mean()
    told = ", ".join(f"{name} {share:.0f} %" for name, share in right.items())
    caption = f"{table.speaker[at]}: {EMOTIONS[truth[at]]}, heard as {EMOTIONS[answer[at]]}"
    wave = wave_of(table.loc[at])
    if (highest := page_gain([wave])) < gain:
        gain, caption = highest, f"{caption} (played softer than the other sounds of this page)"
    sound = player(wave, caption=caption, transcript=table.text[at], gain=gain)
    return sound, seen(f"Heard right, by unseen speaker: {told}.")
