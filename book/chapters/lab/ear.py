"""Ear training: label clips, then see your confusion matrix beside the network's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import pandas as pd
from ser.corpora import EMOTIONS
from ser.metrics import softmax
from ser.plots.html import Html
from ser.plots.style import BLUE, GRID, INK
from ser.report.pool import Row

from chapters.lab.model import HERE
from chapters.lab.speak import BUTTON, SILENT
from chapters.shared.widget import svg, widget

__all__ = ["chosen_clips", "ear", "unseen_answers"]

EACH, REPEATS = 6, 6
PUBLISHED = (
    {"corpus": "EmoDB, all clips recorded", "choices": 7, "right": 0.852},
    {"corpus": "EmoDB, the clips kept", "choices": 7, "right": 0.935},
    {"corpus": "CREMA-D, sound alone", "choices": 6, "right": 0.409},
)
"""How often listeners named the intended emotion (Burkhardt et al. 2005; Cao et al. 2014; chapter
"Emotion in a voice")."""


def chosen_clips(table: pd.DataFrame, each: int = EACH, seed: int = 0) -> pd.DataFrame:
    """As many clips of each emotion, by as many speakers as can be, from the shortest third.

    Args:
        table: of a corpus.
        each: clips of each emotion.
        seed: of the draw.

    Raises:
        ValueError: an emotion has fewer.

    Example:
        >>> rows = [(e, f"s{k}", 1.0) for e in EMOTIONS for k in range(9)]
        >>> table = pd.DataFrame(rows, columns=["emotion", "speaker", "seconds"])
        >>> chosen_clips(table, 3).groupby("emotion").speaker.nunique().tolist()
        [3, 3, 3, 3]
    """
    counts = table.emotion.value_counts().reindex(list(EMOTIONS), fill_value=0)
    if counts.min() < each:
        raise ValueError(f"{each} clips of each emotion are needed; there are {counts.to_dict()}")
    short = table.groupby("emotion").seconds.rank(method="first")
    third = table[short <= np.maximum(counts.reindex(table.emotion).to_numpy() / 3, each)]
    mixed = third.sample(frac=1, random_state=seed)
    turn = mixed.groupby(["emotion", "speaker"]).cumcount()
    mixed = mixed.assign(turn=turn).sort_values("turn", kind="stable")
    return (
        mixed.groupby("emotion").head(each).drop(columns="turn").sample(frac=1, random_state=seed)
    )


def unseen_answers(row: Row, utterances: Sequence[str]) -> list[list[float]]:
    """What networks that had not heard the speaker answered, from a report's row, first seed.

    Returns:
        Probabilities (4,) of each utterance.

    Raises:
        ValueError: the records lack one of them.
    """
    place = {name: k for k, name in enumerate(row.utterances)}
    if missing := [name for name in utterances if name not in place]:
        raise ValueError(f"the records have no answer about {missing[0]}")
    return [softmax(row.logits[0][place[name]][None])[0].tolist() for name in utterances]


def ear(
    emotions: Sequence[str],
    network: Sequence[Sequence[float]],
    *,
    caption: str,
    published: Sequence[Mapping[str, Any]] = PUBLISHED,
    repeats: int = REPEATS,
) -> Html:
    """Label the first clips of :func:`chapters.lab.speak.speak` on the same page.

    Args:
        emotions: label of each clip.
        network: probabilities (4,) of each clip.
        caption: below the figure; says whose answers the network's are.
        published: rates of human listeners: ``corpus``, ``choices`` and ``right`` (0 to 1).
        repeats: clips that are heard twice.

    Raises:
        ValueError: no answer for a clip, or more repeats than clips.
    """
    if len(emotions) != len(network) or not 0 < repeats <= len(emotions):
        raise ValueError(
            f"{len(emotions)} labels, {len(network)} answers, {repeats} repeats do not fit"
        )
    clips = [
        {"clip": k, "emotion": e, "network": np.round(p, 4).tolist()}
        for k, (e, p) in enumerate(zip(emotions, network, strict=True))
    ]
    style = f"{BUTTON};margin:.2em .4em .2em 0"
    buttons = "".join(
        f'<button type="button" class="emotion" style="{style}">{e}</button>' for e in EMOTIONS
    )
    lines = "".join(
        f'<tr><th scope="row" style="text-align:left">{escape(p["corpus"])}</th>'
        f"<td>{p['choices']}</td><td>{100 * p['right']:.1f} %</td></tr>"
        for p in published
    )
    people = (
        f'<table style="color:{INK};background:none;margin:.6em 0">'
        f'<caption style="caption-side:top;text-align:left;color:{INK}">Published listeners, on '
        "other clips</caption><thead><tr>"
        '<th scope="col">corpus</th><th scope="col">choices</th><th scope="col">as intended</th>'
        f"</tr></thead><tbody>{lines}</tbody></table>"
    )

    matrices = svg(520, 260, "", "Two confusion matrices.")

    def inside(_: str) -> str:
        return (
            '<div class="controls" hidden><audio controls aria-label="The clip to label" '
            f'src="{SILENT}" style="width:320px;max-width:100%"></audio>'
            f'<div role="group" aria-label="What do you hear?">{buttons}</div>'
            '<output aria-live="polite" style="display:block;min-height:3em;margin:.5em 0">'
            "</output>"
            f'<p><button type="button" class="again" style="{BUTTON}">Start again</button> '
            f'<button type="button" class="save" disabled style="{BUTTON}">Save as CSV</button></p>'
            f'<div class="result" hidden>{matrices}{people}</div>'
            "</div><noscript><p>This figure needs JavaScript.</p></noscript>"
        )

    data = {
        "emotions": list(EMOTIONS),
        "clips": clips,
        "repeats": repeats,
        "blue": BLUE,
        "grid": GRID,
    }
    described = (
        f"{len(clips)} clips to label with one of four words, {repeats} of them twice; then your "
        "confusion matrix, the network's on the same clips, and how far you agree. Answers stay in "
        "the page until it is closed; a button saves them."
    )
    return widget(
        HERE / "ear.js", data, inside, kind="ear", title="ear training", caption=caption,
        described=described,
    )  # fmt: skip
