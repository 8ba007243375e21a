"""A built-in voice with five knobs, and what the shipped network makes of every setting.

F0, range and rate need the synthesiser, so their settings are a grid of sounds, made when the page
is run; level and tilt are exact in the page (``knobs.js``) and here (:func:`turned`).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from ser import predict
from ser.corpora import EMOTIONS
from ser.corpora.synthetic.script import VOICES, Line
from ser.loading import SavedModel
from ser.plots.html import Html

from chapters.lab.model import HERE
from chapters.lab.speak import BUTTON, COLOURS, SILENT, answer_table, clip
from chapters.shared.widget import widget

__all__ = ["KNOBS", "answers_on_grid", "effects", "knobs", "spoken", "turned"]

FROM_HZ, PEAK = 500.0, 0.97


@dataclass(frozen=True)
class Knob:
    """One knob: its name, its settings, and how each is called; the middle one is plain speech."""

    name: str
    values: tuple[float, ...]
    labels: tuple[str, ...]


KNOBS = (
    Knob("F0", (-4, 0, 4), ("4 semitones lower", "as it is", "4 semitones higher")),
    Knob("range", (0.5, 1, 2), ("half of it", "as it is", "twice")),
    Knob("rate", (0.8, 1, 1.25), ("0.8 times", "as it is", "1.25 times")),
    Knob("level", (-10, 0, 10), ("10 dB less", "as it is", "10 dB more")),
    Knob("tilt", (-3, 0, 3), ("3 dB an octave darker", "as it is", "3 dB an octave brighter")),
)
"""Median F0 in semitones, range and rate as factors, level in dB, tilt in dB an octave."""
SPOKEN = 3
"""Knobs, from the first, that the synthesiser turns."""


def spoken(voice: int = 0, sentence: int = 3) -> list[np.ndarray]:
    """A plain reading for every setting of F0, range and rate, the rate changing fastest.

    Args:
        voice, sentence: of the built-in corpus (:mod:`ser.corpora.synthetic.script`).

    Returns:
        float32 waves at 16 kHz.

    Raises:
        ImportError: parselmouth is not installed.
    """
    from ser.corpora.synthetic.speech import Speaker

    speaker = Speaker(VOICES[voice], sentence + 1)
    plain = {"f0_range_semitones": 2.3, "level_db": -31.0, "tilt_db": 0.0, "jitter_percent": 1.0}
    waves = []
    for f0, spread, rate in itertools.product(*(knob.values for knob in KNOBS[:SPOKEN])):
        factors = plain | {
            "f0_hz": VOICES[voice].f0_hz * 2 ** (f0 / 12),
            "f0_range_semitones": plain["f0_range_semitones"] * spread,
            "rate": rate,
        }
        samples = speaker.speak(Line(voice, "neutral", sentence, 1.0, factors))
        waves.append((samples / 32768).astype("f4"))
    return waves


def turned(wave: np.ndarray, level: float, tilt: float) -> np.ndarray:
    """A wave tilted above 500 Hz and made louder, held back where it would clip.

    Args:
        wave: (samples,) at 16 kHz.
        level: dB.
        tilt: dB an octave.

    Example:
        >>> tone = np.full(100, 0.1)
        >>> bool(np.allclose(turned(tone, 6.02, 0), 0.2, atol=1e-4))
        True
    """
    size = 1 << (len(wave) + 1600).bit_length()
    octaves = np.log2(np.maximum(np.fft.rfftfreq(size, 1 / 16000), FROM_HZ) / FROM_HZ)
    spectrum = np.fft.rfft(wave, size) * 10 ** (tilt * octaves / 20)
    tilted = np.fft.irfft(spectrum, size)[: len(wave)] if tilt else wave
    gain = min(10 ** (level / 20), PEAK / max(float(np.abs(tilted).max()), 1e-9))
    return (gain * tilted).astype("f4")


def answers_on_grid(waves: Sequence[np.ndarray], model: SavedModel) -> pd.DataFrame:
    """What *model* says of every setting of all knobs.

    Args:
        waves: of :func:`spoken`.
        model: who answers.

    Returns:
        A line a setting: the place of each knob by its name, a probability an emotion.
    """
    rows = []
    places = itertools.product(*(range(len(knob.values)) for knob in KNOBS[:SPOKEN]))
    finer = list(itertools.product(*(range(len(knob.values)) for knob in KNOBS[SPOKEN:])))
    for wave, place in zip(waves, places, strict=True):
        for other in finer:
            level, tilt = (k.values[p] for k, p in zip(KNOBS[SPOKEN:], other, strict=True))
            p = predict(turned(wave, level, tilt), model).probabilities
            rows.append((*place, *other, *p.values()))
    return pd.DataFrame(rows, columns=[*(k.name for k in KNOBS), *EMOTIONS])


def effects(grid: pd.DataFrame) -> pd.DataFrame:
    """What each knob does when it is turned from one end to the other, the others standing still.

    Args:
        grid: of :func:`answers_on_grid`.

    Returns:
        A line a knob, the strongest first: ``moved``, how much probability goes to other words, in
        percent, and ``word``, the share of settings of the others in which the word changes, in
        percent; means over all settings of the others.

    Example:
        >>> level = [(0.9, 0.1, 0, 0)] * 2 + [(0.1, 0.9, 0, 0)] * 2
        >>> grid = pd.DataFrame(level, columns=list(EMOTIONS))
        >>> grid = grid.assign(level=[0, 0, 1, 1], F0=[0, 1] * 2)
        >>> effects(grid).round().reset_index().values.tolist()
        [['level', 80.0, 100.0], ['F0', 0.0, 0.0]]
    """
    names = [knob.name for knob in KNOBS if knob.name in grid]
    lines = {}
    for name in names:
        others = [n for n in names if n != name]
        ends = [
            grid[grid[name] == end].sort_values(others)[list(EMOTIONS)].to_numpy()
            for end in (grid[name].min(), grid[name].max())
        ]
        lines[name] = (
            100 * np.abs(ends[0] - ends[1]).sum(1).mean() / 2,
            100 * np.mean(ends[0].argmax(1) != ends[1].argmax(1)),
        )
    frame = pd.DataFrame.from_dict(lines, orient="index", columns=["moved", "word"])
    return frame.sort_values("moved", ascending=False)


def knobs(waves: Sequence[np.ndarray], name: str, *, caption: str) -> Html:
    """The figure: five knobs, the sound, its S2, and what the network of the page answers.

    Args:
        waves: of :func:`spoken`.
        name: what is said, and by whom.
        caption: below the figure.

    Returns:
        :class:`ser.plots.Html`; :func:`chapters.lab.speak.speak` comes before it on the page.
    """
    shade = COLOURS["s2"][1]

    def one(knob: Knob, place: int) -> str:
        middle = len(knob.values) // 2
        return (
            f'<label style="display:block;margin:.3em 0">{knob.name}: <b>{knob.labels[middle]}</b>'
            f'<input type="range" min="0" max="{len(knob.values) - 1}" step="1" value="{middle}" '
            'style="display:block;width:100%;max-width:320px"></label>'
        )

    def inside(_: str) -> str:
        rows = "".join(one(knob, k) for k, knob in enumerate(KNOBS))
        return (
            f'<div class="controls" hidden>{rows}<p><button type="button" class="plain" '
            f'style="{BUTTON}">All as they are</button></p><audio controls aria-label="{name}" '
            f'src="{SILENT}" style="width:320px;max-width:100%"></audio>'
            '<output aria-live="polite" style="display:block;min-height:1.5em;margin:.5em 0">'
            f'</output></div><div style="color:{shade};font-weight:bold">S2, 0 to 8 kHz</div>'
            f'<canvas width="600" height="110" role="img" aria-label="{name}" style="display:block;'
            f'width:100%;height:110px;border:2px solid {shade};background:#fff"></canvas>'
            f"{answer_table(('both', 'MFCC LSTM', 'DS-LSTM'), 'The answer, and each branch')}"
            "<noscript><p>This figure needs JavaScript.</p></noscript>"
        )

    data: dict[str, Any] = {
        "knobs": [{"values": k.values, "labels": k.labels} for k in KNOBS],
        "sounds": [clip(wave, "")["wav"] for wave in waves],
        "emotions": list(EMOTIONS),
        "colours": COLOURS["s2"],
        "name": name,
    }
    described = (
        f"Five knobs for the voice that says “{name}”: F0, range, rate, level and tilt; its sound, "
        "its mel-spectrogram and the network's answer change with them."
    )
    return widget(
        HERE / "knobs.js", data, inside, kind="knobs", title="turn the knobs", caption=caption,
        described=described,
    )  # fmt: skip
