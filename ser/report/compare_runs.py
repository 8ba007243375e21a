"""Did the same grid, run twice, give the same records? (``ser report A --same-as B``)

Of every run that lies in both folders it is compared what was asked (settings, test utterances,
true labels) and what was answered (logits of every selected epoch). Where, when and how fast it
ran does not count. Book: chapter "Ablations".
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import asdict, dataclass, replace

import numpy as np

from ser.errors import RecordError
from ser.report.load import Source, records_of
from ser.report.record import Record


@dataclass(frozen=True)
class RunDifference:
    """One run of both folders.

    Attributes:
        run: corpus, protocol, preset, row, fold and seed.
        same_settings: the fingerprints are equal.
        same_material: the same test utterances in the same order with the same true labels.
        same_selections: the same selections with the same epochs.
        logits: largest absolute difference of a logit, over the selections both have; NaN where
            the material differs.
        predictions: answers that differ, over the selections both have.
        answers: how many were compared.
    """

    run: str
    same_settings: bool
    same_material: bool
    same_selections: bool
    logits: float
    predictions: int
    answers: int

    def within(self, tolerance: float) -> bool:
        """Whether nothing differs but logits, and those by *tolerance* at most."""
        asked = self.same_settings and self.same_material and self.same_selections
        return asked and self.logits <= tolerance and (tolerance > 0 or not self.predictions)


@dataclass(frozen=True)
class RunsComparison:
    """What :func:`compare_records` found.

    Attributes:
        runs: one entry for each run that is in both.
        only_a, only_b: runs that one side lacks.
        tolerance: largest difference of a logit that passes.
    """

    runs: tuple[RunDifference, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    tolerance: float = 0.0

    @property
    def differing(self) -> tuple[RunDifference, ...]:
        """The runs that differ by more than the tolerance."""
        return tuple(r for r in self.runs if not r.within(self.tolerance))

    @property
    def same(self) -> bool:
        """Whether both hold the same runs with the same answers."""
        return not (self.only_a or self.only_b or self.differing)

    def as_dict(self) -> dict:
        """JSON-able: the verdict, the sums, and every run that differs."""
        differing = [
            {k: None if v != v else v for k, v in asdict(r).items()} for r in self.differing
        ]
        return {
            "schema": 1,
            "same": self.same,
            "tolerance": self.tolerance,
            "runs": len(self.runs),
            "only_a": list(self.only_a),
            "only_b": list(self.only_b),
            "largest_logit_difference": self.largest,
            "predictions_that_differ": sum(r.predictions for r in self.runs),
            "answers": sum(r.answers for r in self.runs),
            "fingerprints_that_differ": sum(not r.same_settings for r in self.runs),
            "differing": differing,
        }

    @property
    def largest(self) -> float | None:
        """Largest difference of a logit over all runs; None where nothing could be compared."""
        known = [r.logits for r in self.runs if r.logits == r.logits]
        return max(known, default=None)

    def to_json(self) -> str:
        """:meth:`as_dict` as JSON."""
        return json.dumps(self.as_dict(), indent=1, allow_nan=False)

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
        for title, names in (
            ("only in the first", self.only_a),
            ("only in the second", self.only_b),
        ):
            lines += _listed(title, list(names), most)
        told = [f"{r.run}: {_why(r, self.tolerance)}" for r in self.differing]
        lines += _listed("differs", told, most)
        return "\n".join(lines) + "\n"

    def __str__(self) -> str:
        return self.to_text()


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
        >>> print(compare_records("results/a", "results/b"))     # doctest: +SKIP
        the same
    """
    if not tolerance >= 0:
        raise RecordError(f"a tolerance is 0 or more, not {tolerance}")
    first, second = records_of(a), records_of(b)
    pairs = _paired(first, second)
    paired = {id(record) for pair in pairs for record in pair}
    return RunsComparison(
        tuple(_compare(_name(x), x, y) for x, y in pairs),
        tuple(_name(r) for r in first if id(r) not in paired),
        tuple(_name(r) for r in second if id(r) not in paired),
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


def _compare(name: str, a: Record, b: Record) -> RunDifference:
    tests = a.data["test"], b.data["test"]
    material = a.content == b.content and all(
        list(tests[0][k]) == list(tests[1][k]) for k in ("utterances", "labels")
    )
    epochs = [{k: r.data["selection"][k]["epoch"] for k in r.logits} for r in (a, b)]
    common = [k for k in a.logits if k in b.logits]
    logits, predictions, answers = float("nan"), 0, 0
    if material:
        pairs = [(a.logits[k], b.logits[k]) for k in common]
        logits = max((float(np.abs(x - y).max()) for x, y in pairs), default=0.0)
        predictions = sum(int((x.argmax(1) != y.argmax(1)).sum()) for x, y in pairs)
        answers = sum(len(x) for x, _ in pairs)
    return RunDifference(
        run=name,
        same_settings=a.data["fingerprint"] == b.data["fingerprint"],
        same_material=material,
        same_selections=epochs[0] == epochs[1],
        logits=logits,
        predictions=predictions,
        answers=answers,
    )


def _why(run: RunDifference, tolerance: float) -> str:
    reasons = []
    if not run.same_material:
        reasons.append("other test utterances or labels")
    if not run.same_settings:
        reasons.append("other settings (fingerprint)")
    if not run.same_selections:
        reasons.append("other selections or epochs")
    if run.logits > tolerance:
        reasons.append(f"logits differ by {run.logits:.6g}")
    if run.predictions:
        reasons.append(f"{run.predictions} of {run.answers} answers differ")
    return "; ".join(reasons)


def _listed(title: str, names: list[str], most: int) -> list[str]:
    lines = [f"  {title}: {name}" for name in names[:most]]
    if len(names) > most:
        lines.append(f"  {title}: and {len(names) - most} more")
    return lines
