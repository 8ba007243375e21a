"""One drawing of the whole system, with a chapter's own part lit.

In a chapter, right after its opening box, in a cell tagged ``hide-input``::

    from chapters.shared.system_drawing import system_drawing

    system_drawing("front_end")            # or several: {"front_end", "alignment"}

The parts are :data:`PARTS`; without ``lit`` all are drawn alike. Every shape is taken from the
package for a wave of :data:`SECONDS` in the preset ``release``. The caption says what is lit;
``caption=`` replaces it. A page of Markdown and the README take the file ``book/images/system.svg``
(made by ``python -m tools.picture``), which follows the reader's system, light or dark.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
from ser import mel_pair, mfcc39
from ser.corpora import EMOTIONS
from ser.features.presets import SAMPLE_RATE, get_preset
from ser.nn.alignment import aligned_lengths
from ser.nn.branches import Branch
from ser.nn.frontend import FrontEnd
from ser.plots.html import Html

from chapters.shared.svg import SMALLEST, Drawing

__all__ = ["PARTS", "SECONDS", "Shapes", "drawn_system", "shapes", "system_drawing"]

SECONDS = 2.0
"""Length of the wave whose shapes are drawn."""

PARTS: dict[str, str] = {
    "wave": "the wave",
    "spectrograms": "the two spectrograms",
    "mfcc": "the MFCCs",
    "front_end": "the two CNNs",
    "alignment": "the alignment",
    "ds_lstm": "the DS-LSTM",
    "lstm": "the LSTM over MFCCs",
    "logits": "the logits of each branch",
    "mean": "the mean of the logits",
}
"""What ``lit`` may name, and how the caption calls it."""


@dataclass(frozen=True)
class Shapes:
    """Sizes along the way of a wave: spectrograms are bands × frames, the rest steps × numbers."""

    samples: int
    s1: tuple[int, int]
    s2: tuple[int, int]
    squashed: tuple[int, int]
    mfcc: tuple[int, int]
    x: tuple[int, int]
    y: tuple[int, int]
    steps: int
    hidden: int
    layers: int
    classes: int


def shapes(seconds: float = SECONDS) -> Shapes:
    """The shapes of a wave of *seconds* in the preset ``release``, from the package's own parts.

    Example:
        >>> found = shapes(2.0)
        >>> found.mfcc, found.x, found.y, found.steps
        ((198, 39), (56, 496), (29, 1008), 27)
    """
    preset, samples = get_preset("release"), round(seconds * SAMPLE_RATE)
    wave = np.random.default_rng(0).normal(0, 0.1, samples).astype(np.float32)
    s1, s2 = (tuple(s.shape) for s in mel_pair(wave, preset="release"))
    fronts = [FrontEnd(n, which) for n, which in zip(preset.n_mels, ("s1", "s2"), strict=True)]
    x, y = ((f.out_lengths(t), f.size) for f, t in zip(fronts, preset.frames, strict=True))
    given = {name: p.default for name, p in inspect.signature(Branch).parameters.items()}
    return Shapes(
        samples, s1, s2, preset.frames, tuple(mfcc39(wave).shape), x, y,
        aligned_lengths(x[0], y[0]),
        given["hidden"], given["layers"], given["classes"],
    )  # fmt: skip


def drawn_system(lit: str | Collection[str] | None = None) -> Drawing:
    """The drawing itself, for a file; a page shows :func:`system_drawing`.

    Raises:
        ValueError: a part that is not in :data:`PARTS`.
    """
    named = {lit} if isinstance(lit, str) else set(lit or ())
    if unknown := sorted(named - set(PARTS)):
        raise ValueError(f"no part is called {unknown[0]!r}; there are {', '.join(PARTS)}")
    s, n = shapes(), len(EMOTIONS)
    d = Drawing(400, 648, _title(named), _described(s, named))
    left, middle, right, wide = 8, 140, 272, 120  # three columns
    ends = left + wide / 2, middle + wide / 2, right + wide / 2

    def part(name: str):
        return d.group(lit=name in named if named else None)

    with part("wave"):
        d.box(left, 6, 384, 46)
        d.wave(left + 10, 11, 150, 36)
        d.lines(290, 29, ["wave", f"{s.samples:,} samples, {SECONDS:g} s"])
    columns = [
        ("spectrograms", left, "S1", s.s1, "time", (8, 24)),
        ("spectrograms", middle, "S2", s.s2, "frequency", (16, 12)),
        ("mfcc", right, "MFCC", s.mfcc, "mfcc", (8, 30)),
    ]
    for name, at, words, shape, role, cells in columns:
        with part(name):
            d.arrow((at + wide / 2, 52), (at + wide / 2, 74), role=role)
            d.box(at, 74, wide, 88, role=role)
            d.heat(at + 10, 82, wide - 20, 34, *cells, role)
            d.lines(at + wide / 2, 139, [words, _by(shape)], role)
    for which, at, role in ((0, left, "time"), (1, middle, "frequency")):
        shape = (s.s1[0], s.squashed[0]) if which == 0 else (s.s2[0], s.squashed[1])
        with part("front_end"):
            _labelled(d, at + wide / 2, 162, 204, _by(shape), role)
            d.box(at, 204, wide, 40, "CNN", role)
        with part("alignment"):
            _labelled(d, at + wide / 2, 244, 286, _by((s.x, s.y)[which]), role)
    with part("alignment"):
        d.box(left, 286, 252, 40, "alignment")
    with part("ds_lstm"):
        for at, role, shape, name in (
            (ends[0], "time", s.x, "x"),
            (ends[1], "frequency", s.y, "y"),
        ):
            _labelled(d, at, 326, 368, f"${name}$: {_by((s.steps, shape[1]))}", role)
        d.box(
            left,
            368,
            252,
            64,
            ["DS-LSTM", f"{s.layers} layers", _by((s.steps, s.hidden))],
            "memory",
        )
    with part("lstm"):
        d.arrow((ends[2], 162), (ends[2], 368), role="mfcc")
        d.box(
            right, 368, wide, 64, ["LSTM", f"{s.layers} layers", _by((s.mfcc[0], s.hidden))], "mfcc"
        )
    for at, x, width in ((left, 134, 252), (right, ends[2], wide)):
        with part("logits"):
            over = "mean over time: " if at == left else "mean: "
            _labelled(d, x, 432, 474, f"{over}{s.hidden}", "ink")
            d.box(at, 474, width, 40, f"{s.classes} logits")
    with part("mean"):
        for x in (134, ends[2]):
            d.arrow((x, 514), (x, 548))
        d.box(left, 548, 384, 94)
        d.lines(200, 570, ["mean of the logits", "the largest is the answer"])
        for k, emotion in enumerate(EMOTIONS):
            d.box(20 + k * 368 / n, 596, 368 / n - 8, 34, rounded=4)
            d.text(16 + (k + 0.5) * 368 / n, 618, emotion, size=14)
    return d


def system_drawing(lit: str | Collection[str] | None = None, *, caption: str | None = None) -> Html:
    """The whole system as a figure, *lit* parts in colour and the rest in grey.

    Args:
        lit: one of :data:`PARTS` or several; None draws all in colour.
        caption: instead of the one that names what is lit.

    Returns:
        :class:`ser.plots.Html`, about 20 kB.

    Raises:
        ValueError: a part that is not in :data:`PARTS`.

    Example:
        >>> system_drawing("mfcc").text[:60]
        '[drawing] The whole system; this chapter is about the MFCCs.'
    """
    named = [lit] if isinstance(lit, str) else [name for name in PARTS if name in (lit or ())]
    drawn = drawn_system(lit)
    if caption is None:
        about = f"; this chapter is about {_listed(PARTS[name] for name in named)}"
        caption = f"The whole system{about if named else ''}. {_READING}"
    return drawn.show(caption, widest=480)


_READING = (
    f"Shapes are those of a recording of {SECONDS:g} s with the settings of the released code, "
    "which resamples S1 and S2 in time before the CNNs: spectrograms are bands × frames, "
    "what follows is steps × numbers."
)


def _title(named: Collection[str]) -> str:
    lit = _listed(PARTS[name] for name in PARTS if name in named)
    return f"The whole system, lit: {lit}" if named else "The whole system"


def _described(s: Shapes, named: Collection[str]) -> str:
    return (
        f"From top to bottom: a wave of {s.samples:,} samples becomes three pictures, S1 of "
        f"{_by(s.s1)}, S2 of {_by(s.s2)} and MFCCs of {_by(s.mfcc)}. S1, resampled to "
        f"{s.squashed[0]} frames, and S2, to {s.squashed[1]}, go through a CNN each, which give "
        f"{_by(s.x)} and {_by(s.y)}; the alignment brings both to {s.steps} steps, and the "
        f"DS-LSTM of {s.layers} layers reads the two together. An LSTM of {s.layers} layers reads "
        f"the MFCCs. Each of the two branches takes its mean over time, {s.hidden} numbers, to "
        f"{s.classes} logits. The mean of both branches' logits is the answer: one score for each "
        f"of {', '.join(EMOTIONS)}."
    )


def _labelled(d: Drawing, x: float, top: float, bottom: float, words: str, role: str) -> None:
    """An arrow downwards that is broken by its label."""
    middle = (top + bottom) / 2
    d.line((x, top), (x, middle - 9), role=role)
    d.text(x, middle + 4, words, size=SMALLEST)
    d.arrow((x, middle + 9), (x, bottom), role=role)


def _by(shape: Iterable[int]) -> str:
    return " × ".join(str(n) for n in shape)


def _listed(words: Iterable[str]) -> str:
    *first, last = list(words) or [""]
    return f"{', '.join(first)} and {last}" if first else last
