"""What telephones, browsers and video cameras write: M4A, MP4, 3GP, AMR, AAC, WebM.

Each is named for what it is by its first bytes, walked to see whether all of it is there, and
decoded by PyAV (FFmpeg's libraries) where that is installed: ``pip install 'ser-book[phone]'``.
libsndfile decodes all other formats: it is there anyway, and what it gets wrong is their length,
which the other walkers tell it; FFmpeg's own guesses of length are no better. An encoder's delay is
cut where the file tells it (M4A's edit list, Opus's pre-skip).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import BinaryIO

from ser.containers.part import Fault, Part, tag_bytes

_EBML = b"\x1a\x45\xdf\xa3"
_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"moof", b"sidx", b"styp", b"uuid",
          b"mfra", b"meta", b"pnot", b"udta", b"emsg", b"prft", b"pdin")  # fmt: skip
_AMR = {
    b"#!AMR\n": ((12, 13, 15, 17, 19, 20, 26, 31, 5, *(-1,) * 6, 0), 160),
    b"#!AMR-WB\n": ((17, 23, 32, 36, 40, 46, 50, 58, 60, 5, *(-1,) * 4, 0, 0), 320),
}
"""By their first bytes: bytes of a frame in each mode, and its samples."""

_ELEMENTS = frozenset(
    bytes.fromhex(name)
    for name in re.findall(
        r"\w+",
        "1A45DFA3 18538067 114D9B74 EC 1549A966 1654AE6B 1254C367 1C53BB6B 1941A469 1043A770 BF "
        "1F43B675 E7 A3 A0 A7 AB 5854 A1 75A1 75A2 9B FB FA FD A4 A2 8E",
    )
)
_OTHERS = {
    b"wvpk": "WavPack", b"MAC ": "Monkey's Audio", b"TTA1": "True Audio", b"MPCK": "Musepack",
    b"MP+": "Musepack", b"\x0b\x77": "AC-3", b"FLV": "a Flash video", b".RMF": "RealMedia",
    b".ra\xfd": "RealAudio", b"DSD ": "DSD", b"FRM8": "DSD", b"ajkg": "Shorten",
    b"riff\x2e\x91\xcf\x11": "Wave64", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11": "WMA",
    b"#!SILK_V3": "SILK", b"\x02#!SILK_V3": "SILK",
}  # fmt: skip


def container_of(head: bytes) -> str:
    """What the first 64 bytes of a file are, in words; "" where they are none of these.

    Example:
        >>> container_of(b"\\0\\0\\0\\x1cftypM4A \\0\\0\\0\\0"), container_of(b"RIFF")
        ('M4A', '')
    """
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        if brand[:2] in (b"3g",):
            return "3GP"
        return {b"M4A ": "M4A", b"M4B ": "M4A", b"qt  ": "QuickTime"}.get(brand, "MP4")
    if head[4:8] in _BOXES and int.from_bytes(head[:4], "big") not in range(2, 8):
        return "QuickTime"
    if head[:4] == _EBML:
        return "WebM" if b"webm" in head else "Matroska"
    if head[:9] == b"#!AMR-WB\n":
        return "AMR-WB"
    if head[:6] == b"#!AMR\n":
        return "AMR"
    if len(head) > 6 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0 and _adts(head):
        return "AAC"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "AVI"
    for magic, name in _OTHERS.items():
        if head.startswith(magic):
            return name
    return ""


WALKED = ("M4A", "3GP", "QuickTime", "MP4", "WebM", "Matroska", "AMR", "AMR-WB", "AAC")
"""What PyAV reads here; the others are named, and converted by FFmpeg."""


def phone_parts(stream: BinaryIO, size: int, name: str) -> list[Part]:
    """The sounds in a file of the kind *name*, one of :data:`WALKED`.

    Raises:
        Fault: it is cut off, or what should follow each other does not.
    """
    walk: dict[str, Callable[[BinaryIO, int], list[Part]]] = {
        "WebM": _webm, "Matroska": _webm, "AMR": _amr, "AMR-WB": _amr, "AAC": _aac,
    }  # fmt: skip
    return walk.get(name, _boxes)(stream, size)


def _boxes(stream: BinaryIO, size: int) -> list[Part]:
    """Boxes of MP4: 4 bytes of length, 4 of name; another ``ftyp`` begins another file."""
    starts, position, described = [0], 0, False
    while position < size:
        stream.seek(position)
        head = stream.read(16)
        if len(head) < 8:
            if any(head):
                raise Fault("cut off", f"its last box lacks {8 - len(head)} bytes")
            break
        length, name = struct.unpack(">I4s", head[:8])
        if not all(32 <= byte < 127 or byte == 0xA9 for byte in name):
            if described and not any(head):
                break
            raise Fault("damaged", f"what stands at byte {position} is no box of MP4")
        if length == 1 and len(head) == 16:
            length = int.from_bytes(head[8:], "big")
        length = length or size - position
        if name == b"ftyp" and described:
            starts, described = [*starts, position], False
        described = described or name == b"moov"
        if length < 8:
            raise Fault("damaged", f"the box at byte {position} has a length of {length}")
        position += length
        if position > size:
            raise Fault("cut off", f"its last box lacks {position - size} bytes")
    if not described:
        raise Fault("cut off", "its table of contents is missing (it was never closed)")
    return [Part(a, b) for a, b in zip(starts, [*starts[1:], size], strict=True)]


def _webm(stream: BinaryIO, size: int) -> list[Part]:
    """Elements of Matroska, into segments, clusters (whose lengths need not be told) and groups."""
    starts, position = [], 0
    while position < size:
        stream.seek(position)
        head = stream.read(16)
        wide = 9 - head[0].bit_length()
        name = head[:wide]
        if name not in _ELEMENTS:
            raise Fault("damaged", f"what stands at byte {position} is no element of Matroska")
        if name == _EBML:
            starts.append(position)
        more = 9 - head[wide].bit_length() if len(head) > wide and head[wide] else 9
        number = head[wide : wide + more]
        if len(number) < more:
            raise Fault("cut off", "its last element is not whole")
        length = int.from_bytes(number, "big") & (1 << 7 * more) - 1
        unknown = length == (1 << 7 * more) - 1
        lacking = 0 if unknown else position + wide + more + length - size
        if lacking > 0:
            raise Fault("cut off", f"its header promises {lacking} bytes more than there are")
        position += wide + more
        if name not in (b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75", b"\xa0"):
            position += 0 if unknown else length
    return [Part(a, b) for a, b in zip(starts, [*starts[1:], size], strict=True)]


def _amr(stream: BinaryIO, size: int) -> list[Part]:
    """Frames of 20 ms; a head within begins another file."""
    stream.seek(0)
    magic = next(magic for magic in _AMR if stream.read(9)[: len(magic)] == magic or stream.seek(0))
    widths, samples = _AMR[magic]
    parts, start, count, position = [], 0, 0, len(magic)
    while position < size:
        stream.seek(position)
        head = stream.read(9)
        if count and head[: len(magic)] == magic:
            parts.append(Part(start, position, frames=count * samples))
            start, count, position = position, 0, position + len(magic)
            continue
        width = widths[head[0] >> 3 & 15]
        if head[0] & 0x83 or width < 0:
            raise Fault("damaged", f"what stands at byte {position} is no frame of AMR")
        position += 1 + width
        count += 1
        if position > size:
            raise Fault("cut off", f"its last frame lacks {position - size} bytes")
    return [*parts, Part(start, size, frames=count * samples)]


def _adts(head: bytes) -> tuple[tuple[int, ...], int, int] | None:
    """A frame of AAC -> what is the same in all, bytes, blocks of 1,024 samples."""
    length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    if head[0] != 0xFF or head[1] & 0xF6 != 0xF0 or length < 7 or head[2] >> 2 & 15 > 12:
        return None
    return (head[1] & 8, head[2], head[3] >> 6), length, (head[6] & 3) + 1


def _aac(stream: BinaryIO, size: int) -> list[Part]:
    position, kind, blocks = 0, None, 0
    while position < size:
        stream.seek(position)
        head = stream.read(7)
        frame = _adts(head) if len(head) == 7 else None
        if frame is None:
            skipped = tag_bytes(stream, position, size)
            if not skipped:
                raise Fault(
                    "cut off" if size - position < 7 else "damaged",
                    f"what stands at byte {position} is no frame of AAC",
                )
            position += skipped
            continue
        if kind not in (None, frame[0]):
            raise Fault("damaged", f"another coding begins at byte {position}")
        kind = frame[0]
        position += frame[1]
        blocks += frame[2]
        if position > size:
            raise Fault("cut off", f"its last frame lacks {position - size} bytes")
    return [Part(0, size, frames=1024 * blocks)]
