"""Keeping memory that training will ask for again (book: chapter "Making it fast").

glibc gives blocks above 128 KiB back to the system when they are freed. A training step frees and
asks for hundreds of megabytes of activations, and the system hands them out again as fresh,
zeroed pages: more than half of the step as released goes there.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX = -1, -3, -4
_KEEP = 2**31 - 1
_PRIMITIVES = "8"
"""Utterances have so many lengths that hardly one comes again: with 64, a training step of the
MFCC branch at batch 32 held 210 MB more after eight batches and was no faster."""


def tune_allocator() -> bool:
    """Tells glibc's malloc to keep freed pages for this process; elsewhere does nothing.

    oneDNN, which runs torch's LSTM on the CPU, is told to remember fewer prepared operations: it
    keeps one for every length and batch size it has met, with its work space, and utterances have
    many lengths. That holds if it has not been used yet in this process.

    Results do not change. The process keeps the memory of its largest step until it ends, or
    until this is called again: what an earlier run has left free goes back, for its pieces seldom
    fit the next one's.

    Returns:
        True if the allocator took the setting.

    Example:
        >>> tune_allocator() in (True, False)
        True
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", _PRIMITIVES)
    if not sys.platform.startswith("linux") or platform.libc_ver()[0] != "glibc":
        return False
    try:
        libc = ctypes.CDLL(None)
        mallopt = libc.mallopt
    except (OSError, AttributeError):
        return False
    mallopt.argtypes, mallopt.restype = [ctypes.c_int, ctypes.c_int], ctypes.c_int
    libc.malloc_trim(0)
    kept = mallopt(_M_TRIM_THRESHOLD, _KEEP)
    large = mallopt(_M_MMAP_THRESHOLD, _KEEP) or mallopt(_M_MMAP_MAX, 0)
    return bool(kept and large)
