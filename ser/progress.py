"""How far long work is: a bar where a person looks on, elsewhere a line at least every minute.

Both go to standard error (lines through ``logging``), so standard output stays a command's own.
"""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm

log = logging.getLogger(__name__)

EVERY = 60.0
"""Seconds between two lines."""
BEGINS = 1.0
"""Seconds after which work is worth a line."""
_LINE = "{desc}: {n_fmt} of {total_fmt} {unit}, {elapsed} passed, {remaining} left"
_OPEN = "{desc}: {n_fmt} {unit}, {elapsed} passed"


def looked_on() -> bool:
    """Whether a bar can be drawn over itself: standard error is a notebook's or a terminal's."""
    try:
        width = os.get_terminal_size(sys.stderr.fileno()).columns
    except (OSError, ValueError, AttributeError):  # a file, a pipe, closed
        width = 0
    return width > 0 or type(sys.stderr).__module__.startswith("ipykernel")


def counted(
    title: str,
    total: int | None,
    unit: str,
    shown: bool = True,
    items: Iterable | None = None,
    **options: Any,
) -> tqdm:
    """Count what is done of *total*, as :class:`tqdm.tqdm` does.

    Work that is soon over is not told in lines.

    Args:
        title: what is done.
        total: of how many; 0: nothing is shown; None: not known.
        unit: of what, in the plural.
        shown: False: nothing is shown.
        items: what to go through.
        options: of tqdm.

    Example:
        >>> with counted("reading", 2, "files", shown=False) as bar:
        ...     bar.update()
    """
    kind, look = tqdm, {"file": sys.stderr, "dynamic_ncols": True}
    if not looked_on():
        kind, look = _Lines, {"file": io.StringIO(), "mininterval": BEGINS}
        look["bar_format"] = _OPEN if total is None and items is None else _LINE
    hidden = not shown or total == 0
    given = {"desc": title, "total": total, "unit": unit, "disable": hidden}
    return kind(items, **given | options | look)


class _Lines(tqdm):
    """Lines instead of a bar; tqdm decides when, and what they say."""

    def __init__(self, *args: Any, **options: Any) -> None:
        options |= {"delay": BEGINS, "miniters": 1, "leave": True}
        super().__init__(*args, **options)

    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        self.mininterval = EVERY
        log.info("%s", str(self))  # as it is now
