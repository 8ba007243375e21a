"""Two rows of a report side by side."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ser.errors import RecordError
from ser.metrics.paired import Paired, paired_test
from ser.report.pool import Row
from ser.report.summary import finite


@dataclass(frozen=True)
class Comparison:
    """Two rows side by side: what they are, and :class:`ser.metrics.Paired`.

    ``seeds`` are those of each row that were compared.
    """

    a: Row
    b: Row
    result: Paired
    seeds: tuple[tuple[int, ...], tuple[int, ...]]

    def as_dict(self) -> dict[str, Any]:
        """JSON-able, in a fixed order."""
        keys = ("corpus", "test_corpus", "protocol", "preset", "selection")
        head = {k: getattr(self.a, k) or None for k in keys}
        rows = {
            "a": self.a.model,
            "b": self.b.model,
            "a_transductive": self.a.transductive,
            "b_transductive": self.b.transductive,
        }
        return {**head, **rows, **finite(asdict(self.result))}


def compare(a: Row, b: Row, resamples: int = 2000) -> Comparison:
    """Paired comparison of two rows on the utterances both have answered.

    A fused row is its branches' answers of the same seed, so beside another network it is compared
    on the seeds that both have, if any: else one seed's luck would be taken for what fusion adds.
    """
    common, at_a, at_b = np.intersect1d(a.utterances, b.utterances, return_indices=True)
    if a.emotions != b.emotions:
        raise RecordError(f"{a.name} and {b.name} tell other emotions apart")
    if len(common) == 0 or not np.array_equal(a.labels[at_a], b.labels[at_b]):
        raise RecordError(f"{a.name} and {b.name} were not tested on the same utterances")
    fused = any(r.data.get("fused_from") for row in (a, b) for r in row.records)
    trained = all(row.records[0].data.get("history") for row in (a, b))
    both = tuple(s for s in a.seeds if s in b.seeds)
    seeds = (both, both) if fused and trained and both else (a.seeds, b.seeds)
    first, second = (
        row.predictions[[row.seeds.index(s) for s in kept]][:, at]
        for row, kept, at in ((a, seeds[0], at_a), (b, seeds[1], at_b))
    )
    result = paired_test(
        *(a.labels[at_a], first, second, a.speakers[at_a]),
        resamples=resamples,
        classes=len(a.emotions),
    )
    return Comparison(a, b, result, seeds)
