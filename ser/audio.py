"""A sound file becomes one channel of float32 at 16 kHz, or a clear error.

WAV (8-bit to 64-bit float, A-law, extensible), RF64, FLAC, OGG, MP3, AIFF, AU, CAF and NIST
are decoded by libsndfile; what telephones and browsers write (M4A, 3GP, AMR, AAC, WebM) by
PyAV, where it is installed. A file that is shorter than it says is an error here; libsndfile itself
returns what is left of a cut WAV or MP3 as if nothing were missing. Book: chapter "From wave to
spectrogram".
"""

from __future__ import annotations

import contextlib
import os
import stat
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ser.containers import Fault, parts_of
from ser.containers.decoding import BLOCK, Sound, converting
from ser.errors import AudioError

MINIMUM_SECONDS = 0.025
"""Shorter sounds are refused: not even one frame of MFCCs fits."""

END_TOLERANCE = 0.1
"""Seconds by which a segment may reach beyond the end of its file (rounded time stamps)."""

LOUDEST = 100.0
"""Float samples beyond this, 40 dB above full scale, are no sound but a mistake of scale."""

LONGEST = 3600.0
"""Seconds that are read into memory at once, unless more are allowed."""

LFS_POINTER = b"version https://git-lfs"
"""What a file begins with where git-lfs has not fetched its content."""

_LARGE = 1 << 26  # samples at another rate that are resampled piece by piece


@dataclass(frozen=True)
class AudioInfo:
    """What the header of a sound file says.

    Attributes:
        rate: samples a second.
        channels: number of channels.
        frames: samples of one channel.
        seconds: duration.
        format: container as libsndfile names it, e.g. ``"WAV"``, ``"FLAC"``; ``"M4A"`` and so on.
        subtype: coding of the samples, e.g. ``"PCM_16"``, ``"FLOAT"``.
    """

    rate: int
    channels: int
    frames: int
    seconds: float
    format: str
    subtype: str


def probe(path: str | os.PathLike) -> AudioInfo:
    """Read the header of a sound file; what :func:`load_audio` returns is as long as it says.

    Where the header tells no length (M4A and its kin), the samples are decoded to count them.

    Args:
        path: as in :func:`load_audio`.

    Returns:
        AudioInfo.

    Raises:
        AudioError: no such file, a folder, empty, not audio, a git-lfs pointer, or cut off or
            damaged as far as the file's sizes and checksums show it.

    Example:
        >>> import tempfile, soundfile
        >>> name = os.path.join(tempfile.mkdtemp(), "tone.wav")
        >>> soundfile.write(name, np.zeros(8000), 16000)
        >>> probe(name).seconds
        0.5
    """
    path = Path(path)
    with _open(path) as sound:
        return AudioInfo(
            rate=sound.rate,
            channels=sound.channels,
            frames=sound.frames,
            seconds=sound.frames / sound.rate,
            format=sound.format,
            subtype=sound.subtype,
        )


def load_audio(
    path: str | os.PathLike,
    rate: int = 16000,
    start: float = 0.0,
    seconds: float | None = None,
    heed: Callable[[np.ndarray], object] | None = None,
    longest: float | None = None,
) -> np.ndarray:
    """Read a sound file, or a part of it, as one channel at *rate*.

    Args:
        path: a file of the formats named above, at any width and number of channels, at rates of
            1 kHz to 768 kHz.
        rate: samples a second wanted (resampled by soxr's HQ setting where the file has others).
        start: where to begin, in seconds.
        seconds: how much to read; None: to the end.
        heed: called with each block (samples, channels) at the file's rate, before it is mixed.
        longest: seconds that may be asked for; None: what the environment variable
            ``SER_LONGEST`` says, else :data:`LONGEST`. :func:`stream_audio` knows no limit.

    Returns:
        float32 array (samples,): the mean of the channels, -1..1 for integer formats. Float files
        may exceed full scale and are not clipped. Digital silence is returned as it is.

    Raises:
        AudioError: the message names the file, the cause and the way out: missing, a folder,
            a pipe, empty, not audio, a git-lfs pointer, cut off, damaged, NaN or infinite samples,
            samples 40 dB and more above full scale, no samples, shorter than 25 ms, longer than
            *longest*, or a part that lies outside the recording.

    Example:
        >>> import tempfile, soundfile
        >>> name = os.path.join(tempfile.mkdtemp(), "stereo.wav")
        >>> soundfile.write(name, np.zeros((44100, 2)), 44100)
        >>> load_audio(name).shape, load_audio(name, start=0.5, seconds=0.25).shape
        ((16000,), (4000,))
    """
    path = Path(path)
    limit = float(os.environ.get("SER_LONGEST") or LONGEST) if longest is None else longest
    with _open(path) as sound:
        now, first = sound.rate, 0
        count = sound.frames if sound.counted else None
        if start or seconds is not None:
            first, count = _segment(path, sound, start, seconds)
        if count is not None and count > limit * now:
            raise AudioError(_too_long(path, f"{count / now:,.0f}", limit))
        blocks = _blocks(sound, first, count, heed=heed)
        if count is None:
            blocks = _limited(path, blocks, limit, now)
        if now != rate and (count is None or count > _LARGE):
            blocks, now = resampled(blocks, now, rate, str(path)), rate
        pieces = list(blocks) or [np.zeros(0, dtype=np.float32)]
    wave = np.ascontiguousarray(pieces[0]) if len(pieces) == 1 else np.concatenate(pieces)
    del pieces
    if not len(wave):
        raise AudioError(
            f"{path}: holds no sound (its header says 0 samples; the file has "
            f"{path.stat().st_size} bytes); if a recorder did not close it, save it again in an "
            "audio editor, else leave it out",
            "empty",
        )
    if not np.isfinite(wave).all():
        bad = np.flatnonzero(~np.isfinite(wave))
        raise AudioError(
            f"{path}: {len(bad)} of {len(wave)} samples are NaN or infinite, the first at "
            f"{(first + bad[0]) / now:.3f} s; export the file again or leave it out"
        )
    if (peak := max(float(wave.max()), -float(wave.min()))) > LOUDEST:
        raise AudioError(_too_loud(str(path), peak))
    if len(wave) < MINIMUM_SECONDS * now:
        raise AudioError(
            f"{path}: {1000 * len(wave) / now:.1f} ms of sound is too short; at least "
            f"{1000 * MINIMUM_SECONDS:.0f} ms are needed: leave it out",
            "short",
        )
    if now == rate:
        return wave
    import soxr

    return soxr.resample(wave, now, rate, quality="HQ")


