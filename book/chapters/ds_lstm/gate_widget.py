"""The two input gates over time beside the two spectrograms, with a slider, without a kernel.

Everything is computed beforehand and stands in the page: two small pictures, a table of gate
values, and gate_widget.js. Without JavaScript the same drawing is there, only still.
Book: chapter "The DS-LSTM".
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.image import imsave
from numpy.typing import ArrayLike
from ser.plots.html import Html
from ser.plots.style import GRID, INK, MUTED

from chapters.shared.player import Player
from chapters.shared.sound_figures import slaney_mel
from chapters.shared.svg import colour
from chapters.shared.widget import FIELD, line, points, polyline, svg, text, widget

WIDTH, HEIGHT, LEFT, RIGHT = 520, 500, 66, 508
TOPS, BAND, GATES = (30, 184), 116, (338, 442)
"""Upper edges and height of the two spectrograms, upper and lower edge of the gates; in pixels of
a drawing that a telephone shrinks to two thirds."""

FREQUENCIES = (500, 1000, 2000, 4000)
SOURCES = (
    ("T", "S1 (x): sharp in time", colour("time"), "", ("#04151f", colour("time"), "#f4fbff")),
    (
        "F", "S2 (y): sharp in frequency", colour("frequency"), "7 3",
        ("#1f0d00", colour("frequency"), "#fff7f0"),
    ),
)  # fmt: skip
"""Of each sequence: key, name, colour of its frame and gate, their dash, and soft to loud."""


def interactive_gates(
    s1: ArrayLike,
    s2: ArrayLike,
    iT: ArrayLike,
    iF: ArrayLike,
    times: ArrayLike | None = None,
    units: Sequence[int] | None = None,
    *,
    caption: str = "",
    sound: Player | None = None,
    rate: int = 16000,
) -> Html:
    """S1, S2 and below them the gates that let x and y in; a slider moves a line over all three.

    Args:
        s1, s2: (n_mels, frames) in dB at their true lengths, hop ``2 * n_mels`` samples.
        iT, iF: (T, H) values of the two input gates, T at least 2.
        times: (T,) seconds of each step; default: step t stands at frame t of S2.
        units: hidden units that can be picked besides the mean of all; default: the six in which
            the two gates differ most over time.
        caption: below the drawing.
        sound: the utterance; while it plays, the line follows.
        rate: samples a second of the sound.

    Returns:
        :class:`ser.plots.Html`, less than 400 kB for utterances of a few seconds.

    Raises:
        ValueError: shapes that do not fit, values that are not finite, units that are not there.

    Example:
        >>> gates = np.random.default_rng(0).uniform(size=(2, 20, 4))
        >>> s1, s2 = np.zeros((64, 43)), np.zeros((128, 22))
        >>> page = interactive_gates(s1, s2, *gates, caption="Noise.")
        >>> page.text[:65]
        '[gates over time] Noise. Two input gates over 0.30 s, 20 steps: o'
    """
    spectrograms = [np.asarray(s, dtype=float) for s in (s1, s2)]
    iT, iF = (np.asarray(gate, dtype=float) for gate in (iT, iF))
    if iT.ndim != 2 or iT.shape != iF.shape or len(iT) < 2:
        raise ValueError(f"gates are (T, H) both, T at least 2, not {iT.shape} and {iF.shape}")
    if any(s.ndim != 2 or s.size == 0 for s in spectrograms):
        raise ValueError(
            f"spectrograms are (n_mels, frames), not {[s.shape for s in spectrograms]}"
        )
    if not all(np.isfinite(a).all() for a in (*spectrograms, iT, iF)):
        raise ValueError("spectrograms and gates must be finite")
    hops = [2 * s.shape[0] / rate for s in spectrograms]
    times = np.arange(len(iT)) * hops[1] if times is None else np.asarray(times, dtype=float)
    if times.shape != (len(iT),) or (np.diff(times) <= 0).any():
        raise ValueError(f"{len(iT)} steps need as many times, increasing")
    if units is None:
        units = np.sort(np.argsort(-np.abs(iT - iF).mean(0), kind="stable")[:6])
    units = [int(u) for u in units]
    if any(not 0 <= u < iT.shape[1] for u in units):
        raise ValueError(f"units are 0 to {iT.shape[1] - 1}, not {units}")

    start = -hops[1] / 2
    end = max((s.shape[1] - 0.5) * hop for s, hop in zip(spectrograms, hops, strict=True))
    low, high = min(0.0, iT.min(), iF.min()), max(1.0, iT.max(), iF.max())

    def across(seconds: ArrayLike) -> np.ndarray:
        return LEFT + (np.asarray(seconds) - start) / (end - start) * (RIGHT - LEFT)

    def upward(gate: ArrayLike) -> np.ndarray:
        return GATES[1] - (np.asarray(gate) - low) / (high - low) * (GATES[1] - GATES[0])

    names = [f"mean of all {iT.shape[1]} units", *(f"unit {u}" for u in units)]
    curves = [
        [np.round(gate.mean(1), 3).tolist(), *(np.round(gate[:, u], 3).tolist() for u in units)]
        for gate in (iT, iF)
    ]
    data = {
        "times": np.round(times, 4).tolist(),
        "x": np.round(across(times), 1).tolist(),
        "T": curves[0],
        "F": curves[1],
        "names": names,
        "gates": GATES,
        "range": [low, high],
    }
    drawn = [
        _spectrogram(s, hop, top, source, across)
        for s, hop, top, source in zip(spectrograms, hops, TOPS, SOURCES, strict=True)
    ]
    drawn.append(_axes(start, end, low, high, across, upward))
    for key, _, shade, dash, _ in SOURCES:
        drawn.append(polyline(key, points(data["x"], upward(data[key][0])), shade, dash))
    ends = (LEFT, TOPS[0], LEFT, GATES[1])
    drawn.append(
        f'<g class="now" opacity="0">{line(*ends, "#ffffffb3", 4)}{line(*ends, INK, 1.6)}</g>'
    )
    described = _describe(times, iT.mean(1), iF.mean(1))
    options = "".join(f'<option value="{i}">{escape(n)}</option>' for i, n in enumerate(names))

    def inside(name: str) -> str:
        return (
            f"{svg(WIDTH, HEIGHT, ''.join(drawn), described)}"
            f'<div class="controls" hidden><label for="{name}-time" style="display:block">Time '
            f'<input type="range" id="{name}-time" min="0" max="{len(iT) - 1}" step="1" value="0" '
            f'style="display:block;width:87%;margin:.3em 0 .3em 12%"></label>'
            f'<label for="{name}-unit">Show <select id="{name}-unit" style="{FIELD}">{options}'
            f'</select></label><output for="{name}-time {name}-unit" aria-live="polite" '
            f'style="display:block;margin-top:.5em;min-height:2.8em"></output></div>'
        )

    return widget(
        Path(__file__).with_suffix(".js"),
        data,
        inside,
        kind="gates",
        title="gates over time",
        caption=caption,
        described=described,
        below=sound.html if sound is not None else "",
    )


def _describe(times: np.ndarray, t: np.ndarray, f: np.ndarray) -> str:
    widest = int(np.argmax(np.abs(t - f)))
    which = "S1" if t[widest] > f[widest] else "S2"
    return (
        f"Two input gates over {times[-1] - times[0]:.2f} s, {len(times)} steps: on average the "
        f"gate of S1 stands at {t.mean():.2f} ({t.min():.2f} to {t.max():.2f}), that of S2 at "
        f"{f.mean():.2f} ({f.min():.2f} to {f.max():.2f}); they differ most at "
        f"{times[widest]:.2f} s, where {which} is let in more."
    )


def _spectrogram(s: np.ndarray, hop: float, top: int, source: tuple, across) -> str:
    """One panel of SVG in the colours of its source: frame k stands at k hops, half a hop wide."""
    key, label, shade, dash, soft_to_loud = source
    cmap = LinearSegmentedColormap.from_list(key, soft_to_loud)
    out = io.BytesIO()
    high = s.max()
    low = min(max(s.min(), high - 80), high - 1)
    imsave(
        out, s, vmin=low, vmax=high, cmap=cmap, origin="lower", format="png",
        metadata={"Software": None},
    )  # fmt: skip
    picture = base64.b64encode(out.getvalue()).decode("ascii")
    left, right = across(-hop / 2), across((s.shape[1] - 0.5) * hop)
    parts = [
        line(LEFT, top - 13, LEFT + 30, top - 13, shade, 3, dash),
        f'<g style="fill:{shade}">{text(LEFT + 36, top - 8, label, "start", bold=True)}</g>',
        f'<image x="{left:.1f}" y="{top}" width="{right - left:.1f}" height="{BAND}" '
        f'preserveAspectRatio="none" style="image-rendering:pixelated" '
        f'href="data:image/png;base64,{picture}"/>',
        f'<rect class="{key}" x="{left:.1f}" y="{top}" width="{right - left:.1f}" '
        f'height="{BAND}" fill="none" stroke="{shade}" stroke-width="3" '
        f'stroke-dasharray="{dash}"/>',
        text(LEFT - 6, top + 5, "Hz", "end"),
    ]
    top_mel = slaney_mel(np.array(8000.0))
    for hertz in FREQUENCIES:
        y = top + BAND * (1 - float(slaney_mel(np.array(float(hertz))) / top_mel))
        parts.append(text(LEFT - 6, y + 5, hertz, "end"))
    return "".join(parts)


def _axes(start: float, end: float, low: float, high: float, across, upward) -> str:
    """Title, frame and ticks of the panel of gates, and the axis of time."""
    top, bottom = GATES
    y = top - 8
    parts = [
        text(LEFT, y, "gates", "start", bold=True),
        line(LEFT + 62, y - 5, LEFT + 92, y - 5, SOURCES[0][2], 3, SOURCES[0][3]),
        f'<g style="fill:{SOURCES[0][2]}">{text(LEFT + 98, y, "iT, for S1", "start")}</g>',
        line(LEFT + 202, y - 5, LEFT + 232, y - 5, SOURCES[1][2], 3, SOURCES[1][3]),
        f'<g style="fill:{SOURCES[1][2]}">{text(LEFT + 238, y, "iF, for S2", "start")}</g>',
        text((LEFT + RIGHT) / 2, bottom + 46, "time, s"),
    ]
    for value in (0.0, 0.5, 1.0):
        at = float(upward(value))
        parts += [line(LEFT, at, RIGHT, at, GRID), text(LEFT - 6, at + 5, f"{value:g}", "end")]
    spacing = next(s for s in (0.1, 0.2, 0.25, 0.5, 1.0, 2.0, 5.0, 1e9) if (end - start) / s < 7)
    for seconds in np.arange(0, end, spacing):
        at = float(across(seconds))
        parts += [line(at, bottom, at, bottom + 5, MUTED), text(at, bottom + 23, f"{seconds:g}")]
    return "".join(parts)
