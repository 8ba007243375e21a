"""Four intervals of one score, which differ in what they take for independent.

Book: chapter "Confusion matrices".
"""

from __future__ import annotations

import numpy as np
from ser.metrics import bootstrap_interval
from ser.report.pool import Row

__all__ = ["four_intervals", "wilson"]


def wilson(right: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's interval of a share of *right* in *n* independent tries.

    Example:
        >>> [float(round(v, 3)) for v in wilson(5, 8)]
        [0.306, 0.863]
    """
    p = right / n
    middle = p + z**2 / (2 * n)
    half = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return (middle - half) / (1 + z**2 / n), (middle + half) / (1 + z**2 / n)


def four_intervals(row: Row, deals: int = 20) -> dict[str, np.ndarray]:
    """95 % intervals of WA of a row's first seed, in percent: (WA, low, high).

    ``Wilson``; ``utterances drawn`` and ``speakers drawn``: the bootstrap; ``imaginary speakers``:
    the bootstrap over groups as large as the speakers, into which utterances were dealt at
    random, mean over *deals*.
    """
    labels, answers = row.labels, row.predictions[0]
    rng, right = np.random.default_rng(0), int((answers == labels).sum())
    dealt = [rng.permutation(row.speakers) for _ in range(deals)]

    def drawn(*units: np.ndarray) -> np.ndarray:
        return np.mean([bootstrap_interval(labels, answers, u, "wa") for u in units], axis=0)

    found = {
        "Wilson": wilson(right, len(labels)),
        "utterances drawn": drawn(row.utterances),
        "imaginary speakers": drawn(*dealt),
        "speakers drawn": drawn(row.speakers),
    }
    middle = right / len(labels)
    return {kind: 100 * np.array([middle, *ends]) for kind, ends in found.items()}
