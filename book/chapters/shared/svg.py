"""Drawings of boxes and arrows as SVG, legible in light and dark pages and on a telephone.

A :class:`Drawing` collects shapes; :meth:`Drawing.show` makes the figure that a cell displays, with
caption and alternative text. Colours are named by role (:data:`ROLES`), so that one thing has one
colour in all drawings; the page's theme decides the shade. Design for a width of 360 to 720 units
and text of at least 13 units: a telephone shows 360 units at nearly true size.

Example of a cell's function::

    def two_boxes() -> Html:
        d = Drawing(360, 130, "From x to a gate", "An arrow leads from x to the gate i.")
        d.box(10, 40, 100, 50, ["$x_t$", "39"], "mfcc")
        d.arrow((110, 65), (220, 65))
        d.box(220, 40, 100, 50, "$i_t$", "output")
        return d.show("The gate reads the input.")
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html import escape

import numpy as np
from ser.plots.html import Html

__all__ = ["ROLES", "SMALLEST", "Drawing", "colour", "figure"]

ROLES: dict[str, tuple[str, str, str, str]] = {
    "ink": ("#1c1f23", "#f3f4f2", "#e8eaec", "#24282d"),
    "quiet": ("#63686e", "#ffffff", "#9aa1a9", "#121212"),
    "time": ("#0067a3", "#e2f0f9", "#62bdf0", "#0d2c40"),
    "frequency": ("#b04a00", "#fdeadd", "#ffa35c", "#40230d"),
    "mfcc": ("#00734f", "#def3ea", "#4ed8a4", "#0c3325"),
    "forget": ("#8a3f91", "#f6e6f7", "#dda2e3", "#38203b"),
    "output": ("#a82246", "#fbe4ea", "#ff92ab", "#421722"),
    "memory": ("#755c00", "#f8efcc", "#eacb58", "#352c0c"),
}
"""Role -> colour of lines and text and colour of areas in a light page, then in a dark one.

