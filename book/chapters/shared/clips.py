"""Clips of a corpus' table as players of one gain (book: chapter "Emotion in a voice")."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from ser.plots.html import Html

from chapters.shared.player import page_gain, player, players
from chapters.shared.utterances import wave_of


def played(table: pd.DataFrame, rows: Sequence[int], captions: Sequence[str]) -> Html:
    """Players of the rows at these positions, each with its caption."""
    chosen = [table.iloc[k] for k in rows]
    waves = [wave_of(row) for row in chosen]
    gain = page_gain(waves)
    return players(
        [
            player(wave, caption=said, transcript=row.text, gain=gain)
            for wave, said, row in zip(waves, captions, chosen, strict=True)
        ]
    )