def stream_audio(
    path: str | os.PathLike,
    rate: int = 16000,
    seconds: float = 1.0,
    heed: Callable[[np.ndarray], object] | None = None,
) -> Iterator[np.ndarray]:
    """Read a sound file block by block, in bounded memory, as one channel at *rate*.

    Args:
        path: as in :func:`load_audio`.
        rate: samples a second wanted.
        seconds: duration of a block.
        heed: as in :func:`load_audio`.

    Yields:
        float32 arrays (samples,); together what :func:`load_audio` returns, to the rounding of the
        resampler.

    Raises:
        AudioError: as :func:`load_audio`; damage in the middle shows when it is reached.

    Example:
        >>> import tempfile, soundfile
        >>> name = os.path.join(tempfile.mkdtemp(), "long.wav")
        >>> soundfile.write(name, np.zeros(40000), 16000)
        >>> [len(block) for block in stream_audio(name)]
        [16000, 16000, 8000]
    """
    path = Path(path)
    with _open(path) as sound:
        blocks = _blocks(sound, size=max(1, round(seconds * sound.rate)), heed=heed)
        yield from resampled(blocks, sound.rate, rate, str(path))


def resampled(
    blocks: Iterable[np.ndarray], file_rate: int, rate: int = 16000, name: str = "stream"
) -> Iterator[np.ndarray]:
    """Blocks of mono samples at another rate, without a seam between them; each checked.

    Args:
        blocks: float32 arrays (samples,) at *file_rate*.
        file_rate, rate: samples a second before and after.
        name: what an error message calls the sound.

    Raises:
        AudioError: a sample is NaN, infinite or far above full scale; the message tells its time.

    Example:
        >>> sum(len(b) for b in resampled([np.zeros(8000)] * 2, 8000))
        32000
    """
    resampler, done = None, 0
    if file_rate != rate:
        import soxr

        resampler = soxr.ResampleStream(file_rate, rate, 1, dtype="float32", quality="HQ")
    for block in blocks:
        if not np.isfinite(block).all():
            first = (done + int(np.flatnonzero(~np.isfinite(block))[0])) / file_rate
            raise AudioError(
                f"{name}: a sample at {first:.3f} s is NaN or infinite; export it again"
            )
        if len(block) and (peak := float(np.abs(block).max())) > LOUDEST:
            raise AudioError(_too_loud(name, peak))
        done += len(block)
        block = np.asarray(block, dtype=np.float32)
        yield block if resampler is None else resampler.resample_chunk(block)
    if resampler is not None:
        yield resampler.resample_chunk(np.zeros(0, dtype=np.float32), last=True)


def _too_loud(name: str, peak: float) -> str:
    return (
        f"{name}: its samples reach {peak:.3g} where full scale is 1; if they are 16-bit numbers "
        "kept as floats, divide them by 32768 and save the file again, else leave it out"
    )


