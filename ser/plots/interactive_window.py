"""Window length against resolution: one window as a figure, many of them behind a slider.

The sound is made by rule, so that the right answer is known: two bursts a few milliseconds
apart, then a vowel whose harmonics stand as many hertz apart as its voice is high. A window
tells the bursts apart if the level falls by :data:`DIP` between them, and the harmonics likewise.
The slider needs no kernel: its pictures are computed beforehand and stand in the page; without
JavaScript one of them is there, still. Book: chapters "From wave to spectrogram" and
"Two resolutions".
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from PIL import Image

from ser.player import Player
from ser.plots.html import Html, escape
from ser.plots.style import BLUE, CARD, GRID, INK, MUTED, drawing, set_alt, set_title

WINDOWS = (64, 96, 128, 192, 256, 320, 400, 512, 768, 1024, 1536, 2048)
"""Window lengths of the slider in samples: 4 to 128 ms at 16 kHz."""
DIP = 3.0
"""Decibels the level has to fall between two things for them to count as told apart: half."""
SHOWN_DB = 50.0
"""Decibels below its loudest point that a spectrogram with frequency in hertz shows."""


@dataclass(frozen=True)
class BurstVowel:
    """Two bursts and a vowel.

    Attributes:
        wave: (samples,), full scale 1.
        bursts: seconds at which the two bursts stand.
        harmonics: hertz of two neighbouring harmonics of the vowel.
        steady: seconds from and to which the vowel does not change.
        vowel: (samples,) the vowel without the bursts, where it is known.
        rate: samples a second.
    """

    wave: np.ndarray
    bursts: tuple[float, float]
    harmonics: tuple[float, float]
    steady: tuple[float, float]
    vowel: np.ndarray | None = None
    rate: int = 16000


def vowel_tones(
    f0: float,
    seconds: float,
    formants: Sequence[float] = (700.0, 1100.0, 2600.0),
    width: float = 80.0,
    *,
    rate: int = 16000,
) -> tuple[np.ndarray, np.ndarray]:
    """The harmonics of a vowel, one tone each; their sum is the vowel.

    Args:
        f0: pitch in hertz, 0 < f0 <= 2000.
        seconds: duration.
        formants: hertz at which the mouth passes most.
        width: hertz from a formant's centre to half its power.
        rate: samples a second.

    Returns:
        Frequencies (K,) in hertz up to 4000, and tones (K, samples). Their sum has the peak 0.3.

    Raises:
        ValueError: a pitch that is none, or no time.

    Example:
        >>> hertz, tones = vowel_tones(100, 0.5)
        >>> hertz[:3].tolist(), tones.shape, round(float(abs(tones.sum(0)).max()), 6)
        ([100.0, 200.0, 300.0], (40, 8000), 0.3)
    """
    if not 0 < f0 <= 2000 or seconds <= 0:
        raise ValueError(f"a vowel has 0 < f0 <= 2000 Hz and a duration, not {f0} and {seconds}")
    hertz = f0 * np.arange(1, int(4000 / f0) + 1, dtype=float)
    strength = sum(1 / np.hypot(1, (hertz - centre) / width) for centre in formants)
    time = np.arange(round(seconds * rate)) / rate
    tones = strength[:, None] * np.cos(2 * np.pi * hertz[:, None] * time)
    return hertz, tones * (0.3 / np.abs(tones.sum(0)).max())


def burst_vowel(f0: float = 80.0, gap: float = 0.010, *, rate: int = 16000) -> BurstVowel:
    """Two bursts, *gap* seconds apart, then a vowel of pitch *f0*.

    Args:
        f0: hertz; also the distance of the vowel's harmonics.
        gap: seconds from one burst to the other.
        rate: samples a second.

    Returns:
        :class:`BurstVowel` of 0.42 s, the same for the same arguments.

    Example:
        >>> sound = burst_vowel()
        >>> sound.wave.shape, round(sound.bursts[1] - sound.bursts[0], 6), sound.harmonics
        ((6720,), 0.01, (640.0, 720.0))
    """
    wave = np.zeros(round(0.42 * rate))
    onset, length = round(0.14 * rate), round(0.24 * rate)
    below = max(1, int(700 / f0))
    # The lowest formant stands between the two harmonics, so that they are equally strong.
    formants = (below + 0.5) * f0, 1100.0, 2600.0
    _, tones = vowel_tones(f0, length / rate, formants, rate=rate)
    ramp = np.minimum(1, np.arange(length) / (0.01 * rate))
    wave[onset : onset + length] = tones.sum(0) * ramp * ramp[::-1]
    vowel = wave.copy()
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, rate // 1000)
    bursts = 0.06, 0.06 + gap
    for moment in bursts:
        first = round(moment * rate) - len(noise) // 2
        wave[first : first + len(noise)] += noise
    return BurstVowel(
        wave, bursts, (below * f0, (below + 1) * f0), (0.19, 0.33), vowel=vowel, rate=rate
    )


def hann(length: int) -> np.ndarray:
    """Periodic Hann window (length,), as every spectrogram of this book uses it."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)


