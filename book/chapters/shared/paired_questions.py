"""Which part earns what: a family of questions, asked of the records together.

Each question is a pair of rows that differ in one part. Several questions asked of the same data
need a correction (:func:`holm`), and a gain that the data are too few to show needs more speakers
(:func:`speakers_needed`). Book: chapter "Ablations".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import ser
from numpy.typing import ArrayLike
from scipy.stats import norm
from ser.errors import RecordError
from ser.metrics.intervals import speaker_counts
from ser.metrics.paired import Paired
from ser.report.build import Report
from ser.report.comparison import Comparison


class Question(NamedTuple):
    """A part, and the two rows (with and without it) that answer for it."""

    part: str
    with_it: str
    without: str


QUESTIONS: tuple[Question, ...] = (
    Question("S2 beside S1", "cnn-lstm-pair", "cnn-lstm-s1"),
    Question("S1 beside S2", "cnn-lstm-pair", "cnn-lstm-s2"),
    Question("one cell for both, not two LSTMs", "ds-lstm", "cnn-lstm-pair"),
    Question("spectrograms beside MFCC", "dual", "mfcc-lstm"),
    Question("MFCC beside the DS-LSTM", "dual", "ds-lstm"),
    Question("the same cell, in the whole system", "dual", "mfcc+cnn-lstm-pair"),
    Question("an LSTM on frames, not functionals", "mfcc-lstm", "egemaps-svm"),
    Question("the whole system, not functionals", "dual", "egemaps-svm"),
)
"""The paper's claims, part by part, and two questions about a plain baseline."""


def holm(p: ArrayLike) -> np.ndarray:
    """P-values corrected for being several, by Holm's step-down rule.

    The smallest is multiplied by their number m, the next by m - 1 and so on; none may end below
    one that was smaller before, none above 1. The chance of even one false find among those below
    0.05 is then at most 5 %, however the tests depend on each other.

    Args:
        p: (m,) p-values; NaN stays NaN and does not count.

    Returns:
        (m,) corrected p-values, in the order given.

    Raises:
        ValueError: a value outside 0 to 1.

    Source: S. Holm, "A simple sequentially rejective multiple test procedure", 1979.

    Example:
        >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
        [0.03, 0.06, 0.06]
    """
    values = np.asarray(p, dtype=float).ravel()
    known = np.flatnonzero(~np.isnan(values))
    if ((values[known] < 0) | (values[known] > 1)).any():
        raise ValueError("p-values lie between 0 and 1")
    order = known[np.argsort(values[known], kind="stable")]
    result = np.full(len(values), np.nan)
    times = np.arange(len(order), 0, -1)
    result[order] = np.minimum(1, np.maximum.accumulate(times * values[order]))
    return result


def ask(
    report: Report,
    corpus: str,
    protocol: str,
    questions: Sequence[Question] = QUESTIONS,
    selection: str = "last",
) -> list[tuple[Question, Comparison]]:
    """The questions whose two rows are there, with their paired comparisons.

    Args:
        report: of :func:`ser.report.make_report`.
        corpus, protocol: which block of it.
        questions: the family.
        selection: ``"last"``, ``"dev"`` or ``"test"``.

    Returns:
        (question, comparison) in the order of the questions; rows that have not finished the same
        folds, and rows that are missing, are passed over.
    """
    here = {
        row.model: row
        for row in report.rows
        if (row.corpus, row.protocol, row.selection) == (corpus, protocol, selection)
    }
    found = []
    for question in questions:
        pair = [here.get(name) for name in (question.with_it, question.without)]
        if any(row is None or row.folds < row.folds_total for row in pair):
            continue
        where = {"corpus": corpus, "protocol": protocol}
        found.append((question, report.paired(*question[1:], selection=selection, **where)[0]))
    return found


