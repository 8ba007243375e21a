"""The figure that is told a voice first: three calm sentences, then what both networks answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import pandas as pd
from ser.corpora import EMOTIONS
from ser.enrolment import CALM
from ser.features.mel import hz_to_mel
from ser.loading import SavedModel
from ser.normalise import drawn, enrolled_by
from ser.plots.html import Html
from ser.plots.style import GRID, INK, MUTED
from ser.prediction import AGAIN

from chapters.lab.model import HERE, packed
from chapters.lab.speak import BUTTON, SILENT, answer_table, scored
from chapters.shared.svg import colour
from chapters.shared.widget import FIELD, line, polyline, svg, text, widget

__all__ = ["calm_and_asked", "enrol", "gained"]

WIDTH, HEIGHT = 520, 220
DRAWING = {"left": 56, "right": 508, "top": 56, "bottom": 180}
OTHERS, OWN = MUTED, colour("frequency")
NOTHING = "not given yet"


def calm_and_asked(
    table: pd.DataFrame, chosen: pd.DataFrame, count: int = 3, seed: int = 0
) -> tuple[pd.DataFrame, list[int]]:
    """A voice that can be told and asked: *count* calm utterances, and what is asked about.

    Args:
        table: of a corpus.
        chosen: rows of it that are on the page; the voice is the one with most of their emotions.
        count: calm utterances, none of them in *chosen*.
        seed: of their draw.

    Returns:
        The calm rows, and the positions in *chosen* of that voice's utterances.

    Raises:
        ValueError: no voice has so many.

    Example:
        >>> rows = [(f"{s}{k}", s, "neutral") for s in "ab" for k in range(4)]
        >>> table = pd.DataFrame(rows, columns=["utterance", "speaker", "emotion"])
        >>> calm, asked = calm_and_asked(table, table.iloc[[5]])
        >>> calm.speaker.tolist(), asked
        (['b', 'b', 'b'], [0])
    """
    rest = table[(table.emotion == CALM) & ~table.utterance.isin(chosen.utterance)]
    enough = rest.speaker.value_counts() >= count
    heard = chosen.groupby("speaker").emotion.nunique()
    heard = heard[[who for who in heard.index if enough.get(who, False)]]
    if heard.empty:
        raise ValueError(f"no voice on the page has {count} more {CALM} utterances")
    who = heard.idxmax()
    own = rest[rest.speaker == who]
    calm = own.iloc[drawn(own.utterance.astype(str).to_list(), seed)[:count]]
    return calm, np.flatnonzero((chosen.speaker == who).to_numpy()).tolist()


def gained(model: SavedModel, enrolled: SavedModel) -> str:
    """What the calm sentences bring on voices that were not heard, from what both models hold.

    Example:
        >>> from ser.loading import load_model
        >>> gained(load_model(), load_model(enrolled=True))[:60]
        'UA of such networks on a speaker whom they have not heard, c'
    """
    told, own = model.trained_on, enrolled.trained_on
    count = enrolled_by(enrolled.normalise)

    def beside(kind: str) -> str:
        one, other = told[kind], own[kind]
        apart = other["low"] > one["high"] or one["low"] > other["high"]
        lie = "lie apart" if apart else "overlap"
        return f"{scored(one)} and {scored(other)}; the intervals {lie}"

    return (
        f"UA of such networks on a speaker whom they have not heard, compared with the actors of "
        f"the training, and with {count} {CALM} utterances of the speaker: {beside('unseen')}. "
        f"The {CALM} ones were not tested ({own['unseen']['utterances']} instead of "
        f"{told['unseen']['utterances']} utterances). Of these two on "
        f"{own['other_language']['language']} speech: {beside('other_language')}. Chance: 25 %."
    )


def drawing(names: Mapping[str, str]) -> str:
    """The panel of S2's mean and deviation by band, empty."""
    left, right, top, bottom = (DRAWING[k] for k in ("left", "right", "top", "bottom"))
    parts = []
    for key, at, shade, dash in (("others", 18, OTHERS, "7 3"), ("own", 40, OWN, "")):
        parts.append(line(left, at - 6, left + 30, at - 6, shade, 3, dash))
        parts.append(f'<g style="fill:{shade}">{text(left + 36, at, names[key], "start")}</g>')
    for hertz in (0, 500, 1000, 2000, 4000, 8000):
        x = left + (right - left) * float(hz_to_mel(hertz) / hz_to_mel(8000))
        end = {0: "start", 8000: "end"}.get(hertz, "middle")
        said = "8 kHz" if hertz == 8000 else f"{hertz / 1000:g}"
        parts += [line(x, top, x, bottom, GRID), text(x, bottom + 24, said, end)]
    for edge, name in ((top + 12, "high"), (bottom, "low")):
        parts.append(text(left - 6, edge, "", "end").replace("<text", f'<text class="{name}"'))
    parts.append(text(left - 6, (top + bottom) / 2 + 6, "dB", "end"))
    for key, shade, dash in (("others", OTHERS, "7 3"), ("own", OWN, "")):
        area = polyline(f"{key}-area", "", "none", fill=shade)
        parts += [f'<g opacity=".18">{area}</g>', polyline(key, "", shade, dash)]
    return svg(WIDTH, HEIGHT, "".join(parts), "Mean and deviation of S2: 0 calm sentences given.")


