"""What the user should know of a corpus: collected by its reader, told by ``ser check``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

SHOWN = 10
"""Files that a problem names; the rest are counted."""
ABSENT = "absent"
"""A reader's note of utterances outside the task without audio: files that a check finds anew."""


@dataclass(frozen=True)
class Problem:
    """One thing to tell.

    Attributes:
        kind: what it is, in a word or two.
        severity: ``error`` (it would spoil a result), ``warning`` (know it before you judge a
            result) or ``note``.
        message: what, and the way out.
        files: which files, or rows, or lines.
        count: how many, where *files* does not name them all.
    """

    kind: str
    severity: str
    message: str
    files: Sequence[str] = ()
    count: int | None = None

    def __str__(self) -> str:
        return f"{'note' if self.severity == 'note' else self.kind}: {self.message}"

    def as_dict(self) -> dict:
        """As JSON: the first ten files, and how many there are."""
        count = self.count if self.count is not None else max(1, len(self.files))
        return {**vars(self), "files": list(self.files[:SHOWN]), "count": count}


class Problems(defaultdict[str, list[str]]):
    """What a reader met: kind -> what, and the way out. A ``note`` spoils no result.

    Example:
        >>> problems = Problems()
        >>> problems.add("missing", "wav/03a01Wa.wav")
        >>> problems.lines()
        ['missing: wav/03a01Wa.wav']
    """

    def __init__(self) -> None:
        super().__init__(list)

    def add(self, kind: str, text: str) -> None:
        """Note *text* under *kind*."""
        self[kind].append(text)

    def note(self, text: str) -> None:
        """Something the user should know that spoils no result."""
        self["note"].append(text)

    def lines(self) -> list[str]:
        """A line each, notes last; beyond ten of a kind the rest are counted."""
        lines = []
        notes = ("note", ABSENT)
        for kind in sorted(self, key=notes.__contains__):
            texts, kind = self[kind], "note" if kind in notes else kind
            lines += [f"{kind}: {text}" for text in texts[:SHOWN]]
            if len(texts) > SHOWN:
                lines.append(f"{kind}: and {len(texts) - SHOWN} more ({len(texts)} in all)")
        return lines


def many(count: int, noun: str) -> str:
    """``1 clip``, ``2 clips``.

    Example:
        >>> many(1, "clip"), many(0, "file")
        ('1 clip', '0 files')
    """
    return f"{count} {noun}{'' if count == 1 else 's'}"
