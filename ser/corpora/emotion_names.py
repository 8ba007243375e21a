"""Names of emotions as people write them -> one word each (book: chapter "Corpora")."""

from __future__ import annotations

import unicodedata

from ser.corpora.base import EMOTIONS

FAMILIES: dict[str, tuple[str, ...]] = {
    word: tuple(names.split())
    for word, names in {
        "angry": "angry anger ang",
        "happy": "happy happiness hap joy joyful",
        "neutral": "neutral neu neutrality",
        "sad": "sad sadness",
        "fearful": "fearful fear fea",
        "disgusted": "disgusted disgust dis",
        "surprised": "surprised surprise sur ps pleasant_surprise",
        "bored": "bored boredom",
        "calm": "calm calmness",
        "frustrated": "frustrated frustration fru",
        "excited": "excited excitement exc",
        "contemptuous": "contemptuous contempt",
        "anxious": "anxious anxiety",
    }.items()
}
"""The field's words, in the order in which ``all`` takes them, and what else they are called."""

WORDS: dict[str, str] = {name: word for word, names in FAMILIES.items() for name in names}
"""What a label or a set may say, in small letters -> the word that stands in tables."""

UNDECIDED: frozenset[str] = frozenset(("other", "oth", "xxx", "unknown", "undecided"))
"""Labels that say no emotion: such rows are listed, with ``emotion`` empty."""

USUAL: dict[str, str] = {"excited": "happy"}
"""What counts as another emotion unless a set names it: excited as happy, as with IEMOCAP."""


def plain(label: str) -> str:
    """*label* in small letters, underscores for blanks and hyphens.

    Example:
        >>> plain(" Pleasant-Surprise ")
        'pleasant_surprise'
    """
    text = unicodedata.normalize("NFC", label).strip().lower()
    return text.replace(" ", "_").replace("-", "_")


def word_of(label: str) -> str | None:
    """The field's word for *label*, ``""`` for one that says no emotion, None for an unknown one.

    Example:
        >>> word_of("Excited"), word_of(" sadness "), word_of("xxx"), word_of("hpy")
        ('excited', 'sad', '', None)
    """
    key = plain(label)
    return WORDS.get(key, "" if key in UNDECIDED else None)


def accepted() -> str:
    """The labels of the four classes and those listed beside them, for an error message."""
    names = {e: list(FAMILIES[e]) for e in EMOTIONS}
    for word, other in USUAL.items():
        names[other] += FAMILIES[word]
    four = "; ".join(f"{emotion}: {', '.join(some)}" for emotion, some in names.items())
    used = {name for some in names.values() for name in some}
    return f"{four}; listed but not used: {', '.join(sorted({*WORDS, *UNDECIDED} - used))}"
