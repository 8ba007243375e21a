"""A few speakers, some of them left out; the surest mistake among those; an LSTM's figures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from chapters.lstm import answers_over, gates_over
from chapters.shared.mistakes import worst_mistake
from chapters.shared.utterances import few_speakers, wave_of
from torch import nn

from ser import load_corpus
from ser.corpora import EMOTIONS


@pytest.fixture(scope="module")
def sides():
    return few_speakers(load_corpus("synthetic"), 3, 2, {"mfcc"})


def test_no_speaker_is_on_both_sides(sides):
    assert len(sides.unseen.speaker.unique()) == 1
    assert len(sides.test) == len(sides.unseen) == 2 * len(EMOTIONS)
    assert len(sides.train) == 2 * len(sides.test)
    assert repr(sides).startswith("16 utterances to learn from; left out: 8 of ")
    labels = sides.test.batch().labels.tolist()
    assert [EMOTIONS[k] for k in labels] == sides.unseen.emotion.tolist()


class Always(nn.Module):
    """Hears the first class always, and one utterance, known by its sum, with most certainty."""

    needs = frozenset({"mfcc"})

    def __init__(self, surest):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.surest = surest.mfcc.sum((1, 2))

    def forward(self, batch):
        logits = torch.zeros(len(batch), 4)
        logits[:, 0] = 1.0 + torch.isclose(batch.mfcc.sum((1, 2)), self.surest, rtol=1e-4)
        return logits


def test_the_surest_mistake_is_played(sides):
    at = int((sides.unseen.emotion == EMOTIONS[1]).argmax())
    model = Always(sides.test.batch([at]))
    sound, told = worst_mistake(model, sides, gain=1.0)
    assert f"{EMOTIONS[1]}, heard as {EMOTIONS[0]}" in sound.text
    assert sides.unseen.text[at] in sound.text
    assert len(wave_of(sides.unseen.loc[at])) > 8000
    assert told.text.endswith(f"{sides.unseen.speaker[at]} 25 %.")
    loud, _ = worst_mistake(model, sides, gain=1e3)
    assert "(played softer than the other sounds of this page)" in loud.text
    assert "softer" not in sound.text


@pytest.mark.parametrize(
    ("leads", "second"), [([2, 1, 2, 2], "0.03"), ([1, 1], "0.01"), ([0, 0, 3], "0.03")]
)
def test_the_answer_that_leads_for_good(leads, second):
    _, told = answers_over(np.eye(4)[leads], "happy")
    assert told.text == f"From {second} s on the answer is {EMOTIONS[leads[-1]]} to the end."


def test_gates_before_and_after_training():
    gates = {name: np.full((4, 2), 0.95) for name in "fio"}
    figure, told = gates_over(np.zeros((4, 39)), gates, {"f": np.full((4, 2), 0.05)})
    assert figure.text.startswith("[figure] Above, the input.")
    assert "Trained: units with a mean forget gate above 0.9: 2 of 2, below 0.1: 0." in told.text
    assert "Untrained: units with a mean forget gate above 0.9: 0 of 2, below 0.1: 2." in told.text
