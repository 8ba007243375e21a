"""What is kept on disk of compiled kernels, in the folder that numba chooses.

numba by itself takes a kernel for unchanged while its file's time and size are, and stops at a
damaged file. Here a file's name says of which source, signature and processor it is, its last bytes
whether it is whole; so nothing old, damaged or half of another process's is ever used. A kernel is
made of its own file alone: nothing of this package but :mod:`ser.compiling` is imported there.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile


class KernelCache(FunctionCache):
    """What numba asks for a kernel that may have been compiled before.

    Args:
        function: the kernel as written.
        tell: called with the reason where a compiled kernel cannot be written.

    Raises:
        RuntimeError: no folder can hold it.
        ImportError: its source is not to be had or not what runs.
    """

    def __init__(self, function: Callable, tell: Callable[[str], None]):
        super().__init__(function)
        self.tell = tell
        stamp = digest(function.__module__)
        self._cache_file = _Files(self._cache_path, self._impl.filename_base, stamp)

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keeps what was compiled, if there is room."""
        try:
            super().save_overload(sig, data)
        except OSError as error:
            self.tell(error.strerror or str(error))


class _Files(IndexDataCacheFile):
    """One file for each signature, without numba's index, which processes would share."""

    def _name(self, key: Any) -> str:
        of = repr((numba.__version__, self._source_stamp, key))
        return f"{self._prefix}{hashlib.sha256(of.encode()).hexdigest()[:24]}.nbc"

    @property
    def _prefix(self) -> str:
        return f"{self._data_name_pattern.split('{')[0]}{self._source_stamp[:12]}."

    def load(self, key: Any) -> Any:
        """What was compiled, or None."""
        try:
            data = Path(self._data_path(self._name(key))).read_bytes()
        except OSError:
            return None
        whole = hashlib.sha256(data[:-32]).digest() == data[-32:]
        return self._load_data(self._name(key)) if whole else None

    def save(self, key: Any, data: Any) -> None:
        """Keeps it, in place of what was compiled from other sources."""
        self._save_data(self._name(key), data)
        self.flush(keep=self._prefix)

    def flush(self, keep: str = "-") -> None:
        """Removes what is kept of this kernel, but for names that begin as told."""
        base = self._index_name.removesuffix("nbi")
        for path in Path(self._cache_path).glob("*.nbc"):
            if path.name.startswith(base) and not path.name.startswith(keep):
                path.unlink(missing_ok=True)

    def _dump(self, obj: Any) -> bytes:
        data = super()._dump(obj)
        return data + hashlib.sha256(data).digest()  # where unpickling has stopped


@functools.cache
def digest(module: str) -> str:
    """Of the text of a module of kernels and of what compiles and keeps them.

    Raises:
        ImportError: a text is not to be had, or not that of what runs.

    Example:
        >>> len(digest("ser.nn.cpu.first_block_numba"))
        64
    """
    texts = [_text(name) for name in (module, "ser.compiling", __name__)]
    return hashlib.sha256(repr(texts).encode()).hexdigest()


@functools.cache
def _text(module: str) -> str:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.loader is None:
        raise ImportError(f"there is no source of {module}")
    if not hasattr(spec.loader, "get_source"):  # someone's hook, pytest's for one
        return Path(str(spec.origin)).read_text("utf-8")
    text = spec.loader.get_source(module)
    if text is None:
        raise ImportError(f"there is no source of {module}")
    # Python trusts bytecode whose source has the time and size it had; what runs is then older.
    kept = spec.cached and Path(spec.cached).exists()
    if kept and spec.loader.get_code(module) != _compile(text, str(spec.origin)):
        raise ImportError(f"the bytecode of {module} in __pycache__ is older than its source")
    return text


def _compile(text: str, origin: str) -> Any:
    """As an import does it, without the ``__future__`` of this file."""
    return compile(text, origin, "exec", dont_inherit=True)
