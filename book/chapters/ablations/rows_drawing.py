"""Which part of the system each row keeps, as a drawing. Book: chapter "Ablations"."""

from __future__ import annotations

from ser.plots.html import Html
from ser.rows import ROWS

from chapters.shared.svg import SMALLEST, Drawing

DRAWN: tuple[str, ...] = (
    "dual", "mfcc+cnn-lstm-pair", "ds-lstm", "concat-lstm", "cnn-lstm-pair", "cnn-lstm-s1",
    "cnn-lstm-s2", "mfcc-lstm",
)  # fmt: skip
"""The rows of networks, from the whole system down to one branch."""

LEFT, RIGHT, MFCC, WIDE = 168, 234, 306, 60
STEP, HIGH = 62, 23


def parts(name: str) -> dict[str, str]:
    """What a row keeps: input (``s1``, ``s2``, ``mfcc``) -> what reads it.

    Example:
        >>> parts("cnn-lstm-s1")
        {'s1': 'LSTM'}
        >>> parts("dual")
        {'mfcc': 'LSTM', 's1': 'DS-LSTM', 's2': 'DS-LSTM'}
    """
    found: dict[str, str] = {}
    for branch in ROWS[name].branches:
        if branch == "mfcc-lstm":
            found["mfcc"] = "LSTM"
        elif branch in ("cnn-lstm-s1", "cnn-lstm-s2"):
            found[branch[-2:]] = "LSTM"
        elif branch == "cnn-lstm-pair":
            found |= {"s1": "LSTM", "s2": "LSTM"}
        else:
            reads = "DS-LSTM" if branch.startswith("ds-lstm") else "one LSTM"
            found |= dict.fromkeys(("s1", "s2"), reads)
    return found


def rows_drawing(caption: str | None = None) -> Html:
    """The rows below each other; a part that a row is without is an empty dashed box."""
    d = Drawing(400, 30 + STEP * len(DRAWN), "Parts that each row keeps", _described())
    for x, words, role in (
        (LEFT, "S1, CNN", "time"),
        (RIGHT, "S2, CNN", "frequency"),
        (MFCC, "MFCC", "mfcc"),
    ):
        d.text(x + (90 if x == MFCC else WIDE) / 2, 20, words, role, size=SMALLEST, bold=True)
    for k, name in enumerate(DRAWN):
        top, kept = 34 + k * STEP, parts(name)
        d.text(4, top + HIGH + 6, name, size=14, anchor="start", bold=k == 0)
        _input(d, LEFT, top, WIDE, "S1", "time", "s1" in kept)
        _input(d, RIGHT, top, WIDE, "S2", "frequency", "s2" in kept)
        _input(d, MFCC, top, 90, "MFCC", "mfcc", "mfcc" in kept)
        _input(d, MFCC, top + HIGH + 2, 90, "LSTM", "mfcc", "mfcc" in kept)
        below = top + HIGH + 2
        if kept.get("s1") == kept.get("s2") != "LSTM" and "s1" in kept:
            role = "memory" if kept["s1"] == "DS-LSTM" else "ink"
            d.box(LEFT, below, RIGHT + WIDE - LEFT, HIGH, kept["s1"], role, size=14, rounded=4)
        else:
            _input(d, LEFT, below, WIDE, "LSTM", "ink", "s1" in kept)
            _input(d, RIGHT, below, WIDE, "LSTM", "ink", "s2" in kept)
    return d.show(caption or _CAPTION, widest=520)


_CAPTION = (
    "The rows and their parts. Upper line: inputs, each spectrogram with its CNN. Lower line: what "
    "reads them. Dashed: the row is trained without this part."
)


def _input(d: Drawing, x: float, y: float, wide: float, words: str, role: str, there: bool) -> None:
    if there:
        d.box(x, y, wide, HIGH, words, role, size=14, rounded=4)
    else:
        d.box(x, y, wide, HIGH, (), "quiet", rounded=4, dash="4 4")


def _described() -> str:
    said = []
    for name in DRAWN:
        kept = parts(name)
        words = [f"{which.upper()} read by {reads}" for which, reads in kept.items()]
        said.append(f"{name}: {', '.join(words)}.")
    return " ".join(said)