``time`` is S1, x, its candidate and its input gate; ``frequency`` is S2, y and theirs; ``mfcc`` is
the MFCCs and what an LSTM over them lets in; ``forget`` and ``output`` are those gates; ``memory``
is c; ``ink`` is everything else and ``quiet`` what is not spoken of just now."""

GROUNDS = ("#ffffff", "#121212")
SMALLEST = 13
"""Units of the smallest text, sub- and superscripts apart."""

_DARK = ('html[data-theme="dark"]', 'body[data-jp-theme-light="false"]', "body.vscode-dark")
_LIGHT = ('html[data-theme="light"]', 'body[data-jp-theme-light="true"]', "body.vscode-light")
_FONT = "system-ui,-apple-system,'Segoe UI',Arial,'DejaVu Sans',sans-serif"


def colour(role: str, *, dark: bool = False) -> str:
    """The colour of a role's lines and text, for a figure or an equation.

    Example:
        >>> colour("time"), colour("time", dark=True)
        ('#0067a3', '#62bdf0')
    """
    return ROLES[role][2 if dark else 0]


def _rgb(colour: str) -> str:
    """A colour as a browser writes it in a style.

    >>> _rgb("#0067a3")
    'rgb(0, 103, 163)'
    """
    return f"rgb({', '.join(str(int(colour[k : k + 2], 16)) for k in (1, 3, 5))})"


def _style(static: bool) -> str:
    def shades(at: int) -> str:
        both = (f"--{n}:{c[at]};--{n}-f:{c[at + 1]};" for n, c in ROLES.items())
        return f"--ground:{GROUNDS[at // 2]};{''.join(both)}"

    def within(pages: Sequence[str], at: int) -> str:
        return f"{','.join(f'{page} .ser-svg' for page in pages)}{{{shades(at)}}}"

    media = f"@media (prefers-color-scheme:dark){{.ser-svg{{{shades(2)}}}}}" if static else ""
    light = within(_LIGHT, 0) if static else ""
    # MathJax writes \\color{#0067a3} as a style; in dark pages it takes the role's dark colour.
    equations = "".join(
        f"{','.join(f'{p} mjx-container [style*={chr(34)}{_rgb(c[0])}{chr(34)}]' for p in _DARK)}"
        f"{{color:{c[2]}!important}}"
        for c in ROLES.values()
    )
    roles = "".join(f".ser-svg .{n}{{--c:var(--{n});--f:var(--{n}-f)}}" for n in ROLES)
    return (
        f".ser-svg{{{shades(0)}}}{media}{light}{within(_DARK, 2)}{roles}"
        ".ser-svg .dim .r{--c:var(--quiet);--f:none}"
        ".ser-svg .l{stroke:var(--c);fill:none;stroke-width:1.6}"
        ".ser-svg .b{stroke:var(--c);fill:var(--f);stroke-width:1.6}"
        ".ser-svg .t,.ser-svg .a{fill:var(--c);stroke:none}"
        ".ser-svg .lit .b{stroke-width:2.6}.ser-svg .dim .t{font-weight:normal}"
        f".ser-svg .m{{font-style:italic}}{equations}"
    )


class Drawing:
    """A drawing that grows by its methods; places and sizes are in units, y runs downwards.

    Args:
        width, height: of the drawing; 360 to 720 units wide.
        title: what it is, in a few words.
        described: what it shows, in whole sentences: the alternative text.

    Raises:
        ValueError: no title or no description.

    Example:
        >>> d = Drawing(360, 60, "A box", "One box that says x.")
        >>> d.box(10, 10, 80, 40, "$x_t$", "time")
        >>> d.show("The input.")
        [drawing] The input. One box that says x.
    """

    def __init__(self, width: float, height: float, title: str, described: str) -> None:
        if not title.strip() or not described.strip():
            raise ValueError("a drawing has a title and a description for those who do not see it")
        self.width, self.height = width, height
        self.title, self.described = title, described
        self._parts: list[str] = []

    @contextmanager
    def group(self, *, lit: bool | None = None) -> Iterator[None]:
        """What is drawn within is lit (True), dimmed (False) or neither (None)."""
        name = {True: "lit", False: "dim", None: ""}[lit]
        self._parts.append(f'<g class="{name}">')
        yield
        self._parts.append("</g>")

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        words: str | Sequence[str] = (),
        role: str = "ink",
        *,
        size: float = 15,
        rounded: float = 7,
        dash: str = "",
    ) -> None:
        """A box with lines of text in its middle, the first one bold and larger than the rest."""
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self._add(
            f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" '
            f'rx="{_n(rounded)}" class="{_role(role)} b"{dashed}/>'
        )
        lines = [words] if isinstance(words, str) else list(words)
        self.lines(x + width / 2, y + height / 2, lines, role, size=size)

    def lines(
        self, x: float, y: float, words: Sequence[str], role: str = "ink", *, size: float = 15
    ) -> None:
        """Lines of text around the point *x*, *y*; the first bold, the rest small and in ink."""
        small = max(SMALLEST, size - 2)
        top = y - (size + (len(words) - 1) * (small + 4)) / 2
        for k, line in enumerate(words):
            at = top + size * 0.84 + k * (small + 4)
            if k == 0:
                self.text(x, at, line, role, size=size, bold=True)
            else:
                self.text(x, at, line, "ink", size=small)

    def circle(self, x: float, y: float, radius: float, words: str = "", role: str = "ink") -> None:
        """A circle with a sign in it, such as ``"×"``, ``"+"`` or ``"σ"``."""
        self._add(f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(radius)}" class="{_role(role)} b"/>')
        if words:
            size = max(SMALLEST, min(18, radius * 1.25))
            self.text(x, y + size * 0.34, words, role, size=size, bold=True)

    def dot(self, x: float, y: float, role: str = "ink") -> None:
        """A dot where two lines are joined."""
        self._add(f'<circle cx="{_n(x)}" cy="{_n(y)}" r="3.4" class="{_role(role)} a"/>')

    def line(
        self, *points: tuple[float, float], role: str = "ink", dash: str = "", width: float = 0
    ) -> None:
        """Straight pieces from point to point; *width* 0 is the usual one."""
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        wide = f' style="stroke-width:{_n(width)}"' if width else ""
        self._add(f'<path d="{_path(points)}" class="{_role(role)} l"{dashed}{wide}/>')

    def arrow(
        self,
        *points: tuple[float, float],
        role: str = "ink",
        dash: str = "",
        width: float = 0,
        head: float = 7,
    ) -> None:
        """Straight pieces from point to point with a head at the last."""
        (x1, y1), (x2, y2) = points[-2:]
        length = max(1e-9, float(np.hypot(x2 - x1, y2 - y1)))
        ux, uy = (x2 - x1) / length, (y2 - y1) / length
        base = (x2 - head * ux, y2 - head * uy)
        self.line(*points[:-1], base, role=role, dash=dash, width=width)
        wing = 0.5 * head
        corners = [
            (x2, y2),
            (base[0] - wing * uy, base[1] + wing * ux),
            (base[0] + wing * uy, base[1] - wing * ux),
        ]
        self._add(f'<path d="{_path(corners)}Z" class="{_role(role)} a"/>')

    def text(
        self,
        x: float,
        y: float,
        words: str,
        role: str = "ink",
        *,
        size: float = 15,
        anchor: str = "middle",
        bold: bool = False,
    ) -> None:
        """Words with their baseline at *y*; between dollars simple mathematics.

        ``$i^T_t$``, ``$h_{t-1}$``: letters slanted, sub- and superscripts of one character or in
        braces. *anchor* is ``"start"``, ``"middle"`` or ``"end"``.

        Raises:
            ValueError: text smaller than :data:`SMALLEST`.
        """
        if size < SMALLEST:
            raise ValueError(f"text of {size} units cannot be read on a telephone")
        weight = ' font-weight="bold"' if bold else ""
        self._add(
            f'<text x="{_n(x)}" y="{_n(y)}" font-size="{_n(size)}" text-anchor="{anchor}"{weight} '
            f'class="{_role(role)} t">{_marked(words, size)}</text>'
        )

    def wave(self, x: float, y: float, width: float, height: float, role: str = "ink") -> None:
        """A sign for a waveform: syllables, louder and softer."""
        at = np.arange(0, width, 3.0)
        phase = at / width
        loud = np.abs(np.sin(np.pi * 3.5 * phase)) ** 0.8 * (0.5 + 0.5 * np.sin(np.pi * phase))
        loud *= 0.62 + 0.38 * np.sin(2.4 * np.arange(len(at)))
        half = np.maximum(0.03, loud) * height / 2
        bars = "".join(
            f"M{_n(x + a)} {_n(y + height / 2 - h)}v{_n(2 * h)}"
            for a, h in zip(at, half, strict=True)
        )
        self._add(f'<path d="{bars}" class="{_role(role)} l"/>')

    def heat(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        rows: int,
        columns: int,
        role: str = "ink",
    ) -> None:
        """A sign for a spectrogram or another matrix over time, of so many rows and columns."""
        r, c = np.mgrid[0:rows, 0:columns]
        up, along = 1 - (r + 0.5) / rows, (c + 0.5) / columns
        ridges = np.cos(2 * np.pi * (4 * up - 0.6 * np.sin(2 * np.pi * along))) ** 2
        loud = np.abs(np.sin(np.pi * 3.5 * along)) * (1.15 - up)
        level = np.digitize(0.25 + ridges * loud, (0.4, 0.62, 0.85))
        w, h = width / columns, height / rows
        for k, opacity in enumerate((0.14, 0.36, 0.62, 0.92)):
            cells = "".join(
                f"M{_n(x + j * w)} {_n(y + i * h)}h{_n(w)}v{_n(h)}h{_n(-w)}z"
                for i, j in np.argwhere(level == k)
            )
            if cells:
                self._add(f'<path d="{cells}" class="{_role(role)} a" fill-opacity="{opacity}"/>')

    def svg(self, *, static: bool = False) -> str:
        """The markup; *static* for a file, which follows the reader's system and has a ground."""
        size = f'viewBox="0 0 {_n(self.width)} {_n(self.height)}"'
        card = (
            f'<rect width="{_n(self.width)}" height="{_n(self.height)}" '
            f'style="fill:var(--ground)"/>'
        )
        space = (
            f'xmlns="http://www.w3.org/2000/svg" width="{_n(self.width)}" '
            f'height="{_n(self.height)}" '
        )
        label = escape(f"{self.title}. {self.described}")
        return (
            f'<svg {space * static}{size} class="ser-svg" role="img" aria-label="{label}" '
            f'style="display:block;width:100%;height:auto" font-family="{_FONT}">'
            f"<title>{escape(self.title)}</title><desc>{escape(self.described)}</desc>"
            f"<style>{_style(static)}</style>{card * static}{''.join(self._parts)}</svg>"
        )

    def show(self, caption: str, *, widest: float | None = None) -> Html:
        """The figure for a page.

        Args:
            caption: below the drawing; can be read without the text around it.
            widest: pixels on a wide page; default 1.3 times the drawing's units.

        Returns:
            :class:`ser.plots.Html`; as the last line of a cell it is displayed.

        Raises:
            ValueError: no caption.
        """
        return figure([self], caption, widest=widest)

    def _add(self, part: str) -> None:
        self._parts.append(part)


