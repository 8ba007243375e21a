"""How women and men differ in what a row gets right of them.

Book: chapter "Confusion matrices".
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from ser.corpora.base import EMOTIONS
from ser.errors import RecordError
from ser.metrics import speaker_counts
from ser.metrics.intervals import draw, percentiles
from ser.metrics.scores import count_recalls, count_ua
from ser.report.pool import Row

from chapters.shared.study import genders

__all__ = ["gender_gap"]


def gender_gap(
    row: Row, first: str = "female", second: str = "male", resamples: int = 2000
) -> pd.DataFrame:
    """UA and recalls of women and of men, and their difference.

    The interval draws the speakers of each gender again, apart from each other, with the answers
    of all seeds. With few speakers of a gender it is somewhat too narrow; and of five differences
    one looks large more easily than one alone.

    Args:
        row: of a report.
        first, second: genders as the records name them.
        resamples: of the bootstrap.

    Returns:
        DataFrame of five lines, ``UA`` and the four emotions: *first* and *second* in percent,
        ``difference`` (*first* minus *second*), ``low``, ``high`` (95 %; NaN with one speaker of
        a gender or no clip of an emotion) in points. ``attrs["speakers"]`` says how many speakers
        each has.

    Raises:
        RecordError: the records do not name speakers of both genders.

    Example:
        >>> gender_gap(report.row("dual")).loc["UA"]               # doctest: +SKIP
    """
    sex = genders(row)
    found, drawn, speakers = {}, {}, {}
    for number, name in enumerate((first, second)):
        mine = sex == name
        if not mine.any():
            raise RecordError(f"{row.name}: the records know no speaker who is {name}")
        _, counts = speaker_counts(row.labels[mine], row.predictions[:, mine], row.speakers[mine])
        weights = draw(len(counts), resamples, number)
        found[name] = _scores(counts.sum(0)[None])[0]
        drawn[name] = _scores(np.tensordot(weights, counts, 1))
        speakers[name] = len(counts)
    table = pd.DataFrame(
        {name: 100 * values for name, values in found.items()}, index=["UA", *EMOTIONS]
    )
    table["difference"] = table[first] - table[second]
    gaps = 100 * (drawn[first] - drawn[second])
    table["low"] = table["high"] = np.nan
    if min(speakers.values()) > 1:
        for line, values in zip(table.index, gaps.T, strict=True):
            if np.isfinite(values).any():
                ends = percentiles(values[np.isfinite(values)], 0.95)
                table.loc[line, ["low", "high"]] = [ends.low, ends.high]
    table.attrs["speakers"] = speakers
    return table


def _scores(counts: np.ndarray) -> np.ndarray:
    """(resamples, seeds, 4, 4) counts -> (resamples, 5): UA and recalls, means over seeds."""
    return np.concatenate([count_ua(counts)[..., None], count_recalls(counts)], -1).mean(1)
