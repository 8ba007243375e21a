"""Rows that share sound: parts of one recording that overlap in time.

A row is a span of a recording. Two rows share sound if their recordings are the same (the same
bytes, or the same file where no content hash is at hand) and their spans overlap by more than
:data:`SHARED`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

SHARED = 0.015
"""Seconds by which neighbouring rows may overlap: time stamps are rounded to a hundredth."""


@dataclass(frozen=True)
class Spans:
    """Where the rows of a table lie: *recording* (a number), *start* and *end* in seconds.

    A row whose end is not known (NaN) shares nothing.
    """

    recording: np.ndarray
    start: np.ndarray
    end: np.ndarray

    def __len__(self) -> int:
        return len(self.start)

    def __getitem__(self, rows: np.ndarray | slice) -> Spans:
        return Spans(self.recording[rows], self.start[rows], self.end[rows])

    def groups(self) -> np.ndarray:
        """A number for each row, the same for rows that share sound, directly or by others.

        Example:
            >>> Spans(np.zeros(4), np.array([0, 2, 1, 4.0]), np.array([2, 4, 3, 5.0])).groups()
            array([0, 0, 0, 1])
        """
        label = np.arange(len(self), 2 * len(self))
        order = np.lexsort((self.start, self.recording))
        order = order[~np.isnan(self.end[order])]
        rows = pd.DataFrame({"recording": self.recording[order], "end": self.end[order]})
        reach = rows.groupby("recording").end.cummax()  # of each row and those before it
        reach = reach.groupby(rows.recording).shift()
        both = np.minimum(rows.end, reach) - self.start[order]
        label[order] = np.cumsum(~(both > SHARED)) - 1  # NaN: a recording's first
        return np.unique(label, return_inverse=True)[1]

    def shared_seconds(self) -> float:
        """Seconds of sound that lie in two rows or more.

        Example:
            >>> Spans(np.zeros(3), np.array([0, 1, 1.5]), np.array([2, 3, 2.5])).shared_seconds()
            1.5
        """
        return _seconds(self, lambda depth: depth >= 2, np.ones(len(self)))


def _seconds(rows: Spans, wanted: Callable[..., np.ndarray], *weights: np.ndarray) -> float:
    """Seconds at which the sums of the *weights* of all rows there are as *wanted*."""
    known = ~np.isnan(rows.end)
    time = np.r_[rows.start[known], rows.end[known]]
    order = np.lexsort((time, np.tile(rows.recording[known], 2)))
    depths = [np.cumsum(np.r_[w[known], -w[known]][order])[:-1] for w in weights]
    return float(np.diff(time[order])[wanted(*depths)].sum())


def spans(table: pd.DataFrame, audio: Sequence[str] | None = None) -> Spans:
    """Where each row of a corpus's table lies.

    Args:
        table: with ``start``, ``seconds`` and ``segment``; without them nothing is known.
        audio: a content hash of each row's sound (see :func:`ser.features.compute.audio_keys`), of
            which what precedes ``@`` is the recording's; None: the files (``path``) are compared.

    Example:
        >>> table = pd.DataFrame({"path": ["a", "a"], "start": [0, 1.0], "seconds": 2.0,
        ...                       "segment": True})
        >>> spans(table).groups()
        array([0, 0])
    """
    if audio is not None:
        names = [str(key).partition("@")[0] for key in audio]
    elif "path" in table:
        real = {path: os.path.realpath(path) for path in set(table.path)}
        names = [real[path] if path else str(row) for row, path in enumerate(table.path)]
    else:
        names = [str(row) for row in range(len(table))]
    recording = pd.factorize(np.array(names, dtype=object))[0]
    if not {"start", "seconds", "segment"} <= set(table.columns):
        return Spans(recording, np.zeros(len(table)), np.full(len(table), np.nan))
    start = np.where(table.segment.to_numpy(dtype=bool), table.start, 0.0).astype(float)
    return Spans(recording, start, start + table.seconds.to_numpy(dtype=float))


def across(train: Spans, test: Spans) -> tuple[list[tuple[int, int]], float]:
    """Test rows that share sound with training rows.

    Args:
        train, test: whose recordings are numbered alike (cut from one :class:`Spans`).

    Returns:
        Pairs (training row, test row), for each such test row the one it shares most with, and
        the seconds of their sound that both sides have, each counted once.

    Example:
        >>> both = Spans(np.zeros(3), np.array([0, 1, 4.0]), np.array([2, 3, 5.0]))
        >>> across(both[:1], both[1:])
        ([(0, 0)], 1.0)
    """
    pairs = []
    for recording in np.intersect1d(train.recording, test.recording):
        old, new = (np.flatnonzero(side.recording == recording) for side in (train, test))
        for row in new:
            both = np.minimum(train.end[old], test.end[row])
            both -= np.maximum(train.start[old], test.start[row])
            both[np.isnan(both)] = 0.0
            most = int(both.argmax())
            if both[most] > SHARED:
                pairs.append((int(old[most]), int(row)))
    found = test[np.array([row for _, row in pairs], dtype=int)]
    sides = zip(vars(train).values(), vars(found).values(), strict=True)
    both = Spans(*(np.concatenate(side) for side in sides))
    known = np.r_[np.ones(len(train)), np.zeros(len(found))]
    seconds = _seconds(both, lambda one, two: (one >= 1) & (two >= 1), known, 1 - known)
    return sorted(pairs, key=lambda pair: pair[1]), seconds


def overlapping_rows(
    listed: pd.DataFrame, audio: Sequence[str | None]
) -> tuple[str, list[str]] | None:
    """What to say of the rows of the four classes that share a part of their sound.

    Args:
        listed: a corpus's table.
        audio: a content hash of each row's recording, None where it cannot be used.

    Returns:
        A sentence and the rows' names; None where no row shares any. Rows of the very same span
        are identical recordings, which are told as such, and count once here.

    Example:
        >>> table = pd.DataFrame({"utterance": ["a", "b"], "emotion": "sad", "label": "sad",
        ...     "speaker": ["x", "y"], "start": [0, 1.0], "seconds": 2.0, "segment": True})
        >>> overlapping_rows(table, ["hash", "hash"])[0][:72]
        'overlap in time with other rows of the same recording: 2 rows, 1.0 s of '
    """
    usable = [i for i, key in enumerate(audio) if key is not None and listed.emotion.iloc[i]]
    table = listed.iloc[usable]
    rows = spans(table, [str(audio[i]) for i in usable])
    end = np.where(table.segment, rows.end, 0.0)  # a whole file ends where it ends
    spots = pd.DataFrame({"recording": rows.recording, "start": rows.start, "end": end})
    first = np.flatnonzero(~spots.duplicated())
    rows, table = rows[first], table.iloc[first]
    groups = rows.groups()
    shared = np.bincount(groups, minlength=1)[groups] > 1
    if not shared.any():
        return None
    table = table[shared]
    by_sound = table.groupby(groups[shared])
    several = [n for n in ("label", "speaker") if (by_sound[n].nunique() > 1).any()]
    under = f", under different {' and '.join(f'{name}s' for name in several)}" if several else ""
    text = (
        f"overlap in time with other rows of the same recording: {len(table)} rows, "
        f"{rows[shared].shared_seconds():.1f} s of sound in more than one{under}; in a random "
        "split one row trains and the other tests: cut them apart"
    )
    return text, list(table.utterance)