def enrol(
    model: SavedModel,
    enrolled: SavedModel,
    calm: Sequence[Mapping[str, Any]],
    asked: Mapping[int, str],
    *,
    voice: str,
    caption: str,
) -> Html:
    """Tell a network a voice, then ask it and the page's own about a sentence.

    Args:
        model: the page's own, of :func:`chapters.lab.speak.speak`, which comes before on the page.
        enrolled: the one that is told a voice (:func:`chapters.lab.model.packed`).
        calm: as many built-in calm sounds of one voice as it wants, of
            :func:`chapters.lab.speak.clip`.
        asked: place among the page's clips -> name, of that voice's.
        voice: what it is called.
        caption: below the figure.

    Raises:
        ValueError: another number of calm sounds.
    """
    count = enrolled_by(enrolled.normalise)
    if len(calm) != count:
        raise ValueError(f"the network is told {count} calm sentences, not {len(calm)}")
    names = {
        "others": f"the {len(model.trained_on['speakers'])} actors",
        "own": f"{_word(count)} calm sentences",
    }
    options = "".join(f'<option value="{k}">{escape(n)}</option>' for k, n in asked.items())
    player = f'src="{SILENT}" style="width:300px;max-width:100%;vertical-align:middle"'
    slots = "".join(
        f'<li style="margin:.3em 0"><span>{NOTHING}</span> <audio controls hidden '
        f'aria-label="Calm sentence {k}" {player}></audio> <button type="button" hidden '
        f'style="{BUTTON}">Take back</button></li>'
        for k in range(1, count + 1)
    )
    file = '<input type="file" accept="audio/*" style="max-width:100%;font:inherit"'

    def inside(_: str) -> str:
        return (
            '<div class="controls" hidden>'
            f'<div role="group" aria-label="First: {names["own"]}"><p><b>First, {names["own"]} '
            f'of one voice</b></p><p><button type="button" class="calm" aria-pressed="false" '
            f'style="{BUTTON}">Record a calm sentence</button></p>'
            f'<p><label>or choose files {file} class="calm" multiple></label></p>'
            f'<p>or <button type="button" class="three" style="{BUTTON}">Take {_word(count)} of '
            f"{escape(voice)}</button></p>"
            '<output class="told" aria-live="polite" style="display:block;min-height:3em">'
            f"0 of {count} calm sentences are there. Nothing that you say leaves this page."
            f'</output><ol class="calm" style="padding-left:1.4em">{slots}</ol></div></div>'
            f'{drawing(names)}<p class="scale"></p>'
            '<div class="controls" hidden>'
            '<div role="group" aria-label="Then: a sentence of the same voice"><p><b>Then any '
            "sentence of the same voice</b></p>"
            f'<p><button type="button" class="mic" aria-pressed="false" style="{BUTTON}">Say it'
            "</button> for at most nine seconds,</p>"
            f'<p><label>or choose a file {file} class="asked"></label></p>'
            f'<p><label>or a sound of {escape(voice)} <select style="{FIELD};max-width:100%">'
            f'{options}</select></label> <button type="button" class="ask" style="{BUTTON}">Ask'
            "</button></p>"
            '<output class="said" aria-live="polite" style="display:block;min-height:3em">Nothing '
            f'asked yet.</output><audio controls hidden class="asked" aria-label="What was asked '
            f'about" {player}></audio></div></div>'
            "<noscript><p>This figure needs JavaScript.</p></noscript>"
            f"{answer_table(_columns(names), 'The answers of both networks')}"
            f'<p class="why"></p><p style="color:{INK}">{escape(gained(model, enrolled))}</p>'
        )

    data = {
        "model": packed(enrolled),
        "calm": list(calm),
        "count": count,
        "emotions": list(EMOTIONS),
        "seconds": enrolled.trained_on["seconds"],
        "drawing": DRAWING,
        "names": names,
        "nothing": NOTHING,
        "enough": f"{_word(count)} are enough; take one back first",
        "again": f"It is {': '.join(AGAIN)}.".replace("recordings", "sentences"),
        "mixed": "Not all of this is one voice: built-in sounds are mixed with yours.",
    }
    described = (
        f"Buttons to give {names['own']} by microphone, as files or built in; the mean of S2 by "
        "band, theirs beside that of the training; a sentence, and what a network answers that "
        "compares it with the training corpus, and one that compares it with the calm sentences. "
        "Nothing leaves the page."
    )
    return widget(
        HERE / "enrol.js", data, inside, kind="enrol", title="tell it your voice", caption=caption,
        described=described, uses=(HERE / "enrolment.js",),
    )  # fmt: skip


def _columns(names: Mapping[str, str]) -> tuple[str, str]:
    return tuple(f"compared with {name}" for name in names.values())


def _word(count: int) -> str:
    return {1: "one", 2: "two", 3: "three", 4: "four", 5: "five"}.get(count, str(count))
