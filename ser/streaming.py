"""A long recording, or a microphone, window by window (book: "Bring IEMOCAP, or your own voice").

A model hears one utterance at a time. A window of about an utterance's length slides over the
sound; each position is one answer. Memory holds one window and one block of sound, however long
the recording is.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from ser.audio import resampled, stream_audio
from ser.enrolled_model import model_for
from ser.errors import AudioError, SerError
from ser.loading import SavedModel
from ser.prediction import Prediction, answer, predict
from ser.recording import Recording, samples
from ser.sound_quality import Channels

RATE = 16000
BLOCK_SECONDS = 0.25
"""Sound is taken in blocks of this duration, so a live answer waits at most that much longer."""

SHORTEST_HOP = 0.01
"""Seconds; answers closer together hear nothing new."""

SHORTEST, LONGEST = 0.5, 600.0
"""Seconds; a shorter window leaves too few frames for the network, a longer one is no utterance."""


@dataclass(frozen=True)
class WindowPrediction:
    """What a model says of one stretch of a longer recording.

    Attributes:
        start, end: where it lies, in seconds from the beginning.
        level: its root mean square in dB of full scale (-inf: digital silence).
        prediction: the answer; its ``remarks`` tell what is odd about this stretch.
        compute_seconds: time from having the last sample to having the answer.
    """

    start: float
    end: float
    level: float
    prediction: Prediction
    compute_seconds: float

    def as_dict(self) -> dict:
        """JSON-able; a level of -inf becomes None."""
        answer = self.prediction.as_dict()
        return {
            "start": self.start,
            "end": self.end,
            "level_db": round(self.level, 2) if np.isfinite(self.level) else None,
            **{k: answer[k] for k in ("emotion", "probabilities", "branches", "warnings")},
            "compute_seconds": round(self.compute_seconds, 6),
        }

    def to_text(self) -> str:
        """One line: times, level, emotion, a bar, notes (what was heard, not what it does)."""
        value = self.prediction.probabilities[self.prediction.emotion]
        wide = max(8, *map(len, self.prediction.probabilities))
        notes = "".join(f"  ({what})" for what, _ in self.prediction.remarks)
        return (
            f"{clock(self.start)} - {clock(self.end)}  {self.level:6.1f} dB  "
            f"{self.prediction.emotion:{wide}} {100 * value:5.1f} %  "
            f"{'#' * round(20 * value):20}{notes}"
        ).rstrip()


def clock(seconds: float) -> str:
    """Minutes and seconds, with hours where there are any.

    Example:
        >>> clock(75.5), clock(3675)
        ('01:15.5', '1:01:15.0')
    """
    tenths = round(10 * seconds)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    tail = f"{minutes:02d}:{rest / 10:04.1f}"
    return f"{hours}:{tail}" if hours else tail


def pcm_blocks(stream: BinaryIO, rate: int = RATE) -> Iterator[np.ndarray]:
    """Raw signed 16-bit little-endian mono samples from a pipe, a block at a time.

    Args:
        stream: a binary file object, e.g. ``sys.stdin.buffer`` behind ``arecord -t raw``.
        rate: samples a second of what comes in.

    Yields:
        float32 arrays (samples,) at *rate*, -1..1; the last may be shorter.

    Raises:
        AudioError: the stream begins like a sound file, whose bytes would be heard as noise.

    Example:
        >>> import io
        >>> [len(b) for b in pcm_blocks(io.BytesIO(bytes(16000)))]
        [4000, 4000]
    """
    return resampled(_pcm(stream, rate), rate, RATE, "standard input")


_HEADS = (
    b"RIFF", b"RIFX", b"RF64", b"riff", b"FORM", b"fLaC", b"OggS", b"ID3", b".snd", b"caff",
    b"\x1aE\xdf\xa3",
)  # fmt: skip
"""How sound files begin: WAV, W64, AIFF, FLAC, OGG, MP3 with a tag, AU, CAF, WebM; MP4 later on."""


def _pcm(stream: BinaryIO, rate: int) -> Iterator[np.ndarray]:
    size = 2 * max(1, round(BLOCK_SECONDS * rate))
    first = True
    kept = b""
    while data := stream.read(size - len(kept)):
        data = kept + data
        if first and (data.startswith(_HEADS) or data[4:8] == b"ftyp"):
            raise AudioError(
                "standard input: is a sound file; give its name instead of '-', or send raw "
                "samples (arecord -t raw -f S16_LE -c 1 -r 16000)"
            )
        first = False
        even = len(data) // 2 * 2
        kept = data[even:]  # a short read may end within a sample
        if even:
            yield np.frombuffer(data[:even], dtype="<i2").astype(np.float32) / 32768
    if data is None:
        raise AudioError("standard input: has nothing yet and does not wait; open it blocking")


def windows(
    blocks: Iterable[np.ndarray], window: float = 3.0, hop: float = 1.0
) -> Iterator[tuple[float, np.ndarray]]:
    """Stretches of equal length, one every *hop*; the last one ends where the sound ends.

    Args:
        blocks: float32 arrays (samples,) at 16 kHz, of any lengths.
        window: seconds of a stretch.
        hop: seconds from the start of one to the start of the next.

    Yields:
        (start in seconds, samples (window * 16000,)); a recording shorter than a window is one
        stretch of its own length.

    Raises:
        SerError: *window* below 0.5 s or above ten minutes, or *hop* below 0.01 s or beyond
            *window*, which would leave sound unheard.

    Example:
        >>> [(t, len(w)) for t, w in windows([np.zeros(16000)] * 4, window=2, hop=1.5)]
        [(0.0, 32000), (1.5, 32000), (2.0, 32000)]
    """
    _check(window, hop)
    size, step = round(window * RATE), max(1, round(hop * RATE))
    held = past = np.zeros(0, dtype=np.float32)
    start, answered = 0, 0
    for block in blocks:
        held = np.concatenate([held, block])
        while len(held) >= size:
            yield start / RATE, held[:size].copy()
            answered = start + size
            past, held = held[:step], held[step:]
            start += step
    end = start + len(held)
    if end > answered:
        tail = np.concatenate([past, held])[-size:]
        yield (end - len(tail)) / RATE, tail


def _check(window: float, hop: float) -> None:
    if not SHORTEST <= window <= LONGEST:
        raise SerError(f"a window of {window} s: give {SHORTEST} to {LONGEST:.0f} s")
    if not SHORTEST_HOP <= hop <= window:
        raise SerError(
            f"a hop of {hop} s does not fit a window of {window} s: {SHORTEST_HOP} <= hop <= window"
        )


def predict_stream(
    source: str | os.PathLike | Iterable[np.ndarray],
    checkpoint: SavedModel | str | os.PathLike,
    window: float = 3.0,
    hop: float = 1.0,
    name: str = "",
) -> Iterator[WindowPrediction]:
    """Emotion over time: one answer every *hop* seconds, in bounded memory.

    Args:
        source: a sound file of any length, or blocks of mono samples (n,) at 16 kHz (a microphone;
            :func:`pcm_blocks` reads a pipe), floats or signed whole numbers.
        checkpoint: a model of :func:`ser.loading.load_model`, or its folder.
        window: seconds of sound an answer is about; near the durations the model was trained on.
        hop: seconds from answer to answer.
        name: what an error message calls the sound; of a file, its own.

    Yields:
        WindowPrediction, as soon as its last sample is there.

    Raises:
        AudioError: the sound cannot be read on; what came before has been answered.
        SerError: *window* or *hop* make no sense.
        ModelError: see :func:`ser.loading.load_model`.

    Example:
        >>> stream = predict_stream("meeting.wav", "results/models/dual/a")  # doctest: +SKIP
        >>> next(stream).prediction.emotion                                  # doctest: +SKIP
        'neutral'
    """
    _check(window, hop)
    model = model_for(checkpoint)
    channels = Channels(round(window / BLOCK_SECONDS) + 1)
    if isinstance(source, (str, os.PathLike)):
        name, blocks = os.fspath(source), stream_audio(source, RATE, BLOCK_SECONDS, channels.add)
    else:
        name = name or "stream"
        blocks = (samples(block, name) for block in source)
    predict(np.zeros(round(window * RATE), dtype=np.float32), model)  # first-use costs, before
    result = None
    for start, wave in windows(blocks, window, hop):
        begun = time.perf_counter()
        heard = Recording.of(wave, f"{name}, at {clock(start)}", channels, part=True)
        prediction = answer(heard, model, part=True)
        spent = time.perf_counter() - begun
        power = float(np.mean(np.square(wave, dtype=np.float64)))
        result = WindowPrediction(
            start=round(start, 4),
            end=round(start + len(wave) / RATE, 4),
            level=10 * np.log10(power) if power else -np.inf,
            prediction=prediction,
            compute_seconds=spent,
        )
        yield result
    if result is None:
        raise AudioError(f"{name}: holds no sound; check the recorder or the file")
