"""Sound files of every kind that is read, damaged or put together, against what they hold.

Right is all of the sound or an error. Samples may differ where the damage fell; the duration may
not. Where a format holds no second copy of what was changed (the rate in an AU header), nobody can
tell, and the answer is held against what the header says now.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

from ser.audio import load_audio, probe
from tools.campaign.pool import Wrong

RATE = 16000
SECONDS = 1.5
TOLERANCE = 0.075
"""Seconds by which an answer may be shorter or longer than the sound."""
PADDING = 0.15
"""Seconds that an MP3 may be longer: an encoder pads, and where its tag is damaged none knows."""

KINDS: dict[str, dict] = {
    "wav": {"format": "WAV", "subtype": "PCM_16"},
    "stereo.wav": {"format": "WAV", "subtype": "PCM_16"},
    "24.wav": {"format": "WAV", "subtype": "PCM_24"},
    "float.wav": {"format": "WAV", "subtype": "FLOAT"},
    "alaw.wav": {"format": "WAV", "subtype": "ALAW"},
    "wavex.wav": {"format": "WAVEX", "subtype": "PCM_16"},
    "rf64.wav": {"format": "RF64", "subtype": "PCM_16"},
    "aiff": {"format": "AIFF", "subtype": "PCM_16"},
    "au": {"format": "AU", "subtype": "PCM_16"},
    "caf": {"format": "CAF", "subtype": "PCM_16"},
    "flac": {"format": "FLAC", "subtype": "PCM_16"},
    "ogg": {"format": "OGG", "subtype": "VORBIS"},
    "opus": {"format": "OGG", "subtype": "OPUS"},
    "mp3": {"format": "MP3", "bitrate_mode": "CONSTANT", "compression_level": 0.5},
    "vbr.mp3": {"format": "MP3", "bitrate_mode": "VARIABLE", "compression_level": 0.9},
    "plain.mp3": {"format": "MP3", "bitrate_mode": "VARIABLE", "compression_level": 0.9},
}
"""Kind -> how soundfile writes it; ``plain.mp3`` then loses its Xing frame."""
PHONE: dict[str, tuple[str, str]] = {"m4a": ("ipod", "aac"), "webm": ("webm", "libopus")}
"""Kind -> container and codec, where PyAV is installed."""
STREAMS = {"plain.mp3"}
"""No header says how long these are: cut between two frames, they are whole."""
TOLD = {"wav", "au", "aiff", "caf"}


def voice(seconds: float = SECONDS, seed: int = 0) -> np.ndarray:
    """Something like speech: a gliding harmonic tone in syllables, and a little noise."""
    time = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(120 + 30 * np.sin(2 * np.pi * time)) / RATE
    tone = sum(np.sin(k * phase) / k for k in range(1, 12))
    noise = np.random.default_rng(seed).normal(0, 0.02, len(time))
    return 0.1 * tone * (0.55 + 0.45 * np.sin(2 * np.pi * 4 * time)) + noise


def encoded(kind: str) -> bytes | None:
    """The voice as a file of *kind*; None where it cannot be written here."""
    wave = voice()
    if kind in PHONE:
        return _phone(wave, *PHONE[kind])
    if kind == "stereo.wav":
        wave = np.stack([wave, 0.8 * wave], axis=1)
    stream = io.BytesIO()
    soundfile.write(stream, wave, RATE, **KINDS[kind])
    data = stream.getvalue()
    if kind == "plain.mp3":
        at = min(i for i in (data.find(b"Xing"), data.find(b"Info")) if i >= 0)
        begin = data.rfind(b"\xff", 0, at)
        while data[begin + 1] < 0xE0:
            begin = data.rfind(b"\xff", 0, begin)
        data = data[data.index(data[begin : begin + 2], at + 4) :]
    return data


def _phone(wave: np.ndarray, container: str, codec: str) -> bytes | None:
    try:
        import av
    except ImportError:
        return None
    stream = io.BytesIO()
    with av.open(stream, "w", format=container) as out:
        track = out.add_stream(codec, rate=48000 if codec == "libopus" else RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(wave.astype(np.float32)[None], "fltp", "mono")
        frame.sample_rate = RATE
        resampler = av.AudioResampler(track.format, "mono", track.rate)
        for ready in (*resampler.resample(frame), None):
            out.mux(track.encode(ready))
    return stream.getvalue()


def _flip(data: bytearray, rng: np.random.Generator) -> str:
    place = _place(data, rng)
    data[place] ^= 1 << int(rng.integers(8))
    return f"bit flipped at {place}"


def _byte(data: bytearray, rng: np.random.Generator) -> str:
    place = _place(data, rng)
    data[place] = int(rng.integers(256))
    return f"byte {place} set"


def _place(data: bytearray, rng: np.random.Generator) -> int:
    return int(rng.integers(min(200, len(data)) if rng.random() < 0.5 else len(data)))


def _zeros(data: bytearray, rng: np.random.Generator) -> str:
    place, count = _place(data, rng), int(rng.integers(1, 600))
    data[place : place + count] = bytes(len(data[place : place + count]))
    return f"{count} zeros at {place}"


def _cut(data: bytearray, rng: np.random.Generator) -> str:
    count = int(rng.integers(1, len(data)))
    del data[len(data) - count :]
    return f"last {count} bytes gone"


def _drop(data: bytearray, rng: np.random.Generator) -> str:
    place, count = _place(data, rng), int(rng.integers(1, 600))
    del data[place : place + count]
    return f"{count} bytes gone at {place}"


def _insert(data: bytearray, rng: np.random.Generator) -> str:
    place, count = _place(data, rng), int(rng.integers(1, 600))
    data[place:place] = rng.bytes(count)
    return f"{count} bytes put in at {place}"


def _tail(data: bytearray, rng: np.random.Generator) -> str:
    tag = b"TAG" + b"a song".ljust(125, b"\0")
    extra = tag if rng.random() < 0.5 else rng.bytes(int(rng.integers(1, 600)))
    data += extra
    return f"{len(extra)} bytes behind the end"


def _joined(data: bytearray, rng: np.random.Generator) -> str:
    data += bytes(data)
    return "the file twice, end to end"


MUTATIONS = (_flip, _byte, _zeros, _cut, _drop, _insert, _tail, _joined)


class Sounds:
    """Makes the cases of this kind (see :func:`tools.campaign.pool.run_cases`)."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.folder = Path(tempfile.mkdtemp(prefix="campaign-"))
        made = {kind: encoded(kind) for kind in (*KINDS, *PHONE)}
        self.files = {kind: data for kind, data in made.items() if data is not None}
        self.whole = {}
        for kind, data in self.files.items():
            path = self.folder / f"whole.{kind}"
            path.write_bytes(data)
            self.whole[kind] = load_audio(path)

    def __call__(self, number: int) -> tuple[str, Callable[[], str]]:
        rng = np.random.default_rng([self.seed, number])
        kind = list(self.files)[number % len(self.files)]
        data = bytearray(self.files[kind])
        mutation = MUTATIONS[int(rng.integers(len(MUTATIONS)))]
        done = mutation(data, rng)
        path = self.folder / f"case.{kind}"
        path.write_bytes(data)
        return f"{kind}: {done}", lambda: self._check(path, kind, mutation)

    def _check(self, path: Path, kind: str, mutation: Callable) -> str:
        whole = self.whole[kind]
        wave = load_audio(path)
        told = probe(path)
        if abs(told.seconds - len(wave) / RATE) > 0.01:
            raise Wrong(f"probe says {told.seconds:.3f} s, {len(wave) / RATE:.3f} s are read")
        twice = mutation is _joined
        expected = len(whole) * (2 if twice else 1) / RATE
        found = len(wave) / RATE
        longer = PADDING if kind.endswith("mp3") else TOLERANCE
        if -TOLERANCE <= (found - expected) / (2 if twice else 1) <= longer:
            return f"{found:.3f} s"
        if kind in STREAMS and mutation in (_cut, _drop, _zeros, _insert):
            return f"{found:.3f} s, as many as there are"
        if self._says_so(path, kind, told):
            return f"{found:.3f} s, as the header says now"
        raise Wrong(f"{found:.3f} s of {expected:.3f} s, {told.rate} Hz {told.subtype}")

    def _says_so(self, path: Path, kind: str, told: object) -> bool:
        """Whether rate, coding or channels are others now, in a format that says them once."""
        if kind.split(".")[-1] not in TOLD:
            return False
        now = (told.rate, told.channels, told.subtype)
        before = probe(self.folder / f"whole.{kind}")
        return now != (before.rate, before.channels, before.subtype)
