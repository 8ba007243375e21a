"""Unpacking a zip that came from the web, without trusting it.

zipfile reads; every member's name and kind is looked at before a byte of it is written. (pooch's
processor, which is zipfile's ``extractall``, renames ``../x`` in silence and knows no limit.)
"""

from __future__ import annotations

import lzma
import os
import re
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from ser.corpora.download import DiskFullError
from ser.errors import FULL, FetchError

MAX_BYTES = 50 << 30
_BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, struct.error, ValueError,
           LookupError, ArithmeticError, RuntimeError, MemoryError)  # fmt: skip
"""What zipfile raises on damage: beside its own error whatever a field trips over."""


def unpack(
    archive: str | os.PathLike,
    target: str | os.PathLike,
    *,
    max_bytes: int = MAX_BYTES,
    progress: Callable[[int], object] | None = None,
) -> Path:
    """Unpack a zip archive into the new folder *target*.

    Args:
        archive: told by its bytes, whatever its name.
        target: must not exist; after an error nothing of it is left.
        max_bytes: most bytes that may come out.
        progress: called with the bytes written.

    Returns:
        *target* as a Path.

    Raises:
        FetchError: no zip, a damaged one, or one with a member that leaves the folder, is a link
            or device, comes twice, or holds more than *max_bytes* with those before it.

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
    if not zipfile.is_zipfile(archive):
        raise FetchError(f"{archive}: {_not_a_zip(archive)}")
    try:
        target.mkdir(parents=True)
        with zipfile.ZipFile(archive) as file:
            _write(file, archive, target, max_bytes, progress or (lambda count: None))
        return target
    except FetchError as error:
        told = error
    except FileExistsError as error:
        told = FetchError(f"{archive}: holds {Path(error.filename).name!r} twice; not unpacked")
    except _BROKEN as error:
        what = str(error) or type(error).__name__
        told = FetchError(f"{archive}: the archive is damaged ({what}); fetch it again")
    except OSError as error:
        told = FetchError(f"{archive}: cannot be unpacked ({error})")
        if error.errno in FULL:
            told = DiskFullError(f"{target}: the disk is full; make room and try again")
    shutil.rmtree(target, ignore_errors=True)
    raise told


def _write(
    file: zipfile.ZipFile,
    archive: Path,
    target: Path,
    max_bytes: int,
    progress: Callable[[int], object],
) -> None:
    left = max_bytes
    for info in file.infolist():
        name = _safe_name(archive, info)
        if not name or info.is_dir():
            continue
        left -= info.file_size
        if left < 0:
            raise FetchError(
                f"{archive}: unpacks to more than the {max_bytes:,} bytes that are allowed; not "
                "unpacked"
            )
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        with file.open(info) as source, open(place, "xb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
        progress(info.file_size)


def _safe_name(archive: Path, info: zipfile.ZipInfo) -> str:
    """A member's path below the folder, ``""`` for what a Mac adds; an error where it is unsafe."""
    name = info.orig_filename
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        why = "a link or a device"
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


def _not_a_zip(path: Path) -> str:
    with open(path, "rb") as stream:
        head = stream.read(64)
    if head.lstrip().startswith(b"<"):
        return "a web page, not an archive: the address leads to a page about the file"
    if not head:
        return "the file is empty"
    if head.startswith(b"PK\x03\x04"):  # a zip's list of members is its end
        return "the archive is damaged (a zip without its end: it was cut off); fetch it again"
    return f"not a zip archive (it begins with {head[:8]!r})"
