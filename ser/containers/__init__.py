"""Where the sound lies in a file, told by the container's own sizes; what they say is missing.

libsndfile reads a cut WAV, AIFF, AU, OGG or MP3 to where it ends and says nothing, and stops after
the first of several files joined end to end; this looks at the sizes instead. Tolerated, because
such files are whole: sizes of 0, 0xFFFFFFFF or about 2 GB, which programs write that stream to a
pipe; chunks before and after the sound (RAVDESS has Apple filler chunks); missing pad bytes; a
wrong total size, as long as the sound itself is complete; tags.
"""

from __future__ import annotations

from dataclasses import replace
from typing import BinaryIO

from ser.containers.au_caf_nist import chunk_parts
from ser.containers.mp3 import is_mpeg, mpeg_parts
from ser.containers.mp4_webm_amr import WALKED, container_of, phone_parts
from ser.containers.ogg_flac import flac_parts, ogg_parts
from ser.containers.part import Fault, Part, tag_bytes
from ser.containers.wav_aiff import joined

__all__ = ["Fault", "Part", "parts_of"]


def parts_of(stream: BinaryIO, size: int) -> tuple[list[Part], str]:
    """The sounds in an open file, and its kind: ``"libsndfile"``, one of PyAV's, another, or "".

    Args:
        stream: the file, opened for reading in binary; its position is moved.
        size: bytes the file has.

    Raises:
        Fault: it is cut off, damaged, or of a kind that is not read.
    """
    begin = 0
    stream.seek(0)
    if stream.read(3) == b"ID3":
        begin = tag_bytes(stream, 0, size)
        if begin >= size:
            raise Fault("cut off", "it ends within its first tag")
    stream.seek(begin)
    head = stream.read(64)
    if (name := container_of(head)) in WALKED:
        return phone_parts(stream, size, name), name
    if name:
        return [], name
    if head[:4] == b"OggS":
        return ogg_parts(stream, begin, size), "libsndfile"
    if head[:4] == b"fLaC":
        return flac_parts(stream, begin, size), "libsndfile"
    if chunked := chunk_parts(stream, begin, size):
        return _chunked(stream, begin, size, chunked, head), "libsndfile"
    start = begin + (tag_bytes(stream, begin, size) if head[:1] == b"\0" else 0)
    if is_mpeg(stream, start, size):
        return mpeg_parts(stream, start, size), "libsndfile"
    return [], ""


def _chunked(stream: BinaryIO, begin: int, size: int, first: Part, head: bytes) -> list[Part]:
    """A WAV and its kin, and what is joined to its end; the plain one is read as it lies."""
    parts: list[Part] = []
    part: Part | None = first
    while part is not None:
        parts += mpeg_parts(stream, part.begin, part.end) if part.coding else [part]
        after = joined(stream, part.end, size, ">" if head[:4] in (b"FORM", b"RIFX") else "<")
        part = None if after is None else chunk_parts(stream, after, size)
    if len(parts) == 1 and not (begin or first.head or first.coding):
        return [replace(first, end=size)]
    return parts
