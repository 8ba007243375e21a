"""How many bytes a sound file lacks, by its container's own size fields.

libsndfile reads a cut WAV, AIFF, AU, Wave64, OGG or MP3 to where it ends and says nothing; this
looks at the sizes instead. Tolerated, because such files are whole: sizes of 0, 0xFFFFFFFF or
about 2 GB, which programs write that stream to a pipe; chunks before and after the sound (RAVDESS
has Apple filler chunks); missing pad bytes; a wrong total size, as long as the sound itself is
complete.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

_STREAMED = 0x7FFF0000
_MAX_CHUNKS = 1000
_W64 = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
_OGG_PAGE = 27 + 255 + 255 * 255
_XING = (13, 21, 36)
"""Where in an MP3's first frame its Xing or Info header can be, by version and channels."""


def missing_bytes(stream: BinaryIO, size: int) -> int:
    """Bytes of sound that the header of an open file promises and the file lacks.

    Args:
        stream: the file, opened for reading in binary; its position is moved.
        size: bytes the file has.

    Returns:
        0 if all is there or the file tells no such size (a FLAC, which shows it when it is
        decoded; an MP3 without a Xing or Info header), else the number lacking; at least 1 if the
        file ends before its sound begins.

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
    if head[:16] == _W64:
        return _wave64(stream, size)
    if magic == b"OggS":
        return _ogg(stream, size)
    if magic[:3] == b"ID3" or (magic[:1] == b"\xff" and magic[1:2] >= b"\xe0"):
        return _mp3(stream, size)
    return 0


def _wave64(stream: BinaryIO, size: int) -> int:
    """Chunks of Sony's Wave64: 16 bytes of name, 8 of length (these 24 included), padded to 8."""
    position = 40
    for _ in range(_MAX_CHUNKS):
        stream.seek(position)
        header = stream.read(24)
        if len(header) < 24:
            return 24 - len(header)
        length = struct.unpack("<Q", header[16:])[0]
        if header[:4] == b"data":
            streamed = length <= 24 or length >= 1 << 62
            return 0 if streamed else max(position + length - size, 0)
        position += max(24, (length + 7) & ~7)
        if position > size:
            return position - size
    return 0


def _ogg(stream: BinaryIO, size: int) -> int:
    """What the last page lacks of the length that its own table tells."""
    begin = max(0, size - _OGG_PAGE)
    stream.seek(begin)
    end = stream.read(_OGG_PAGE)
    page = end.rfind(b"OggS\0")
    if page < 0:
        return 0
    table = end[page + 27 : page + 27 + end[page + 26]] if len(end) > page + 26 else b""
    if not table:  # cut within the page's own header, or a page that holds nothing
        return 0 if len(end) > page + 26 else page + 27 - len(end)
    lacking = end[page + 26] - len(table)
    return max(page + 27 + len(table) + lacking + sum(table) - len(end), 0)


def _mp3(stream: BinaryIO, size: int) -> int:
    """What is missing of the length in the Xing or Info header of the first frame."""
    stream.seek(0)
    head, begin = stream.read(10), 0
    if head[:3] == b"ID3" and len(head) == 10:
        begin = 10 + sum((byte & 0x7F) << 7 * (3 - i) for i, byte in enumerate(head[6:10]))
    stream.seek(begin)
    frame = stream.read(64)
    for place in _XING:
        if frame[place : place + 4] in (b"Xing", b"Info"):
            flags, *values = struct.unpack(">III", frame[place + 4 : place + 16].ljust(12, b"\0"))
            promised = values[1] if flags & 3 == 3 else values[0] if flags & 3 == 2 else 0
            missing = begin + promised - size
            return missing if missing > promised // 100 else 0  # encoders are off by a little
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
