"""Window length against resolution: many windows behind a slider, on the sound of
:mod:`chapters.shared.windows`.

The slider needs no kernel: its pictures are computed beforehand and stand in the page; without
JavaScript one of them is there, still. Book: chapters "From wave to spectrogram" and
"Two resolutions".
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image
from ser.plots.html import Html
from ser.plots.style import BLUE, GRID, INK, MUTED

from chapters.shared.player import Player
from chapters.shared.widget import line, points, polyline, svg, text, widget
from chapters.shared.windows import (
    DIP,
    SHOWN_DB,
    WINDOWS,
    BurstVowel,
    hann,
    level_over_frequency,
    level_over_time,
    stft_power,
    told_apart,
)

WIDTH, HEIGHT, LEFT, RIGHT = 520, 560, 66, 508
SHAPE, PICTURE, CURVES = (30, 62), (96, 320), (404, 500)
"""Upper and lower edges of the window's shape, the spectrogram and the two curves; in pixels of
a drawing that a telephone shrinks to two thirds."""
HALVES = (LEFT, 266), (318, RIGHT)
FLOOR_DB = -18.0


def interactive_window(
    sound: BurstVowel,
    windows: Sequence[int] = WINDOWS,
    *,
    caption: str = "",
    start: int = 256,
    top: float = 2500.0,
    player: Player | None = None,
) -> Html:
    """A spectrogram with a slider for its window; below it, what the window can tell apart.

    Args:
        sound: bursts and vowel, at most 1 s.
        windows: lengths in samples, rising, at least two.
        caption: below the drawing.
        start: the window shown at first; one of *windows*.
        top: highest frequency of the spectrogram, Hz.
        player: the sound, to be played beside it.

    Returns:
        :class:`ser.plots.Html`, less than 400 kB.

    Raises:
        ValueError: windows that do not rise or do not hold *start*, a sound too long.

    Example:
        >>> from chapters.shared.windows import burst_vowel
        >>> page = interactive_window(burst_vowel(), (128, 1024), start=128, caption="Try it.")
        >>> page.text[:61]
        '[window length] Try it. Two bursts 10 ms apart and a vowel of'
    """
    windows = [int(w) for w in windows]
    if len(windows) < 2 or sorted(set(windows)) != windows or start not in windows:
        raise ValueError(f"windows rise and hold the one shown at first, not {windows}, {start}")
    if len(sound.wave) > sound.rate:
        raise ValueError("the sound lasts more than 1 s")
    rate, length = sound.rate, len(sound.wave) / sound.rate
    gap, distance = sound.bursts[1] - sound.bursts[0], sound.harmonics[1] - sound.harmonics[0]
    seconds = np.linspace(sound.bursts[0] - 2 * gap, sound.bursts[1] + 2 * gap, 61)
    hertz = np.linspace(sound.harmonics[0] - 2 * distance, sound.harmonics[1] + 2 * distance, 61)
    steps = []
    for window in windows:
        dips = told_apart(sound, window)
        said = [
            f"{name} {'told apart' if dip >= DIP else 'run together'} (dip {dip:.1f} dB)"
            for name, dip in zip(("bursts", "harmonics"), dips, strict=True)
        ]
        steps.append(
            {
                "ms": f"{1000 * window / rate:.3g} ms",
                "said": f"Window {1000 * window / rate:.3g} ms, {window} samples: {said[0]}, "
                f"{said[1]}.",
                "picture": _picture(sound.wave, window, rate, top),
                "shape": _scaled(
                    np.linspace(-0.5, 0.5, 41) * window / rate + length / 2,
                    hann(40)[np.r_[0:40, 0]],
                    (0, length),
                    (0, 1),
                    (LEFT, RIGHT),
                    SHAPE,
                ),
                "time": _curve(seconds, level_over_time(sound, window, seconds), HALVES[0]),
                "frequency": _curve(hertz, level_over_frequency(sound, window, hertz), HALVES[1]),
                "colour": [GOOD if dip >= DIP else BAD for dip in dips],
                "dash": ["" if dip >= DIP else "5 3" for dip in dips],
            }
        )
    described = _describe(sound, windows)
    first = steps[windows.index(start)]
    drawn = [
        _frame(length, top),
        f'<image x="{LEFT}" y="{PICTURE[0]}" width="{RIGHT - LEFT}" '
        f'height="{PICTURE[1] - PICTURE[0]}" preserveAspectRatio="none" '
        f'href="{first["picture"]}"/>',
        _marks(sound, length, top),
        polyline("shape", first["shape"], INK, fill=GRID),
        _half("bursts", "time, ms", seconds, HALVES[0], sound.bursts, 1000),
        _half("vowel", "frequency, Hz", hertz, HALVES[1], sound.harmonics, 1),
        polyline("time", first["time"], first["colour"][0], first["dash"][0]),
        polyline("frequency", first["frequency"], first["colour"][1], first["dash"][1]),
    ]

    def inside(name: str) -> str:
        return (
            f"{svg(WIDTH, HEIGHT, ''.join(drawn), described)}"
            f'<div class="controls" hidden><label for="{name}-slider" style="display:block">'
            f"Window length: <strong>{first['ms']}</strong>"
            f'<input type="range" id="{name}-slider" min="0" max="{len(windows) - 1}" step="1" '
            f'value="{windows.index(start)}" style="width:100%;margin:.3em 0"></label></div>'
            f'<output for="{name}-slider" aria-live="polite" '
            f'style="display:block;margin-top:.5em;min-height:2.8em">{escape(first["said"])}'
            "</output>"
        )

    return widget(
        Path(__file__).with_suffix(".js"),
        steps,
        inside,
        kind="window",
        title="window length",
        caption=caption,
        described=described,
        below=player.html if player is not None else "",
    )


GOOD, BAD = BLUE, "#a34700"
"""Colours of a curve whose two peaks stand apart, and of one whose peaks run together (which is
dashed as well)."""


def _describe(sound: BurstVowel, windows: Sequence[int]) -> str:
    dips = {window: told_apart(sound, window) for window in windows}
    milliseconds = {window: f"{1000 * window / sound.rate:.3g} ms" for window in windows}
    short = [w for w in windows if dips[w][0] >= DIP]
    long = [w for w in windows if dips[w][1] >= DIP]
    both = [milliseconds[w] for w in windows if w in short and w in long]
    gap, distance = sound.bursts[1] - sound.bursts[0], sound.harmonics[1] - sound.harmonics[0]
    parts = [
        f"Two bursts {1000 * gap:.3g} ms apart and a vowel of {distance:.3g} Hz, seen through "
        f"windows of {milliseconds[windows[0]]} to {milliseconds[windows[-1]]}:"
    ]
    if short:
        parts.append(f"the bursts are told apart up to {milliseconds[short[-1]]},")
    else:
        parts.append("the bursts by none,")
    if long:
        parts.append(f"the harmonics from {milliseconds[long[0]]} on,")
    else:
        parts.append("the harmonics by none,")
    parts.append(f"both by {', '.join(both) if both else 'no window'}.")
    return " ".join(parts)


def _picture(wave: np.ndarray, window: int, rate: int, top: float) -> str:
    """A spectrogram as a small PNG of 64 colours, a column every 2 ms, in a data address."""
    n_fft = 2048
    power = stft_power(wave, window, rate // 500, max(n_fft, window))
    levels = 10 * np.log10(np.maximum(power, 1e-12))[: int(top * n_fft / rate) + 1 : 2]
    scaled = np.clip((levels - levels.max()) / SHOWN_DB + 1, 0, 1)
    image = Image.fromarray(np.round(63 * scaled[::-1]).astype(np.uint8))
    colours = matplotlib.colormaps["magma"](np.arange(64) / 63, bytes=True)[:, :3]
    image.putpalette(colours.tobytes())
    out = io.BytesIO()
    image.save(out, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode("ascii")


def _scaled(x, y, from_x, from_y, to_x, to_y) -> str:
    """Points of a curve, moved from one range to another; *to_y* counts downwards."""
    across = to_x[0] + (np.asarray(x) - from_x[0]) / (from_x[1] - from_x[0]) * (to_x[1] - to_x[0])
    share = (np.asarray(y) - from_y[0]) / (from_y[1] - from_y[0])
    return points(across, to_y[1] - share * (to_y[1] - to_y[0]))


def _curve(x: np.ndarray, levels: np.ndarray, half: tuple[int, int]) -> str:
    levels = np.maximum(levels - levels.max(), FLOOR_DB)
    return _scaled(x, levels, (x[0], x[-1]), (FLOOR_DB, 0), half, CURVES)


def _frame(length: float, top: float) -> str:
    """Titles and axes of the window's shape and the spectrogram."""
    upper, lower = PICTURE
    parts = [
        text(LEFT, SHAPE[0] - 8, "the window, at the scale of time below", "start", bold=True),
        text(RIGHT, upper - 8, "what it sees", "end", bold=True),
        text(LEFT - 6, upper + 5, "Hz", "end"),
        text((LEFT + RIGHT) / 2, lower + 40, "time, s"),
    ]
    for hertz in range(0, int(top), 500):
        parts.append(text(LEFT - 6, lower - hertz / top * (lower - upper) + 5, hertz, "end"))
    for seconds in np.arange(0, length, 0.1):
        x = LEFT + seconds / length * (RIGHT - LEFT)
        parts += [line(x, lower, x, lower + 5, MUTED), text(x, lower + 22, f"{seconds:g}")]
    return "".join(parts)


