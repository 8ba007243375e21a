"""A sound file opened: its parts in order, decoded block by block, each checked to its end."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ser.containers.part import Fault, Part, Window
from ser.containers.pyav import SURPLUS, PyAV

if TYPE_CHECKING:
    import soundfile

LOWEST_RATE, HIGHEST_RATE = 1000, 768_000
"""Samples a second; beyond these a header is damaged."""

BLOCK = 1 << 20
_BEFORE = 1 << 21  # samples decoded and dropped before a part of an MP3 or Ogg, which seek badly


def file_name(path: str | os.PathLike) -> str | bytes:
    """What libsndfile is given as the name: bytes where the name is no UTF-8 (Linux allows it)."""
    name = os.fspath(path)
    try:
        name.encode()
    except UnicodeEncodeError:
        return os.fsencode(name)
    return name


def converting(path: Path) -> str:
    """The command that makes a WAV of *path*, to be pasted into a terminal.

    Example:
        >>> converting(Path("me.m4a")), converting(Path("my own.wav"))
        ('`ffmpeg -i me.m4a me.wav`', '`ffmpeg -i "my own.wav" "my own-converted.wav"`')
    """
    wav = path.with_suffix(".wav")
    if path.suffix.lower() == ".wav":
        wav = path.with_name(f"{path.stem}-converted.wav")
    names = [str(name) for name in (path, wav)]
    names = [name if all(c.isalnum() or c in "/\\._-:" for c in name) else f'"{name}"'
             for name in names]  # fmt: skip
    return f"`ffmpeg -i {names[0]} {names[1]}`"


class Sound:
    """An open sound file; use it in a ``with``.

    Attributes:
        rate, channels: of the file.
        format, subtype: container and coding, as libsndfile names them; ``"M4A"`` and ``"AAC"``,
            ``"WebM"`` and ``"OPUS"`` and so on where PyAV reads it.

    Raises:
        AudioError: the parts are not read, or differ in rate; the message names the file.
    """

    def __init__(self, path: Path, parts: list[Part], kind: str, size: int) -> None:
        self._open = contextlib.ExitStack()
        make = _Sndfile if kind == "libsndfile" else PyAV
        try:
            self._readers: list[_Sndfile | PyAV] = []
            for part in parts:
                self._readers.append(self._open.enter_context(make(path, part, kind, size)))
        except BaseException:
            self._open.close()
            raise
        first = self._readers[0]
        self.rate, self.channels = first.rate, first.channels
        self.format, self.subtype = first.format, first.subtype
        if not LOWEST_RATE <= self.rate <= HIGHEST_RATE:
            self._open.close()
            raise Fault(
                "damaged",
                f"its header says {self.rate} samples a second, where "
                f"{LOWEST_RATE} to {HIGHEST_RATE} are sound",
            )
        if len({(reader.rate, reader.channels) for reader in self._readers}) > 1:
            self._open.close()
            raise Fault("not read", "its parts, joined end to end, differ in rate or channels")

    def __enter__(self) -> Sound:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @property
    def frames(self) -> int:
        """Samples of one channel; what PyAV reads is decoded to count them."""
        return sum(reader.frames for reader in self._readers)

    @property
    def counted(self) -> bool:
        """Whether :attr:`frames` is known without decoding."""
        return all(isinstance(reader, _Sndfile) for reader in self._readers)

    def blocks(
        self, first: int = 0, count: int | None = None, size: int = BLOCK
    ) -> Iterator[np.ndarray]:
        """Samples *first* .. *first + count* (None: to the end), at most *size* at a time.

        Yields:
            float32 arrays (samples, channels).

        Raises:
            Fault: fewer can be decoded than there should be.
        """
        last = None if count is None else first + count
        position = 0
        for reader in self._readers:
            if last is not None and position >= last:
                return
            if first > position and position + reader.frames <= first:
                position += reader.frames
                continue
            begin = max(first - position, 0)
            end = None if last is None else last - position
            done = position + begin
            for block in reader.blocks(begin, end, size):
                done += len(block)
                yield block
            position = done


class _Sndfile:
    """One part, by libsndfile."""

    def __init__(self, path: Path, part: Part, _: str, size: int) -> None:
        self._window: Window | None = None
        whole = not part.begin and not part.head and part.end == size
        if not whole:
            self._window = Window(path, part)
        try:
            self._sound = _reader()(file_name(path) if whole else self._window)
        except (RuntimeError, TypeError, ValueError, OSError) as error:
            self.__exit__()
            raise Fault("unknown", _reason(error)) from None
        self._used = False
        self.rate, self.channels = self._sound.samplerate, self._sound.channels
        self.format, self.subtype = self._sound.format, self._sound.subtype
        self.frames = self._sound.frames
        if 0 < self.frames - part.counted < SURPLUS and part.counted:
            self.frames = part.counted
        if part.frames is not None and part.frames != self.frames:
            self.__exit__()
            raise Fault(
                "damaged", f"{self.frames} of the {part.frames} samples it holds can be read"
            )

    def __enter__(self) -> _Sndfile:
        return self

    def __exit__(self, *_: object) -> None:
        if hasattr(self, "_sound"):
            self._sound.close()
        if self._window is not None:
            self._window.close()

    def blocks(self, first: int, last: int | None, size: int) -> Iterator[np.ndarray]:
        """Samples *first* to *last* (None: the end), float32 (at most *size*, channels) each.

        A lossy part is decoded from some way before *first*, whose samples it may lean on.

        Raises:
            Fault: it cannot be decoded to its end.
        """
        sound, end = self._sound, self.frames if last is None else min(last, self.frames)
        lossy = self.format in ("MP3", "OGG") and self.subtype != "FLAC"
        position = max(first - _BEFORE, 0) if lossy else first
        try:
            if position or self._used:
                sound.seek(position)
            self._used = True
            while position < end:
                wanted = min(size, (first if position < first else end) - position)
                block = sound.read(wanted, dtype="float32", always_2d=True)
                if not len(block):
                    break
                position += len(block)
                if position > first:
                    yield block
        except RuntimeError as error:
            raise Fault("cut off", f"it cannot be decoded to its end ({_reason(error)})") from None
        if position < end:
            raise Fault("cut off", f"{position} of {self.frames} samples are there")


@cache
def _reader() -> type[soundfile.SoundFile]:
    """soundfile's reader without a seek after each block, at which an MP3 would lose samples."""
    import soundfile

    class Reader(soundfile.SoundFile):
        def seekable(self) -> bool:
            return False

    return Reader


def _reason(error: BaseException) -> str:
    return (getattr(error, "error_string", None) or str(error)).rstrip(".")
