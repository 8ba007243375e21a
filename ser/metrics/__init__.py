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

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "intervals": ["Interval", "bootstrap_interval", "speaker_counts"],
        "paired": ["Paired", "mcnemar", "paired_test"],
        "scores": [
            "confusion",
            "ece",
            "recalls",
            "reliability",
            "row_percent",
            "softmax",
            "ua",
            "wa",
        ],
    },
)