def answers(asked: Sequence[tuple[Question, Comparison]], metric: str = "ua") -> pd.DataFrame:
    """What the comparisons say, in points, with p-values before and after Holm's correction.

    Args:
        asked: of :func:`ask`; they are corrected together, as one family.
        metric: ``"ua"`` or ``"wa"``.

    Returns:
        DataFrame, a line a question: ``with``, ``without``, ``difference``, ``low``, ``high`` (95 %
        interval over speakers; points), ``p``, ``p_holm``, ``speakers``; the index is the part.
    """

    def of(result: Paired, what: str) -> float:
        return getattr(result, f"{metric}_{what}")

    results = [comparison.result for _, comparison in asked]
    table = pd.DataFrame(
        {
            "with": [c.a.label for _, c in asked],
            "without": [c.b.label for _, c in asked],
            "difference": [100 * of(r, "difference") for r in results],
            "low": [100 * of(r, "low") for r in results],
            "high": [100 * of(r, "high") for r in results],
            "p": [of(r, "p") for r in results],
        },
        index=pd.Index([q.part for q, _ in asked], name="part"),
    )
    table["p_holm"] = holm(table.p)
    table["speakers"] = [r.speakers for r in results]
    return table


def speaker_differences(comparison: Comparison) -> pd.Series:
    """The difference in UA of two rows, laid out by speaker.

    Speaker s's value is S times its share of the difference: each class's recall is a sum over
    speakers, so the mean of the values is the difference itself. Their spread is what a test over
    speakers has to see through.

    Args:
        comparison: of ``Report.paired``.

    Returns:
        Series, speaker -> points; its mean is 100 ``comparison.result.ua_difference``.

    Raises:
        RecordError: the two rows were not tested on the same utterances.
    """
    a, b = comparison.a, comparison.b
    if not np.array_equal(a.utterances, b.utterances):
        raise RecordError(f"{a.name} and {b.name} were not tested on the same utterances")
    names, first = speaker_counts(a.labels, a.predictions, a.speakers)
    _, second = speaker_counts(b.labels, b.predictions, b.speakers)
    right = [np.diagonal(c, axis1=-2, axis2=-1).mean(1) for c in (first, second)]
    of_class = first[:, 0].sum((0, 2)).astype(float)
    there = of_class > 0
    shares = ((right[0] - right[1])[:, there] / of_class[there]).mean(-1)
    return pd.Series(100 * len(names) * shares, index=pd.Index(names, name="speaker"))


def speakers_needed(sd: float, gain: float, alpha: float = 0.05, power: float = 0.8) -> int:
    """How many speakers show a gain: n = ((z_(1 - alpha/2) + z_power) sd / gain)^2.

    Args:
        sd: spread of the difference between speakers, in points.
        gain: the true difference that is to be seen, in points.
        alpha: two-sided level of the test.
        power: the chance that the test finds it.

    Returns:
        Speakers, at least 2. The normal approximation; below ten or so it is too few.

    Raises:
        ValueError: a gain of 0, a negative sd, or shares outside 0 to 1.

    Example:
        >>> speakers_needed(sd=10, gain=2), speakers_needed(sd=10, gain=4)
        (197, 50)
    """
    if gain == 0 or sd < 0 or not (0 < alpha < 1 and 0 < power < 1):
        raise ValueError("a gain other than 0, sd >= 0, alpha and power between 0 and 1")
    z = norm.ppf(1 - alpha / 2) + norm.ppf(power)
    return max(2, math.ceil((z * sd / gain) ** 2))


def equal_size(count: Callable[[int], int], target: int, low: int = 1, high: int = 4096) -> int:
    """The hidden size whose number of parameters is nearest to *target*.

    Args:
        count: hidden size -> number of parameters, increasing.
        target: parameters wanted.
        low, high: hidden sizes to search between.

    Returns:
        The hidden size; of two equally near, the smaller.

    Example:
        >>> equal_size(lambda hidden: hidden**2, 50)
        7
    """
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle) <= target else (low, middle)
    return min((low, high), key=lambda hidden: (abs(count(hidden) - target), hidden))


def beside_page(name: str) -> Path:
    """A file or folder of the book, wherever the page that asks is run.

    Args:
        name: path below ``book/``, such as ``"one_run.ipynb"`` or ``"results"``.

    Returns:
        The first that exists: below the working folder, below ``book/`` of it or of a folder
        above it, below ``book/`` beside the package (a clone of the repository).

    Raises:
        FileNotFoundError: none of them; the message names the way out.
    """
    here = Path.cwd()
    places = [here, *(folder / "book" for folder in (here, *here.parents))]
    places.append(Path(ser.__file__).resolve().parents[1] / "book")
    for place in places:
        if (place / name).exists():
            return place / name
    raise FileNotFoundError(
        f"{name} is not beside this page; run the page in the folder book/ of the repository"
    )
