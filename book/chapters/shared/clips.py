"""Clips of a corpus' table as players of one gain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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


def play_rows(rows: Mapping[str, pd.Series]) -> Html:
    """Players of rows of a table, each under the caption that is its key."""
    return played(pd.DataFrame(list(rows.values())), range(len(rows)), list(rows))
