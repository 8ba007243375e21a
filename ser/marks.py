"""What stands behind the name of a row that knows more of a speaker than one recording."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Mark(NamedTuple):
    """A mark of :data:`MARKS`.

    Attributes:
        sign: what stands behind the name; K is a number.
        short: what it says, below a figure.
        long: what it says, below a table.
    """

    sign: str
    short: str
    long: str


MARKS: dict[str, Mark] = {
    "speaker": Mark(
        "(T)",
        "transductive: normalised by speaker",
        "transductive: the features of each speaker, those tested too, were normalised by that "
        "speaker's recordings on the same side of the split",
    ),
    "enrol": Mark(
        "(E K)",
        "normalised by K neutral recordings",
        "enrolment: the features of each speaker, those tested too, were normalised by K neutral "
        "recordings of that speaker, which are neither trained on nor tested",
    ),
    "running": Mark(
        "(R)",
        "normalised by what was said before",
        "running: the features of each speaker, those tested too, were normalised by the training "
        "side and by what that speaker had said before: an answer counts on other recordings of "
        "the speaker tested",
    ),
}
"""By the rule of :mod:`ser.normalise`, less its K."""

TRANSDUCTIVE = MARKS["speaker"].sign


def mark_of(rule: str) -> str:
    """What stands behind the name of a row that was normalised so; empty: nothing need be said.

    Args:
        rule: one of :data:`ser.normalise.NORMALISATIONS`; of a row that averages others, those of
            all of them, as its record has them, joined by commas.

    Example:
        >>> mark_of("speaker"), mark_of("enrol:3"), mark_of("running"), mark_of("train")
        ('(T)', '(E 3)', '(R)', '')
        >>> mark_of("none, running")
        '(R)'
    """
    rules = [one.partition(":") for one in rule.split(", ")]
    signs = [MARKS[kind].sign.replace("K", k) for kind, _, k in rules if kind in MARKS]
    return " ".join(dict.fromkeys(signs))


def footnotes(rules: Iterable[str]) -> list[str]:
    """What the marks of rows under these rules say, a line each.

    Example:
        >>> [line[:3] for line in footnotes(["running", "none, speaker", "train"])]
        ['(T)', '(R)']
    """
    kinds = {one.partition(":")[0] for rule in rules for one in rule.split(", ")}
    return [f"{mark.sign} {mark.long}" for kind, mark in MARKS.items() if kind in kinds]
