"""Who lends mean and deviation under each rule, as a drawing.

Book: chapter "Voices it has not heard".
"""

from __future__ import annotations

from ser.plots.html import Html

from chapters.shared.svg import Drawing

WIDE, STEP, CELL, GAP = 360, 100, 24, 3
TRAINED, NEW, CALM = 5, 6, 3
RULES: dict[str, tuple[str, str]] = {
    "train": ("train", "nothing of the new voice is known"),
    "enrol:3": ("enrol:3 (E 3)", "three calm sentences, never tested on"),
    "speaker": ("speaker (T)", "all that is tested, before the first answer"),
}
"""Rule -> its name, and what it knows of the new voice."""


def lends(rule: str, new: bool, place: int) -> bool:
    """Whether an utterance lends mean and deviation by which the new voice is measured.

    Args:
        rule: ``train``, ``enrol:3`` or ``speaker``.
        new: of the new voice, not of the training side.
        place: of the utterance among those drawn; the first three of the new voice are calm.

    Example:
        >>> [lends("enrol:3", True, place) for place in (0, 2, 3)]
        [True, True, False]
    """
    return new != (rule == "train") and (rule != "enrol:3" or place < CALM)


def whose_mean() -> Html:
    """A line for each rule: utterances of the training side and of the new voice."""
    told = []
    for rule, (name, knows) in RULES.items():
        count = [sum(lends(rule, n, k) for k in range((TRAINED, NEW)[n])) for n in (False, True)]
        told.append(f"{name}: {knows}; {count[0]} of {TRAINED} utterances of the voices trained on "
                    f"lend, and {count[1]} of {NEW} of the new voice.")  # fmt: skip
    d = Drawing(WIDE, 44 + STEP * len(RULES), "Whose mean", " ".join(told))
    for x, words, role in ((8, "lends mean and deviation", "memory"), (230, "does not", "quiet")):
        d.box(x, 8, 20, 20, (), role, rounded=4)
        d.text(x + 28, 23, words, size=14, anchor="start")
    for line, (rule, (name, knows)) in enumerate(RULES.items()):
        top = 46 + line * STEP
        d.text(8, top + 12, name, size=15, anchor="start", bold=True)
        d.text(8, top + 30, knows, size=13, anchor="start")
        for new, left, count in ((False, 8, TRAINED), (True, 182, NEW)):
            for place in range(count):
                role = "memory" if lends(rule, new, place) else "quiet"
                dash = "4 3" if new and rule == "enrol:3" and place < CALM else ""
                d.box(left + place * (CELL + GAP), top + 38, CELL, 20, (), role, rounded=4,
                      dash=dash)  # fmt: skip
            d.text(left, top + 75, "the new voice" if new else "voices trained on", size=13,
                   anchor="start")  # fmt: skip
    return d.show(
        "Whose mean and deviation a new voice is measured by, an utterance a box. Dashed: the "
        "neutral sentences of the enrolment, which are neither trained on nor tested.",
        widest=480,
    )
