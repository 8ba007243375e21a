"""Where things live on this computer, and how files are written so that a kill loses nothing.

``SER_DATA`` (corpora) and ``SER_CACHE`` (features) override the platform's user folders.
"""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import platformdirs


def data_dir() -> Path:
    """Folder that holds one sub-folder per corpus (``$SER_DATA`` or the user's data folder)."""
    return Path(os.environ.get("SER_DATA") or platformdirs.user_data_dir("ser", appauthor=False))


def cache_dir() -> Path:
    """Folder of the feature cache (``$SER_CACHE`` or the user's cache folder)."""
    return Path(os.environ.get("SER_CACHE") or platformdirs.user_cache_dir("ser", appauthor=False))


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike, mode: str = "wb") -> Iterator[IO]:
    """Open a temporary file beside *path*; on success it replaces *path*, else it vanishes.

    The data is flushed to disk before the rename, so a reader sees the old file or the whole
    new one, also after a kill or a full disk.

    >>> import tempfile, pathlib
    >>> target = pathlib.Path(tempfile.mkdtemp()) / "a.txt"
    >>> with atomic_write(target, "w") as f:
    ...     _ = f.write("whole")
    >>> target.read_text()
    'whole'
    """
    path = Path(os.path.realpath(path))  # a link stays one, what it names is replaced
    encoding = None if "b" in mode else "utf-8"
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():  # /dev/stdout, a pipe: nothing to put in its place
        with open(path, mode, encoding=encoding) as stream:
            yield stream
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, mode, encoding=encoding) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError) and error.filename is None:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
