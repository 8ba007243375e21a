"""What every corpus becomes: one table of utterances (book: chapter "Corpora").

Columns of :attr:`Corpus.table`, one row an utterance, sorted by ``utterance``:

=========== ======== =====================================================================
column      type     meaning
=========== ======== =====================================================================
utterance   str      name, unique in the corpus, wherever its root lies (the clip's own name)
path        str      absolute path of the audio file
emotion     str      one of the corpus's :attr:`~Corpus.emotions`
speaker     str      who talks
gender      str      ``female``, ``male`` or ``""`` where unknown
session     str      recording session, ``""`` where the corpus has none
text        str      what is said, or the sentence's code; ``""`` where unknown
start       float    seconds into the recording (IEMOCAP: into the dialogue), else 0
seconds     float    duration
segment     bool     True: the utterance is ``start .. start + seconds`` of the file;
                     False: it is the whole file
label       str      the owners' own label
=========== ======== =====================================================================

A corpus may add columns of its own after these.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ser.paths import quoted

if TYPE_CHECKING:
    import pandas as pd

EMOTIONS: tuple[str, ...] = ("angry", "happy", "neutral", "sad")
"""The four classes of today's task, in the order of logits and confusion matrices; other sets:
:mod:`ser.corpora.emotion_set`."""

COLUMNS: tuple[str, ...] = (
    "utterance",
    "path",
    "emotion",
    "speaker",
    "gender",
    "session",
    "text",
    "start",
    "seconds",
    "segment",
    "label",
)
"""Columns of every corpus table, in this order."""


@dataclass(frozen=True)
class Copy:
    """A file with a clip's name that was not taken (see :mod:`ser.corpora.copies`).

    Attributes:
        path: the file.
        taken: the one that was taken, None where the clip was left out.
        how: it stands to the one taken: ``same bytes``, ``same sound``, ``other format``,
            ``other signal``, ``not original``, ``unusable`` or ``undecided``.
        differs: in what, where nothing decides between the two.
    """

    path: Path
    taken: Path | None
    how: str
    differs: str = ""


@dataclass(frozen=True)
class Corpus:
    """A corpus as read from disk.

    Attributes:
        name: the corpus's short name, e.g. ``"emodb"``.
        root: the folder that was read.
        table: utterances of :attr:`emotions` that can be heard, columns as in :data:`COLUMNS`.
        everything: all utterances the corpus lists, other emotions included; there
            ``emotion`` is ``""`` where the label says no emotion.
        licence: the owners' licence in a few words.
        citation: how to cite the corpus.
        problems: what the user should know, a line each (``ser check`` tells more).
        reader_problems: what the reader met, without *copies*: kind -> what, all of it.
        emotions: the classes, in the order of logits.
        asked: the set as it was asked for (:mod:`ser.corpora.emotion_set`); ``""``: the four.
        copies: files with a clip's name beside the one that was taken.
        given: the root it was read from (manifest: the table); ``""`` for the synthetic corpus.

    Example:
        >>> from ser import load_corpus
        >>> corpus = load_corpus("synthetic")          # doctest: +SKIP
        >>> corpus.table.emotion.value_counts()        # doctest: +SKIP
    """

    name: str
    root: Path
    table: pd.DataFrame
    everything: pd.DataFrame
    licence: str
    citation: str
    problems: tuple[str, ...] = field(default=())
    copies: tuple[Copy, ...] = field(default=())
    given: str = ""
    reader_problems: dict[str, list[str]] = field(default_factory=dict)
    emotions: tuple[str, ...] = EMOTIONS
    asked: str = ""

    @property
    def wanted(self) -> pd.Series:
        """Of each row of ``everything``, whether its emotion is one of the classes."""
        return self.everything.emotion.isin(self.emotions)

    @property
    def class_words(self) -> str:
        """``the four classes``, or how many were asked for.

        Example:
            >>> empty = make_table([{"utterance": "", "path": "", "emotion": "", "speaker": ""}])
            >>> Corpus("x", Path(), empty, empty, "", "", emotions=("sad", "zen")).class_words
            'the 2 emotions asked for'
        """
        if self.emotions == EMOTIONS:
            return "the four classes"
        return f"the {len(self.emotions)} emotions asked for"

    @property
    def check_command(self) -> str:
        """The command that tells all there is to know of it.

        Example:
            >>> empty = make_table([{"utterance": "", "path": "", "emotion": "", "speaker": ""}])
            >>> Corpus("emodb", Path(), empty, empty, "", "", given="/my data").check_command
            "ser check emodb --root '/my data'"
        """
        command = f"ser check {self.name}" + (f" --root {quoted(self.given)}" if self.given else "")
        return command + (f" --emotions {quoted(self.asked)}" if self.asked else "")

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        return f"Corpus({self.name!r}, {len(self.table)} utterances of {len(self.everything)})"


def make_table(rows: Iterable[dict]) -> pd.DataFrame:
    """Rows (dicts with at least ``utterance``, ``path``, ``emotion``, ``speaker``) -> a table.

    Missing columns are filled (``""``, 0, False), extra ones kept after the standard ones;
    rows are sorted by ``utterance``, so that the order never depends on the file system.
    """
    import pandas as pd

    frame = pd.DataFrame(list(rows))
    defaults = {"start": 0.0, "seconds": float("nan"), "segment": False}
    for column in COLUMNS:
        if column not in frame:
            frame[column] = defaults.get(column, "")
    extra = [c for c in frame.columns if c not in COLUMNS]
    frame = frame[[*COLUMNS, *extra]]
    frame = frame.astype({"start": float, "seconds": float, "segment": bool})
    return frame.sort_values("utterance", kind="stable").reset_index(drop=True)
