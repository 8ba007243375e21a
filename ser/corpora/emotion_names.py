"""Names of emotions as people write them -> the four classes."""

from __future__ import annotations

ALIASES: dict[str, str] = {
    alias: emotion
    for emotion, aliases in {
        "angry": "angry anger ang",
        "happy": "happy happiness hap joy joyful excited excitement exc",
        "neutral": "neutral neu neutrality",
        "sad": "sad sadness",
    }.items()
    for alias in aliases.split()
}
"""What a manifest may say for each of the four classes, in small letters."""

OTHERS: frozenset[str] = frozenset(
    label
    for family in (
        "fear fearful fea anxiety anxious",
        "disgust disgusted dis",
        "surprise surprised sur ps pleasant_surprise",
        "boredom bored calm",
        "frustration frustrated fru contempt contemptuous",
        "other oth xxx unknown undecided",
    )
    for label in family.split()
)
"""Emotions outside the four: such rows are listed, with ``emotion`` empty."""


def emotion_of(label: str) -> str | None:
    """The class that *label* means, ``""`` for another emotion, None for no emotion known.

    Example:
        >>> emotion_of("Excited"), emotion_of(" sadness "), emotion_of("fear"), emotion_of("hpy")
        ('happy', 'sad', '', None)
    """
    key = label.strip().lower().replace(" ", "_").replace("-", "_")
    if key in ALIASES:
        return ALIASES[key]
    return "" if key in OTHERS else None


def accepted() -> str:
    """The accepted labels, for an error message."""
    classes: dict[str, list[str]] = {}
    for alias, emotion in ALIASES.items():
        classes.setdefault(emotion, []).append(alias)
    four = "; ".join(f"{emotion}: {', '.join(names)}" for emotion, names in classes.items())
    return f"{four}; listed but not used: {', '.join(sorted(OTHERS))}"
