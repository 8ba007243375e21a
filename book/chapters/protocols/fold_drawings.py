"""Who is trained on and who is tested, drawn (book: chapter "The protocol laboratory")."""

from __future__ import annotations

from collections.abc import Collection

from ser.plots.html import Html

from chapters.shared.svg import Drawing

__all__ = ["three_sides", "two_ways_to_deal"]

SPEAKERS = {"A": "time", "B": "frequency", "C": "mfcc", "D": "forget"}
"""Speaker of the drawing -> colour."""

UTTERANCES = 6
MIXED = {"A": {1, 4}, "B": {0, 3}, "C": {2, 5}, "D": {1, 3}}
"""A fold of a random split, drawn: speaker -> the utterances that are tested."""


def two_ways_to_deal() -> Html:
    """One fold of a random split above one fold that leaves a speaker out."""
    d = Drawing(
        360,
        376,
        "One fold, dealt in two ways",
        "Four rows of six cells, a row for each speaker. In a random fold two utterances of every "
        "speaker are tested. With one speaker left out all six of speaker B are tested, and none "
        "of the others.",
    )
    _panel(d, 8, "random folds", MIXED)
    _panel(d, 196, "one speaker left out", {"B": set(range(UTTERANCES))})
    return d.show(
        "A cell is an utterance, its letter and colour the speaker. Framed cells are tested by a "
        "network that was trained on all the others."
    )


def _panel(d: Drawing, top: float, title: str, tested: dict[str, Collection[int]]) -> None:
    d.text(8, top + 16, title, size=16, anchor="start", bold=True)
    for row, (name, role) in enumerate(SPEAKERS.items()):
        mine, y = tested.get(name, ()), top + 28 + 36 * row
        for k in range(UTTERANCES):
            x = 8 + 36 * k
            d.box(x, y, 30, 30, name if k not in mine else "", role, size=14, rounded=4)
            if k in mine:
                with d.group(lit=True):
                    d.box(x - 1, y - 1, 32, 32, name, "ink", size=15, rounded=4)
        said = f"{UTTERANCES - len(mine)} to train, {len(mine)} to test"
        d.text(8 + 36 * UTTERANCES + 2, y + 20, said, size=13, anchor="start")


def three_sides() -> Html:
    """Train, dev and test speakers, and what each side decides."""
    d = Drawing(
        360,
        164,
        "Training, dev and test side",
        "Ten speakers in a row. Seven are trained on and make the weights, two are the dev side "
        "and choose the epoch, one is tested, once, and gives the score.",
    )
    sides = (
        ("mfcc", 8, 7, 100, "train", ["make the", "weights"]),
        ("memory", 214, 2, 88, "dev", ["choose", "the epoch"]),
        ("output", 313, 1, 66, "test", ["is asked", "once"]),
    )
    number = 0
    for role, left, speakers, wide, name, lines in sides:
        middle = left + (26 * speakers - 4) / 2
        d.text(middle, 22, name, role, size=15, bold=True)
        for k in range(speakers):
            number += 1
            d.box(left + 26 * k, 32, 22, 32, str(number), role, size=13, rounded=4)
        d.arrow((middle, 68), (middle, 98), role=role)
        d.box(middle - wide / 2, 100, wide, 52, role=role)
        for i, line in enumerate(lines):
            d.text(middle, 122 + 19 * i, line, size=13)
    return d.show(
        "Leave-one-speaker-out with a dev set: one fold of ten. The dev speakers are taken from "
        "the training side, and the test speaker has no say in any choice."
    )
