"""Telephones' and browsers' formats decoded by PyAV (FFmpeg's libraries), each to its end."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ser.containers.part import Fault, Part, Window

_GAP = 0.5  # seconds between two packets that are no jitter of a clock
SURPLUS = 4096  # samples an encoder adds to fill its last frames
_END = {"WebM": 0.2, "Matroska": 0.2}
"""Seconds by which a container's duration is off: these may count the encoder's delay."""

_DEMUXERS = {"WebM": "matroska", "Matroska": "matroska", "AMR": "amr",
             "AMR-WB": "amr", "AAC": "aac"}  # fmt: skip


class PyAV:
    """One part, by PyAV; a second pass opens it again."""

    def __init__(self, path: Path, part: Part, kind: str, _: int) -> None:
        try:
            import av  # noqa: F401
        except ImportError:
            way = f"is {kind}, which PyAV reads: pip install 'ser-book[phone]'"
            raise Fault("not read", way) from None
        self._path, self._part, self.format = path, part, kind
        with self._container() as container:
            coding = _track(container).codec_context
            if coding is None or not coding.rate:
                raise Fault("not read", "the coding of its sound is unknown")
            self.rate, self.channels = coding.rate, coding.channels
            self.subtype = coding.codec.canonical_name.upper()

    def __enter__(self) -> PyAV:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    @contextlib.contextmanager
    def _container(self) -> Iterator[Any]:
        import av

        with contextlib.closing(Window(self._path, self._part)) as window:
            try:
                demuxer = _DEMUXERS.get(self.format, "mov")
                with av.open(window, format=demuxer, metadata_errors="ignore") as container:
                    yield container
            except av.FFmpegError as error:
                raise Fault("damaged", f"it cannot be decoded ({error.strerror})") from None

    @cached_property
    def frames(self) -> int:
        """Counted by decoding it all: what the containers tell is rounded."""
        return sum(len(block) for block in self.blocks(0, None, 1 << 20))

    def blocks(self, first: int, last: int | None, size: int) -> Iterator[np.ndarray]:
        """Samples *first* to *last* (None: the end), float32 (*size*, channels) each.

        All that is before *first* is decoded too: what a container says of places is rounded.

        Raises:
            Fault: it is damaged, or cannot be decoded.
        """
        position, held = 0, 0
        pieces: list[np.ndarray] = []
        with self._container() as container:
            for block in self._checked(container):
                end = len(block) if last is None else min(last - position, len(block))
                pieces.append(block[max(first - position, 0) : end])
                held += len(pieces[-1])
                position += len(block)
                while held >= size:
                    ready = np.concatenate(pieces)
                    yield ready[:size]
                    pieces, held = [ready[size:]], held - size
                if last is not None and position >= last:
                    break
        if held:
            yield np.concatenate(pieces)

    def _checked(self, container: Any) -> Iterator[np.ndarray]:
        """All samples, without what the file says lies beyond its end; all must be there."""
        track = _track(container)
        promised, slack = None, _END.get(self.format, 0.005)
        if self._part.frames is not None:
            promised = Fraction(self._part.frames, self.rate)
        elif track.duration and track.time_base:
            promised = track.duration * track.time_base
        elif container.duration:
            promised = Fraction(container.duration, 1_000_000)
        whole = round((promised or 0) * self.rate)
        cut, done = bool(track.frames and whole), 0  # M4A and its kin count samples
        for block in self._decoded(container, track):
            done += len(block)
            yield block[: max(whole - done + len(block), 0)] if cut else block
        if done < whole - slack * self.rate:
            raise Fault("cut off", f"{done / self.rate:.2f} of {float(promised):.2f} s are there")
        if cut and done - whole > SURPLUS:
            raise Fault("damaged", f"its header tells {float(promised):.2f} s, and more are there")

    def _decoded(self, container: Any, track: Any) -> Iterator[np.ndarray]:
        packets, expected = 0, None
        for packet in container.demux(track):
            if packet.is_corrupt:
                raise Fault("cut off", "a packet of it is not whole")
            packets += packet.size > 0
            for frame in packet.decode():
                if frame.sample_rate != self.rate or frame.layout.nb_channels != self.channels:
                    raise Fault("not read", "its rate or its channels change on the way")
                block = _samples(frame)
                if frame.pts is not None:
                    at = frame.pts * frame.time_base
                    if expected is not None and at - expected > _GAP:
                        raise Fault("damaged", f"{float(at - expected):.2f} s are missing in it")
                    expected = at + Fraction(len(block), self.rate)
                    if self.format not in _DEMUXERS:  # before the first edit of an M4A or its kin
                        block = block[max(round(-at * self.rate), 0) :]
                if len(block):
                    yield block
        if packets < track.frames and self.format not in _DEMUXERS:
            raise Fault("cut off", f"{packets} of its {track.frames} packets are there")


def _track(container: Any) -> Any:
    if not container.streams.audio:
        raise Fault("not read", "it holds no sound")
    return container.streams.audio[0]


def _samples(frame: Any) -> np.ndarray:
    """A frame of PyAV as float32 (samples, channels)."""
    data = frame.to_ndarray()
    data = data.T if frame.format.is_planar else data.reshape(-1, frame.layout.nb_channels)
    if data.dtype.kind == "u":
        return (data.astype(np.float32) - 128) / 128
    if data.dtype.kind == "i":
        return data.astype(np.float32) / -np.float32(np.iinfo(data.dtype).min)
    return np.ascontiguousarray(data, dtype=np.float32)
