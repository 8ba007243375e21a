"""The pages of ``ser explain``: one HTML file each that needs no other, in light and dark."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile

from ser.plots.explanation import explanation, strongest_words, time_axis
from ser.plots.style import VERMILLION, show
from ser.plots.voices import WORDS, group_importance, named_distribution, utterance_map

if TYPE_CHECKING:
    from ser.explain.explanation import Explanation
    from ser.explain.patches import View

STYLE = f"""
:root {{ color-scheme: light dark; }}
body {{ font: 1rem/1.5 system-ui, sans-serif; margin: 0 auto; padding: 1rem; max-width: 42rem;
  color: #1c1f23; background: #fff; overflow-wrap: anywhere; }}
@media (prefers-color-scheme: dark) {{ body {{ color: #e8e8e4; background: #16181b; }} }}
h1, h2 {{ line-height: 1.2; }}
figure {{ margin: 1em 0; }} td {{ white-space: nowrap; }} th {{ overflow-wrap: normal; }}
.timed {{ position: relative; }} .timed img {{ cursor: pointer; }}
.now {{ position: absolute; width: 2px; background: {VERMILLION}; pointer-events: none; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; }}
th, td {{ padding: .2em .7em .2em 0; text-align: right; border-bottom: 1px solid #8888; }}
th:first-child {{ text-align: left; }}
code {{ font-size: .92em; }}
summary {{ cursor: pointer; }}
:focus-visible {{ outline: 3px solid #0072b2; outline-offset: 2px; }}
"""
VIEWS = {
    "spectrograms": "What it saw: time and frequency",
    "mfcc": "What it heard in the MFCCs",
    "prosody": "What it heard in the prosody",
}


def recording_page(explained: Explanation, command: str = "") -> str:
    """The page of a recording: the answer, the sound, and what the answer rests on.

    Args:
        explained: of :func:`ser.explain.explain`.
        command: that made the page, shown at its end.

    Returns:
        HTML, whole.
    """
    said = explained.prediction
    name = Path(said.path).name
    parts = [
        f"<p>{escape(explained.model)}</p>",
        _audio(explained.wave, f"{name}, at its own level"),
        "<h2>The answer, and what each branch says</h2>",
        _table(
            ["", *said.probabilities],
            [
                ["all together", *(f"{100 * p:.1f} %" for p in said.probabilities.values())],
                *(
                    [row, *(f"{100 * p:.1f} %" for p in each.values())]
                    for row, each in said.branches.items()
                ),
            ],
        ),
        *(f"<p>Note: {escape(note)}.</p>" for note in said.warnings),
        f"<p>The logit of {escape(said.emotion)}, before the softmax, is {explained.logit:.2f}: "
        f"the mean of the branches' logits. About the mean alone ({escape(explained.baseline)}) "
        f"it is {explained.mean_logit:.2f}. The figures share out what is between the two. Orange "
        f"speaks for {escape(said.emotion)}, purple against it. While the sound plays, a line "
        "shows where it is; a click on a figure plays from there.</p>",
    ]
    for one in explained.views:
        parts += _view(explained, one)
    parts += ["<h2>Can this be believed?</h2>", *_checks(explained)]
    script = (Path(__file__).with_suffix(".js")).read_text(encoding="utf-8")
    parts.append(f"<script>{script}</script>")
    return page(f"{name}: {said.emotion}", parts, command)


def _audio(wave: np.ndarray, caption: str) -> str:
    """A player of *wave*, 16 kHz; what is beyond full scale is clipped."""
    data = io.BytesIO()
    samples = np.round(wave.astype(float) * 32767).clip(-32768, 32767).astype(np.int16)
    soundfile.write(data, samples, 16000, format="WAV")
    source = base64.b64encode(data.getvalue()).decode("ascii")
    return (
        '<figure class="ser-player" style="margin:.5em 0;max-width:100%">'
        f'<audio controls preload="metadata" aria-label="{escape(caption)}" '
        f'style="width:320px;max-width:100%" src="data:audio/wav;base64,{source}"></audio>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _view(explained: Explanation, one: View) -> list[str]:
    fig = explanation(explained, one.name)
    drawn = show(fig).html
    first, last = time_axis(fig)
    at = {"from": round(first, 4), "to": round(last, 4), "seconds": explained.prediction.seconds}
    words = [
        f"Most of the logit is lost without {strongest_words(one, one.occlusion, 1)}."
        + (
            f" Integrated gradients give most to {strongest_words(one, one.gradients, 1)}."
            f" Over all patches the two ways have a rank correlation of {one.agreement:.2f}."
            if one.gradients is not None
            else ""
        )
    ]
    head = ["", *(f"{edge:.2f} s" for edge in one.edges[:-1])]
    rows = []
    for way, table in (("occlusion", one.occlusion), ("gradients", one.gradients)):
        if table is not None:
            rows += [
                [f"{way}, {band}", *(f"{v:+.2f}" for v in line)]
                for band, line in zip(one.bands, table, strict=True)
            ]
    return [
        f"<h2>{VIEWS[one.name]}</h2>",
        f'<div class="timed" data-time="{escape(json.dumps(at))}">{drawn}</div>',
        *(f"<p>{escape(w)}</p>" for w in words),
        f"<details><summary>The numbers, in logits</summary>{_table(head, rows)}</details>",
    ]


def _checks(explained: Explanation) -> list[str]:
    """What the two ways can be held to."""
    told = [
        "Occlusion asks the network about a recording that nobody made; a patch that a neighbour "
        "stands in for seems to be worth nothing."
    ]
    if explained.gap is not None:
        difference = explained.logit - explained.mean_logit
        verdict = (
            "so nothing is missing"
            if explained.complete
            else "which is more than is allowed: the network changes its answer all at once on the "
            "way, and integrated gradients of this recording are not to be trusted"
        )
        told.append(
            "Integrated gradients must sum to the difference of the two logits. They sum to "
            f"{difference + explained.gap:.4f}, the difference is {difference:.4f}, {verdict}."
        )
        alike = "; ".join(f"{view} {value:.2f}" for view, value in explained.control.items())
        told.append(
            "An explanation that stays the same when the weights are shuffled shows the sound, not "
            "what was learnt. Rank correlation of the patches' sizes with those of networks with "
            f"shuffled weights (1: the same): {alike}."
        )
    told.append(
        "None of this says that the answer is right, or what a person feels. It says what this "
        "network, with these weights, went by."
    )
    return [f"<p>{escape(text)}</p>" for text in told]


def corpus_page(record: Mapping[str, Any], command: str = "") -> str:
    """The page of a corpus: importance by group, maps before and after, distributions.

    Args:
        record: of :func:`ser.explain.explain_corpus`.
        command: that made the page, shown at its end.

    Returns:
        HTML, whole.
    """
    rows = record["importance"]
    most = [max(told["groups"], key=lambda group: group["drop"]) for told in rows.values()]
    first, last = (f"{one['name']} ({one['functionals']} of the 88)" for one in most)
    same = first == last
    table = [
        [
            f"{group['name']} ({group['functionals']}), {WORDS[row]}",
            f"{group['drop']:+.1f}",
            f"{group['low']:+.1f} to {group['high']:+.1f}",
            f"{group['alone']:.1f}",
        ]
        for row, told in rows.items()
        for group in told["groups"]
    ]
    near, chance = record["near"], record["chance"]
    before, after = (near[way]["speaker"] for way in ("as they are", "by speaker"))
    shown = record["shown"]
    drawn = f", {shown} of them drawn" if shown < record["utterances"] else ""
    parts = [
        f"<p>{record['utterances']} utterances of {len(record['speakers'])} speakers{drawn}; "
        f"{', '.join(map(escape, record['classes']))}. 88 eGeMAPS functionals each, a linear "
        "classifier that was not trained on the speakers it is asked about. Licence of the corpus: "
        f"{escape(record['licence'] or 'unknown')}.</p>",
        "<h2>What the classifier needs</h2>",
        show(group_importance(record), "UA lost on speakers who were left out, with 95 % intervals "
             "over speakers. (T): each speaker's functionals were brought to mean 0 and deviation "
             "1 by all recordings of that speaker.").html,
        f"<p>{'In both rows' if same else 'As they are'} most is lost without {first}"
        f"{'' if same else f'; by speaker, without {last}'}. A group counts only for what the "
        "others do not say as well: how far each comes alone stands in the table.</p>",
        _table(["group", "UA lost, points", "95 %", "UA alone, %"], table),
        "<h2>What lies near what</h2>",
        *(show(utterance_map(record, way, f"{record['corpus']}, functionals {way}")).html
          for way in record["map"]),
        f"<p>Of an utterance's nearest, {before:.0f} % are of the same speaker as the functionals "
        f"are, and {after:.0f} % once each speaker was normalised; by chance it would be "
        f"{chance['speaker']:.0f} %. In the plane (t-SNE) only nearness means something; axes, "
        "sizes of clouds and distances between them do not.</p>",
        "<h2>How emotions differ</h2>",
        *(show(named_distribution(record, one["name"])).html for one in record["named"]),
        f"<p>Outlines are densities over {shown} utterances, all speakers together; lines are "
        "quartiles.</p>",
    ]  # fmt: skip
    return page(f"{record['corpus']}: what tells its emotions apart", parts, command)


def page(title: str, parts: Iterable[str], command: str = "") -> str:
    """A whole HTML page.

    Example:
        >>> page("a < b", ["<p>1</p>"])[:15]
        '<!doctype html>'
    """
    made = f"<p>Made by <code>{escape(command)}</code></p>" if command else ""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n"
        f"<body><main><h1>{escape(title)}</h1>\n" + "\n".join(parts) + f"\n{made}</main></body>"
        "</html>\n"
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    lines = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    return (
        '<div class="wide" tabindex="0" role="region" aria-label="table">'
        f"<table><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table></div>"
    )
