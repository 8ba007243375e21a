"""Unpacking what came from the web, without trusting it.

No member may leave the folder, be a link or a device, or weigh more than the archive declares and
the limits allow. Everything is unpacked beside the target and renamed at the end: after a kill
there is the whole folder or none.
"""

from __future__ import annotations

import errno
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
from pathlib import Path
from typing import IO

from ser.corpora.download import DiskFullError, need_room
from ser.errors import FetchError

MAX_BYTES = 50 << 30
MAX_MEMBERS = 200_000
MAX_RATIO = 100
"""Unpacked over packed bytes; speech packs to a half or a third, and silence is not a corpus."""
RATIO_FREE = 10 << 20
"""Below this many unpacked bytes the ratio is not looked at."""
CHUNK = 1 << 20
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
            link or device, comes twice, or is out of all proportion.

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
    beside.mkdir(parents=True)
    limits = _Limits(archive, max_bytes, progress or (lambda count: None))
    try:
        if zipfile.is_zipfile(archive):
            _unpack_zip(archive, beside, limits)
        elif tarfile.is_tarfile(archive):
            _unpack_tar(archive, beside, limits)
        else:
            raise FetchError(f"{archive}: {_not_an_archive(archive)}")
        os.rename(beside, target)
    except FetchError as error:
        if str(error).startswith("unsafe"):
            raise FetchError(f"{archive}: {error}; nothing was unpacked, do not use it") from None
        raise
    except _BROKEN as error:
        what = str(error) or type(error).__name__
        raise FetchError(f"{archive}: the archive is damaged ({what}); fetch it again") from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError(f"{beside}: the disk is full; make room and try again") from None
        raise FetchError(f"{archive}: cannot be unpacked ({error})") from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return target


def member_path(name: str) -> str | None:
    """A member's name as a safe relative path, or None where it is to be passed over.

    Raises:
        FetchError: the name leads out of the folder or cannot be a file's name everywhere.

    Example:
        >>> member_path("a/./b.wav"), member_path("__MACOSX/a/._b.wav")
        ('a/b.wav', None)
        >>> member_path("../evil")
        Traceback (most recent call last):
        ser.errors.FetchError: unsafe member '../evil': leads out of its folder
    """
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name):
        raise FetchError(f"unsafe member {name!r}: an absolute path")
    if ".." in parts:
        raise FetchError(f"unsafe member {name!r}: leads out of its folder")
    parts = [part for part in parts if part not in ("", ".")]
    if any(re.search(r'[\x00-\x1f:*?"<>|]', part) for part in parts):
        raise FetchError(f"unsafe member {name!r}: a character that names cannot have everywhere")
    if not parts or parts[0] == "__MACOSX" or parts[-1] == ".DS_Store":
        return None
    return "/".join(parts)


class _Limits:
    """Counts what comes out, and stops it in time."""

    def __init__(self, archive: Path, max_bytes: int, tell: Callable[[int], object]) -> None:
        self.archive, self.max_bytes, self.tell = archive, max_bytes, tell
        self.packed = archive.stat().st_size
        self.members = self.bytes = 0
        self.names: set[str] = set()

    def member(self, name: str) -> None:
        """Count one member; raises FetchError for too many, or a name that came before."""
        self.members += 1
        if self.members > MAX_MEMBERS:
            raise FetchError(f"{self.archive}: more than {MAX_MEMBERS:,} members; not unpacked")
        if name in self.names:
            raise FetchError(f"{self.archive}: holds {name!r} twice; not unpacked")
        self.names.add(name)

    def allow(self, total: int) -> None:
        """Refuse *total* unpacked bytes where they are out of proportion."""
        if total > self.max_bytes:
            raise FetchError(
                f"{self.archive}: unpacks to {total:,} bytes or more, {self.max_bytes:,} are "
                "allowed; not unpacked"
            )
        if total > RATIO_FREE and total > MAX_RATIO * self.packed:
            raise FetchError(
                f"{self.archive}: {self.packed:,} bytes unpack to {total:,} or more, which no "
                "speech does; not unpacked"
            )

    def copy(self, source: IO[bytes], target: Path, declared: int) -> None:
        """Write a member, at most as many bytes as it declares."""
        target.parent.mkdir(parents=True, exist_ok=True)
        left = declared
        with open(target, "xb") as stream:
            while chunk := source.read(min(CHUNK, left + 1)):
                left -= len(chunk)
                self.bytes += len(chunk)
                if left < 0:
                    raise FetchError(f"{self.archive}: {target.name} is longer than declared")
                self.allow(self.bytes)
                stream.write(chunk)
                self.tell(len(chunk))
        if left:
            raise FetchError(f"{self.archive}: {target.name} ends too early; fetch it again")


def _unpack_zip(archive: Path, folder: Path, limits: _Limits) -> None:
    with zipfile.ZipFile(archive) as file:
        members = list(_zip_members(file, limits))
        total = sum(info.file_size for _, info in members)
        limits.allow(total)
        need_room(folder, total)
        for name, info in members:
            if info.is_dir():
                (folder / name).mkdir(parents=True, exist_ok=True)
                continue
            with file.open(info) as source:
                limits.copy(source, folder / name, info.file_size)


def _zip_members(file: zipfile.ZipFile, limits: _Limits) -> Iterator[tuple[str, zipfile.ZipInfo]]:
    for info in file.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            what = "a link" if kind == stat.S_IFLNK else "no ordinary file"
            raise FetchError(f"unsafe member {info.filename!r}: {what}")
        if info.flag_bits & 1:
            raise FetchError(f"{limits.archive}: {info.filename!r} is encrypted")
        name = member_path(info.orig_filename)
        if name is not None:
            limits.member(name)
            yield name, info


def _unpack_tar(archive: Path, folder: Path, limits: _Limits) -> None:
    with tarfile.open(archive, "r:*") as file:
        for member in file:
            if not (member.isreg() or member.isdir()) or member.issparse():
                what = "a link" if member.issym() or member.islnk() else "no ordinary file"
                raise FetchError(f"unsafe member {member.name!r}: {what}")
            if member.size < 0:
                raise FetchError(f"{archive}: {member.name!r} says it has {member.size} bytes")
            limits.allow(limits.bytes + member.size)
            name = member_path(member.name)
            if name is None:
                continue
            limits.member(name)
            if member.isdir():
                (folder / name).mkdir(parents=True, exist_ok=True)
            elif source := file.extractfile(member):
                limits.copy(source, folder / name, member.size)
        # tarfile takes any end, and a header that it cannot read, for the end of the archive.
        stream = file.fileobj
        stream.seek(file.offset)
        if stream.read(tarfile.BLOCKSIZE).strip(b"\0") or stream.tell() <= file.offset:
            raise FetchError(f"{archive}: the archive is damaged or cut off; fetch it again")
        rest = limits.bytes
        while chunk := stream.read(CHUNK):  # to the end, where gzip and xz keep their checksums
            rest += len(chunk)
            limits.allow(rest)


def _not_an_archive(path: Path) -> str:
    with open(path, "rb") as stream:
        head = stream.read(64)
    if head.lstrip().startswith(b"<"):
        return "a web page, not an archive: the address leads to a page about the file"
    if not head:
        return "the file is empty"
    return f"neither a zip nor a tar archive (it begins with {head[:8]!r})"
