"""The alignment by threes, drawn (book: chapter "The CNN front end and alignment")."""

from __future__ import annotations

from fractions import Fraction

from ser.plots.html import Html

from chapters.shared.svg import Drawing

STEPS = 8
"""Steps of x in the drawing; their values are the squares of their numbers."""


def threes() -> list[Fraction]:
    """The means of three of the squares, moved on by two.

    Example:
        >>> [str(mean) for mean in threes()]
        ['5/3', '29/3', '77/3']
    """
    squares = [t**2 for t in range(STEPS)]
    return [Fraction(sum(squares[2 * t : 2 * t + 3]), 3) for t in range(STEPS // 2 - 1)]


def alignment_drawing() -> Html:
    """Eight steps of x and four of y: which three become one, what goes with what, what is left."""
    means = threes()
    told = "; ".join(
        f"x{2 * t}, x{2 * t + 1} and x{2 * t + 2} become x'{t} and go with y{t}"
        for t in range(len(means))
    )
    d = Drawing(
        400,
        292,
        "The alignment by threes",
        f"Eight steps of x in a row, four of y in another. {told}. x{STEPS - 1} is in no window, "
        f"and y{len(means)} has no partner.",
    )

    def middle(k: int) -> float:
        return 39 + 46 * k

    for k in range(STEPS):
        role = "quiet" if k == STEPS - 1 else "time"
        d.box(middle(k) - 20, 26, 40, 48, [f"$x_{k}$", f"{k**2}"], role)
        d.text(middle(k), 18, f"t = {k}" if k == 0 else f"{k}", "quiet", size=13)
    for t, mean in enumerate(means):
        at = middle(2 * t + 1)
        for k in range(2 * t, 2 * t + 3):
            side = (k > 2 * t + 1) - (k < 2 * t + 1)  # steps that two windows share lie apart
            d.arrow((middle(k) - 5 * side, 74), (at + 3 * side, 124), role="time")
        d.box(at - 38, 124, 76, 50, [f"$x'_{t}$", f"{mean}"], "time")
        d.line((at, 174), (at, 206))
        d.box(at - 38, 206, 76, 40, f"$y_{t}$", "frequency")
    d.box(middle(STEPS - 1) - 32, 206, 64, 40, f"$y_{len(means)}$", "quiet", dash="4 3")
    d.text(middle(STEPS - 1), 96, "in no", "quiet", size=13)
    d.text(middle(STEPS - 1), 111, "window", "quiet", size=13)
    d.text(middle(STEPS - 1), 262, "no partner", "quiet", size=13)
    d.text(middle(3), 270, "one step of the DS-LSTM each", "ink", size=14)
    return d.show(
        "The alignment: the mean of three steps of x for each step of y, moved on by two. "
        "In the boxes of x the values of the example, the squares of t; below, their means.",
        widest=520,
    )
