"""Where things live on this computer, and how files are written so that no harm goes unnoticed.

A file is written whole or not at all (:func:`atomic_write`), and a JSON file holds a digest of the
rest of itself (:func:`sealed`), so that one which was damaged or edited since is not believed.

``SER_DATA`` (corpora) and ``SER_CACHE`` (features) override the platform's user folders.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import platformdirs

DIGEST = "digest"
"""The key of a JSON file that holds the digest of the rest of it."""


def data_dir() -> Path:
    """Folder that holds one sub-folder per corpus (``$SER_DATA`` or the user's data folder)."""
    return Path(os.environ.get("SER_DATA") or platformdirs.user_data_dir("ser", appauthor=False))


def cache_dir() -> Path:
    """Folder of the feature cache (``$SER_CACHE`` or the user's cache folder)."""
    return Path(os.environ.get("SER_CACHE") or platformdirs.user_cache_dir("ser", appauthor=False))


def quoted(path: str | os.PathLike) -> str:
    """*path* as a shell takes it, for commands in messages.

    >>> quoted("corpora/EmoDB"), quoted("my corpora")
    ('corpora/EmoDB', "'my corpora'")
    """
    text = os.fspath(path)
    return subprocess.list2cmdline([text]) if os.name == "nt" else shlex.quote(text)


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


def sealed(body: Mapping[str, Any], indent: int | None = None) -> str:
    """JSON of *body* with one key more, the last: ``digest``, of all that is before it.

    It is BLAKE2b (128 bits, as hex) of the rest as compact JSON in UTF-8, keys in their order. It
    guards against damage, not against somebody who computes it anew.

    Raises:
        ValueError: a number that is not finite.

    Example:
        >>> sealed({"a": [1, 2.5]})
        '{"a":[1,2.5],"digest":"f76e3918eea55eb060fee61712cdfa1e"}'
    """
    body = {k: v for k, v in body.items() if k != DIGEST}
    return _json(body | {DIGEST: _digest(body)}, indent)


def unseal(body: dict[str, Any]) -> bool:
    """Take the digest out of *body*, as it was read; False if it has none.

    Raises:
        ValueError: it is not the digest of the rest.

    Example:
        >>> unseal({"a": 1})
        False
    """
    if (told := body.pop(DIGEST, None)) is None:
        return False
    if _digest(body) != told:
        raise ValueError("it is not what was written, its digest differs: damaged or edited")
    return True


def _json(body: Mapping[str, Any], indent: int | None = None) -> str:
    apart = (",", ":") if indent is None else None
    return json.dumps(body, ensure_ascii=False, allow_nan=False, indent=indent, separators=apart)


def _digest(body: Mapping[str, Any]) -> str:
    return hashlib.blake2b(_json(body).encode(), digest_size=16).hexdigest()
