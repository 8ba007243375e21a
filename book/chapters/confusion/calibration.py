"""Temperatures fitted on dev speakers, from records: is a row's confidence worth anything after it?

A run with ``--select last,dev`` keeps the logits of its dev utterances. Under a protocol that
parts speakers, their speakers were heard neither in training nor in the test. So each run's
temperature can be fitted on its own dev speakers and used on its test side, and nobody who is
tested has had a hand in it. The alternative without a dev set,
:func:`chapters.confusion.temperature.cross_fit_temperature`, stands beside it. Book: chapter
"Confusion matrices".

>>> from ser.report import make_report
>>> report = make_report("book/results/emodb-loso-dev")              # doctest: +SKIP
>>> calibration_table(report, ("ds-lstm", "dual"))[["ece", "nll"]]  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.special import log_softmax
from ser.errors import RecordError
from ser.metrics import softmax
from ser.metrics.intervals import draw, percentiles
from ser.report.build import Report
from ser.report.pool import Row

from chapters.confusion.dev_logits import OPTION, dev_answers
from chapters.confusion.temperature import (
    cross_fit_temperature,
    fit_temperature,
    negative_log_likelihood,
)

__all__ = ["DevFit", "calibration_table", "dev_fit"]

COLUMNS: tuple[str, ...] = (
    *("temperature", "accuracy", "confidence", "gap", "ece", "nll"),
    *("ece_change", "ece_low", "ece_high", "nll_change", "nll_low", "nll_high"),
)
"""Of :func:`calibration_table`."""


@dataclass(frozen=True)
class DevFit:
    """What :func:`dev_fit` gives.

    Attributes:
        row: the row; ``row.labels`` and ``row.speakers`` belong to the logits.
        before: (seeds, n, 4) the row's test logits.
        after: (seeds, n, 4) each run's divided by its temperature.
        temperatures: DataFrame, a line a run: ``fold``, ``seed``, ``epoch`` (of the logits),
            ``dev`` (utterances it was fitted on), ``temperature`` (no unit; above 1 the network
            was too sure), ``dev_nll_before`` and ``dev_nll_after`` (nats a dev utterance).
    """

    row: Row
    before: np.ndarray = field(repr=False)
    after: np.ndarray = field(repr=False)
    temperatures: pd.DataFrame = field(repr=False)


def dev_fit(report: Report, model: str, selection: str = "last", **where: str) -> DevFit:
    """Fit a temperature for each run on its dev utterances, and divide its test logits by it.

    Nothing of the test side is used, and no answer changes. Where a run answers all of its dev
    utterances right there is no best temperature, and the smallest allowed is taken
    (:func:`chapters.confusion.temperature.fit_temperature`). With ``selection="dev"`` the same
    speakers have chosen the epoch, which looks a little better on them than it is.

    Args:
        report: of :func:`ser.report.make_report`. For a fused row it must hold the branches too.
        model: the row.
        selection: of the epoch.
        where: narrows by ``corpus``, ``test_corpus``, ``protocol``, ``preset``; the first row that
            fits is taken.

    Returns:
        :class:`DevFit`: pooled logits before and after, and the temperatures.

    Raises:
        RecordError: no such row, or what :func:`chapters.confusion.dev_logits.dev_answers` raises.

    Example:
        >>> fit = dev_fit(report, "dual")                                  # doctest: +SKIP
        >>> fit.temperatures.groupby("fold").temperature.mean()            # doctest: +SKIP
    """
    row = report.row(model, selection, **where)
    among = [record for other in report.rows for record in other.records]
    place = {name: i for i, name in enumerate(row.utterances.tolist())}
    after, lines = row.logits.copy(), []
    for record in row.records:
        labels, logits = dev_answers(record, selection, among)
        temperature = fit_temperature(labels, logits)
        mine = [place[name] for name in record.data["test"]["utterances"]]
        after[row.seeds.index(record.seed), mine] /= temperature
        lines.append(
            {
                "fold": record.fold,
                "seed": record.seed,
                "epoch": int(record.data["selection"][selection]["epoch"]),
                "dev": len(labels),
                "temperature": temperature,
                "dev_nll_before": negative_log_likelihood(labels, logits),
                "dev_nll_after": negative_log_likelihood(labels, logits / temperature),
            }
        )
    return DevFit(row, row.logits, after, pd.DataFrame(lines))


def calibration_table(
    report: Report,
    models: Sequence[str] | None = None,
    selection: str = "last",
    resamples: int | None = None,
    bins: int = 10,
    **where: str,
) -> pd.DataFrame:
    """Calibration of rows as they are, and after a temperature from two sources.

    Intervals resample test speakers with the answers of all seeds, and keep the temperatures as
    they were fitted. ECE is a sum of absolute values, so luck makes it larger: above 0 for a
    perfect model, and larger in a resample of few speakers than in the sample, most where it is
    small. The interval of a gain in ECE thus reaches too far towards no gain. That of the
    likelihood has no such lean.

    Args:
        report: of :func:`ser.report.make_report`; for a fused row with its branches.
        models: rows; if not given, all that have dev logits.
        selection: of the epoch.
        resamples: of the bootstrap; the report's own if not given.
        bins: of equal width, of the calibration error.
        where: as in :func:`dev_fit`.

    Returns:
        DataFrame, three lines a row; the index is the model and ``when``: ``before``, ``dev``
        (fitted on each run's dev speakers), ``others`` (fitted on the other test speakers).
        ``temperature`` (median over runs, over speakers for ``others``), ``accuracy``,
        ``confidence``, ``gap`` (confidence minus accuracy), ``ece``, ``nll`` (nats an utterance),
        means over seeds; against ``before``, ``ece_change`` and ``nll_change``, each with ``_low``
        and ``_high`` (95 %). Percent and points but for temperature and nats. With one test
        speaker there are no intervals and no ``others``: NaN.

    Raises:
        RecordError: a row without dev logits, or no row with them.

    Example:
        >>> calibration_table(report, ["dual"]).loc["dual", "ece"]         # doctest: +SKIP
    """
    if models is None:
        models = _with_dev(report, selection, where)
    lines = {}
    for model in models:
        fit = dev_fit(report, model, selection, **where)
        row, several = fit.row, len(set(fit.row.speakers)) > 1
        stages = {"before": ([1.0], fit.before), "dev": (fit.temperatures.temperature, fit.after)}
        if several:
            crossed = [cross_fit_temperature(row.labels, z, row.speakers) for z in row.logits]
            warmth = [t for each in crossed for t in each.temperatures.values()]
            stages["others"] = (warmth, np.stack([each.logits for each in crossed]))
        count = np.unique(row.speakers, return_counts=True)[1].astype(float)
        once = np.ones((1, len(count)))
        weights = draw(len(count), resamples or report.resamples, 0) if several else once
        sums = {when: _sums(row, z, bins) for when, (_, z) in stages.items()}
        for when, (warmth, z) in stages.items():
            right = 100 * float((z.argmax(-1) == row.labels).mean())
            sure = 100 * float(softmax(z).max(-1).mean())
            values = _scores(once, sums[when], count)
            line = {"temperature": float(np.median(warmth)), "accuracy": right, "confidence": sure}
            line |= {"gap": sure - right, **{name: float(v[0]) for name, v in values.items()}}
            start = _scores(once, sums["before"], count)
            drawn = [_scores(weights, sums[w], count) for w in (when, "before")]
            for name in values if when != "before" else ():
                ends = percentiles(drawn[0][name] - drawn[1][name], 0.95)
                line[f"{name}_change"] = line[name] - float(start[name][0])
                line[f"{name}_low"], line[f"{name}_high"] = ends if several else (np.nan, np.nan)
            lines[row.label, when] = line
        if not several:
            lines[row.label, "others"] = {}
    keys = pd.MultiIndex.from_tuples(lines, names=["model", "when"])
    return pd.DataFrame(list(lines.values()), index=keys, columns=list(COLUMNS), dtype=float)


def _with_dev(report: Report, selection: str, where: dict[str, str]) -> list[str]:
    fits = [r for r in report.rows if r.selection == selection]
    fits = [r for r in fits if all(getattr(r, k) == v for k, v in where.items())]
    names = [r.model for r in fits if all(rec.data.get("dev_labels") for rec in r.records)]
    if not names:
        seen = ", ".join(r.name for r in fits) or "none that fits"
        raise RecordError(f"no row has dev logits ({seen}); '{OPTION}' keeps them for networks")
    return list(dict.fromkeys(names))


def _sums(row: Row, logits: np.ndarray, bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Of each speaker: (S, seeds, bins) of right minus confidence, and (S, seeds) nats."""
    names, who = np.unique(row.speakers, return_inverse=True)
    gaps = np.zeros((len(names), len(logits), bins))
    nats = np.zeros(gaps.shape[:2])
    for seed, each in enumerate(logits):
        sure = softmax(each).max(1)
        place = np.clip(np.ceil(sure * bins).astype(int) - 1, 0, bins - 1)
        np.add.at(gaps, (who, seed, place), (each.argmax(1) == row.labels) - sure)
        loss = -log_softmax(each, axis=1)[np.arange(len(each)), row.labels]
        np.add.at(nats, (who, seed), loss)
    return gaps, nats


def _scores(
    weights: np.ndarray, sums: tuple[np.ndarray, np.ndarray], count: np.ndarray
) -> dict[str, np.ndarray]:
    """ECE in percent and nats (resamples,), means over seeds, for weights (resamples, S)."""
    gaps, nats = sums
    n = weights @ count
    return {
        "ece": 100 * np.abs(np.tensordot(weights, gaps, 1)).sum(-1).mean(-1) / n,
        "nll": (weights @ nats).mean(-1) / n,
    }
