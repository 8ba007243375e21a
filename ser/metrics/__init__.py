"""Numbers from predictions: WA, UA, confusion, calibration, intervals, paired tests.

=========================== =========================================================
:func:`wa`, :func:`ua`      share of utterances recognised; mean of the classes' recalls
:func:`recalls`             recall of each class
:func:`confusion`           counts, rows the truth, columns the answer
:func:`ece`                 how far the probabilities are from the truth
:func:`bootstrap_interval`  95 % interval, speakers resampled
:func:`paired_test`         are two rows different, or is it chance?
=========================== =========================================================

Book: chapters "Confusion matrices" and "The protocol laboratory".
"""

from ser.metrics.calibration import (
    CrossFit,
    brier_score,
    calibration_scores,
    cross_fit_temperature,
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
    reliability_curve,
)
from ser.metrics.intervals import Interval, bootstrap_interval, counts_interval, speaker_counts
from ser.metrics.paired import Paired, mcnemar, paired_test
from ser.metrics.scores import confusion, ece, recalls, reliability, row_percent, softmax, ua, wa

__all__ = [
    "CrossFit",
    "Interval",
    "Paired",
    "bootstrap_interval",
    "brier_score",
    "calibration_scores",
    "confusion",
    "counts_interval",
    "cross_fit_temperature",
    "ece",
    "expected_calibration_error",
    "fit_temperature",
    "mcnemar",
    "negative_log_likelihood",
    "paired_test",
    "recalls",
    "reliability",
    "reliability_curve",
    "row_percent",
    "softmax",
    "speaker_counts",
    "ua",
    "wa",
]