@contextlib.contextmanager
def _open(path: Path) -> Iterator[Sound]:
    """A file whose sizes are checked, opened; what is wrong, also later, as AudioError."""
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise AudioError(f"{path}: is a folder; name a sound file in it")
        if not stat.S_ISREG(status.st_mode):
            raise AudioError(
                f"{path}: is a pipe or a device, not a file; save the sound to a file, or send "
                "raw samples to `ser predict - --stream`"
            )
        size = status.st_size
        if size == 0:
            raise AudioError(f"{path}: is empty (0 bytes); copy or download it again", "empty")
        with path.open("rb") as stream:
            head = stream.read(512)
            if head.startswith(LFS_POINTER):
                raise AudioError(
                    f"{path}: is a git-lfs pointer, not the sound itself; run `git lfs pull` in "
                    "its repository",
                    "pointer",
                )
            parts, kind = parts_of(stream, size)
    except FileNotFoundError:
        text = f"{path}: no such file; check the name and the corpus folder"
        raise AudioError(text, "missing") from None
    except OSError as error:
        raise AudioError(
            f"{path}: cannot be read ({error.strerror or error}); check its permissions and the "
            "disk"
        ) from None
    except AudioError:
        raise
    except Fault as fault:
        raise AudioError(_fault_message(path, fault, head)) from None
    except (ArithmeticError, LookupError, ValueError, struct.error):
        fault = Fault("damaged", "its header cannot be made sense of")
        raise AudioError(_fault_message(path, fault, head)) from None
    if not parts:
        named = Fault("not read", f"is {kind}, which is not read")
        raise AudioError(_fault_message(path, named if kind else Fault("unknown", ""), head))
    try:
        with Sound(path, parts, kind, size) as sound:
            yield sound
    except Fault as fault:
        raise AudioError(_fault_message(path, fault, head)) from None


def _fault_message(path: Path, fault: Fault, head: bytes) -> str:
    """A fault in words: the file, the cause, the way out."""
    if fault.kind == "not read":
        return f"{path}: {fault}; convert it: {converting(path)}"
    if fault.kind == "unknown":
        what = f"libsndfile: {fault}" if str(fault) else _kind(head)
        way = "" if what.startswith("it is ") else f" or convert it: {converting(path)}"
        return f"{path}: is not a sound file that can be read ({what}); download it again{way}"
    streamed = head[:4] not in (b"RIFF", b"RF64", b"FORM", b".snd", b"riff", b"caff", b"fLaC")
    way = f", or keep what can be decoded: {converting(path)}" if streamed else ""
    return f"{path}: is {fault.kind}: {fault}; copy or download it again{way}"


def _blocks(
    sound: Sound,
    first: int = 0,
    count: int | None = None,
    size: int = BLOCK,
    heed: Callable[[np.ndarray], object] | None = None,
) -> Iterator[np.ndarray]:
    """Samples *first* .. *first + count* as the mean of the channels, *size* at a time."""
    for block in sound.blocks(first, count, size):
        if heed is not None:
            heed(block)
        yield block[:, 0] if block.shape[1] == 1 else _mean(block)


def _mean(block: np.ndarray) -> np.ndarray:
    return block.mean(axis=1, dtype=np.float64).astype(np.float32)


def _limited(
    path: Path, blocks: Iterable[np.ndarray], limit: float, rate: int
) -> Iterator[np.ndarray]:
    """Blocks of a file that does not tell its length, until they are too many."""
    done = 0
    for block in blocks:
        done += len(block)
        if done > limit * rate:
            raise AudioError(_too_long(path, f"over {limit:,.0f}", limit))
        yield block


def _too_long(path: Path, seconds: str, limit: float) -> str:
    return (
        f"{path}: {seconds} s of sound are too long; at most {limit:,.0f} s are held in memory at "
        "once: cut it, name a part of it (start and seconds), or raise the limit (seconds) by the "
        "environment variable SER_LONGEST"
    )


def _segment(
    path: Path, sound: Sound, start: float, seconds: float | None
) -> tuple[int, int | None]:
    """First frame and number of frames of ``start .. start + seconds``; checked."""
    total = sound.frames / sound.rate
    if not start >= 0 or (seconds is not None and not seconds > 0):
        raise AudioError(f"{path}: cannot read {seconds} s from {start} s; give positive times")
    end = total if seconds is None else start + seconds
    if start >= total or end > total + END_TOLERANCE:
        raise AudioError(
            f"{path}: the part from {start:.3f} to {end:.3f} s lies outside the recording, which "
            f"ends at {total:.3f} s; check the start times, or whether the file is cut off"
        )
    first = round(start * sound.rate)
    last = min(round(end * sound.rate), sound.frames)
    return first, max(last - first, 0)


def _kind(head: bytes) -> str:
    """What the first bytes look like, in words."""
    if head.lstrip()[:1] == b"<":
        return "it is a web page or XML"
    text = head.decode("utf-8", errors="ignore")
    if text.isprintable() or all(c.isprintable() or c.isspace() for c in text[:64]):
        return f"it is text: {text[:32]!r}"
    return f"it begins with {head[:8].hex(' ')}"
