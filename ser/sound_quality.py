"""What in a recording moves a model's answer without making it less sure: band, noise, a bang.

A model answers anything. :func:`listen` looks at the sound that it hears, :class:`Channels` at
what was there before channels were mixed. A limit lies between what was measured on the clips of
the four classes in EmoDB (339), nEMO (3,076) and the built-in corpus (480), none of which is told
anything, and on EmoDB and nEMO clips spoiled on purpose; both stand beside it. What spoiling does
to an answer was counted with two small networks trained on EmoDB, on 57 of its clips
(:data:`EFFECTS`). Book: chapter "Bring IEMOCAP, or your own voice".
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np

RATE = 16000
FRAME = 512
"""Samples of a frame, 32 ms."""
SHORTEST = 0.5
"""Seconds; of less only silence, offset and clipping are told."""
SHORTEST_PART = 2.5
"""The same of a part cut out of something longer, which may be one sound or one pause."""

SILENT_PEAK = 10 / 32768
"""Clean clips reach 0.046 and more; A-law writes silence as 8/32768."""
OFFSET = 0.008
"""Of full scale. Clean: 0.006 and less; from 0.01 answers change."""
OFFSET_LEVEL = -18.0
"""dB re the sound's level, told of soft sounds. Clean: -20.6 and less."""
FLAT = 0.0005
"""Share of samples in runs at the peak. Clean: 0; cut off at a quarter of the peak: 0.01."""
EDGE = 32.0
"""dB by which the spectrum falls at an edge. Clean: 27.9 and less; 8 kHz sound: 41 and more."""
BAND = 45.5
"""dB of 300-3,400 above 5,500-7,600 Hz. Clean: 43 and less; 8 and 11 kHz sound: 54 and more."""
RANGE = 16.0
"""dB from the 5th to the 95th percentile of level. Clean: 17.4 and more; 5 dB SNR: 4 to 16."""
PERIODIC = 0.28
"""90th percentile of the highest peak of the autocorrelation. Clean: 0.34 and more; white, pink
and brown noise: 0.21 and less."""
GAP = 0.25
"""Seconds of samples that do not move, between others that do. Clean: 0.11 and less."""
BANG = 15.0
"""dB of the highest peak above all 0.1 s and more away. Clean: 12 and less."""
HUM = -24.0
"""dB of 50 or 60 Hz re the whole. Clean: -26.5 and less; 0.05 added: -18 to -1."""
LINES = 10.0
"""dB of the third strongest of six harmonics above its surroundings. Clean: 8.2 and less."""
SOUNDING = 0.5
"""Share within 30 dB of the loudest 0.2 s. Clean: 0.58 and more."""
CANCELLED = 0.5
"""Power of the mean of channels over that of as many unrelated ones."""
ONE_SIDE = 0.01
"""Power of the softest channel over that of the loudest."""

EFFECTS = {
    "silence": "there is no voice in it",
    "cancelling": "most of the voice is gone from what is heard; use one channel",
    "one side": "the empty ones make it softer, and level is a cue; use one channel",
    "offset": "answers change with it (at 0.05 one in three); ser predict takes it away, ser run "
    "does not",
    "clipped": "what was cut off sounds like effort (4 times too loud, up to 4 answers in 10 "
    "change); record it softer",
    "band": "a telephone or a low sample rate; networks hear up to 8 kHz, and one answer in four "
    "changes without the upper half, unless they were trained on such sound",
    "hum": "mains hum fills what should be pauses; up to half of the answers change",
    "no voice": "noise alone, a whisper, or noise that hides a voice; there is an answer all the "
    "same, and it may look sure",
    "noise": "loud noise, or not one pause; up to 8 answers in 10 change, and may look surer",
    "bang": "the voice is soft beside it, and Praat's F0 may be lost; cut it out",
    "gap": "sound was lost there (a recorder's or a connection's drop-out); the voice around it is "
    "heard as if it had paused",
    "pauses": "the rest is heard as part of the utterance, and most answers may change; cut it off",
}
"""Kind -> what it does to an answer."""


def listen(wave: np.ndarray, part: bool = False) -> dict[str, str]:
    """What is odd about a sound, and would go unsaid.

    Args:
        wave: float (samples,) at 16 kHz, full scale 1, no NaN.
        part: it was cut out of a longer sound at a fixed length.

    Returns:
        kind of :data:`EFFECTS` -> what was heard, in words; empty for clean speech.

    Example:
        >>> listen(0.05 + 0.1 * np.sin(np.arange(6000)))
        {'offset': 'a DC offset of +0.050'}
    """
    if not len(wave):
        return {}
    offset = float(np.mean(wave, dtype=np.float64))
    wave = np.asarray(wave - np.float32(offset), dtype=np.float32)
    peak = float(np.abs(wave).max())
    if peak <= SILENT_PEAK:
        return {"silence": "silence (never beyond -70 dB)" if peak or offset else "digital silence"}
    found = {}
    power = float(np.mean(np.square(wave, dtype=np.float64)))
    if abs(offset) > OFFSET or offset**2 > power * 10 ** (OFFSET_LEVEL / 10):
        found["offset"] = f"a DC offset of {offset:+.3f}"
    if (share := flat(wave, peak) / len(wave)) > FLAT:
        found["clipped"] = f"{100 * share:.1f} % of it is cut off at its peak"
    if len(wave) >= RATE * (SHORTEST_PART if part else SHORTEST):
        found |= _over_time(wave)
        start, samples = _longest_gap(wave)
        if samples > GAP * RATE and "pauses" not in found:
            found["gap"] = (
                f"nothing at all for {samples / RATE:.2f} s, from {start / RATE:.2f} s on"
            )
    return found