def stft_power(
    wave: ArrayLike, window: int, hop: int | None = None, n_fft: int | None = None
) -> np.ndarray:
    """Power of the short-time Fourier transform: Hann window, frames centred, zeros at the ends.

    Args:
        wave: (samples,).
        window: its length in samples, even.
        hop: samples from frame to frame; default half the window.
        n_fft: length of the transform, at least *window*; more only draws a finer line.

    Returns:
        float64 (n_fft // 2 + 1, 1 + samples // hop); a tone of amplitude a has power a² at its
        frequency whatever the window.

    Raises:
        ValueError: not a row of samples, an odd window, a transform shorter than the window.

    Example:
        >>> stft_power(np.ones(1600), 256).shape
        (129, 13)
    """
    wave = np.asarray(wave, dtype=float)
    hop, n_fft = hop or window // 2, n_fft or window
    if wave.ndim != 1 or wave.size == 0:
        raise ValueError(f"a sound is a row of samples, not an array of shape {wave.shape}")
    if window < 2 or window % 2 or n_fft < window:
        raise ValueError(f"a window is an even number of samples up to n_fft, not {window}")
    padded = np.pad(wave, window // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
    shape = hann(window)
    return np.abs(np.fft.rfft(frames * (2 / shape.sum() * shape), n_fft)).T ** 2


def linear_spectrogram(
    wave: ArrayLike,
    window: int,
    title: str | None = None,
    ax: Axes | None = None,
    *,
    hop: int | None = None,
    top: float | None = None,
    rate: int = 16000,
    shown_db: float = SHOWN_DB,
) -> Figure:
    """A spectrogram with frequency in hertz: what one window sees of a sound.

    Args:
        wave: (samples,), full scale 1.
        window: Hann window's length in samples.
        title: of the figure; default the window's length.
        ax: axes to draw into.
        hop: samples from frame to frame; default 2 ms, or half the window where that is less.
        top: highest frequency shown, Hz; default half the rate.
        rate: samples a second.
        shown_db: decibels from the darkest to the brightest colour.

    Returns:
        Figure.
    """
    hop = hop or max(1, min(window // 2, rate // 500))
    n_fft = max(window, 1024)
    levels = 10 * np.log10(np.maximum(stft_power(wave, window, hop, n_fft), 1e-12))
    top = top or rate / 2
    levels = levels[: int(top * n_fft / rate) + 1]
    step = rate / n_fft
    high = float(levels.max())
    with drawing(ax, 3.4) as (fig, ax):
        image = ax.imshow(
            levels,
            origin="lower",
            aspect="auto",
            cmap=matplotlib.colormaps["magma"],
            vmin=high - shown_db,
            vmax=high,
            extent=(
                -hop / 2 / rate,
                (levels.shape[1] - 0.5) * hop / rate,
                -step / 2,
                (len(levels) - 0.5) * step,
            ),
            interpolation="nearest",
        )
        ax.set_xlim(0, np.size(wave) / rate)
        ax.set_ylim(0, top)
        ax.set_xlabel("time, s")
        ax.set_ylabel("frequency, Hz")
        fig.colorbar(image, ax=ax, pad=0.02).set_label("level, dB")
        name = f"window {1000 * window / rate:.3g} ms ({window} samples)"
        set_title(ax, title or name)
    loudest = levels.max(1).argmax() * step
    return set_alt(
        fig,
        f"{title + '. ' if title else ''}Spectrogram of {np.size(wave) / rate:.2f} s up to "
        f"{top:.0f} Hz, {name}, loudest near {round(loudest, -1):.0f} Hz.",
    )


def told_apart(sound: BurstVowel, window: int) -> tuple[float, float]:
    """How far the level falls between the two bursts, and between the two harmonics.

    Args:
        sound: bursts and vowel.
        window: Hann window's length in samples.

    Returns:
        Two dips in dB, at least 0: from the weaker of the two to half-way between them. The
        pair counts as told apart where its dip is :data:`DIP` or more.

    Example:
        >>> bursts, harmonics = told_apart(burst_vowel(), 128)
        >>> bursts > DIP, harmonics > DIP
        (True, False)
        >>> bursts, harmonics = told_apart(burst_vowel(), 1024)
        >>> bursts > DIP, harmonics > DIP
        (False, True)
    """
    middle = sum(sound.bursts) / 2
    over_time = _over_time(sound, window, [sound.bursts[0], middle, sound.bursts[1]])
    middle = sum(sound.harmonics) / 2
    places = [sound.harmonics[0], middle, sound.harmonics[1]]
    over_frequency = _over_frequency(sound, window, places)
    return _dip(over_time), _dip(over_frequency)


def _dip(levels: np.ndarray) -> float:
    return max(0.0, float(min(levels[0], levels[2]) - levels[1]))


def _over_time(sound: BurstVowel, window: int, seconds: ArrayLike) -> np.ndarray:
    """Level in dB of the windowed wave, all frequencies together, at each of *seconds*."""
    padded = np.pad(sound.wave, window)
    centres = np.round(np.asarray(seconds) * sound.rate).astype(int) + window
    frames = padded[centres[:, None] + np.arange(-window // 2, window // 2)]
    return 10 * np.log10(np.maximum(((frames * hann(window)) ** 2).sum(1), 1e-12))


def _over_frequency(sound: BurstVowel, window: int, hertz: ArrayLike) -> np.ndarray:
    """Level in dB at each of *hertz*, averaged over the steady part of the vowel."""
    wave = sound.wave if sound.vowel is None else sound.vowel
    padded = np.pad(wave, window)
    first, last = (round(s * sound.rate) + window for s in sound.steady)
    centres = np.arange(first, last, 16)
    frames = padded[centres[:, None] + np.arange(-window // 2, window // 2)] * hann(window)
    turns = np.outer(np.arange(window) / sound.rate, np.asarray(hertz, dtype=float))
    power = np.abs(frames @ np.exp(-2j * np.pi * turns)) ** 2
    return 10 * np.log10(np.maximum(power.mean(0), 1e-12))


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
                "shape": _points(
                    np.linspace(-0.5, 0.5, 41) * window / rate + length / 2,
                    hann(40)[np.r_[0:40, 0]],
                    (0, length),
                    (0, 1),
                    (LEFT, RIGHT),
                    SHAPE,
                ),
                "time": _curve(seconds, _over_time(sound, window, seconds), HALVES[0]),
                "frequency": _curve(hertz, _over_frequency(sound, window, hertz), HALVES[1]),
                "colour": [GOOD if dip >= DIP else BAD for dip in dips],
                "dash": ["" if dip >= DIP else "5 3" for dip in dips],
            }
        )
    at = windows.index(start)
    described = _describe(sound, windows)
    name = "window-" + hashlib.sha256(json.dumps([steps, caption]).encode()).hexdigest()[:10]
    first = steps[at]
    drawn = "".join(
        [
            _frame(length, top),
            f'<image x="{LEFT}" y="{PICTURE[0]}" width="{RIGHT - LEFT}" '
            f'height="{PICTURE[1] - PICTURE[0]}" preserveAspectRatio="none" '
            f'href="{first["picture"]}"/>',
            _marks(sound, length, top),
            _line("shape", first["shape"], INK, fill=GRID),
            _half("bursts over time, ms", seconds, HALVES[0], sound.bursts, 1000),
            _half("vowel over frequency, Hz", hertz, HALVES[1], sound.harmonics, 1),
            _line("time", first["time"], first["colour"][0], first["dash"][0]),
            _line("frequency", first["frequency"], first["colour"][1], first["dash"][1]),
        ]
    )
    call = f"({SCRIPT})({json.dumps(name)},{json.dumps(steps, separators=(',', ':'))});"
    html = (
        f'<figure class="ser-window" id="{name}" style="margin:1em 0;max-width:640px">'
        f'<div style="background:{CARD};color:{INK};color-scheme:light;padding:.7em;'
        f'border-radius:6px;font-size:.95rem">'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(described)}" '
        f'style="display:block;width:100%;height:auto;font-family:DejaVu Sans,Arial,sans-serif" '
        f'font-size="16" fill="{INK}">{drawn}</svg>'
        f'<div class="controls" hidden><label for="{name}-slider" style="display:block">'
        f"Window length: <strong>{first['ms']}</strong>"
        f'<input type="range" id="{name}-slider" min="0" max="{len(windows) - 1}" step="1" '
        f'value="{at}" style="width:100%;margin:.3em 0"></label></div>'
        f'<output for="{name}-slider" aria-live="polite" '
        f'style="display:block;margin-top:.5em;min-height:2.8em">{escape(first["said"])}</output>'
        f"</div><figcaption>{escape(caption)} {escape(described)}</figcaption>"
        f"{player.html if player is not None else ''}"
        f"<script>{call}</script></figure>"
    )
    return Html(html, f"[window length] {caption} {described}".replace("  ", " "))


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


def _points(x, y, from_x, from_y, to_x, to_y) -> str:
    """Points of SVG; *to_y* counts downwards."""
    across = to_x[0] + (np.asarray(x) - from_x[0]) / (from_x[1] - from_x[0]) * (to_x[1] - to_x[0])
    share = (np.asarray(y) - from_y[0]) / (from_y[1] - from_y[0])
    down = to_y[1] - share * (to_y[1] - to_y[0])
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(across, down, strict=True))


def _curve(x: np.ndarray, levels: np.ndarray, half: tuple[int, int]) -> str:
    levels = np.maximum(levels - levels.max(), FLOOR_DB)
    return _points(x, levels, (x[0], x[-1]), (FLOOR_DB, 0), half, CURVES)


def _line(name: str, points: str, colour: str, dash: str = "", fill: str = "none") -> str:
    return (
        f'<polyline class="{name}" fill="{fill}" stroke="{colour}" stroke-width="2.4" '
        f'stroke-dasharray="{dash}" points="{points}"/>'
    )


def _text(x: float, y: float, words: str, anchor: str = "middle", more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{escape(words)}</text>'


def _frame(length: float, top: float) -> str:
    """Titles and axes of the window's shape and the spectrogram."""
    bold = 'font-weight="bold"'
    upper, lower = PICTURE
    parts = [
        _text(LEFT, SHAPE[0] - 8, "the window, at the scale of time below", "start", bold),
        _text(RIGHT, upper - 8, "what it sees", "end", bold),
        _text(LEFT - 6, upper + 5, "Hz", "end"),
        _text((LEFT + RIGHT) / 2, lower + 40, "time, s"),
    ]
    for hertz in range(0, int(top), 500):
        y = lower - hertz / top * (lower - upper)
        parts.append(_text(LEFT - 6, y + 5, str(hertz), "end"))
    for seconds in np.arange(0, length, 0.1):
        x = LEFT + seconds / length * (RIGHT - LEFT)
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{lower}" y2="{lower + 5}" stroke="{MUTED}"/>'
            + _text(x, lower + 22, f"{seconds:g}")
        )
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


def _half(title: str, x: np.ndarray, half: tuple[int, int], truth, unit: float) -> str:
    """Axes of one of the two curves; dotted where the truth is."""
    left, right = half
    upper, lower = CURVES
    parts = [_text(left, upper - 12, title.split(",")[0], "start", 'font-weight="bold"')]
    for value in truth:
        at = left + (value - x[0]) / (x[-1] - x[0]) * (right - left)
        parts.append(
            f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{upper}" y2="{lower}" stroke="{MUTED}" '
            f'stroke-dasharray="2 3"/>' + _text(at, lower + 20, f"{value * unit:g}")
        )
    parts.append(
        f'<line x1="{left}" x2="{right}" y1="{lower}" y2="{lower}" stroke="{MUTED}"/>'
        + _text((left + right) / 2, lower + 42, title.split(" over ")[1])
    )
    for level in (0, -6, -12, -18) if left == LEFT else ():
        y = lower - (level - FLOOR_DB) / -FLOOR_DB * (lower - upper)
        parts.append(_text(left - 6, y + 5, f"{level} dB" if level == 0 else str(level), "end"))
    return "".join(parts)


SCRIPT = """function(name, steps) {
  var root = document.getElementById(name);
  if (!root) return;
  var slider = root.querySelector('input'), said = root.querySelector('output');
  function curve(key, points) {
    var line = root.querySelector('polyline.' + key);
    line.setAttribute('points', points);
    return line;
  }
  function move() {
    var step = steps[+slider.value];
    root.querySelector('image').setAttribute('href', step.picture);
    curve('shape', step.shape);
    ['time', 'frequency'].forEach(function(key, i) {
      var line = curve(key, step[key]);
      line.setAttribute('stroke', step.colour[i]);
      line.setAttribute('stroke-dasharray', step.dash[i]);
    });
    root.querySelector('strong').textContent = step.ms;
    said.textContent = step.said;
    slider.setAttribute('aria-valuetext', step.ms);
  }
  slider.addEventListener('input', move);
  root.querySelector('.controls').hidden = false;
  move();
}"""
