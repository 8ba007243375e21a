"""AU, CAF and NIST SPHERE: what their headers say, and what is there."""

from __future__ import annotations

import re
import struct
from typing import BinaryIO

from ser.containers.part import MAX_CHUNKS, STREAMED, Fault, Part, lacking, tag_bytes
from ser.containers.wav_aiff import aiff_part, joined, wav_part

_WIDTHS = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8, 27: 1}
"""Bytes of a sample by the coding that an AU names."""


def chunk_parts(stream: BinaryIO, begin: int, size: int) -> Part | None:
    """The sound that begins at byte *begin* of an open file, by its container's sizes.

    Args:
        stream: the file, opened for reading in binary; its position is moved.
        begin: where its magic stands.
        size: bytes the file has.

    Returns:
        Part, or None if no WAV, RF64, AIFF, AU, CAF or NIST file begins there.

    Raises:
        Fault: bytes are missing, or the header contradicts itself.

    Example:
        >>> import io
        >>> whole = b"RIFF\\x24\\0\\0\\0WAVEdata" + (4).to_bytes(4, "little") + b"abcd"
        >>> chunk_parts(io.BytesIO(whole), 0, 24).end
        24
        >>> chunk_parts(io.BytesIO(whole), 0, 22)
        Traceback (most recent call last):
        ser.containers.part.Fault: its header promises 2 bytes more than there are
    """
    stream.seek(begin)
    head = stream.read(24)
    magic, kind = head[:4], head[8:12]
    if magic in (b"RIFF", b"RF64", b"RIFX") and kind == b"WAVE":
        return wav_part(stream, begin, size, ">" if magic == b"RIFX" else "<")
    if magic == b"FORM" and kind in (b"AIFF", b"AIFC"):
        return aiff_part(stream, begin, size)
    if magic in (b"RIFF", b"RIFX", b"RF64", b"FORM") and len(head) < 12:
        raise lacking(12 - len(head))
    if magic in (b".snd", b"dns."):
        return _au(stream, begin, size, ">" if magic == b".snd" else "<")
    if magic == b"caff":
        return _caf(stream, begin, size)
    if head[:8] == b"NIST_1A\n":
        return _nist(stream, begin, size)
    return None


def _au(stream: BinaryIO, begin: int, size: int, order: str) -> Part:
    stream.seek(begin + 4)
    fields = stream.read(20)
    if len(fields) < 20:
        raise lacking(20 - len(fields))
    offset, length, coding, _, channels = struct.unpack(f"{order}5I", fields)
    start, head = begin + offset, b""
    if offset < 24:
        raise Fault("damaged", f"its sound begins at byte {offset}, within its header")
    left = size - start
    if length >= STREAMED or (length == 0 and left > 0):
        length, streamed = left, length
        if streamed == 0:
            stream.seek(begin)
            head = stream.read(min(offset, 1 << 20))
            head = head[:8] + struct.pack(f"{order}I", min(left, 0xFFFFFFFF)) + head[12:]
    if length > left:
        raise lacking(length - left)
    end = start + length
    if end < size and joined(stream, end, size, order) != end:
        after = end
        while skipped := tag_bytes(stream, after, size):
            after += skipped
        if after < size:
            raise Fault("damaged", f"its header counts {length} bytes of sound, and more follow")
    width = _WIDTHS.get(coding, 0) * channels
    frames = length // width if width else None
    return Part(start if head else begin, start + length, head, frames)


def _caf(stream: BinaryIO, begin: int, size: int) -> Part:
    position, width, patched = begin + 8, 0, b""
    frames, seen = None, False
    for _ in range(MAX_CHUNKS):
        stream.seek(position)
        header = stream.read(12)
        if len(header) < 12:
            if seen or position == size:
                break
            raise lacking(12 - len(header))
        name, length = struct.unpack(">4sq", header)
        if name == b"desc":
            description = stream.read(32)
            if description[8:12] == b"lpcm" and len(description) == 32:
                width = struct.unpack(">I", description[16:20])[0]
        if name == b"pakt" and len(packets := stream.read(16)) == 16:
            frames = struct.unpack(">q", packets[8:])[0]
        seen = seen or name == b"data"
        if name == b"data":
            if length == -1:
                length = size - position - 12
                stream.seek(begin)
                patched = stream.read(position + 4 - begin) if position < 1 << 20 else b""
                patched += struct.pack(">q", length)
            if width:
                frames = (length - 4) // width
            if patched:
                return Part(position + 12, size, patched, frames)
        elif seen and (name == b"caff" or not 0 <= length <= size - position - 12):
            break  # another file, or what is no chunk: the sound is there
        if length < 0:
            raise Fault("damaged", f"its chunk {name!r} has a length of {length}")
        position += 12 + length
        if position > size:
            raise lacking(position - size)
    return Part(begin, position if frames is not None else size, b"", frames)


def _nist(stream: BinaryIO, begin: int, size: int) -> Part:
    stream.seek(begin)
    head = stream.read(1 << 14)
    words = dict(re.findall(rb"(\w+) -i (\d+)", head))
    offset = int(head[8:16].strip() or b"0") if head[8:16].strip().isdigit() else 1024
    frames = int(words[b"sample_count"]) if b"sample_count" in words else None
    width = int(words.get(b"sample_n_bytes", b"0")) * int(words.get(b"channel_count", b"1"))
    if frames is not None and width and (lack := offset + frames * width - (size - begin)) > 0:
        raise lacking(lack)
    return Part(begin, size, b"", frames if width else None)
