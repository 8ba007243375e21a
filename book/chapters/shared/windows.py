"""One window's view of a sound: linear spectrograms, and what a window can tell apart.

The sound is made by rule, so that the right answer is known: two bursts a few milliseconds
apart, then a vowel whose harmonics stand as many hertz apart as its voice is high. A window
tells the bursts apart if the level falls by :data:`DIP` between them, and the harmonics likewise.
Book: chapters "From wave to spectrogram" and "Two resolutions".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from ser.plots.style import drawing, set_alt, set_title

WINDOWS = (64, 96, 128, 192, 256, 320, 400, 512, 768, 1024, 1536, 2048)
"""Window lengths of the slider in samples: 4 to 128 ms at 16 kHz."""
DIP = 3.0
"""Decibels the level has to fall between two things for them to count as told apart: half."""
SHOWN_DB = 50.0
"""Decibels below its loudest point that a spectrogram with frequency in hertz shows."""


@dataclass(frozen=True)
class BurstVowel:
    """Two bursts and a vowel.

    Attributes:
        wave: (samples,), full scale 1.
        bursts: seconds at which the two bursts stand.
        harmonics: hertz of two neighbouring harmonics of the vowel.
        steady: seconds from and to which the vowel does not change.
        vowel: (samples,) the vowel without the bursts, where it is known.
        rate: samples a second.
    """

    wave: np.ndarray
    bursts: tuple[float, float]
    harmonics: tuple[float, float]
    steady: tuple[float, float]
    vowel: np.ndarray | None = None
    rate: int = 16000


def vowel_tones(
    f0: float,
    seconds: float,
    formants: Sequence[float] = (700.0, 1100.0, 2600.0),
    width: float = 80.0,
    *,
    rate: int = 16000,
) -> tuple[np.ndarray, np.ndarray]:
    """The harmonics of a vowel, one tone each; their sum is the vowel.

    Args:
        f0: pitch in hertz, 0 < f0 <= 2000.
        seconds: duration.
        formants: hertz at which the mouth passes most.
        width: hertz from a formant's centre to half its power.
        rate: samples a second.

    Returns:
        Frequencies (K,) in hertz up to 4000, and tones (K, samples). Their sum has the peak 0.3.

    Raises:
        ValueError: a pitch that is none, or no time.

    Example:
        >>> hertz, tones = vowel_tones(100, 0.5)
        >>> hertz[:3].tolist(), tones.shape, round(float(abs(tones.sum(0)).max()), 6)
        ([100.0, 200.0, 300.0], (40, 8000), 0.3)
    """
    if not 0 < f0 <= 2000 or seconds <= 0:
        raise ValueError(f"a vowel has 0 < f0 <= 2000 Hz and a duration, not {f0} and {seconds}")
    hertz = f0 * np.arange(1, int(4000 / f0) + 1, dtype=float)
    strength = sum(1 / np.hypot(1, (hertz - centre) / width) for centre in formants)
    time = np.arange(round(seconds * rate)) / rate
    tones = strength[:, None] * np.cos(2 * np.pi * hertz[:, None] * time)
    return hertz, tones * (0.3 / np.abs(tones.sum(0)).max())


def burst_vowel(f0: float = 80.0, gap: float = 0.010, *, rate: int = 16000) -> BurstVowel:
    """Two bursts, *gap* seconds apart, then a vowel of pitch *f0*.

    Args:
        f0: hertz; also the distance of the vowel's harmonics.
        gap: seconds from one burst to the other.
        rate: samples a second.

    Returns:
        :class:`BurstVowel` of 0.42 s, the same for the same arguments.

    Example:
        >>> sound = burst_vowel()
        >>> sound.wave.shape, round(sound.bursts[1] - sound.bursts[0], 6), sound.harmonics
        ((6720,), 0.01, (640.0, 720.0))
    """
    wave = np.zeros(round(0.42 * rate))
    onset, length = round(0.14 * rate), round(0.24 * rate)
    below = max(1, int(700 / f0))
    # The lowest formant stands between the two harmonics, so that they are equally strong.
    formants = (below + 0.5) * f0, 1100.0, 2600.0
    _, tones = vowel_tones(f0, length / rate, formants, rate=rate)
    ramp = np.minimum(1, np.arange(length) / (0.01 * rate))
    wave[onset : onset + length] = tones.sum(0) * ramp * ramp[::-1]
    vowel = wave.copy()
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, rate // 1000)
    bursts = 0.06, 0.06 + gap
    for moment in bursts:
        first = round(moment * rate) - len(noise) // 2
        wave[first : first + len(noise)] += noise
    return BurstVowel(
        wave, bursts, (below * f0, (below + 1) * f0), (0.19, 0.33), vowel=vowel, rate=rate
    )


def hann(length: int) -> np.ndarray:
    """Periodic Hann window (length,), as every spectrogram of this book uses it."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)


