"""Who chooses and who is tested in each fold, as a drawing.

Book: chapter "What lifts it, honestly".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ser.plots.html import Html
from ser.report.pool import Row

from chapters.recipe.nested import Nested, dev_speakers
from chapters.shared.svg import SMALLEST, Drawing

WIDE, LEFT, STEP, CELL = 400, 64, 58, 26


class Fold(NamedTuple):
    """Who is tested, who of the training side chooses, and what was chosen."""

    name: str
    tested: Sequence[str]
    dev: Sequence[str]
    choice: str


def folds_of(row: Row, result: Nested) -> list[Fold]:
    """The folds of a row and what each chose, from their records."""
    held = dev_speakers(row)
    tested = {r.fold: sorted(set(r.data["test"]["speakers"])) for r in row.records}
    return [
        Fold(name, tested[name], held.get(name, ()), str(result.choices.recipe[name]))
        for name in result.choices.index
    ]


def nested_drawing(folds: Sequence[Fold], ua: Mapping[str, float] | None = None) -> Html:
    """A line of speakers for each fold: tested, choosing, training; below it what was chosen.

    Args:
        folds: of :func:`folds_of`.
        ua: fold -> UA of its choice on its test speakers, percent.

    Raises:
        ValueError: no folds.
    """
    if not folds:
        raise ValueError("no folds to draw")
    speakers = sorted({name for fold in folds for name in (*fold.tested, *fold.dev)})
    step = (WIDE - LEFT - 4) / len(speakers)
    d = Drawing(WIDE, 46 + STEP * len(folds), "Nested choice", _described(folds))
    for x, words, role in ((8, "tested", "output"), (118, "chooses", "memory")):
        d.box(x, 6, 22, 22, (), role, rounded=4)
        d.text(x + 30, 22, words, size=14, anchor="start")
    d.box(236, 6, 22, 22, (), "quiet", rounded=4)
    d.text(266, 22, "only trained on", size=14, anchor="start")
    for k, fold in enumerate(folds):
        top = 44 + k * STEP
        d.text(4, top + 18, f"fold {fold.name}", size=14, anchor="start")
        for n, name in enumerate(speakers):
            role = "output" if name in fold.tested else "memory" if name in fold.dev else "quiet"
            x = LEFT + n * step
            d.box(x, top, step - 3, CELL, (), role, rounded=4)
            if step >= 24:
                ink = "quiet" if role == "quiet" else "ink"
                d.text(x + (step - 3) / 2, top + 18, name, ink, size=SMALLEST)
        score = f": UA {ua[fold.name]:.0f} % on its test" if ua else ""
        d.text(LEFT, top + 43, f"chosen {fold.choice}{score}", size=SMALLEST, anchor="start")
    caption = (
        "Nested choice. In each fold some speakers of the training side are held out to choose "
        "between ways of training; what they choose is then tested once, on others."
    )
    return d.show(caption, widest=520)


def _described(folds: Sequence[Fold]) -> str:
    return " ".join(
        f"Fold {fold.name}: tested {', '.join(fold.tested)}; chooses {', '.join(fold.dev)}; "
        f"chosen {fold.choice}."
        for fold in folds
    )
