"""Did the same grid, run twice, give the same records? (``ser report A --same-as B``)

Of every run that lies in both folders it is compared what was asked (settings, test utterances,
true labels) and what was answered (logits of every selected epoch). Where, when and how fast it
ran does not count. Book: chapter "Ablations".
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from ser.errors import RecordError
from ser.report.load import Source, records_of
from ser.report.record import Record
from ser.report.summary import finite

COLUMNS = ["run", "same_settings", "same_material", "same_selections"]
COLUMNS += ["logits", "predictions", "answers"]
ASKED = {
    "same_material": "other test utterances or labels",
    "same_settings": "other settings (fingerprint)",
    "same_selections": "other selections or epochs",
}
"""Columns of ``RunsComparison.runs`` about what was asked -> words where it differs."""


@dataclass(frozen=True)
class RunsComparison:
    """What :func:`compare_records` found.

    Attributes:
        runs: one line for each run that is in both: ``run`` (corpus, protocol, preset, row, fold
            and seed), ``same_settings`` (the fingerprints are equal), ``same_material`` (the same
            test utterances in the same order with the same true labels), ``same_selections`` (the
            same selections with the same epochs), ``logits`` (largest absolute difference of a
            logit, over the selections both have; NaN where the material differs), ``predictions``
            (answers that differ, over those selections) and ``answers`` (how many were compared).
        only_a, only_b: runs that one side lacks.
        tolerance: largest difference of a logit that passes.
    """

    runs: pd.DataFrame
    only_a: list[str]
    only_b: list[str]
    tolerance: float

    @property
    def differing(self) -> pd.DataFrame:
        """The runs in which more differs than logits by the tolerance."""
        same = self.runs[list(ASKED)].all(axis=1) & (self.runs.logits <= self.tolerance)
        if self.tolerance == 0:
            same &= self.runs.predictions == 0
        return self.runs[~same]

    @property
    def same(self) -> bool:
        """Whether both hold the same runs with the same answers."""
        return not (self.only_a or self.only_b or len(self.differing))

    @property
    def largest(self) -> float | None:
        """Largest difference of a logit over all runs; None where nothing could be compared."""
        return self.runs.logits.max() if self.runs.logits.notna().any() else None

    def as_dict(self) -> dict[str, Any]:
        """JSON-able: the verdict, the sums, and every run that differs."""
        return {
            "schema": 1,
            "same": self.same,
            "tolerance": self.tolerance,
            "runs": len(self.runs),
            "only_a": self.only_a,
            "only_b": self.only_b,
            "largest_logit_difference": self.largest,
            "predictions_that_differ": int(self.runs.predictions.sum()),
            "answers": int(self.runs.answers.sum()),
            "fingerprints_that_differ": int(self.runs.same_settings.eq(False).sum()),
            "differing": finite(self.differing.to_dict("records")),
        }

    def to_text(self, most: int = 20) -> str:
        """For people: the verdict, then what differs, at most *most* lines of each kind."""
        facts = self.as_dict()
        largest = "-" if self.largest is None else f"{self.largest:.6g}"
        lines = [
            "the same" if self.same else "NOT the same",
            f"runs in both: {len(self.runs)}; only in the first: {len(self.only_a)}; only in the "
            f"second: {len(self.only_b)}",
            f"largest difference of a logit: {largest} (tolerance {self.tolerance:g})",
            f"answers that differ: {facts['predictions_that_differ']} of {facts['answers']}",
            f"fingerprints that differ: {facts['fingerprints_that_differ']}",
        ]
        for title, names in {
            "only in the first": self.only_a,
            "only in the second": self.only_b,
            "differs": [self._why(run) for run in self.differing.to_dict("records")],
        }.items():
            lines += [f"  {title}: {name}" for name in names[:most]]
            if len(names) > most:
                lines.append(f"  {title}: and {len(names) - most} more")
        return "\n".join(lines) + "\n"

    def _why(self, run: dict[str, Any]) -> str:
        reasons = [words for column, words in ASKED.items() if not run[column]]
        if run["logits"] > self.tolerance:
            reasons.append(f"logits differ by {run['logits']:.6g}")
        if run["predictions"]:
            reasons.append(f"{run['predictions']} of {run['answers']} answers differ")
        return f"{run['run']}: {'; '.join(reasons)}"


def compare_records(a: Source, b: Source, tolerance: float = 0.0) -> RunsComparison:
    """Compare two folders of records, run by run.

    Args:
        a, b: results folder, several folders, or records already loaded.
        tolerance: largest absolute difference of a logit that counts as the same. Records keep
            five decimals; another machine or library may need 1e-3. With a tolerance above 0 an
            answer may differ where two logits are nearly equal.

    Returns:
        :class:`RunsComparison`.

    Raises:
        RecordError: no or damaged records, or a negative tolerance.

    Example:
        >>> compare_records("results/a", "results/b").same       # doctest: +SKIP
        True
    """
    if not tolerance >= 0:
        raise RecordError(f"a tolerance is 0 or more, not {tolerance}")
    first, second = records_of(a), records_of(b)
    pairs = _paired(first, second)
    paired = {id(record) for pair in pairs for record in pair}
    return RunsComparison(
        pd.DataFrame([_compare(x, y) for x, y in pairs], columns=COLUMNS),
        [_name(r) for r in first if id(r) not in paired],
        [_name(r) for r in second if id(r) not in paired],
        float(tolerance),
    )


def _paired(first: list[Record], second: list[Record]) -> list[tuple[Record, Record]]:
    """Runs of one row, fold and seed: those of equal settings, then those of equal name.

    A tag tells runs of one folder apart, and the same run may be tagged in one folder only.
    """
    there: dict[tuple, list[Record]] = defaultdict(list)
    for record in second:
        there[_run(record)].append(record)
    found: dict[int, Record] = {}
    for key in (lambda r: r.data["fingerprint"], _name):
        for record in first:
            others = there[_run(record)]
            match = next((o for o in others if key(o) == key(record)), None)
            if match is not None and id(record) not in found:
                found[id(record)] = match
                others.remove(match)
    return [(record, found[id(record)]) for record in first if id(record) in found]


def _run(record: Record) -> tuple:
    return (*replace(record, tags={}).group, record.fold, record.seed)


def _name(record: Record) -> str:
    return "/".join([*filter(None, record.group), record.fold, f"seed{record.seed}"])


def _compare(a: Record, b: Record) -> tuple:
    """One line of ``RunsComparison.runs``."""
    tests = a.data["test"], b.data["test"]
    material = a.content == b.content and all(
        list(tests[0][k]) == list(tests[1][k]) for k in ("utterances", "labels")
    )
    epochs = [{k: r.data["selection"][k]["epoch"] for k in r.logits} for r in (a, b)]
    asked = (a.data["fingerprint"] == b.data["fingerprint"], material, epochs[0] == epochs[1])
    if not material:
        return (_name(a), *asked, float("nan"), 0, 0)
    pairs = [(logits, b.logits[k]) for k, logits in a.logits.items() if k in b.logits]
    largest = max((float(np.abs(x - y).max()) for x, y in pairs), default=0.0)
    other = sum(int((x.argmax(1) != y.argmax(1)).sum()) for x, y in pairs)
    return (_name(a), *asked, largest, other, sum(len(x) for x, _ in pairs))
