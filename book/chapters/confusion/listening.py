"""The mistakes of which a row was most sure, to be listened to (book: "Confusion matrices")."""

from __future__ import annotations

import numpy as np
import pandas as pd
from ser.corpora.base import EMOTIONS
from ser.metrics import softmax
from ser.report.pool import Row

__all__ = ["surest_mistakes"]


def surest_mistakes(row: Row) -> pd.DataFrame:
    """Of each true emotion the mistake of which the first seed was most sure.

    Returns:
        ``utterance``, ``speaker``, ``label``, ``heard`` and ``sure`` (percent), the surest first.
    """
    p = softmax(row.logits[0])
    said = p.argmax(1)
    frame = pd.DataFrame(
        {
            "utterance": row.utterances,
            "speaker": row.speakers,
            "label": np.array(EMOTIONS)[row.labels],
            "heard": np.array(EMOTIONS)[said],
            "sure": 100 * p.max(1),
        }
    )
    wrong = frame[said != row.labels].sort_values("sure", ascending=False)
    return wrong.groupby("label").head(1)