def speech_level(wave: np.ndarray) -> float:
    """Level of what is spoken, dB of full scale: of the louder half of its frames of 32 ms.

    Args:
        wave: float (samples,) at 16 kHz, full scale 1.

    Returns:
        -200 for digital silence.

    Example:
        >>> speech_level(np.tile([0.1, -0.1], 8000)), speech_level(np.zeros(16000))
        (-20.0, -200.0)
    """
    frames = np.pad(wave.astype(float), (0, -len(wave) % FRAME)).reshape(-1, FRAME)
    power = np.sort(np.mean(np.square(frames), axis=1))
    louder = float(np.mean(power[len(power) // 2 :])) if len(power) else 0.0
    return round(10 * math.log10(max(louder, 1e-20)), 1)


def runs(where: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Starts and lengths of the stretches of True in *where* (n,).

    Example:
        >>> runs(np.array([False, True, True, False, True]))
        (array([1, 4]), array([2, 1]))
    """
    edges = np.flatnonzero(np.diff(where, prepend=False, append=False))
    return edges[::2], edges[1::2] - edges[::2]


def _longest_gap(wave: np.ndarray) -> tuple[int, int]:
    """Where the longest run of equal samples within *wave* begins, and how long it is."""
    starts, lengths = runs(wave[1:] == wave[:-1])
    lengths[(starts == 0) | (starts + lengths == len(wave) - 1)] = -1
    longest = int(lengths.argmax()) if len(lengths) else 0
    if not len(lengths) or lengths[longest] < 0:
        return 0, 0
    return int(starts[longest]), int(lengths[longest]) + 1


def flat(wave: np.ndarray, peak: float) -> int:
    """Samples in runs of three or more equal ones within 1 % of *peak*.

    Example:
        >>> flat(np.array([0, 1, 1, 1, 0, -1, -1]), 1.0)
        3
    """
    same = (wave[1:] == wave[:-1]) & (np.abs(wave[1:]) >= 0.99 * peak)
    lengths = runs(same)[1] + 1
    return int(lengths[lengths >= 3].sum())


def _over_time(wave: np.ndarray) -> dict[str, str]:
    found = {}
    count = len(wave) // FRAME
    frames = wave[: count * FRAME].reshape(count, FRAME)
    power = np.einsum("ij,ij->i", frames, frames, dtype=np.float64) / FRAME
    levels = 10 * np.log10(power + 1e-12)
    kept = np.ones(count, dtype=bool)
    peaks = np.maximum(frames.max(axis=1), -frames.min(axis=1))
    first = int(peaks.argmax())
    kept[max(first - 3, 0) : first + 7] = False
    others = float(peaks[kept].max(initial=0.0))
    above = 20 * np.log10(peaks[first] / others) if others > 0.003 else 0.0
    if above > BANG:
        found["bang"] = f"a bang at {first * FRAME / RATE:.1f} s, {above:.0f} dB above all else"
    else:
        kept[:] = True
    loudest = np.sort(levels[kept])[-min(6, kept.sum())]
    if (share := float(np.mean(levels > loudest - 30))) < SOUNDING:
        found["pauses"] = f"only {100 * share:.0f} % of it has sound"
    loud = kept & (levels > loudest - 20)
    if (edge := _edge(frames[_some(loud)])) is not None:
        found["band"] = f"almost nothing above {edge / 1000:.1f} kHz"
    if (mains := _hum(wave)) is not None:
        found["hum"] = f"a hum at {mains} Hz"
    low, high = np.percentile(levels[kept & (levels >= min(loudest, -95))], (5, 95))
    if _periodicity(frames, loud) < PERIODIC:
        found["no voice"] = "nothing in it repeats as a voice does"
    elif high - low < RANGE and "hum" not in found:
        found["noise"] = f"only {high - low:.0f} dB between its loud and its soft moments"
    return found


def _some(which: np.ndarray) -> np.ndarray:
    """Indices of at most a thousand of the frames."""
    indices = np.flatnonzero(which)
    return indices[:: len(indices) // 1000 + 1]


def _edge(frames: np.ndarray) -> float | None:
    """Hz above which loud *frames* hold almost nothing, or None."""
    spectra = np.abs(np.fft.rfft(frames * np.hanning(FRAME), axis=1)) ** 2
    decibels = 10 * np.log10(np.median(spectra, axis=0) + 1e-20)
    hertz = np.arange(len(decibels)) * RATE / FRAME

    def band(low: float, high: float) -> np.ndarray:
        return decibels[(hertz >= low) & (hertz <= high)]

    def mean(values: np.ndarray) -> float:
        return 10 * float(np.log10(np.mean(10 ** (values / 10))))

    fall = max(
        band(edge - 900, edge - 300).mean() - band(edge + 300, 7600).max()
        for edge in range(3000, 6501, 125)
    )
    speech = mean(band(300, 3400))
    if fall < EDGE and speech - mean(band(5500, 7600)) < BAND:
        return None
    highest = float(hertz[(decibels > speech - 40) & (hertz <= 7600)].max())
    return highest if highest < 7000 else None


def _periodicity(frames: np.ndarray, loud: np.ndarray) -> float:
    """How far loud stretches of 64 ms repeat after 1/500 to 1/60 s; 1: wholly."""
    size = 2 * FRAME
    pairs = len(frames) // 2
    chosen = _some(loud[: 2 * pairs].reshape(pairs, 2).all(axis=1))
    if not len(chosen):
        return 1.0
    # The difference takes away what rumbles: brown noise is smooth, and would look periodic.
    long = np.diff(frames[: 2 * pairs].reshape(pairs, size)[chosen], append=0)
    window = np.hanning(size)
    window[-1] = 0

    def correlation(values: np.ndarray) -> np.ndarray:
        return np.fft.irfft(np.abs(np.fft.rfft(values, 2 * size)) ** 2)[..., : RATE // 60 + 2]

    own, product = correlation(window), correlation(long * window)
    values = product / (product[:, :1] + 1e-20) * own[0] / own
    middle = values[:, 1:-1]
    peaks = np.where((middle > values[:, :-2]) & (middle >= values[:, 2:]), middle, 0.0)
    return float(np.percentile(peaks[:, RATE // 500 - 1 :].max(axis=1), 90))


def _hum(wave: np.ndarray) -> int | None:
    """50 or 60 where the mains hum, from the middle half minute."""
    size = min(len(wave), 1 << 19)
    start = (len(wave) - size) // 2
    long = 1 << (size - 1).bit_length()  # an FFT of a prime length is slow
    power = np.abs(np.fft.rfft(wave[start : start + size] * np.hanning(size), long)) ** 2
    total, power = power.sum(), power[: 400 * long // RATE]
    floor = 1e-7 * total + 1e-30  # below it there are skirts of other tones
    hertz = np.arange(len(power)) * RATE / long
    width = max(0.75, 2 * RATE / size)
    for mains in (50, 60):
        lines = []
        for harmonic in range(1, 7):
            away = np.abs(hertz - mains * harmonic)
            near = power[(away > 2 * width) & (away <= max(12, 6 * width))]
            line = power[away <= width].max()
            lines.append(10 * np.log10((line + floor) / (np.percentile(near, 75) + floor)))
        alone = power[np.abs(hertz - mains) <= max(1, width)].sum()
        if 10 * np.log10(alone / total + 1e-12) > HUM or sorted(lines)[-3] > LINES:
            return mains
    return None


class Channels:
    """What the channels of a recording were like before they were mixed.

    Args:
        blocks: how many of the latest blocks count; None: all.

    Example:
        >>> tone = np.sin(np.arange(1000, dtype=np.float32))
        >>> channels = Channels()
        >>> channels.add(np.stack([tone, -tone], axis=1))
        >>> channels.heard()["cancelling"]
        'its 2 channels cancel when they are mixed'
    """

    def __init__(self, blocks: int | None = None) -> None:
        self._blocks: deque = deque(maxlen=blocks)

    def add(self, block: np.ndarray) -> None:
        """Take note of samples (n, channels); given to :func:`ser.load_audio` as ``heed``."""
        sums = block.sum(axis=0, dtype=np.float64)
        squares = np.einsum("ij,ij->j", block, block, dtype=np.float64)
        mixed = block.mean(axis=1, dtype=np.float64)
        cut = max(flat(channel, 1.0) for channel in block.T)
        self._blocks.append((len(block), sums, squares, float(mixed @ mixed), cut))

    def heard(self) -> dict[str, str]:
        """As :func:`listen`: cancelling, one side, clipped."""
        if not self._blocks:
            return {}
        samples, sums, squares, mixed, cut = map(sum, zip(*self._blocks, strict=True))
        count, found = len(sums), {}
        # An offset is no sound: it would hide that voices cancel, or that a channel is empty.
        sound = np.maximum(squares - sums**2 / max(samples, 1) - 1e-12 * squares, 0.0)
        mixed = max(mixed - (sums.sum() / count) ** 2 / max(samples, 1), 0.0)
        if count > 1 and mixed < CANCELLED * sound.sum() / count**2:
            found["cancelling"] = f"its {count} channels cancel when they are mixed"
        elif count > 1 and sound.min() < ONE_SIDE * sound.max():
            sounding = int((sound >= ONE_SIDE * sound.max()).sum())
            found["one side"] = f"only {sounding} of its {count} channels have sound"
        if cut > FLAT * samples:
            found["clipped"] = f"{100 * cut / samples:.1f} % of it is cut off at full scale"
        return found
