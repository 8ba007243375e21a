"""CPU kernels: compiled by numba on first use, kept on disk, free of the interpreter's lock.

Where numba is missing, :func:`load_kernels` gives None and the caller lets torch do the work.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

FAST = {"contract", "nsz"}


def compiled(function: Callable | None = None, fastmath: set[str] = FAST) -> Callable:
    """numba.njit without the interpreter's lock, cached on disk where there is a place for it."""
    if function is None:
        return functools.partial(compiled, fastmath=fastmath)
    import numba

    options = {"nogil": True, "fastmath": fastmath, "error_model": "numpy"}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no folder that can hold the cache
        return numba.njit(**options)(function)


@functools.cache
def load_kernels(name: str) -> Any:
    """The module *name* of compiled kernels, or None where numba does not import.

    Example:
        >>> load_kernels("ser.nn.no_such_kernels") is None
        True
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
