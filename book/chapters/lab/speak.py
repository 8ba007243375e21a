"""The figure one speaks into: the shipped network in the page, its two input gates, its answers."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import soundfile
from ser.corpora import EMOTIONS
from ser.loading import SavedModel
from ser.plots.html import Html
from ser.plots.style import EMOTION_COLOURS, GRID, INK, MUTED

from chapters.lab.model import HERE, LIBRARY, packed
from chapters.shared.svg import colour
from chapters.shared.widget import FIELD, line, polyline, svg, text, widget

__all__ = ["clip", "scored", "speak", "trained_on"]

WIDTH, HEIGHT = 520, 170
GATES = {"left": 66, "right": 508, "top": 34, "bottom": 130}
NAMES = {"s1": "S1 (x): sharp in time", "s2": "S2 (y): sharp in frequency"}
COLOURS = {
    "s1": ("#04151f", colour("time"), "#f4fbff"),
    "s2": ("#1f0d00", colour("frequency"), "#fff7f0"),
}
BUTTON = f"{FIELD};padding:.35em .9em;cursor:pointer"
DRAWING = HERE / "draw.js"


def clip(wave: np.ndarray, name: str, **facts: Any) -> dict[str, Any]:
    """A sound as the page's scripts take it: its name, 16-bit WAV in base64, and what is known.

    Example:
        >>> sorted(clip(np.zeros(800), "silence", emotion="neutral"))
        ['emotion', 'name', 'wav']
    """
    out = io.BytesIO()
    soundfile.write(out, wave, 16000, format="WAV", subtype="PCM_16")
    return {"name": name, "wav": base64.b64encode(out.getvalue()).decode("ascii"), **facts}


SILENT = f"data:audio/wav;base64,{clip(np.zeros(80), '')['wav']}"
"""What a player holds before there is anything to play."""


def scored(one: Mapping[str, Any]) -> str:
    """A UA with its interval, in percent.

    Example:
        >>> scored({"ua": 0.5, "low": 0.4, "high": 0.625})
        '50.0 % (95 %: 40.0 to 62.5)'
    """
    return f"{100 * one['ua']:.1f} % (95 %: {100 * one['low']:.1f} to {100 * one['high']:.1f})"


def trained_on(model: SavedModel) -> str:
    """Whose voices the shipped model knows and how good it is, in sentences.

    Example:
        >>> from ser.loading import load_model
        >>> trained_on(load_model())[:59]
        'Trained on 339 acted German utterances of 10 actors (EmoDB:'
    """
    told = model.trained_on
    unseen, other = told["unseen"], told["other_language"]

    return (
        f"Trained on {told['utterances']} acted {told['language']} utterances of "
        f"{len(told['speakers'])} actors ({told['title']}). UA of such networks on a speaker whom "
        f"they have not heard, leave-one-speaker-out, last epoch: {scored(unseen)}; of this one on "
        f"{other['language']} speech: {scored(other)}; chance: 25 %."
    )


def answer_table(columns: Sequence[str], caption: str) -> str:
    """A table with a row an emotion and a bar in each column; ``serPage.answers`` fills it."""
    head = "".join(f'<th scope="col" style="text-align:left">{escape(c)}</th>' for c in columns)
    rows = []
    for emotion in EMOTIONS:
        bar = f"display:block;height:.55em;width:0;background:{EMOTION_COLOURS[emotion]}"
        cell = f'<td style="width:25%"><span>–</span><i aria-hidden="true" style="{bar}"></i></td>'
        rows.append(f'<tr><th scope="row">{emotion}</th>{cell * len(columns)}</tr>')
    return (
        f'<table style="width:100%;margin:.6em 0;color:{INK};background:none">'
        f'<caption style="caption-side:top;text-align:left;color:{INK}">{escape(caption)}'
        f'</caption><thead><tr><th scope="col">says</th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def picture(name: str) -> str:
    """A canvas for S1 or S2 with its label."""
    shade = COLOURS[name][1]
    return (
        f'<div style="color:{shade};font-weight:bold">{NAMES[name]}, 0 to 8 kHz</div>'
        f'<canvas class="{name}" width="600" height="110" role="img" '
        f'aria-label="{NAMES[name]}: nothing heard yet." style="display:block;width:100%;'
        f'height:110px;border:2px solid {shade};background:#fff;margin-bottom:.5em"></canvas>'
    )


def gate_panel() -> str:
    """The panel of the two gates, empty."""
    left, right, top, bottom = (GATES[k] for k in ("left", "right", "top", "bottom"))
    shades = {"T": (colour("time"), ""), "F": (colour("frequency"), "7 3")}
    parts = [text(left, top - 12, "gates", "start", bold=True)]
    for key, at, said in (("T", 130, "iT, for S1"), ("F", 310, "iF, for S2")):
        shade, dash = shades[key]
        parts.append(line(at, top - 17, at + 30, top - 17, shade, 3, dash))
        parts.append(f'<g style="fill:{shade}">{text(at + 36, top - 12, said, "start")}</g>')
    for edge, name in ((top, "high"), (bottom, "low")):
        parts.append(line(left, edge, right, edge, GRID))
        parts.append(text(left - 6, edge + 6, "").replace("<text", f'<text class="{name}"'))
    parts.append(f'<line class="zero" x1="{left}" x2="{right}" stroke="{MUTED}"/>')
    parts.append(text(left, bottom + 24, "0", "start"))
    parts.append(text(right, bottom + 24, "", "end").replace("<text", '<text class="end"'))
    parts += [polyline(key, "", shade, dash) for key, (shade, dash) in shades.items()]
    drawn = "".join(parts).replace('text-anchor="middle"', 'text-anchor="end"')
    return svg(WIDTH, HEIGHT, drawn, "Two input gates: nothing heard yet.")


def speak(
    model: SavedModel, clips: Sequence[Mapping[str, Any]], *, caption: str, honest: str
) -> Html:
    """Speak into the page: spectrograms, input gates and answers of the network in it.

    Args:
        model: the shipped one (:func:`chapters.lab.model.packed`).
        clips: built-in sounds, of :func:`clip`.
        caption: below the figure.
        honest: what a reader is told beside the answers.

    Returns:
        :class:`ser.plots.Html`. The figures of :mod:`chapters.lab.enrol`, :mod:`chapters.lab.ear`
        and :mod:`chapters.lab.knobs` use its network and clips, so it comes first on a page.
    """
    cell = model.branches["ds-lstm"].lstm.layers[0].cell
    units = "".join(f'<option value="{u}">unit {u}</option>' for u in range(cell.hidden_size))
    options = "".join(
        f'<option value="{k}">{escape(c["name"])}</option>' for k, c in enumerate(clips)
    )

    def inside(name: str) -> str:
        return (
            '<div class="controls" hidden>'
            f'<p><button type="button" class="mic" aria-pressed="false" style="{BUTTON}">Speak'
            "</button> for at most nine seconds,</p>"
            f'<p><label>or choose a file <input type="file" accept="audio/*" '
            f'style="max-width:100%;font:inherit"></label></p>'
            f'<p><label>or a built-in sound <select class="clip" style="{FIELD};max-width:100%">'
            f'{options}</select></label> <button type="button" class="ask" style="{BUTTON}">Ask'
            "</button></p>"
            '<output aria-live="polite" style="display:block;min-height:4.5em">Nothing heard yet. '
            "Nothing that you say leaves this page.</output>"
            f'<audio controls hidden aria-label="What was heard" src="{SILENT}" '
            'style="width:320px;max-width:100%">'
            "</audio></div>"
            "<noscript><p>This figure needs JavaScript.</p></noscript>"
            f"{picture('s1')}{picture('s2')}{gate_panel()}"
            f'<label>Gates of <select class="unit" style="{FIELD}"><option value="-1">all '
            f"{cell.hidden_size} units, mean</option>{units}</select></label>"
            f"{answer_table(('both', 'MFCC LSTM', 'DS-LSTM'), 'The answer, and each branch')}"
            f"<p>{escape(honest)}</p>"
        )

    data = {
        "model": packed(model),
        "clips": list(clips),
        "emotions": list(EMOTIONS),
        "seconds": model.trained_on["seconds"],
        "colours": COLOURS,
        "names": NAMES,
        "gates": GATES,
    }
    described = (
        "Buttons to speak, choose a file or a built-in sound; the two mel-spectrograms; the two "
        "input gates over time; what the network and each of its branches answer. Nothing leaves "
        "the page."
    )
    return widget(
        HERE / "speak.js",
        data,
        inside,
        kind="speak",
        title="speak into it",
        caption=caption,
        described=described,
        uses=(*LIBRARY, HERE / "judge.js", DRAWING, HERE / "microphone.js"),
    )
