"""Unpacking what came from the web, without trusting it.

zipfile and tarfile read; every member's name and kind is looked at before a byte of it is written.
Everything is unpacked beside the target and renamed at the end: after a kill there is the whole
folder or none. (pooch's processors unpack in place, rename ``../x`` in a zip in silence, and on
Python 3.11 write ``../x`` of a tar outside the folder.)
"""

from __future__ import annotations

import lzma
import os
import re
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO

from ser.corpora.download import DiskFullError
from ser.errors import FULL, FetchError

MAX_BYTES = 50 << 30
_BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError,
           struct.error, ValueError, LookupError, ArithmeticError, RuntimeError,
           MemoryError)  # fmt: skip
"""What zipfile and tarfile raise on damage: beside their own errors whatever a field trips over."""


def unpack(
    archive: str | os.PathLike,
    target: str | os.PathLike,
    *,
    max_bytes: int = MAX_BYTES,
    progress: Callable[[int], object] | None = None,
) -> Path:
    """Unpack a zip or tar archive into the new folder *target*.

    Args:
        archive: ``.zip``, ``.tar``, ``.tar.gz``, ``.tar.bz2`` or ``.tar.xz``; told by its bytes.
        target: must not exist; it appears complete or not at all.
        max_bytes: most bytes that may come out.
        progress: called with the bytes written.

    Returns:
        *target* as a Path.

    Raises:
        FetchError: no archive, a damaged one, or one with a member that leaves the folder, is a
            link or device, comes twice, or holds more than *max_bytes* with those before it. A
            tar that is cut between two members cannot be told from a whole one.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with zipfile.ZipFile(folder / "a.zip", "w") as file:
        ...     file.writestr("wav/a.txt", "hello")
        >>> (unpack(folder / "a.zip", folder / "a") / "wav/a.txt").read_text()
        'hello'
    """
    archive, target = Path(archive), Path(target)
    if os.path.lexists(target):
        raise FetchError(f"{target}: is there already; nothing was unpacked")
    beside = target.with_name(f".{target.name}.unpacking")
    shutil.rmtree(beside, ignore_errors=True)
    left = max_bytes
    try:
        beside.mkdir(parents=True)
        for name, size, content in _members(archive):
            left -= size
            if size < 0 or left < 0:
                raise FetchError(
                    f"{archive}: unpacks to more than the {max_bytes:,} bytes that are allowed, or "
                    f"{name!r} has an absurd size; not unpacked"
                )
            place = beside / name
            place.parent.mkdir(parents=True, exist_ok=True)
            with content() as source, open(place, "xb") as copy:
                shutil.copyfileobj(source, copy, 1 << 20)
            if progress:
                progress(size)
        os.rename(beside, target)
    except FileExistsError as error:
        raise FetchError(
            f"{archive}: holds {Path(error.filename).name!r} twice; not unpacked"
        ) from None
    except _BROKEN as error:
        if isinstance(error, FetchError):
            raise
        what = str(error) or type(error).__name__
        raise FetchError(f"{archive}: the archive is damaged ({what}); fetch it again") from None
    except OSError as error:
        if error.errno in FULL:
            raise DiskFullError(f"{beside}: the disk is full; make room and try again") from None
        raise FetchError(f"{archive}: cannot be unpacked ({error})") from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return target


def _members(archive: Path) -> Iterator[tuple[str, int, Callable[[], IO[bytes]]]]:
    """Name, declared bytes and content of each file in an archive."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as file:
            for info in file.infolist():
                kind = stat.S_IFMT(info.external_attr >> 16)
                plain = kind in (0, stat.S_IFREG, stat.S_IFDIR)
                name = _safe_name(archive, info.orig_filename, plain)
                if name and not info.is_dir():
                    yield name, info.file_size, partial(file.open, info)
    elif tarfile.is_tarfile(archive):
        with tarfile.open(archive) as file:
            for member in file:
                plain = (member.isreg() or member.isdir()) and not member.issparse()
                name = _safe_name(archive, member.name, plain)
                if name and not member.isdir():
                    yield name, member.size, partial(file.extractfile, member)
    else:
        raise FetchError(f"{archive}: {_not_an_archive(archive)}")


def _safe_name(archive: Path, name: str, plain: bool) -> str:
    """A member's path below the folder, ``""`` for what a Mac adds; an error where it is unsafe."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    if not plain:
        why = "a link, a device or a sparse file"
    elif name.startswith(("/", "\\")) or ".." in parts:
        why = "leads out of its folder"
    elif any(re.search(r'[\x00-\x1f:*?"<>|]', part) for part in parts):
        why = "a character that names cannot have everywhere"
    else:
        left_by_mac = not parts or parts[0] == "__MACOSX" or parts[-1] == ".DS_Store"
        return "" if left_by_mac else "/".join(parts)
    raise FetchError(
        f"{archive}: unsafe member {name!r}: {why}; nothing was unpacked, do not use it"
    )


def _not_an_archive(path: Path) -> str:
    with open(path, "rb") as stream:
        head = stream.read(64)
    if head.lstrip().startswith(b"<"):
        return "a web page, not an archive: the address leads to a page about the file"
    if not head:
        return "the file is empty"
    if head.startswith(b"PK\x03\x04"):  # a zip's list of members is its end
        return "the archive is damaged (a zip without its end: it was cut off); fetch it again"
    return f"neither a zip nor a tar archive (it begins with {head[:8]!r})"
