"""One recording under the lens: can it be read, is there sound in it, has it been there before.

Facts are taken from the samples as stored, before any mixing or resampling: a clipped run is a
run at the format's own full scale, and two files sound the same if their samples are the same,
whatever container holds them.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ser.audio import load_audio, probe
from ser.corpora.originals import file_digest
from ser.errors import AudioError
from ser.sound_quality import Channels, listen, runs

BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
CLIPPED_RUN = 3
"""Neighbouring samples at full scale that make a run clipped; one or two may be a true peak."""


@dataclass(frozen=True)
class Clip:
    """What :func:`examine` found in one recording.

    Attributes:
        path: the file.
        error: ``""``, or why the recording cannot be used.
        kind: ``""`` or that of the :class:`~ser.errors.AudioError`.
        digest: first 128 bits of the SHA-256 of the file's bytes.
        sound: digest of the decoded samples; equal sounds have equal digests.
        rate: sample rate in Hz.
        channels: number of channels.
        seconds: duration.
        level: root mean square of the mean of the channels, which is what a run hears, in dB re
            full scale (-inf for digital silence, or channels that cancel).
        clipped: samples in runs of three or more at full scale.
        zeros: longest run of exact zeros, in seconds.
        heard: what :mod:`ser.sound_quality` tells of the sound at 16 kHz, kind -> words.
    """

    path: str
    error: str = ""
    kind: str = ""
    digest: str = ""
    sound: str = ""
    rate: int = 0
    channels: int = 0
    seconds: float = 0.0
    level: float = -math.inf
    clipped: int = 0
    zeros: float = 0.0
    heard: dict[str, str] = field(default_factory=dict)

    @property
    def silent(self) -> bool:
        """True where it can be read but there is nothing to hear."""
        return "silence" in self.heard


def examine(path: str | os.PathLike, start: float = 0.0, seconds: float | None = None) -> Clip:
    """Read a recording, or ``start .. start + seconds`` of it, and say what is in it.

    Never raises for a bad file: what is wrong stands in the result.

    Example:
        >>> import tempfile, soundfile
        >>> file = Path(tempfile.mkdtemp()) / "tone.wav"
        >>> tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)
        >>> soundfile.write(file, tone, 16000)
        >>> clip = examine(file)
        >>> clip.rate, clip.seconds, round(clip.level, 1), clip.clipped
        (16000, 1.0, -9.0, 0)
    """
    path, digest = str(path), ""
    with contextlib.suppress(OSError):  # told below, as what it is
        digest = file_digest(path)
    try:
        info = probe(path)
        blocks: list[np.ndarray] = []
        wave = load_audio(path, start=start, seconds=seconds, heed=blocks.append)
        samples = np.concatenate(blocks)
        mixed = samples.mean(axis=1, dtype=np.float64)  # what a run hears: channels may cancel
        channels = Channels()
        channels.add(samples)
        told = listen(wave) | channels.heard()
    except AudioError as error:
        text = str(error).removeprefix(f"{Path(path)}: ")
        return Clip(path, text, error.kind, "" if error.kind in ("empty", "pointer") else digest)
    except (MemoryError, RuntimeError) as error:
        return Clip(path, str(error) or "it does not fit into memory", "unreadable", digest)
    power = float(np.mean(np.square(mixed)))
    return Clip(
        path,
        sound=hashlib.sha256(samples.tobytes() + bytes([samples.shape[1] % 256])).hexdigest(),
        level=10 * math.log10(power) if power else -math.inf,
        clipped=_clipped(samples, BITS.get(info.subtype, 16)),
        zeros=_longest_zeros(samples) / info.rate,
        digest=digest,
        rate=info.rate,
        channels=samples.shape[1],
        seconds=len(samples) / info.rate,
        heard=told,
    )


def examine_all(
    items: Sequence[tuple[str, float, float | None]],
    progress: Callable[[Iterable, int], Iterable] | None = None,
) -> list[Clip]:
    """:func:`examine` for many recordings ``(path, start, seconds)``, on several threads.

    Decoding leaves Python's lock, so threads use all cores without copying any audio; NumPy's own
    threads would only wait for each other beside them.
    *progress* may wrap the iterator, given the number of items.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, "blas"), ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        results: Iterable[Clip] = pool.map(examine, *zip(*items, strict=True)) if items else ()
        return list(progress(results, len(items)) if progress else results)


def _clipped(samples: np.ndarray, bits: int) -> int:
    full = 1.0 - 2.0 ** (1 - min(bits, 24))
    total = 0
    for channel in samples.T:
        for mask in (channel >= full, channel <= -full):
            lengths = runs(mask)[1]
            total += int(lengths[lengths >= CLIPPED_RUN].sum())
    return total


def _longest_zeros(samples: np.ndarray) -> int:
    sounding = np.flatnonzero(samples.any(axis=1))
    return int(np.diff(sounding, prepend=-1, append=len(samples)).max()) - 1
