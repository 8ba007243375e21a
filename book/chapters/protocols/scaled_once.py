"""What one scaler for all folds does to leave-one-speaker-out, beside a scaler in each fold.

Some toolkits divide a corpus into a training and a test side, fit the scaler on the training side,
and only then, if the user asks for it, leave every speaker out in turn. Which speakers happened to
be "test" then changes a score in which all of them are tested. The classifier is scikit-learn's
``SVC()`` on eGeMAPS functionals. Book: chapter "The protocol laboratory", which reads the record
that this command writes::

    python -m chapters.protocols.scaled_once emodb --root FOLDER --out FILE
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
from ser import load_corpus
from ser.features.egemaps import egemaps, egemaps_names
from ser.metrics import ua
from sklearn.model_selection import LeaveOneGroupOut, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

__all__ = ["measured", "scaled_once"]


def scaled_once(
    x: np.ndarray, labels: Sequence[str], speakers: Sequence[str], pair: Sequence[str]
) -> dict[str, float]:
    """Scores after one scaler that was fitted on all but *pair*, in percent.

    Args:
        x: (n, F) functionals, not scaled.
        labels, speakers: (n,).
        pair: the speakers whom the scaler did not see.

    Returns:
        ``loso``: UA of leaving out every speaker in turn. ``folds``: UA of five folds that are not
        shuffled, those of the pair at the end. ``largest``: the largest absolute value of a scaled
        feature.
    """
    y, who = np.asarray(labels), np.asarray(speakers)
    apart = np.isin(who, pair)
    z = StandardScaler().fit(x[~apart]).transform(x)
    order = np.r_[np.flatnonzero(~apart), np.flatnonzero(apart)]
    z, y, who = z[order], y[order], who[order]
    left_out = cross_val_predict(SVC(), z, y, groups=who, cv=LeaveOneGroupOut())
    folds = cross_val_predict(SVC(), z, y, cv=StratifiedKFold(5))
    largest = float(np.abs(z).max())
    return {"loso": 100 * ua(y, left_out), "folds": 100 * ua(y, folds), "largest": largest}


def measured(
    x: np.ndarray, labels: Sequence[str], speakers: Sequence[str], shuffles: int = 5
) -> dict[str, Any]:
    """Every choice of two speakers, and the scaler in the fold.

    Returns:
        ``pairs``: first and second speaker -> :func:`scaled_once`; ``in_fold``: UA, percent, of
        leaving one speaker out; ``shuffled``: UA of five shuffled folds, a number for each of
        *shuffles* orders, the scaler in the fold as well.
    """
    y, who = np.asarray(labels), np.asarray(speakers)
    inside = make_pipeline(StandardScaler(), SVC())
    left_out = cross_val_predict(inside, x, y, groups=who, cv=LeaveOneGroupOut())
    shuffled = [StratifiedKFold(5, shuffle=True, random_state=i) for i in range(shuffles)]
    return {
        "in_fold": 100 * ua(y, left_out),
        "shuffled": [100 * ua(y, cross_val_predict(inside, x, y, cv=cv)) for cv in shuffled],
        "pairs": {
            " ".join(pair): scaled_once(x, y, who, pair)
            for pair in combinations(sorted(set(who)), 2)
        },
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure a corpus and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("corpus")
    parser.add_argument("--root")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(arguments)
    corpus = load_corpus(given.corpus, given.root)
    x, table = egemaps(corpus, progress=False).values, corpus.table
    found = measured(x, table.emotion, table.speaker)
    mean, spread = x.mean(0), x.std(0)
    where = np.unravel_index((np.abs(x - mean) / np.where(spread > 0, spread, 1)).argmax(), x.shape)
    facts = {
        "command": f"python -m chapters.protocols.scaled_once {given.corpus} --root FOLDER",
        "corpus": given.corpus,
        "utterances": len(table),
        "speakers": table.speaker.nunique(),
        "classifier": "SVC(), StandardScaler(), 88 functionals of eGeMAPS v02",
        "scikit-learn": sklearn.__version__,
        "farthest": [
            egemaps_names()[where[1]],
            str(table.utterance.iloc[where[0]]),
            str(table.speaker.iloc[where[0]]),
        ],
    }
    given.out.write_text(json.dumps(facts | found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
