"""Figures of an LSTM over one utterance: its gates, and its answer after every frame.

Each function gives what a cell displays: a figure, and a sentence that says what is seen there.
Book: chapter "The LSTM".
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike
from ser.corpora import EMOTIONS
from ser.plots import EMOTION_COLOURS, show
from ser.plots.html import Html
from ser.plots.style import drawing

from chapters.shared.gate_figures import gate_map, over_time
from chapters.shared.seen import Seen, seen
from chapters.shared.sound_figures import mfcc
from chapters.shared.svg import colour

STEP = 0.01
"""Seconds from frame to frame of the MFCCs."""


def gates_over(
    x: ArrayLike, gates: Mapping[str, ArrayLike], untrained: Mapping[str, ArrayLike]
) -> tuple[Html, Seen]:
    """MFCCs, the forget gate of every unit and the mean of each gate, one below the other.

    Args:
        x: (T, 39).
        gates: ``f``, ``i`` and ``o``, each (T, H).
        untrained: the same before training; only its ``f`` is told of.
    """
    means = {name: np.asarray(gates[name]).mean(1) for name in "fio"}
    colours = [colour(role) for role in ("forget", "mfcc", "output")]
    with drawing(None, 6.6, 3, sharex=True) as (fig, axes):
        mfcc(np.asarray(x), "MFCCs", ax=axes[0])
        gate_map(gates["f"], STEP, "forget gate", ax=axes[1])
        over_time(means, STEP, "mean gate", ylim=(0, 1), ax=axes[2], colours=colours)
        for ax in axes[:2]:
            ax.set_xlabel("")
    caption = (
        "Above, the input. Middle: the trained forget gate, a row for each unit, sorted; bright "
        "keeps. Below: forget gate f, input gate i and output gate o, each the mean over the units."
    )
    told = f"Trained: {spread(gates['f'])}. Untrained: {spread(untrained['f'])}."
    return show(fig, caption), seen(told)


def spread(forget: ArrayLike) -> str:
    """How many units keep, and how many see the present alone, by their mean forget gate.

    Args:
        forget: (T, H).

    Example:
        >>> spread([[0.95, 0.5, 0.05], [0.97, 0.5, 0.01]])
        'units with a mean forget gate above 0.9: 1 of 3, below 0.1: 1'
    """
    mean = np.asarray(forget).mean(0)
    above, below = int((mean > 0.9).sum()), int((mean < 0.1).sum())
    return f"units with a mean forget gate above 0.9: {above} of {len(mean)}, below 0.1: {below}"


def answers_over(answers: ArrayLike, label: str) -> tuple[Html, Seen]:
    """The probability of each emotion after every frame.

    Args:
        answers: (T, emotions).
        label: of the utterance.

    Example:
        >>> answers_over([[0.7, 0.3, 0, 0], [0.4, 0.6, 0, 0], [0.2, 0.8, 0, 0]], "happy")[1]
        From 0.02 s on the answer is happy to the end.
    """
    answers = np.asarray(answers, dtype=float)
    leads = answers.argmax(1)
    changes = np.flatnonzero(leads != leads[-1])
    second = STEP * (changes[-1] + 2 if len(changes) else 1)
    figure = over_time(
        dict(zip(EMOTIONS, answers.T, strict=True)), STEP, "probability", ylim=(0, 1),
        colours=[EMOTION_COLOURS[emotion] for emotion in EMOTIONS],
    )  # fmt: skip
    caption = (
        f"The probability of each emotion after every frame of an utterance labelled {label}, as "
        "if it had ended there."
    )
    told = f"From {second:.2f} s on the answer is {EMOTIONS[leads[-1]]} to the end."
    return show(figure, caption), seen(told)