def _marks(sound: BurstVowel, length: float, top: float) -> str:
    """Where the truth is: ticks above the spectrogram for bursts, at its side for harmonics."""
    upper, lower = PICTURE
    parts = []
    for seconds in sound.bursts:
        x = LEFT + seconds / length * (RIGHT - LEFT)
        parts.append(f'<path d="M{x:.1f} {upper} l-4 -8 h8 z" fill="{INK}"/>')
    for hertz in sound.harmonics:
        y = lower - hertz / top * (lower - upper)
        parts.append(f'<path d="M{RIGHT} {y:.1f} l9 -3 v6 z" fill="{INK}"/>')
    return "".join(parts)


def _half(
    title: str, axis: str, x: np.ndarray, half: tuple[int, int], truth: Sequence[float], unit: float
) -> str:
    """Title and axes of one of the two curves; dotted where the truth is."""
    left, right = half
    upper, lower = CURVES
    parts = [
        text(left, upper - 12, title, "start", bold=True),
        line(left, lower, right, lower, MUTED),
        text((left + right) / 2, lower + 42, axis),
    ]
    for value in truth:
        at = left + (value - x[0]) / (x[-1] - x[0]) * (right - left)
        parts.append(line(at, upper, at, lower, MUTED, dash="2 3"))
        parts.append(text(at, lower + 20, f"{value * unit:g}"))
    for level in (0, -6, -12, -18) if left == LEFT else ():
        y = lower - (level - FLOOR_DB) / -FLOOR_DB * (lower - upper)
        parts.append(text(left - 6, y + 5, f"{level} dB" if level == 0 else level, "end"))
    return "".join(parts)
