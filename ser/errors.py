"""Errors a user can act on: each message names the file or option and the way out.

Everything the package raises on purpose derives from :class:`SerError`; the command line
prints its message without a traceback and exits with :attr:`SerError.exit_code`.
"""

from __future__ import annotations

import errno
import re
import traceback
from pathlib import Path

FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG)
"""What the system says when a disk, a quota or the largest file is full."""
_NO_MEMORY = re.compile(
    r"not enough memory|out of memory|can(not|'t) allocate memory|ALLOC_FAILED", re.IGNORECASE
)


class SerError(Exception):
    """Base of all errors with a message for the user."""

    exit_code = 2


class AudioError(SerError, ValueError):
    """A file that cannot become a waveform.

    Attributes:
        kind: ``missing``, ``empty``, ``pointer`` (of git-lfs), ``short`` (of fewer samples than any
            network hears) or ``unreadable``, which is anything else.
    """

    def __init__(self, message: str, kind: str = "unreadable") -> None:
        super().__init__(message)
        self.kind = kind


class CorpusError(SerError, ValueError):
    """A corpus that cannot be read: missing root, wrong layout, unknown label."""


class FetchError(SerError, RuntimeError):
    """A download that failed: network, size, checksum, unsafe archive member, disk."""


class FeatureError(SerError, ValueError):
    """Features that cannot be computed or read back."""


class ProtocolError(SerError, ValueError):
    """A split that cannot be made: too few speakers, no sessions, unknown protocol."""


class ModelError(SerError, ValueError):
    """An unknown row name, or a checkpoint that does not fit."""


class TrainingError(SerError, RuntimeError):
    """A run that cannot go on: NaN or infinite loss, divergence, no data."""

    exit_code = 3


class RecordError(SerError, ValueError):
    """A record that cannot be read or does not belong with the others."""


def shortage(error: BaseException) -> str:
    """What ran out and what to do about it, where *error* says that memory or a disk did.

    Memory is told of by Python, numpy, the system, torch and a GPU, each in its own way.

    Returns:
        A sentence without its full stop; empty where *error* is about something else.

    Example:
        >>> shortage(OSError(errno.ENOSPC, "No space left on device", "a.json"))
        'the disk is full: a.json cannot be written; free some space'
        >>> shortage(RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB.\\nSee ..."))
        'memory ran out (CUDA out of memory. Tried to allocate 2.00 GiB.); end other programs'
        >>> shortage(ValueError("3"))
        ''
    """
    if isinstance(error, OSError) and error.errno in FULL:
        return f"the disk is full: {error.filename or 'a file'} cannot be written; free some space"
    lacking = isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM
    if lacking or (isinstance(error, RuntimeError) and _NO_MEMORY.search(str(error))):
        told = str(error).strip().partition("\n")[0]
        return f"memory ran out{f' ({told})' if told else ''}; end other programs"
    return ""


def where(error: BaseException) -> str:
    """What went wrong in code of a user's own, and in which line of it.

    Args:
        error: raised by such code, or by Python on reading it.

    Example:
        >>> where(ValueError("3"))
        'ValueError: 3'
    """
    told = f"{type(error).__name__}: {error}".strip().partition("\n")[0]
    if isinstance(error, SyntaxError) and error.lineno:  # tells its file and line itself
        return told
    ours = str(Path(__file__).parent)
    frames = traceback.extract_tb(error.__traceback__)
    lines = [
        f
        for f in frames
        if not f.filename.startswith(("<frozen", ours)) and "site-packages" not in f.filename
    ]
    return f"{told} (line {lines[-1].lineno} of {lines[-1].filename})" if lines else told
