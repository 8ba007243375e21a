"""The frame of a page's interactive drawing: markup, values as JSON, and a script from a file.

A drawing works without a kernel and without a network: what its script needs stands in the page.
The script lies beside the Python module of the same name, as ``.js``. What all scripts share is
``page.js`` here: ``serPage.takeUp`` gives a script every ``figure.ser-KIND`` that has not been
taken up with the values from the JSON in it, and shows ``.controls``, which stay hidden without
JavaScript.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from ser.plots.html import Html
from ser.plots.style import CARD, INK, MUTED

PAGE = Path(__file__).with_name("page.js")
"""What every script has at hand, as ``serPage``."""

FIELD = f"font:inherit;color:{INK};background:#fff;border:1px solid {MUTED};border-radius:4px"
"""Style of a field to choose from."""


def widget(
    script: Path,
    data: Any,
    inside: Callable[[str], str],
    *,
    kind: str,
    title: str,
    described: str,
    caption: str = "",
    below: str = "",
    uses: Sequence[Path] = (),
    width: str = "640px",
) -> Html:
    """An interactive drawing for a page.

    Args:
        script: the ``.js`` file.
        data: what the script gets, as JSON; the same data and caption give the same page.
        inside: makes the markup on the card; it gets the figure's id, for the ids in it.
        kind: the figure's class without ``ser-``.
        title: what its plain text begins with.
        caption, described: below the drawing; *described* says in words what it shows.
        below: markup after the caption, such as a player.
        uses: further files of JavaScript that the script needs, in their order.
        width: the figure's greatest width, as CSS.

    Returns:
        :class:`ser.plots.Html`.

    Example:
        >>> drawn = lambda name: svg(9, 9)
        >>> widget(Path(__file__), [1], drawn, kind="dots", title="dots", described="One.")
        [dots] One.
    """
    packed = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    name = f"{kind}-{hashlib.sha256((packed + caption).encode()).hexdigest()[:10]}"
    code = "".join(file.read_text(encoding="utf-8") for file in (PAGE, *uses, script))
    html = (
        f'<figure class="ser-{kind}" id="{name}" style="margin:1em 0;max-width:{width}">'
        f'<div style="background:{CARD};color:{INK};color-scheme:light;padding:.7em;'
        f'border-radius:6px;font-size:.95rem">{inside(name)}</div>'
        f"<figcaption>{escape(caption)} {escape(described)}</figcaption>{below}"
        f'<script type="application/json">{packed}</script>'
        f"<script>{code}</script></figure>"
    )
    return Html(html, " ".join(filter(None, [f"[{title}]", caption, described])))


def svg(width: int, height: int, drawn: str = "", label: str = "") -> str:
    """A drawing as wide as its figure; *label* is read out instead of it.

    Example:
        >>> svg(520, 300, label="Empty.")[:55]
        '<svg viewBox="0 0 520 300" role="img" aria-label="Empty'
    """
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}" '
        f'style="display:block;width:100%;height:auto;font-family:DejaVu Sans,Arial,sans-serif" '
        f'font-size="17" fill="{INK}">{drawn}</svg>'
    )


def text(x: float, y: float, words: object, anchor: str = "middle", *, bold: bool = False) -> str:
    """Words in a drawing, at pixels *x*, *y*; *anchor* is ``"start"``, ``"middle"`` or ``"end"``.

    Example:
        >>> text(8, 20, "a < b", "end")
        '<text x="8.0" y="20.0" text-anchor="end">a &lt; b</text>'
    """
    weight = ' font-weight="bold"' if bold else ""
    place = f'x="{x:.1f}" y="{y:.1f}"'
    return f'<text {place} text-anchor="{anchor}"{weight}>{escape(str(words))}</text>'


def line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float = 1, dash="") -> str:
    """A straight line in a drawing.

    Example:
        >>> line(0, 0, 9, 0, "red")[:47]
        '<line x1="0.0" x2="9.0" y1="0.0" y2="0.0" strok'
    """
    return (
        f'<line x1="{x1:.1f}" x2="{x2:.1f}" y1="{y1:.1f}" y2="{y2:.1f}" stroke="{colour}" '
        f'stroke-width="{width}" stroke-dasharray="{dash}"/>'
    )


def polyline(name: str, points: str, colour: str, dash: str = "", fill: str = "none") -> str:
    """A curve through *points* (:func:`points`), found by the script as ``polyline.NAME``.

    Example:
        >>> polyline("T", points([0, 1], [0, 1]), "red")[:53]
        '<polyline class="T" fill="none" stroke="red" stroke-w'
    """
    return (
        f'<polyline class="{name}" fill="{fill}" stroke="{colour}" stroke-width="2.4" '
        f'stroke-dasharray="{dash}" points="{points}"/>'
    )


def points(x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray) -> str:
    """Points of a curve, in pixels, as SVG writes them.

    Example:
        >>> points([0, 1], [2.04, 3])
        '0.0,2.0 1.0,3.0'
    """
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
