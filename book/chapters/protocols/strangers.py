"""The same speakers, known to the network and unseen (book: "The protocol laboratory")."""

from __future__ import annotations

import numpy as np
from ser.metrics import softmax, ua
from ser.report.pool import Row

__all__ = ["by_speaker", "surest_loss"]


def by_speaker(rows: dict[str, Row]) -> dict[str, dict[str, float]]:
    """UA of each speaker in percent, of the first seed: name of the row -> speaker -> UA."""
    found = {}
    for name, row in rows.items():
        each = found[name] = {}
        for speaker in sorted(set(row.speakers)):
            mine = row.speakers == speaker
            each[speaker] = 100 * ua(row.labels[mine], row.predictions[0][mine])
    return found


def surest_loss(known: Row, unseen: Row) -> tuple[str, int]:
    """An utterance that *known* recognised and *unseen* did not, and of which *unseen* was surest.

    Returns:
        The utterance and the number of the class that *unseen* answered. Where there is no such
        utterance, the one of which *unseen* was least sure.
    """
    lost = (known.predictions[0] == known.labels) & (unseen.predictions[0] != unseen.labels)
    sure = softmax(unseen.logits[0]).max(1)
    worst = int(np.argmax(np.where(lost, sure, -sure)))
    return str(unseen.utterances[worst]), int(unseen.predictions[0][worst])
