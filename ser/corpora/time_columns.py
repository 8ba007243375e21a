"""Columns with times, as tables of other tools write them (book: chapter "Corpora").

====== =======================================================================
start  ``start``, ``begin``, ``onset``, ``from``, ``tmin``, ``xmin``
end    ``end``, ``stop``, ``finish``, ``to``, ``until``, ``tmax``, ``xmax``
length ``seconds``, ``duration``, ``dur``, ``length``
file   ``file_duration``, ``audio_length`` and the like: of the whole file
====== =======================================================================

``start_time``, ``segment_start`` or ``startTime`` mean ``start``; ``offset`` is the start beside an
end or a length, and the end beside ``onset``. Numbers are seconds; a column whose name ends in
``s``, ``ms``, ``us`` or ``ns`` (``start_ms``, ``end (ms)``) is in that unit. Times may also be
written as ``00:00:01.5``, ``1.5s``, ``PT1.5S`` or as audformat does, ``0 days 00:00:01.500000``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from ser.errors import CorpusError

AGREE = 0.05
"""Seconds by which an end and a length of one row may differ (rounded to a tenth)."""
LONGEST = 1e6
"""Seconds; a larger number (eleven days) is of another unit."""

NOTHING = frozenset(("", "nan", "nat", "none", "null", "na", "n/a", "<na>"))
UNITS = {
    unit: factor
    for names, factor in (
        ("s sec secs second seconds", 1.0),
        ("ms msec msecs millis millisecond milliseconds", 1e-3),
        ("us usec usecs microsecond microseconds", 1e-6),
        ("ns nsec nsecs nanosecond nanoseconds", 1e-9),
    )
    for unit in names.split()
}
_UNIT = "|".join(sorted(UNITS, key=len, reverse=True))
_OF = "(?:t|time|timestamp|segment|seg|utterance|utt|turn|chunk|window|clip)?"
_IS = "(?:time|timestamp|at|position|pos|offset)?(?:in)?"
_NAME = re.compile(
    f"(?:{_OF}(?:(?P<start>start|begin|beginning|onset|tmin|xmin)"
    "|(?P<end>end|stop|finish|tmax|xmax)"
    "|(?P<length>duration|dur|length)"
    f"|(?P<offset>offset)){_IS}"
    "|(?P<file>(?:file|audio|wav|recording|total|full)(?:seconds|duration|dur|length))(?:in)?)"
    f"(?P<unit>{_UNIT})?"
)
_PLAIN = {
    "from": "start",
    "t0": "start",
    "to": "end",
    "until": "end",
    "t1": "end",
    "seconds": "length",
    "secs": "length",
}
_SPEAKS = re.compile(
    "start(?!l)|begin(?!ner)|onset|offset|stop|durat|dauer|timestamp|timecode|time$"
    "|(?<![a-z])(?:time|times|end|ends|finish|dur|secs?|seconds|msecs?|ms|millis|milliseconds"
    "|tmin|tmax|until|ende|anfang|debut|inicio)(?![a-z])"
    "|(?:file|audio|wav|clip|word|speech|vad|voice)end"
)
_SIZE = re.compile("length|(?<![a-z])(?:n|num)?(?:len|frames|samples)(?![a-z])")
_NO_SIZE_OF_SOUND = re.compile("text|sentence|word|char|token|transcript|letter|rate")
_NUMBER = re.compile(rf"([+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:e[+-]?\d+)?)\s*({_UNIT})?", re.I)


@dataclass(frozen=True)
class TimeColumn:
    """A column with times: its name, what it means (``start``, ``end``, ``length`` or ``file``),
    and how many seconds one of its numbers is."""

    name: str
    role: str
    unit: float = 1.0


def time_columns(names: Sequence[str], where: str = "") -> list[TimeColumn]:
    """Which of a table's columns are times, and of what.

    Args:
        names: the header, in small letters.
        where: what an error begins with.

    Raises:
        CorpusError: a name that speaks of time and is not known, or ``offset`` where it may be
            either end.

    Example:
        >>> [(c.role, c.unit) for c in time_columns(["file", "start_ms", "end_ms", "emotion"])]
        [('start', 0.001), ('end', 0.001)]
        >>> [c.role for c in time_columns(["path", "offset", "duration"])]
        ['start', 'length']
    """
    found = []
    for name in names:
        plain = re.sub(r"[\W_]+", "", name)
        if plain in _PLAIN:
            found.append(TimeColumn(name, _PLAIN[plain]))
        elif match := _NAME.fullmatch(plain):
            role = next(r for r in ("start", "end", "length", "offset", "file") if match[r])
            found.append(TimeColumn(name, role, UNITS[match["unit"] or "s"]))
        elif _SPEAKS.search(name) or (_SIZE.search(name) and not _NO_SIZE_OF_SOUND.search(name)):
            raise CorpusError(
                f"{where}: the column {name!r} speaks of time and is not understood. Known are "
                "start (begin, onset, offset), end (stop), seconds (duration), each with _time or "
                "a unit behind it (start_time, end_ms), and file_duration; rename it, or take it "
                "out if rows are whole files"
            )
    roles = {column.role for column in found}
    if "offset" not in roles:
        return found
    onset = any("onset" in column.name for column in found)
    if onset == ("start" in roles) and roles & {"start", "end", "length"}:
        meant = "end" if onset else "start"
        return [TimeColumn(c.name, meant, c.unit) if c.role == "offset" else c for c in found]
    raise CorpusError(
        f"{where}: 'offset' may be where a row begins or where it ends; call it start or end"
    )


def looks_like_a_time(cell: str) -> bool:
    """Whether *cell* is written as only times are: ``0 days 00:00:01.5`` or ``PT1.5S``.

    Example:
        >>> looks_like_a_time("0 days 00:00:01.500000"), looks_like_a_time("14:02:31")
        (True, False)
    """
    return ("day" in cell or cell.startswith("P")) and _value(cell, 1.0) is not None


def read_time(cell: str, column: TimeColumn, where: str = "") -> float | None:
    """Seconds that *cell* says, None where it is empty or NaT.

    Raises:
        CorpusError: no time, a negative one, or a number no recording is as long as.

    Example:
        >>> read_time("0 days 00:01:01.500000", TimeColumn("end", "end"))
        61.5
        >>> read_time("1500", TimeColumn("end_ms", "end", 1e-3))
        1.5
    """
    if cell.lower() in NOTHING:
        return None
    value = _value(cell, column.unit)
    if value is None or not (math.isfinite(value) and value >= 0):
        raise CorpusError(
            f"{where}: {column.name!r} is {cell!r}, not a number of seconds (nor a time such as "
            "00:00:01.5)"
        )
    if value > LONGEST:
        raise CorpusError(
            f"{where}: {column.name!r} is {cell!r}, and no recording lasts {value:.0f} s; "
            "for other units name the columns so: start_ms, end_us, end_ns"
        )
    return value


def _value(cell: str, unit: float) -> float | None:
    """Seconds, which may be negative or infinite; None where it is no time."""
    if number := _NUMBER.fullmatch(cell):
        unit = UNITS[number[2].lower()] if number[2] else unit
        if "," in number[1] and unit != 1:
            return None  # 1,500 ms: one and a half, or fifteen hundred?
        return float(number[1].replace(",", ".")) * unit
    if not re.search("day|:|^[+-]?P", cell):
        return None  # pandas would take 1 000 for nanoseconds
    try:
        return pd.Timedelta(cell.replace(", ", " ").replace(",", ".")).total_seconds()
    except ValueError:
        return None


def read_span(
    cells: Mapping[str, str], columns: Iterable[TimeColumn], where: str
) -> tuple[float | None, float | None, float | None]:
    """Start, length and the whole file's length of one row, in seconds, each None if not told.

    The start is None where the whole file is meant: nothing told, or a start of 0 and no end.
    A length in a table without start or end is the file's own, but for ``seconds``, which is the
    row's, from 0.

    Raises:
        CorpusError: columns that contradict each other, an end that is not after its start, or a
            cell that is no time; the message begins with *where*.

    Example:
        >>> columns = time_columns(["start", "end"])
        >>> read_span({"start": "0 days 00:00:00.5", "end": "2"}, columns, "line 2")
        (0.5, 1.5, None)
        >>> read_span({"start": "0 days", "end": "NaT"}, columns, "line 2")
        (None, None, None)
    """
    columns = list(columns)
    told: dict[str, tuple[str, float]] = {}
    for column in columns:
        value = read_time(cells[column.name], column, where)
        if value is None:
            continue
        name, known = told.setdefault(column.role, (column.name, value))
        if abs(known - value) > AGREE:
            raise CorpusError(
                f"{where}: {name!r} and {column.name!r} contradict each other ({known:g} and "
                f"{value:g} s); leave one of the columns out"
            )
    start = told["start"][1] if "start" in told else 0.0
    name, length = told.get("length", ("", None))
    file = told["file"][1] if "file" in told else None
    if length == 0:
        raise CorpusError(f"{where}: {name!r} is 0; leave it empty for the rest of the file")
    if "end" in told:
        end_name, end = told["end"]
        if end <= start:
            raise CorpusError(
                f"{where}: {end_name!r} is {end:g} s, not after its start, {start:g} s"
            )
        if length is not None and abs(start + length - end) > AGREE:
            raise CorpusError(
                f"{where}: {end_name!r} and {name!r} contradict each other: from {start:g} s to "
                f"{end:g} s is {end - start:g} s, not {length:g} s; leave one of the columns out"
            )
        length = end - start
    elif name not in ("", "seconds") and not any(c.role in ("start", "end") for c in columns):
        return None, None, length
    if length is None and not start:
        return None, None, file
    return start, length, file


def refuse_another_unit(rows: Iterable[Mapping], table: object) -> None:
    """Refuse a table whose rows mostly end far beyond their files, all in whole numbers.

    Args:
        rows: with ``start``, ``segment``, ``_end`` (as told) and ``_length`` (the file's), in
            seconds, and ``_where`` they stand.
        table: what the error begins with.

    Raises:
        CorpusError: more than half of the parts end at more than twice their file's length.

    Example:
        >>> row = {"start": 0.0, "segment": True, "_end": 3.0, "_length": 2.9, "_where": ""}
        >>> refuse_another_unit([row], "mine.csv")
    """
    parts = [row for row in rows if row.get("segment") and not math.isnan(row["_length"])]
    far = [row for row in parts if row["_end"] > 2 * row["_length"]]
    whole = all(row["start"].is_integer() and row["_end"].is_integer() for row in parts)
    if len(far) > len(parts) / 2 and whole:
        raise CorpusError(
            f"{table}: {len(far)} of {len(parts)} rows end far beyond their files (the first, "
            f"{far[0]['_where']}, at {far[0]['_end']:g} s, its file at {far[0]['_length']:.2f} s). "
            "Times are seconds; if they are milliseconds, call the columns start_ms and end_ms"
        )
