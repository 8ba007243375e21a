"""Which kinds of functionals a linear classifier needs for speakers whom it has not heard.

*Permutation importance* (Breiman, "Random Forests", Machine Learning 45, 2001): the columns of a
group are dealt anew among the utterances of each held-out speaker, all in the same way, and UA
falls. Within a speaker, so that a group is not important because it tells speakers apart; by group,
because each of two columns that say the same seems to be worth nothing while the other is there.
What two *groups* say alike still counts for neither: so beside it stands what each group reaches
alone. Book: chapter "EmoDB, measured" for the classifier.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ser.errors import ProtocolError
from ser.metrics.intervals import draw, percentiles

GROUPS: dict[str, str] = {
    "pitch": "F0: level, range, slopes",
    "level": "loudness and its course, sound level",
    "rate": "peaks of loudness and voiced stretches a second, lengths",
    "spectrum": "tilt, slopes, flux, MFCC 1 to 4, formants",
    "voice quality": "jitter, shimmer, harmonics to noise, H1-H2, H1-A3",
}
"""Groups of eGeMAPS's functionals, and what is in them."""
SETTING: dict[str, Any] = {"C": 0.1, "class_weight": "balanced"}
"""Of the logistic regression, the same everywhere: nothing is chosen."""
FOLDS = 20
"""Folds at most: with more speakers than these, several are held out together."""
REPEATS = 10
"""How often each group is dealt anew."""
RESAMPLES = 2000

_BEGINS = {
    "F0semitone": "pitch",
    "loudnessPeaks": "rate",
    "loudness": "level",
    "equivalentSound": "level",
    "VoicedSegments": "rate",
    "MeanVoiced": "rate",
    "StddevVoiced": "rate",
    "MeanUnvoiced": "rate",
    "StddevUnvoiced": "rate",
    "jitter": "voice quality",
    "shimmer": "voice quality",
    "HNR": "voice quality",
    "logRelF0": "voice quality",
}


def group_of(name: str) -> str:
    """The group of a functional, by openSMILE's name of it.

    Example:
        >>> group_of("F0semitoneFrom27.5Hz_sma3nz_amean"), group_of("loudnessPeaksPerSec")
        ('pitch', 'rate')
        >>> group_of("F1frequency_sma3nz_amean"), group_of("loudness_sma3_amean")
        ('spectrum', 'level')
    """
    return next((g for begin, g in _BEGINS.items() if name.startswith(begin)), "spectrum")


def importance(
    values: np.ndarray,
    labels: np.ndarray,
    speakers: Sequence[str],
    names: Sequence[str],
    repeats: int = REPEATS,
    seed: int = 0,
    step: Any = lambda: None,
) -> dict[str, Any]:
    """What UA on unseen speakers loses when a group of functionals is dealt anew.

    Args:
        values: (utterances, functionals).
        labels: (utterances,) numbers of the classes.
        speakers: (utterances,).
        names: of the functionals.
        repeats: how often each group is dealt.
        seed: of the dealing.
        step: called after each fold.

    Returns:
        JSON-able: ``ua``, ``low``, ``high`` in percent, ``speakers``, ``folds`` and ``groups``: for
        each ``name``, ``functionals`` (how many), ``drop``, ``low``, ``high`` (points, 95 % over
        speakers; None with fewer than two speakers to draw from) and ``alone`` (UA in percent of a
        classifier that has only these).

    Raises:
        ProtocolError: fewer than two speakers, or one emotion only once some are left out.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> labels = np.tile([0, 1], 60)
        >>> values = np.stack([labels + rng.normal(0, 0.1, 120), rng.normal(size=120)], 1)
        >>> told = importance(values, labels, sorted("abcdef" * 20), ["F0semitone", "jitter"])
        >>> [(group["name"], round(group["drop"], -1)) for group in told["groups"]]
        [('pitch', 50.0), ('voice quality', 0.0)]
    """
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.model_selection import GroupKFold, cross_val_predict

    who, speakers = np.unique(np.asarray(speakers, str), return_inverse=True)
    if len(who) < 2:
        raise ProtocolError(
            "only one speaker: importance is measured on speakers who were left out, so at least "
            "two are needed"
        )
    classes, labels = np.unique(labels, return_inverse=True)
    kinds = {g: [i for i, n in enumerate(names) if group_of(n) == g] for g in GROUPS}
    kinds = {group: columns for group, columns in kinds.items() if columns}
    shape = (1 + len(kinds), len(who), len(classes))
    right, total = np.zeros(shape), np.zeros(shape[1:])
    np.add.at(total, (speakers, labels), 1)
    random, folds = np.random.default_rng(seed), GroupKFold(min(len(who), FOLDS))
    for kept, held in folds.split(values, labels, speakers):
        if len(set(labels[kept])) < 2:
            raise ProtocolError(
                "one emotion only is left to learn from once some speakers are left out: two at "
                "least are needed, each by several speakers (`ser check` counts them)"
            )
        asked, given = speakers[held], values[held]
        dealt = [given]
        for columns in kinds.values():
            for _ in range(repeats):
                copy = given.copy()
                for one in np.unique(asked):
                    rows = np.flatnonzero(asked == one)
                    copy[np.ix_(rows, columns)] = given[np.ix_(random.permutation(rows), columns)]
                dealt.append(copy)
        answers = _classifier().fit(values[kept], labels[kept]).predict(np.concatenate(dealt))
        hits = answers.reshape(len(dealt), -1) == labels[held]
        for number in range(len(kinds) + 1):
            some = hits[:1] if number == 0 else hits[1 + (number - 1) * repeats :][:repeats]
            np.add.at(right[number], (asked, labels[held]), some.mean(0))
        step()
    ua, low, high = _with_ends(right[0], total, None, seed)
    told = []
    for number, (group, columns) in enumerate(kinds.items()):
        drop, least, most = _with_ends(right[0], total, right[1 + number], seed)
        own = cross_val_predict(
            _classifier(), values[:, columns], labels, groups=speakers, cv=folds
        )
        told.append(
            {"name": group, "functionals": len(columns), "drop": drop, "low": least, "high": most,
             "alone": round(100 * float(balanced_accuracy_score(labels, own)), 2)}
        )  # fmt: skip
    return {
        "ua": ua, "low": low, "high": high, "speakers": len(who), "folds": folds.n_splits,
        "repeats": repeats, "groups": told,
    }  # fmt: skip


def _classifier() -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000, **SETTING))


def _with_ends(
    right: np.ndarray, total: np.ndarray, after: np.ndarray | None, seed: int
) -> tuple[float, float | None, float | None]:
    """UA in percent, or its loss in points, and the ends of the interval over speakers."""

    def score(weights: np.ndarray) -> np.ndarray:
        """(resamples, speakers) how often each is counted -> (resamples,) UA or loss."""
        hits = weights @ (right if after is None else right - after)
        there = weights @ total
        with np.errstate(invalid="ignore"):
            return 100 * np.nanmean(np.where(there > 0, hits / there, np.nan), axis=1)

    middle = float(score(np.ones((1, len(total))))[0])
    ends = percentiles(score(draw(len(total), RESAMPLES, seed)), 0.95)
    return round(middle, 2), round(ends.low, 2), round(ends.high, 2)
