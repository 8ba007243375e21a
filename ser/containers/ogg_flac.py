"""Ogg, page by page, and FLAC, by its header and its last frame."""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO

from ser.containers.part import BACKWARDS, Fault, Part, checksum, find


def ogg_parts(stream: BinaryIO, begin: int, size: int) -> list[Part]:
    """Walk the pages of an Ogg file from *begin*; each page's checksum is compared.

    Raises:
        Fault: a page is damaged, missing or cut; the last one is not marked as the end; several
            streams at once; a coding that libsndfile does not read.
    """
    parts: list[Part] = []
    position, link, last, serial, expected, ended = begin, begin, begin, -1, 0, True
    while position < size:
        stream.seek(position)
        head = stream.read(27)
        if head[:4] != b"OggS"[: len(head)] or (len(head) == 27 and head[4]):
            if ended and last > begin and find(stream, b"OggS", position, size) < 0:
                break
            raise Fault("damaged", f"what stands at byte {position} is no Ogg page")
        table = stream.read(head[26]) if len(head) == 27 else b""
        body = stream.read(sum(table))
        lacking = 27 - len(head) or head[26] - len(table) or sum(table) - len(body)
        if lacking:
            raise Fault("cut off", f"its last page lacks {lacking} bytes")
        flags, _, number, count, told = struct.unpack("<BqIII", head[5:26])
        if _page_checksum(head[:22] + bytes(4) + head[26:] + table + body) != told:
            raise Fault("damaged", f"the page at byte {position} has another checksum")
        if flags & 2:
            if not ended:
                raise Fault(
                    "not read" if position == link or expected == 1 else "cut off",
                    f"another stream begins at byte {position} before the first is at its end",
                )
            if position > link:
                parts.append(Part(link, position))
            link, serial, expected, ended = position, number, count, False
            _coding(body)
        if number != serial or count != expected or ended:
            raise Fault("damaged", f"pages are missing before byte {position}")
        expected, ended = (expected + 1) & 0xFFFFFFFF, bool(flags & 4)
        position += 27 + len(table) + len(body)
        if ended:
            last = position
    if not ended:
        raise Fault("cut off", "its last page is not marked as the end")
    return [*parts, Part(link, last)]


def _coding(body: bytes) -> None:
    for magic, name in ((b"Speex   ", "Speex"), (b"\x80theora", "video"), (b"fishead", "video")):
        if body.startswith(magic):
            raise Fault("not read", f"is {name} in Ogg, which is not read")


def _page_checksum(page: bytes) -> int:
    """Ogg's CRC-32, which is zlib's with all bits in the other order."""
    value = zlib.crc32(page.translate(BACKWARDS), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{value:032b}"[::-1], 2)


def flac_parts(stream: BinaryIO, begin: int, size: int) -> list[Part]:
    """The FLAC files that stand one after the other from *begin*.

    A file that tells no number of samples (what a pipe leaves) gets it from its last frame.

    Raises:
        Fault: cut within its header or, where no number is told, within its last frame; the header
            and the first frame contradict each other.
    """
    starts, at = [begin], begin
    while (at := find(stream, b"fLaC", at + 4, size)) >= 0:
        stream.seek(at + 4)
        if stream.read(4) in (b"\0\0\0\x22", b"\x80\0\0\x22"):
            starts.append(at)
    return [
        _flac(stream, start, end) for start, end in zip(starts, [*starts[1:], size], strict=True)
    ]


def _flac(stream: BinaryIO, begin: int, end: int) -> Part:
    stream.seek(begin)
    head = stream.read(42)
    position, last = begin + 4, False
    while not last:
        stream.seek(position)
        block = stream.read(4)
        if len(block) < 4 or position + 4 + int.from_bytes(block[1:], "big") > end:
            raise Fault("cut off", "it ends within its header")
        last = bool(block[0] & 0x80)
        position += 4 + int.from_bytes(block[1:], "big")
    described = int.from_bytes(head[18:26], "big")
    rate, total = described >> 44, described & (1 << 36) - 1
    stream.seek(position)
    first = _flac_frame(stream.read(16))
    if first is None:
        if total:
            raise Fault("damaged", "its first frame does not follow its header")
        return Part(begin, end, frames=0)
    if first[2] not in (0, rate):
        raise Fault(
            "damaged", f"its header says {rate} samples a second, its first frame {first[2]}"
        )
    there = _flac_samples(stream, position, end, first[1], checked=not total)
    if total and total > there > 0:
        raise Fault("cut off", f"{there} of {total} samples are there")
    if total and total < there:
        raise Fault("damaged", f"its header tells {total} samples, and {there} are there")
    if total:
        return Part(begin, end, frames=total)
    total = there
    described = (described | total).to_bytes(8, "big")
    header = b"fLaC\x80\0\0\x22" + head[8:18] + described + head[26:42]
    return Part(position, end, header, total)


def _flac_frame(head: bytes) -> tuple[int, int, int] | None:
    """A FLAC frame's header -> number of its first sample, samples, rate (0: not told)."""
    if len(head) < 6 or head[0] != 0xFF or head[1] & 0xFE != 0xF8:
        return None
    blocks, rates, ones = head[2] >> 4, head[2] & 15, 8 - (head[4] ^ 0xFF).bit_length()
    more = max(ones - 1, 0)
    if not blocks or rates == 15 or ones in (1, 8) or len(head) < 16:
        return None
    number = head[4] & (0x7F >> ones)
    for byte in head[5 : 5 + more]:
        number = number << 6 | byte & 0x3F
    at = 5 + more
    if blocks in (6, 7):
        samples = int.from_bytes(head[at : at + blocks - 5], "big") + 1
        at += blocks - 5
    else:
        samples = 192 if blocks == 1 else 576 << blocks - 2 if blocks < 6 else 256 << blocks - 8
    rate = (0, 88200, 176400, 192000, 8000, 16000, 22050, 24000, 32000, 44100, 48000, 96000)
    if rates < 12:
        hertz = rate[rates]
    else:
        wide = 1 if rates == 12 else 2
        hertz = int.from_bytes(head[at : at + wide], "big") * (1000, 1, 10)[rates - 12]
        at += wide
    if checksum(head[:at], 8, 0x07) != head[at]:
        return None
    return number if head[1] & 1 else -1 - number, samples, hertz


def _flac_samples(stream: BinaryIO, begin: int, end: int, block: int, checked: bool) -> int:
    """Samples up to the last frame, whose number and length its header tells.

    *checked*: the frame must be whole; else 0 where none is found.
    """
    width = min(end - begin, 1 << 20)
    stream.seek(end - width)
    data = stream.read(width)
    if data[-128:-125] == b"TAG":
        data = data[:-128]
    at = len(data)
    while (at := data.rfind(b"\xff", 0, at)) >= 0:
        frame = _flac_frame(data[at : at + 16].ljust(16, b"\0"))
        if frame and not (checked and checksum(data[at:], 16, 0x8005)):
            number, samples, _ = frame
            return (number if number >= 0 else (-1 - number) * block) + samples
    if checked:
        raise Fault("cut off", "its last frame is not whole")
    return 0
