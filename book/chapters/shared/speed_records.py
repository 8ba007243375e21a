"""The JSON records that a page draws: whatever lies in a folder and is of the kind wanted."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

log = logging.getLogger(__name__)


def read_records(folder: str | Path, wanted: Callable[[dict], bool]) -> list[dict]:
    """Every record in *folder* that *wanted* accepts, by file name; other files are passed over.

    Args:
        folder: where ``*.json`` lie; it need not exist.
        wanted: whether an object read from a file is of the right kind.

    Example:
        >>> read_records("nowhere", lambda record: True)
        []
    """
    records = []
    for path in sorted(Path(folder).glob("*.json")):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            log.info("%s: not readable (%s)", path.name, error)
            continue
        if isinstance(record, dict) and wanted(record):
            records.append(record)
    return records
