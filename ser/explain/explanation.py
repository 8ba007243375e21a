"""An answer, explained: the numbers, as text for people and for programs.

Two ways that have little in common, so that it says something where they agree: what the logit of
the answer loses when a patch is replaced by the mean (:func:`ser.explain.patches.occlusion`), and
what each patch adds on the way from the mean to the recording
(:func:`ser.explain.gradients.integrated_gradients`). Both are in units of the fused logit, which is
the mean of the branches' logits.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ser.prediction import Prediction

if TYPE_CHECKING:
    from ser.explain.patches import View

TOLERANCE = 0.01
"""Of the logit's difference, or logits where that is below 1: what the sum may miss."""


@dataclass(frozen=True)
class Explanation:
    """An answer, and what it rests on.

    Attributes:
        prediction: the answer.
        model: what answered, in a sentence or two.
        logits: branch -> logit of each class, in the order of the prediction's probabilities.
        baseline: what the mean is that patches are replaced by.
        views: what was read, each explained (:class:`ser.explain.patches.View`).
        mean_logit: the fused logit of the answer about the mean alone.
        gap: by how much the integrated gradients' sum misses the difference of the two logits;
            None where there are none.
        control: view -> rank correlation of the sizes of its integrated gradients with those of
            networks with shuffled weights, mean over some of them.
        wave: float32 (samples,) at 16 kHz, as the network heard it.
        preset: of the spectrograms.
    """

    prediction: Prediction
    model: str
    logits: dict[str, tuple[float, ...]]
    baseline: str
    views: tuple[View, ...]
    mean_logit: float
    gap: float | None
    control: dict[str, float]
    wave: np.ndarray
    preset: str

    @property
    def logit(self) -> float:
        """The fused logit of the answer."""
        at = list(self.prediction.probabilities).index(self.prediction.emotion)
        return float(np.mean([values[at] for values in self.logits.values()]))

    @property
    def complete(self) -> bool | None:
        """Whether the integrated gradients' sum is the difference, within :func:`allowed`."""
        return None if self.gap is None else abs(self.gap) <= allowed(self.logit - self.mean_logit)

    def as_dict(self) -> dict[str, Any]:
        """JSON-able: all but the sound."""
        difference = self.logit - self.mean_logit
        gradients = None
        if self.gap is not None:
            gradients = {
                "sum": round(difference + self.gap, 6),
                "difference": round(difference, 6),
                "gap": round(self.gap, 6),
                "allowed": round(allowed(difference), 6),
                "complete": self.complete,
                "shuffled weights, rank correlation": self.control,
            }
        return {
            **self.prediction.as_dict(),
            "model": self.model,
            "logits": {row: list(values) for row, values in self.logits.items()},
            "logit": round(self.logit, 6),
            "mean_logit": round(self.mean_logit, 6),
            "mean": self.baseline,
            "integrated_gradients": gradients,
            "views": [
                {
                    "name": one.name,
                    "edges_seconds": one.edges.round(4).tolist(),
                    "bands": list(one.bands),
                    "edges_hertz": None if one.hertz is None else one.hertz.round(1).tolist(),
                    "occlusion": one.occlusion.round(5).tolist(),
                    "integrated_gradients": None
                    if one.gradients is None
                    else one.gradients.round(5).tolist(),
                    "agreement": one.agreement,
                }
                for one in self.views
            ],
        }

    def to_csv(self) -> str:
        """A line a patch: view, seconds, band, and what it is worth in logits by either way."""
        out = io.StringIO()
        lines = csv.writer(out, lineterminator="\n")
        lines.writerow(
            ["view", "from_s", "to_s", "band", "occlusion_logits", "integrated_gradients_logits"]
        )
        for one in self.views:
            for band, name in enumerate(one.bands):
                for at, ends in enumerate(pairwise(one.edges)):
                    worth = [one.occlusion, one.gradients]
                    told = ["" if t is None else f"{t[band, at]:.5f}" for t in worth]
                    lines.writerow([one.name, *(f"{e:.4f}" for e in ends), name, *told])
        return out.getvalue()


def allowed(difference: float) -> float:
    """What the sum of integrated gradients may miss of a difference of logits.

    Example:
        >>> allowed(5.0), allowed(-0.2)
        (0.05, 0.01)
    """
    return TOLERANCE * max(1.0, abs(difference))


def ranks_alike(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's rank correlation of two tables; 0 where one of them is constant.

    Example:
        >>> ranks_alike(np.array([1, 2, 30]), np.array([0.1, 0.2, 0.3]))
        1.0
    """
    from scipy.stats import rankdata

    ranks = [rankdata(table) for table in (a.ravel(), b.ravel())]
    if any(np.ptp(rank) == 0 for rank in ranks):
        return 0.0
    return round(float(np.corrcoef(*ranks)[0, 1]), 3)
