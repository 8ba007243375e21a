"""WAV, RF64 and AIFF: chunks of 4 bytes of name, 4 of length; where other files are joined on."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

from ser.containers.part import MAX_CHUNKS, STREAMED, Fault, Part, find, lacking

_KNOWN = frozenset(
    b"fmt |data|fact|LIST|bext|junk|JUNK|FLLR|PAD |cue |smpl|inst|PEAK|id3 |ID3 |iXML|_PMX|ds64|"
    b"COMM|SSND|NAME|AUTH|(c) |ANNO|MARK|INST|COMT|FVER|CHAN|APPL".split(b"|")
)
_KINDS = (b"WAVE", b"AIFF", b"AIFC")


@dataclass
class _Found:
    """What the chunks before the sound say, and where it is."""

    position: int = 0  # of the chunk that holds the sound
    length: int = 0
    long_total: int | None = None
    long_size: int | None = None
    unpadded: bool = False
    description: bytes = b""
    kept: bytes = b""  # chunks that another header needs
    fact: int = 0


def wav_part(stream: BinaryIO, begin: int, size: int, order: str) -> Part:
    """The sound of a WAV or RF64 that begins at *begin*."""
    found = _walk(stream, begin, size, order, b"data", b"fmt ")
    coding, width = wav_format(found.description, order)
    start, left = found.position + 8, size - found.position - 8
    told, streamed = found.length, False
    if told == 0xFFFFFFFF and found.long_size is not None:
        told = found.long_size
    elif told >= STREAMED or (told == 0 and left and not _chain(stream, start, size, order)):
        if (other := find(stream, b"WAVEfmt ", start, size)) > 0:
            left = other - 8 - start
        streamed, told = told == 0, left if told == 0 else min(told, left)
    if told > left:
        raise lacking(told - left)
    end = start + told
    stream.seek(begin + 4)
    total = struct.unpack(f"{order}I", stream.read(4))[0]
    total = min(begin + 8 + (total if found.long_total is None else found.long_total), size)
    if end < total and not _chain(stream, end, total, order):
        raise Fault("damaged", f"its header counts {told} bytes of sound, and more follow")
    if coding in (0x50, 0x55):
        return Part(start, end, coding="mpeg")
    frames = told // width if width else None
    if streamed or found.unpadded:
        return Part(start, end, _header(stream, begin, order, found, told), frames)
    return Part(begin, end, b"", frames, counted=0 if width else found.fact)


def aiff_part(stream: BinaryIO, begin: int, size: int) -> Part:
    """The sound of an AIFF or AIFC that begins at *begin*."""
    found = _walk(stream, begin, size, ">", b"SSND", b"COMM")
    start, left = found.position + 8, size - found.position - 8
    told, width, counted = found.length, 0, 0
    if len(found.description) >= 18:
        channels, counted, bits = struct.unpack(">hIh", found.description[:8])
        if found.description[18:22] in (b"", b"NONE", b"twos", b"sowt"):
            width = channels * ((bits + 7) // 8)
    streamed = told >= STREAMED or (told == 0 and left and not _chain(stream, start, size, ">"))
    if streamed:
        told = left
    if told > left:
        raise lacking(told - left)
    frames = max(told - 8, 0) // width if width > 0 else None
    if frames is not None and counted != frames and not streamed:
        if frames < counted:
            raise lacking((counted - frames) * width)
        if (frames - counted) * width > 1:
            raise Fault("damaged", f"its header counts {counted} samples, and {frames} are there")
    if not (streamed or found.unpadded):
        return Part(begin, start + told, b"", frames)
    if streamed and frames is not None:  # the header counts none
        at = found.kept.index(b"COMM") + 10
        found.kept = found.kept[:at] + struct.pack(">I", frames) + found.kept[at + 4 :]
    return Part(start, start + told, _header(stream, begin, ">", found, told), frames)


def wav_format(body: bytes, order: str) -> tuple[int, int]:
    """A WAV's ``fmt`` chunk -> coding, bytes a frame of plain samples (0: of other codings)."""
    if len(body) < 16:
        return 0, 0
    coding, channels, rate, speed, width, bits = struct.unpack(f"{order}HHIIHH", body[:16])
    if coding == 0xFFFE and len(body) >= 26:
        coding = struct.unpack(f"{order}H", body[24:26])[0]
    plain = coding in (1, 3, 6, 7)
    if plain and (not width or not channels or width % channels or width // channels * 8 < bits):
        raise Fault(
            "damaged",
            f"its header contradicts itself: {channels} channels of {bits} bits in {width} bytes",
        )
    expected = rate * width
    if coding in (0x02, 0x11) and len(body) >= 20:
        expected //= max(struct.unpack(f"{order}H", body[18:20])[0], 1)
    elif not plain:
        return coding, 0
    if speed and abs(speed - expected) > (0 if plain else expected // 20 + 2):
        raise Fault(
            "damaged",
            f"its header contradicts itself: {rate} samples a second, and {speed} bytes a second "
            f"where {expected} fit",
        )
    return coding, width if plain else 0


def joined(stream: BinaryIO, end: int, size: int, order: str) -> int | None:
    """Where another file begins after the sound that ends at byte *end*, or None.

    The chunks that follow the sound are passed over.
    """
    if size - end < 16:
        return None
    for position in (end, end + 1, end + 7 & ~7):
        stream.seek(position)
        head = stream.read(16)
        if _begins(head) or head[:4] in (b"caff", b".snd"):
            return position
    position = end
    for _ in range(MAX_CHUNKS):
        stream.seek(position)
        header = stream.read(12)
        if len(header) < 8 or not named(header[:4]):
            return None
        if _begins(header):
            return position
        length = struct.unpack(f"{order}I", header[4:8])[0]
        position += 8 + length + (length & 1)
    return None


def named(name: bytes) -> bool:
    """Whether four bytes can be the name of a chunk."""
    return len(name) == 4 and (all(32 <= byte < 127 for byte in name) or not any(name))


def _begins(head: bytes) -> bool:
    return head[:4] in (b"RIFF", b"RF64", b"FORM") and head[8:12] in _KINDS


def _walk(
    stream: BinaryIO, begin: int, size: int, order: str, wanted: bytes, described: bytes
) -> _Found:
    """Walk the chunks to the one that holds the sound."""
    position, found = begin + 12, _Found()
    for _ in range(MAX_CHUNKS):
        stream.seek(position)
        header = stream.read(8)
        if len(header) < 8:
            raise lacking(8 - len(header))
        name, length = struct.unpack(f"{order}4sI", header)
        if name == wanted:
            found.position, found.length = position, length
            return found
        if name == b"ds64" and length >= 16:
            body = stream.read(16)
            found.long_total, found.long_size = struct.unpack(f"{order}QQ", body.ljust(16, b"\0"))
        elif not named(name):
            raise Fault("damaged", f"what stands at byte {position} is no chunk")
        elif name in (described, b"FVER", b"fact") and length < 1 << 12:
            body = stream.read(length)
            found.kept += header + body + b"\0" * (length & 1)
            if name == described:
                found.description = body
            elif name == b"fact" and length >= 4:
                found.fact = struct.unpack(f"{order}I", body[:4].ljust(4, b"\0"))[0]
        position += 8 + length
        if length & 1:
            if _padded(stream, position):
                position += 1
            else:
                found.unpadded = True
        if position > size:
            raise lacking(position - size)
    raise Fault("damaged", f"no sound within its first {MAX_CHUNKS} chunks")


def _padded(stream: BinaryIO, position: int) -> bool:
    """Whether the byte that fills an odd chunk up is there."""
    stream.seek(position)
    after = stream.read(5)
    if after[:4] in _KNOWN:
        return False
    return after[:1] == b"\0" or after[1:] in _KNOWN or not named(after[:4])


def _header(stream: BinaryIO, begin: int, order: str, found: _Found, length: int) -> bytes:
    """A plain header for sound of that *length*: what describes it, with pad bytes and sizes."""
    stream.seek(begin)
    magic = stream.read(12)
    name = b"SSND" if magic[:4] == b"FORM" else b"data"
    body = magic[8:] + found.kept + name + struct.pack(f"{order}I", min(length, 0xFFFFFFFF))
    total = struct.pack(f"{order}I", min(len(body) + length, 0xFFFFFFFF))
    return (b"RIFF" if magic[:4] == b"RF64" else magic[:4]) + total + body


def _chain(stream: BinaryIO, position: int, end: int, order: str) -> bool:
    """Whether chunks follow each other from *position* to *end*, but for a few bytes."""
    for _ in range(MAX_CHUNKS):
        if position > end - 8:
            return position <= end + 1
        stream.seek(position)
        name = stream.read(4)
        if not named(name) or not any(name):
            return not any(name + stream.read(min(end - position - 4, 1 << 16)))
        length = struct.unpack(f"{order}I", stream.read(4))[0]
        position += 8 + length + (length & 1)
    return False