def stft_power(
    wave: ArrayLike, window: int, hop: int | None = None, n_fft: int | None = None
) -> np.ndarray:
    """Power of the short-time Fourier transform: Hann window, frames centred, zeros at the ends.

    Args:
        wave: (samples,).
        window: its length in samples, even.
        hop: samples from frame to frame; default half the window.
        n_fft: length of the transform, at least *window*; more only draws a finer line.

    Returns:
        float64 (n_fft // 2 + 1, 1 + samples // hop); a tone of amplitude a has power a² at its
        frequency whatever the window.

    Raises:
        ValueError: not a row of samples, an odd window, a transform shorter than the window.

    Example:
        >>> stft_power(np.ones(1600), 256).shape
        (129, 13)
    """
    wave = np.asarray(wave, dtype=float)
    hop, n_fft = hop or window // 2, n_fft or window
    if wave.ndim != 1 or wave.size == 0:
        raise ValueError(f"a sound is a row of samples, not an array of shape {wave.shape}")
    if window < 2 or window % 2 or n_fft < window:
        raise ValueError(f"a window is an even number of samples up to n_fft, not {window}")
    padded = np.pad(wave, window // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
    shape = hann(window)
    return np.abs(np.fft.rfft(frames * (2 / shape.sum() * shape), n_fft)).T ** 2


def linear_spectrogram(
    wave: ArrayLike,
    window: int,
    title: str | None = None,
    ax: Axes | None = None,
    *,
    hop: int | None = None,
    top: float | None = None,
    rate: int = 16000,
    shown_db: float = SHOWN_DB,
) -> Figure:
    """A spectrogram with frequency in hertz: what one window sees of a sound.

    Args:
        wave: (samples,), full scale 1.
        window: Hann window's length in samples.
        title: of the figure; default the window's length.
        ax: axes to draw into.
        hop: samples from frame to frame; default 2 ms, or half the window where that is less.
        top: highest frequency shown, Hz; default half the rate.
        rate: samples a second.
        shown_db: decibels from the darkest to the brightest colour.

    Returns:
        Figure.
    """
    hop = hop or max(1, min(window // 2, rate // 500))
    n_fft = max(window, 1024)
    levels = 10 * np.log10(np.maximum(stft_power(wave, window, hop, n_fft), 1e-12))
    top = top or rate / 2
    levels = levels[: int(top * n_fft / rate) + 1]
    step = rate / n_fft
    high = float(levels.max())
    with drawing(ax, 3.4) as (fig, ax):
        image = ax.imshow(
            levels,
            origin="lower",
            aspect="auto",
            cmap=matplotlib.colormaps["magma"],
            vmin=high - shown_db,
            vmax=high,
            extent=(
                -hop / 2 / rate,
                (levels.shape[1] - 0.5) * hop / rate,
                -step / 2,
                (len(levels) - 0.5) * step,
            ),
            interpolation="nearest",
        )
        ax.set_xlim(0, np.size(wave) / rate)
        ax.set_ylim(0, top)
        ax.set_xlabel("time, s")
        ax.set_ylabel("frequency, Hz")
        fig.colorbar(image, ax=ax, pad=0.02).set_label("level, dB")
        name = f"window {1000 * window / rate:.3g} ms ({window} samples)"
        set_title(ax, title or name)
    loudest = levels.max(1).argmax() * step
    return set_alt(
        fig,
        f"{title + '. ' if title else ''}Spectrogram of {np.size(wave) / rate:.2f} s up to "
        f"{top:.0f} Hz, {name}, loudest near {round(loudest, -1):.0f} Hz.",
    )


def told_apart(sound: BurstVowel, window: int) -> tuple[float, float]:
    """How far the level falls between the two bursts, and between the two harmonics.

    Args:
        sound: bursts and vowel.
        window: Hann window's length in samples.

    Returns:
        Two dips in dB, at least 0: from the weaker of the two to half-way between them. The
        pair counts as told apart where its dip is :data:`DIP` or more.

    Example:
        >>> bursts, harmonics = told_apart(burst_vowel(), 128)
        >>> bursts > DIP, harmonics > DIP
        (True, False)
        >>> bursts, harmonics = told_apart(burst_vowel(), 1024)
        >>> bursts > DIP, harmonics > DIP
        (False, True)
    """
    middle = sum(sound.bursts) / 2
    over_time = level_over_time(sound, window, [sound.bursts[0], middle, sound.bursts[1]])
    middle = sum(sound.harmonics) / 2
    places = [sound.harmonics[0], middle, sound.harmonics[1]]
    over_frequency = level_over_frequency(sound, window, places)
    return _dip(over_time), _dip(over_frequency)


def _dip(levels: np.ndarray) -> float:
    return max(0.0, float(min(levels[0], levels[2]) - levels[1]))


def level_over_time(sound: BurstVowel, window: int, seconds: ArrayLike) -> np.ndarray:
    """Level in dB of the windowed wave, all frequencies together, at each of *seconds*."""
    padded = np.pad(sound.wave, window)
    centres = np.round(np.asarray(seconds) * sound.rate).astype(int) + window
    frames = padded[centres[:, None] + np.arange(-window // 2, window // 2)]
    return 10 * np.log10(np.maximum(((frames * hann(window)) ** 2).sum(1), 1e-12))


def level_over_frequency(sound: BurstVowel, window: int, hertz: ArrayLike) -> np.ndarray:
    """Level in dB at each of *hertz*, averaged over the steady part of the vowel."""
    wave = sound.wave if sound.vowel is None else sound.vowel
    padded = np.pad(wave, window)
    first, last = (round(s * sound.rate) + window for s in sound.steady)
    centres = np.arange(first, last, 16)
    frames = padded[centres[:, None] + np.arange(-window // 2, window // 2)] * hann(window)
    turns = np.outer(np.arange(window) / sound.rate, np.asarray(hertz, dtype=float))
    power = np.abs(frames @ np.exp(-2j * np.pi * turns)) ** 2
    return 10 * np.log10(np.maximum(power.mean(0), 1e-12))
