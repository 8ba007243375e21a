"""How many bytes a sound file lacks, by its container's own size fields.

libsndfile reads a cut WAV, AIFF or AU to where it ends and says nothing; this looks at the sizes
instead. Tolerated, because such files are whole: sizes of 0, 0xFFFFFFFF or about 2 GB, which
programs write that stream to a pipe; chunks before and after the sound (RAVDESS has Apple filler
chunks); missing pad bytes; a wrong total size, as long as the sound itself is complete.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

_STREAMED = 0x7FFF0000
_MAX_CHUNKS = 1000


def missing_bytes(stream: BinaryIO, size: int) -> int:
    """Bytes of sound that the header of an open file promises and the file lacks.

    Args:
        stream: the file, opened for reading in binary; its position is moved.
        size: bytes the file has.

    Returns:
        0 if all is there or the format has no such size (FLAC, OGG, MP3), else the number lacking;
        at least 1 if the file ends before its sound begins.

    Example:
        >>> import io
        >>> whole = b"RIFF\\x24\\0\\0\\0WAVEdata" + (4).to_bytes(4, "little") + b"abcd"
        >>> missing_bytes(io.BytesIO(whole), 24), missing_bytes(io.BytesIO(whole[:22]), 22)
        (0, 2)
    """
    stream.seek(0)
    head = stream.read(24)
    magic, kind = head[:4], head[8:12]
    if magic in (b"RIFF", b"RF64") and kind == b"WAVE":
        return _chunks(stream, size, "<", b"data")
    if magic == b"RIFX" and kind == b"WAVE":
        return _chunks(stream, size, ">", b"data")
    if magic == b"FORM" and kind in (b"AIFF", b"AIFC"):
        return _chunks(stream, size, ">", b"SSND")
    if magic in (b"RIFF", b"RIFX", b"RF64", b"FORM") and size < 12:
        return 12 - size
    if magic == b".snd" and len(head) >= 12:
        begin, length = struct.unpack(">II", head[4:12])
        return 0 if length >= _STREAMED else max(begin + length - size, 0)
    return 0


def _chunks(stream: BinaryIO, size: int, order: str, wanted: bytes) -> int:
    """Walk the chunks to the one that holds the sound and compare its size with what is left."""
    position, long_size = 12, None
    for _ in range(_MAX_CHUNKS):
        stream.seek(position)
        header = stream.read(8)
        if len(header) < 8:
            return 8 - len(header)
        name, length = struct.unpack(f"{order}4sI", header)
        if name == wanted:
            if length == 0 or (length >= _STREAMED and long_size is None):
                return 0
            promised = long_size if length == 0xFFFFFFFF and long_size is not None else length
            return max(promised - (size - position - 8), 0)
        if name == b"ds64" and length >= 16:
            body = stream.read(16)
            long_size = struct.unpack(f"{order}Q", body[8:16])[0] if len(body) == 16 else None
        elif not name.isascii() or not name.strip(b"\0 "):
            return 0
        position += 8 + length
        if length & 1 and not _starts(stream, position, wanted):
            position += 1
        if position > size:
            return position - size
    return 0


def _starts(stream: BinaryIO, position: int, name: bytes) -> bool:
    stream.seek(position)
    return stream.read(4) == name
