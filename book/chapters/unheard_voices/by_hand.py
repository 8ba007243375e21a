"""Functionals, a linear classifier and a rule of normalisation, each speaker left out in turn.

Book: chapter "Voices it has not heard".
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from ser.enrolment import enrol
from ser.features.utterance_values import normalised_values
from ser.normalise import enrolled_by
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def left_out_answers(table: pd.DataFrame, values: np.ndarray, rule: str) -> pd.DataFrame:
    """What a logistic regression (C = 0.1, balanced) answers to each speaker, trained on the rest.

    Args:
        table: of a corpus.
        values: (utterances, numbers) functionals of its rows.
        rule: whose mean is taken away, of :mod:`ser.normalise`; what is enrolled is neither trained
            on nor tested.

    Returns:
        DataFrame, a line an utterance tested: ``utterance``, ``speaker``, ``emotion``, ``answer``
        and ``sure``, the answer's probability.

    Raises:
        ProtocolError: a speaker with too few neutral utterances to enrol.
    """
    enrolled = enrol(table, enrolled_by(rule)) if enrolled_by(rule) else None
    used = np.ones(len(table), bool)
    used[[i for rows in (enrolled or {}).values() for i in rows]] = False
    speakers, emotions = table.speaker.to_numpy(str), table.emotion.to_numpy(str)
    told = []
    for speaker in np.unique(speakers):
        train, test = (
            np.flatnonzero(used & (speakers == speaker if new else speakers != speaker))
            for new in (False, True)
        )
        known = {"mean": values[train].mean(0), "names": list(table.utterance)}
        sides = [
            normalised_values(values, rule, rows, list(speakers), enrolled=enrolled, **known)
            for rows in (train, test)
        ]
        last = LogisticRegression(C=0.1, class_weight="balanced", max_iter=5000)
        fitted = make_pipeline(StandardScaler(), last).fit(sides[0], emotions[train])
        sure = fitted.predict_proba(sides[1])
        answer = fitted.classes_[sure.argmax(1)]
        part = table.iloc[test][["utterance", "speaker", "emotion"]]
        told.append(part.assign(answer=answer, sure=sure.max(1)))
    return pd.concat(told, ignore_index=True)


def surest_wrong(told: pd.DataFrame) -> pd.DataFrame:
    """Of the speaker who is recognised least, each emotion's surest mistake, the surest first.

    A speaker without any gives the utterance that is least sure.

    Args:
        told: of :func:`left_out_answers`.

    Example:
        >>> told = pd.DataFrame({"utterance": list("abc"), "speaker": list("AAB"),
        ...     "emotion": ["sad"] * 3, "answer": ["happy", "angry", "sad"], "sure": [0.5, 0.9, 1]})
        >>> surest_wrong(told).utterance.tolist()
        ['b']
    """
    right = (told.answer == told.emotion).groupby(told.speaker).mean()
    mine = told[told.speaker == right.idxmin()]
    wrong = mine[mine.answer != mine.emotion].sort_values("sure", ascending=False)
    return wrong.groupby("emotion").head(1) if len(wrong) else mine.nsmallest(1, "sure")
