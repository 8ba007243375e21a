"""MP3 and its kin, frame by frame.

An MP3's header tells little (of a variable rate that came out of a pipe, nothing), so the frames
are walked, without decoding them. Where the first frame tells no length, or a wrong one, one that
does is made: libsndfile would guess.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cache
from typing import BinaryIO

from ser.containers.part import BACKWARDS, Fault, Part, checksum, tag_bytes

_KILOBITS = {
    (1, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_ENCODERS = (b"LAME", b"Lavc", b"Lavf")
_FEW = 4  # frames before a change of channels, or it is damage
_DECODER = 529  # samples by which decoding an MP3 is late


@dataclass(frozen=True)
class _Frame:
    """What the four bytes before an MPEG audio frame say."""

    kind: tuple[int, int, int]  # version, layer, rate: the same in all frames
    bytes: int
    samples: int
    channels: int
    tag: int  # where a Xing or Info header would stand


@cache
def _frame(head: bytes) -> _Frame | None:
    """Read a frame's header; None if it is none, or one of a free bit rate."""
    word = int.from_bytes(head, "big")
    version, layer = word >> 19 & 3, 4 - (word >> 17 & 3)
    index, rate = word >> 12 & 15, word >> 10 & 3
    if word >> 21 != 0x7FF or version == 1 or layer == 4 or index in (0, 15) or rate == 3:
        return None
    first = version == 3
    bits = 1000 * _KILOBITS[(1, layer) if first else (2, min(layer, 2))][index]
    hertz, padding = _RATES[version][rate], word >> 9 & 1
    samples = 384 if layer == 1 else 576 if layer == 3 and not first else 1152
    length = (12 * bits // hertz + padding) * 4 if layer == 1 else samples // 8 * bits // hertz
    channels = 1 if word >> 6 & 3 == 3 else 2
    tag = 4 + ((32 if first else 17) if channels == 2 else (17 if first else 9))
    return _Frame(
        (version, layer, hertz), length + (padding if layer > 1 else 0), samples, channels, tag
    )


def is_mpeg(stream: BinaryIO, begin: int, size: int) -> bool:
    """Whether MPEG audio begins at *begin*: a frame, and another where it ends."""
    stream.seek(begin)
    first = _frame(stream.read(4))
    if first is None:
        return False
    stream.seek(begin + first.bytes)
    head = stream.read(4)
    second = _frame(head) if len(head) == 4 else None
    return (
        begin + first.bytes >= size
        or len(head) < 4
        or (second is not None and second.kind == first.kind)
        or head[:3] in (b"TAG", b"ID3", b"APE")
    )


@dataclass
class _Run:
    """Frames that follow each other: what one encoder wrote."""

    begin: int
    first: bytes  # the first frame's four bytes
    xing: bytes = b""  # the frame that tells the length, if it does
    promised: int = 0
    promised_bytes: int = 0
    count: int = 0
    mark: int = 0  # where the promised frames end


def mpeg_parts(stream: BinaryIO, begin: int, size: int) -> list[Part]:
    """Walk the frames of an MP3 (MPEG audio of any layer) from *begin* to *size*.

    Raises:
        Fault: the last frame is cut, frames are missing that a Xing, Info or VBRI header counts, or
            bytes between the frames are neither frames nor tags.
    """
    parts: list[Part] = []
    run: _Run | None = None
    position, kind, channels, hole = begin, None, 0, False
    while position < size:
        stream.seek(position)
        head = stream.read(64)
        frame = _frame(head[:4]) if len(head) >= 4 else None
        if frame is None:
            skipped = tag_bytes(stream, position, size)
            if not skipped:
                _after_the_frames(run, stream, position, size)
                break
            parts += _parts_of_run(run, position)
            hole = bool(parts) and head[:1] == b"\0"
            run, position = None, position + skipped
            continue
        if kind is not None and frame.kind != kind:
            raise Fault("damaged", f"another rate or layer begins at byte {position}")
        if position + frame.bytes > size:
            raise Fault("cut off", f"its last frame lacks {position + frame.bytes - size} bytes")
        kind = frame.kind
        told = _length_frame(head, frame)
        if hole and told is None:
            raise Fault("damaged", f"zeros stand before byte {position} instead of sound")
        hole = False
        if run is None:
            _refuse_damaged_xing(stream, position, frame)
        elif frame.channels != channels and run.count < _FEW:
            raise Fault("damaged", f"the frame before byte {position} has other channels")
        if run is None or told is not None or frame.channels != channels:
            parts += _parts_of_run(run, position)
            run, channels = _Run(position, head[:4]), frame.channels
            if told is not None:
                stream.seek(position)
                run.xing = stream.read(frame.bytes)
                if not _checksum_fits(run.xing, frame.tag):
                    raise Fault("damaged", "its first frame has another checksum")
                run.xing = run.xing if told[2] else b""
                run.promised, run.promised_bytes = told[:2]
                position += frame.bytes
                if not told[2]:
                    run.begin = position
                continue
        run.count += 1
        position += frame.bytes
        if run.count == run.promised:
            run.mark = position
    parts += _parts_of_run(run, position)
    if not parts:
        raise Fault("damaged", "it holds no frame of sound")
    return parts


def _refuse_damaged_xing(stream: BinaryIO, position: int, frame: _Frame) -> None:
    """What was a first frame that tells the length must not pass for sound."""
    stream.seek(position)
    data = stream.read(frame.bytes)
    for tag in (13, 21, 36):
        there = data[tag : tag + 4] in (b"Xing", b"Info")
        signed = not any(data[4:tag]) and data[tag + 120 : tag + 124] in _ENCODERS
        if (there and tag != frame.tag) or (signed and not there):
            raise Fault("damaged", "its first frame, which told the length, is damaged")


def _after_the_frames(run: _Run | None, stream: BinaryIO, position: int, size: int) -> None:
    """Bytes that are no frame: after all that was promised they do no harm."""
    if run is not None and run.promised and run.count in (run.promised, run.promised + 1):
        stream.seek(position)
        head = stream.read(4)
        if not (len(head) == 4 and _frame(head)) and size - position < 1 << 16:
            return
    raise Fault(
        "damaged",
        f"at byte {position} of {size} stands neither a frame of sound nor a tag",
    )


def _length_frame(head: bytes, frame: _Frame) -> tuple[int, int, bool] | None:
    """Frames and bytes that the first frame of an MP3 promises; whether mpg123 reads them."""
    if head[frame.tag : frame.tag + 4] in (b"Xing", b"Info") and frame.kind[1] == 3:
        flags, *values = struct.unpack(">III", head[frame.tag + 4 : frame.tag + 16].ljust(12))
        count = values[0] if flags & 1 else 0
        length = values[flags & 1] if flags & 2 else 0
        return count, length, bool(count)
    if head[36:40] == b"VBRI" and len(head) >= 54:
        length, count = struct.unpack(">II", head[46:54])
        return count, length, False
    return None


def _parts_of_run(run: _Run | None, end: int) -> list[Part]:
    """A run of frames becomes a part; two, where more frames follow than were promised."""
    if run is None or not (run.count or run.promised):
        return []
    lacking = run.promised - run.count if run.promised else 0
    short = run.promised_bytes and end - run.begin < run.promised_bytes
    if lacking > 1 or (lacking == 1 and short):
        raise Fault("cut off", f"{run.count} of its {run.promised} frames are there")
    if lacking < -1:
        first = Part(run.begin, run.mark, b"" if run.xing else _xing_frame(run, run.promised))
        rest = _Run(run.mark, run.first, count=-lacking)
        return [first, Part(run.mark, end, _xing_frame(rest, rest.count))]
    if not run.xing:
        return [Part(run.begin, end, _xing_frame(run, run.count))]
    frame = _frame(run.first)
    if not lacking:
        return [Part(run.begin, end, frames=_gapless(run, frame))]
    at = run.xing.index(b"Xing" if b"Xing" in run.xing else b"Info") + 8
    head = run.xing[:at] + struct.pack(">I", run.count) + run.xing[at + 4 :]
    return [Part(run.begin + len(run.xing), end, head)]


def _checksum_fits(xing: bytes, tag: int) -> bool:
    """Whether the checksum that LAME and FFmpeg write after a Xing header fits."""
    if xing[tag + 120 : tag + 124] not in _ENCODERS:
        return True
    at = tag + 154
    told = int.from_bytes(xing[at : at + 2], "big")
    padded = (xing[:at] + b"\0\0" + xing[at + 2 :]).ljust(190, b"\0")[:190]  # FFmpeg's reading
    return told in (0, *(int(f"{checksum(part.translate(BACKWARDS), 16, 0x8005):016b}"[::-1], 2)
                         for part in (xing[:at], padded)))  # fmt: skip


def _gapless(run: _Run, frame: _Frame) -> int:
    """Samples that mpg123 gives: without the encoder's delay and padding, or its own delay."""
    flags = run.xing[frame.tag + 7]
    at = frame.tag + 29 + 4 * (flags & 1) + 2 * (flags & 2) + 25 * (flags & 4) + (flags >> 1 & 4)
    word = int.from_bytes(run.xing[at : at + 3].ljust(3, b"\0"), "big")
    delay, padding = word >> 12, word & 0xFFF
    total = run.promised * frame.samples
    return total - max(padding - _DECODER, 0) - delay - _DECODER


def _xing_frame(run: _Run, count: int) -> bytes:
    """A Xing frame for frames that have none: libsndfile guesses their number, up to 44 % off."""
    frame = _frame(run.first)
    if frame.kind[1] != 3:
        return b""
    word = int.from_bytes(run.first, "big") | 1 << 16  # without a checksum
    for index in range(1, 15):
        head = (word & ~(0xF << 12 | 1 << 9) | index << 12).to_bytes(4, "big")
        head_frame = _frame(head)
        if head_frame.bytes >= head_frame.tag + 16:
            break
    body = head + bytes(head_frame.tag - 4) + b"Xing" + struct.pack(">II", 1, count)
    return body.ljust(head_frame.bytes, b"\0")
