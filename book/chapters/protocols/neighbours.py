"""The nearest relative of an utterance on the training side (book: "The protocol laboratory")."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from ser.protocols import Fold

__all__ = ["nearest"]


def nearest(vectors: np.ndarray, folds: Iterable[Fold]) -> np.ndarray:
    """Of every utterance the nearest on the training side of the fold that tests it.

    Args:
        vectors: (n, F), scaled.
        folds: that test every utterance once.

    Returns:
        (n,) row numbers; by Euclidean distance.

    Example:
        >>> others, one = np.array([0, 1]), np.array([2])
        >>> fold = Fold("loso", "Cy", others, one[:0], one, folds=1, hash="")
        >>> int(nearest(np.array([[0.0], [4.0], [5.0]]), [fold])[2])
        1
    """
    near = np.full(len(vectors), -1)
    for fold in folds:
        a, b = vectors[fold.test], vectors[fold.train]
        far = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
        near[fold.test] = fold.train[far.argmin(1)]
    return near