def figure(drawn: Sequence[Drawing], caption: str, *, widest: float | None = None) -> Html:
    """Drawings beside each other, below each other where there is no room, with one caption.

    Args:
        drawn: at least one.
        caption, widest: as in :meth:`Drawing.show`; *widest* is one drawing's.

    Example:
        >>> two = [Drawing(360, 40, "A", "Nothing."), Drawing(360, 40, "B", "Nothing either.")]
        >>> figure(two, "Two.")
        [drawing] Two. Nothing. Nothing either.
    """
    if not caption.strip() or not drawn:
        raise ValueError("a figure has a drawing and a caption")
    pixels = [round(1.3 * d.width if widest is None else widest) for d in drawn]
    if len(drawn) == 1:
        inside = drawn[0].svg()
    else:
        each = (
            f'<div style="flex:1 1 {round(0.72 * d.width)}px;max-width:{p}px">{d.svg()}</div>'
            for d, p in zip(drawn, pixels, strict=True)
        )
        inside = f'<div style="display:flex;flex-wrap:wrap;gap:.8em">{"".join(each)}</div>'
    html = (
        f'<figure class="ser-drawing" style="margin:1em 0;max-width:{sum(pixels)}px">{inside}'
        f'<figcaption style="margin-top:.4em">{escape(caption)}</figcaption></figure>'
    )
    return Html(html, f"[drawing] {caption} {' '.join(d.described for d in drawn)}")


