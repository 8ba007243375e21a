"""CPU kernels: compiled by numba on first use, kept on disk, free of the interpreter's lock.

Where numba is missing, :func:`load_kernels` gives None and the caller lets torch do the work.
"""

from __future__ import annotations

import functools
import importlib
import logging
from collections.abc import Callable
from typing import Any

log = logging.getLogger(__name__)

FAST = {"contract", "nsz"}

SECONDS = {"ser.nn.cpu.first_block_numba": 2}
"""How long one core compiled all kernels of a module (numba 0.68, a server of 2024)."""


def compiled(function: Callable | None = None, fastmath: set[str] = FAST) -> Callable:
    """numba.njit without the interpreter's lock, kept on disk where there is a place for it.

    What is kept is used as long as no file whose code it holds changes
    (:mod:`ser.kernel_cache`).
    """
    if function is None:
        return functools.partial(compiled, fastmath=fastmath)
    import numba

    _announce()
    kernel = numba.njit(nogil=True, fastmath=fastmath, error_model="numpy")(function)
    try:
        from ser.kernel_cache import KernelCache

        kernel._cache = KernelCache(function, _not_kept)
    except ImportError as error:
        _not_kept(str(error))
    except (OSError, RuntimeError, ValueError):
        _not_kept("there is no folder for them: set NUMBA_CACHE_DIR to one that can be written")
    return kernel


@functools.cache
def _not_kept(why: str) -> None:
    """Says so once for each reason."""
    log.warning("every process compiles its kernels anew: %s", why)


@functools.cache
def _announce() -> None:
    """Have numba tell of what it compiles, for a person would wait for it in silence."""
    from numba.core import event

    class Compiling(event.Listener):
        def on_start(self, event: Any) -> None:
            _tell(event.data["dispatcher"].py_func.__module__)

        def on_end(self, event: Any) -> None:
            pass

    event.register("numba:compile", Compiling())


@functools.cache
def _tell(module: str) -> None:
    if module in SECONDS:
        log.info("compiling kernels (%s), once, about %d s", module, SECONDS[module])


@functools.cache
def load_kernels(name: str) -> Any:
    """The module *name* of compiled kernels, or None where numba does not import.

    Example:
        >>> load_kernels("ser.nn.no_such_kernels") is None
        True
    """
    try:
        return importlib.import_module(name)
    except (ImportError, OSError):  # OSError: LLVM's library cannot be loaded
        return None
