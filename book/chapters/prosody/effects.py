"""How much an emotion moves a measured number: eta squared and Cohen's d, with intervals.

Eta squared is the share of a number's variance that lies between the emotions; d says how far one
emotion lies from another in standard deviations. Intervals resample whole speakers, as everywhere
in this book: utterances of one speaker are alike. With ``own_mean`` every speaker is first moved
to the same mean, so that who speaks does not count as scatter; that is a look at the corpus, not
something a recogniser of strangers could do. Book: chapter "Pitch, level and rate".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from ser.corpora.base import EMOTIONS
from ser.metrics.intervals import draw, percentiles


def from_own_mean(table: pd.DataFrame, cue: str, by: str = "speaker") -> pd.Series:
    """A number of each utterance, counted from its speaker's mean.

    The mean is over the speaker's emotions, each with the same weight, so that a speaker of whom
    there are more angry clips does not count as an angry speaker.

    Args:
        table: columns ``emotion``, *by* and *cue*; NaN and infinite values are left out.
        cue: what was measured.
        by: whose mean is taken off.

    Returns:
        float Series with the table's index; NaN where *cue* is not finite.

    Example:
        >>> frame = pd.DataFrame({"speaker": list("aabb"), "emotion": ["sad", "angry"] * 2})
        >>> from_own_mean(frame.assign(x=[1, 3, 11, 13]), "x").tolist()
        [-1.0, 1.0, -1.0, 1.0]
    """
    values = table[cue].astype(float)
    values = values.where(np.isfinite(values))
    means = values.groupby([table[by], table.emotion]).mean()
    return values - table[by].map(means.groupby(level=0).mean())


def effect_table(
    table: pd.DataFrame,
    cues: Sequence[str],
    reference: str = "neutral",
    by: str = "speaker",
    own_mean: bool = True,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Cohen's d of every emotion against *reference*, and eta squared over all, cue by cue.

    ``d = (mean_e - mean_ref) / s`` with the pooled standard deviation ``s`` of the two groups;
    ``eta2 = between-emotion sum of squares / total sum of squares``.

    Args:
        table: columns ``emotion``, *by* and the cues; NaN and infinite values are left out.
        cues: columns that were measured.
        reference: emotion to compare with; the first of the table's where it has none.
        by: speakers: what is resampled, with replacement.
        own_mean: first take off each speaker's mean (:func:`from_own_mean`).
        resamples: number of resamples.
        level: share of resamples inside an interval.
        seed: of the resampling.

    Returns:
        DataFrame with columns ``cue``, ``effect`` (an emotion, or ``"eta2"``), ``value``, ``low``,
        ``high``, ``n``. NaN where a number is not defined (a constant cue); no interval with
        fewer than two speakers.

    Raises:
        ValueError: none of the four emotions, or a missing column.

    Source: Cohen, "Statistical Power Analysis for the Behavioral Sciences", 2nd ed., 1988.

    Example:
        >>> frame = pd.DataFrame({"speaker": list("aabb") * 2, "emotion": ["neutral"] * 4 +
        ...     ["sad"] * 4, "x": [0, 1, 0, 1, 2, 3, 2, 3]})
        >>> effect_table(frame, ["x"]).value.round(2).tolist()
        [3.46, 0.8]
    """
    present = [e for e in EMOTIONS if e in set(table.emotion)]
    if not present:
        raise ValueError("the table has no utterance of the four emotions")
    missing = {by, *cues} - set(table.columns)
    if missing:
        raise ValueError(f"the table has no column {', '.join(sorted(missing))}")
    base = reference if reference in present else present[0]
    speakers = sorted(table[by].astype(str).unique())
    weights = draw(len(speakers), resamples, seed)
    whole = np.ones((1, len(speakers)))
    rows = []
    for cue in cues:
        values = from_own_mean(table, cue, by) if own_mean else table[cue].astype(float)
        sums = _sums(values, table.emotion, table[by].astype(str), speakers, present)
        found, spread = (_effects(w, sums, present.index(base)) for w in (whole, weights))
        counts = sums[0].sum(0)
        for name in (*(e for e in present if e != base), "eta2"):
            column = len(present) if name == "eta2" else present.index(name)
            ends = (np.nan, np.nan)
            sample = spread[:, column][np.isfinite(spread[:, column])]
            if len(speakers) > 1 and len(sample):
                ends = percentiles(sample, level)
            n = counts.sum() if name == "eta2" else counts[column]
            rows.append((cue, name, float(found[0, column]), *ends, int(n)))
    return pd.DataFrame(rows, columns=["cue", "effect", "value", "low", "high", "n"])


def _sums(
    values: pd.Series, emotion: pd.Series, by: pd.Series, speakers: list[str], present: list[str]
) -> np.ndarray:
    """Number, sum and sum of squares of every speaker and emotion: (3, speakers, emotions)."""
    out = np.zeros((3, len(speakers), len(present)))
    keep = np.isfinite(values) & emotion.isin(present)
    x = values[keep].to_numpy(float)
    at = ([speakers.index(s) for s in by[keep]], [present.index(e) for e in emotion[keep]])
    x = x - (x.mean() if len(x) else 0.0)  # keeps the squares small
    for layer, part in zip(out, (np.ones_like(x), x, x**2), strict=True):
        np.add.at(layer, at, part)
    return out


def _effects(weights: np.ndarray, sums: np.ndarray, base: int) -> np.ndarray:
    """d of every emotion and then eta squared: (resamples, emotions + 1)."""
    n, total, squares = (weights @ layer for layer in sums)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = total / n
        within = np.maximum(squares - n * mean**2, 0.0)
        pooled = (within + within[:, [base]]) / (n + n[:, [base]] - 2)
        tiny = 1e-12 * np.maximum(squares, 1.0)
        d = (mean - mean[:, [base]]) / np.sqrt(np.where(pooled > tiny, pooled, np.nan))
        grand = np.nansum(total, 1) / n.sum(1)
        between = np.nansum(n * (mean - grand[:, None]) ** 2, 1)
        whole = between + within.sum(1, where=n > 0)
        eta = between / np.where(whole > 1e-9, whole, np.nan)
    return np.column_stack([d, eta])