def _n(value: float) -> str:
    """A number as short as SVG needs it."""
    return f"{round(float(value), 1):g}"


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in points)


def _role(role: str) -> str:
    if role not in ROLES:
        raise ValueError(f"no role is called {role!r}; there are {', '.join(ROLES)}")
    return f"r {role}"


def _marked(words: str, size: float) -> str:
    """Text with its mathematics as tspans: shifted scripts, slanted letters."""
    out = []
    for k, piece in enumerate(words.split("$")):
        out.append(_mathematics(piece, size) if k % 2 else escape(piece))
    return "".join(out)


_TOKEN = re.compile(r"([_^])(\{[^}]*\}|.)|([A-Za-zα-ω]+)|([^_^A-Za-zα-ω]+)")


def _mathematics(piece: str, size: float) -> str:
    out, shift, back = [], 0.0, 0.0
    small = 0.74 * size
    previous = ""
    for script, what, letters, other in _TOKEN.findall(piece):
        text = what.strip("{}") if script else letters or other
        level = {"_": 0.28 * size, "^": -0.42 * size, "": 0.0}[script]
        put = f' dy="{_n(level - shift)}"' if level != shift else ""
        if script and previous and previous != script:  # below each other
            put += f' dx="{_n(-back)}"'
        if script:
            put += f' font-size="{_n(small)}"'
        slanted = bool(letters or (script and text[:1].isalpha()))
        out.append(f"<tspan{put}{' class=' * slanted}{chr(34) + 'm' + chr(34) if slanted else ''}>")
        out.append(f"{escape(text)}</tspan>")
        shift, back, previous = level, 0.6 * small * len(text), script
    if shift:
        out.append(f'<tspan dy="{_n(-shift)}">\u200b</tspan>')
    return "".join(out)
