"""What a walk through a file gives, and what its walkers share: faults, tags, checksums."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO

STREAMED = 0x7FFF0000
"""Sizes from here on are what programs write that do not know them."""

MAX_CHUNKS = 1000
BACKWARDS = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
"""Each byte with its bits in the other order."""


class Fault(Exception):
    """What is wrong with a file; *kind*: ``cut off``, ``damaged``, ``not read`` or ``unknown``."""

    def __init__(self, kind: str, how: str) -> None:
        super().__init__(how)
        self.kind = kind


@dataclass(frozen=True)
class Part:
    """One sound of a file; files joined end to end have several.

    Attributes:
        begin, end: bytes of the file it takes.
        head: bytes that stand before those, where a decoder needs another header.
        frames: samples of one channel that it holds, where the container counts them.
        coding: ``"mpeg"`` where those bytes are MP3 within another container.
        counted: samples that the header counts where the coding fills its last block up.
    """

    begin: int
    end: int
    head: bytes = b""
    frames: int | None = None
    coding: str = ""
    counted: int = 0


def lacking(count: int) -> Fault:
    """A file that lacks *count* bytes."""
    return Fault("cut off", f"its header promises {count} bytes more than there are")


def find(stream: BinaryIO, pattern: bytes, begin: int, end: int) -> int:
    """First place of *pattern* from byte *begin* to *end* of an open file, or -1."""
    step, overlap = 1 << 20, len(pattern) - 1
    for start in range(begin, end, step):
        stream.seek(start)
        if (at := stream.read(min(step + overlap, end - start)).find(pattern)) >= 0:
            return start + at
    return -1


def tag_bytes(stream: BinaryIO, position: int, size: int) -> int:
    """Length of the ID3, APE or Lyrics3 tag, or of the zeros, at *position*; 0 if there is none.

    Example:
        >>> import io
        >>> tag_bytes(io.BytesIO(b"ID3\\x04\\0\\0\\0\\0\\x01\\x02" + bytes(200)), 0, 210)
        140
    """
    stream.seek(position)
    head = stream.read(32)
    if head[:3] == b"ID3" and len(head) >= 10 and not any(byte & 0x80 for byte in head[6:10]):
        body = sum((byte & 0x7F) << 7 * (3 - i) for i, byte in enumerate(head[6:10]))
        return 10 + body + (10 if head[5] & 0x10 else 0)
    if head[:8] == b"APETAGEX" and len(head) == 32:
        body, _, flags = struct.unpack("<III", head[12:24])
        return 32 + body if flags >> 29 & 1 else 32
    if head[:11] == b"LYRICSBEGIN":
        stop = find(stream, b"LYRICS200", position, size)
        return stop + 9 - position if stop >= 0 else 0
    if head[:4] == b"TAG+" and position + 227 <= size:
        return 227
    if head[:3] == b"TAG" and position + 128 <= size:
        return 128
    zeros = 0
    while head and not head.strip(b"\0"):
        zeros += len(head)
        head = stream.read(1 << 16)
    return zeros + len(head) - len(head.lstrip(b"\0"))


def checksum(data: bytes, bits: int, polynomial: int) -> int:
    """Cyclic redundancy check of 8 *bits* or more, highest bit first, from 0, as Ogg and FLAC do.

    Example:
        >>> hex(checksum(b"123456789", 16, 0x8005))
        '0xfee8'
    """
    table, mask, value = _table(bits, polynomial), (1 << bits) - 1, 0
    for byte in data:
        value = (value << 8 ^ table[(value >> bits - 8 ^ byte) & 0xFF]) & mask
    return value


@cache
def _table(bits: int, polynomial: int) -> tuple[int, ...]:
    rows = []
    for byte in range(256):
        value = byte << bits - 8
        for _ in range(8):
            value = value << 1 ^ (polynomial if value >> bits - 1 & 1 else 0)
        rows.append(value & (1 << bits) - 1)
    return tuple(rows)


class Window:
    """A part of a file, with another header before it, as a file of its own."""

    def __init__(self, path: Path, part: Part) -> None:
        self._file = path.open("rb")
        self._part, self._at = part, 0
        self._size = len(part.head) + part.end - part.begin

    def read(self, count: int = -1) -> bytes:
        """The next *count* bytes, or fewer at the end; all that is left, if negative."""
        head, left = self._part.head, self._size - self._at
        count = left if count < 0 else max(min(count, left), 0)
        data = head[self._at : self._at + count]
        if len(data) < count:
            self._file.seek(self._part.begin + self._at + len(data) - len(head))
            data += self._file.read(count - len(data))
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def close(self) -> None:
        self._file.close()
