"""What the study asks: the questions, and the pairs of rows that may answer them.

They are answered by :func:`chapters.shared.study_questions.questions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ser.rows import ROWS


class Wanted(NamedTuple):
    """One side of a question: a row, and what it must have been run with.

    Attributes:
        model: the row's name.
        selection: of the epoch.
        random: under random folds, not under the protocol of unseen speakers.
        preset: the spectrograms' preset, or "": the block's own.
        frames: ``"fixed"``, ``"true"`` or "": any.
        like: a row whose number of parameters it must have, to 5 %; or "": hidden size as usual.
        even: a baseline that left the dev set out of its training, as networks do.
    """

    model: str
    selection: str = "last"
    random: bool = False
    preset: str = ""
    frames: str = ""
    like: str = ""
    even: bool = False


@dataclass(frozen=True)
class StudyQuestion:
    """A question, and the pairs that may answer it.

    Attributes:
        key: short name, for choosing.
        text: the question in words; the answer is about the first row of the pair.
        pairs: the first pair whose two rows are there answers.
        best: of all pairs that are there, the one whose *second* row scores highest answers.
        scores: the two are not two models but two ways of scoring one: nobody is better, a score
            is higher.
        main: one of the four that the architecture raises: does the second resolution, the cell,
            the fusion earn its place? They are a family of their own in Holm's correction.
    """

    key: str
    text: str
    pairs: tuple[tuple[Wanted, Wanted], ...]
    best: bool = False
    scores: bool = False
    main: bool = False


def _rows(first: str, second: str, **more: str | bool) -> tuple[Wanted, Wanted]:
    return Wanted(first), Wanted(second, **more)


def _both(one: dict, other: dict, models: Sequence[str]) -> tuple[tuple[Wanted, Wanted], ...]:
    return tuple((Wanted(m, **one), Wanted(m, **other)) for m in models)


def _part(suffix: str) -> tuple[tuple[Wanted, Wanted], ...]:
    return tuple(_rows(m, m + suffix) for m in ("ds-lstm", "dual"))


_MAIN = ("dual", "ds-lstm", "cnn-lstm-pair", "mfcc-lstm")
_PAIR = "cnn-lstm-pair"
_RECIPE = (
    StudyQuestion("recipe", "the best honest recipe (dual+), or the dual model?",
        (_rows("dual+", "dual"),)),
    StudyQuestion("recipe, functionals",
        "dual+, or eGeMAPS with the same normalisation and logistic regression?",
        (_rows("dual+", "egemaps-lr+", even=True), _rows("dual+", "egemaps-lr+"))),
)  # fmt: skip
QUESTIONS: tuple[StudyQuestion, ...] = (
    StudyQuestion("two spectrograms", "S1 and S2, or the better of the two alone?",
        (_rows(_PAIR, "cnn-lstm-s1"), _rows(_PAIR, "cnn-lstm-s2")), best=True, main=True),
    StudyQuestion("one cell", "a DS-LSTM, or two LSTMs on the same inputs?",
        (_rows("ds-lstm", _PAIR),), main=True),
    StudyQuestion("one cell, equal size", "a DS-LSTM, or two LSTMs with as many parameters?",
        ((Wanted("ds-lstm"), Wanted(_PAIR, like="ds-lstm")),)),
    StudyQuestion("plain LSTM", "a DS-LSTM, or nn.LSTM over the concatenated pair?",
        (_rows("ds-lstm", "concat-lstm"),)),
    StudyQuestion("plain LSTM, equal size",
        "a DS-LSTM, or nn.LSTM over the pair with as many parameters?",
        ((Wanted("ds-lstm"), Wanted("concat-lstm", like="ds-lstm")),)),
    StudyQuestion("fusion, MFCC", "the dual model, or its MFCC branch?",
        (_rows("dual", "mfcc-lstm"),), main=True),
    StudyQuestion("fusion, DS-LSTM", "the dual model, or its DS-LSTM branch?",
        (_rows("dual", "ds-lstm"),), main=True),
    StudyQuestion("cell in the system", "the dual model, or the same with two LSTMs?",
        (_rows("dual", "mfcc+cnn-lstm-pair"),)),
    StudyQuestion("gate norm", "with the norm of the gates, or without?", _part("-no-gate-norm")),
    StudyQuestion("output norm", "with the norm of the output, or without?",
        _part("-no-output-norm")),
    StudyQuestion("equations", "as released, or the paper's equations?", _part("-equations")),
    StudyQuestion("y-candidate", "with the candidate from S2, or without?",
        _part("-no-y-candidate")),
    StudyQuestion("preset, DS-LSTM",
        "the paper's spectrograms at true lengths, or the release's, squashed?",
        _both({"preset": "paper"}, {"preset": "release"}, ("ds-lstm",))),
    StudyQuestion("preset, dual",
        "the paper's spectrograms at true lengths, or the release's, squashed?",
        _both({"preset": "paper"}, {"preset": "release"}, ("dual",))),
    StudyQuestion("windows", "the paper's windows, or the release's, both at true lengths?",
        _both({"preset": "paper", "frames": "true"}, {"preset": "release", "frames": "true"},
              ("dual", "ds-lstm"))),
    StudyQuestion("frames", "true lengths, or squashed to a fixed number of frames?",
        _both({"preset": "release", "frames": "true"}, {"preset": "release", "frames": "fixed"},
              ("dual", "ds-lstm"))),
    StudyQuestion("speakers", "the same speakers on both sides, or unseen ones?",
        _both({"random": True}, {}, _MAIN), scores=True),
    StudyQuestion("dev", "the epoch chosen on a dev set, or the last?",
        _both({"selection": "dev"}, {}, _MAIN)),
    StudyQuestion("peeking", "the epoch chosen on the test fold, or the last?",
        _both({"selection": "test"}, {}, _MAIN), scores=True),
    *(_RECIPE if "dual+" in ROWS else ()),
    StudyQuestion("functionals", "the dual model, or eGeMAPS with logistic regression?",
        (_rows("dual", "egemaps-lr", even=True), _rows("dual", "egemaps-lr"))),
)  # fmt: skip
"""Everything that the chapters ask, in the order of the tables."""
