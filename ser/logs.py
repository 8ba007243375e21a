"""How much the package says, in the ``ser`` command and in its workers: ``SER_LOG``."""

from __future__ import annotations

import logging
import os

from ser.errors import SerError

LEVELS = ("debug", "info", "warning", "error")
WAYS = "ser.nn.fast"
"""Which way each layer of a network went; said by ``SER_LOG=info`` alone."""


def set_up_logging(handler: logging.Handler | None = None) -> None:
    """Messages of the package on standard error, as many as ``SER_LOG`` asks for.

    Without it: what is being done, and nothing of the ways that the layers of a network take.

    Args:
        handler: that writes them; None: one that writes lines.

    Raises:
        SerError: ``SER_LOG`` is no level.

    Example:
        >>> set_up_logging(logging.NullHandler())
        >>> logging.getLogger(WAYS).isEnabledFor(logging.INFO)
        False
    """
    level = os.environ.get("SER_LOG", "").strip().lower()
    if level and level not in LEVELS:
        raise SerError(f"SER_LOG is {level!r}; give one of {', '.join(LEVELS)}, or unset it")
    logging.basicConfig(format="%(message)s", handlers=[handler] if handler else None)
    logging.getLogger("ser").setLevel(level.upper() or logging.INFO)
    logging.getLogger(WAYS).setLevel(level.upper() or logging.WARNING)


def logging_in_a_worker() -> None:
    """As :func:`set_up_logging`, where ``SER_LOG`` is given; a worker says nothing by itself."""
    if os.environ.get("SER_LOG"):
        set_up_logging()
