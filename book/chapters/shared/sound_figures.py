"""Figures of sound: waveform, mel-spectrograms, MFCCs; time in seconds throughout.

Book: chapters "From wave to spectrogram" and "Two resolutions".
"""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from ser.plots.style import BLUE, INK, drawing, set_alt, set_title

FREQUENCIES = (250, 500, 1000, 2000, 4000, 8000)


def waveform(
    wave: ArrayLike, rate: int = 16000, title: str | None = None, ax: Axes | None = None
) -> Figure:
    """Amplitude over time, on the whole scale of -1 to 1, so that loud and quiet look so.

    Args:
        wave: (samples,) mono, full scale 1.
        rate: samples a second.
        title: of the figure.
        ax: axes to draw into.

    Returns:
        Figure.
    """
    wave = np.asarray(wave, dtype=float).ravel()
    if wave.size == 0:
        raise ValueError("no samples to draw")
    block = max(1, wave.size // 2000)
    # Least and largest sample of each block: the outline stays true however long the clip is.
    padded = np.concatenate([wave, np.full(-wave.size % block, wave[-1])]).reshape(-1, block)
    seconds = np.arange(len(padded)) * block / rate
    with drawing(ax, 2.5) as (fig, ax):
        if block > 1:
            ax.fill_between(seconds, padded.min(1), padded.max(1), color=BLUE, linewidth=0.4)
        else:
            ax.plot(seconds, wave, color=BLUE, linewidth=0.9)
        ax.set_xlim(0, wave.size / rate)
        ax.set_ylim(-1, 1)
        ax.set_xlabel("time, s")
        ax.set_ylabel("amplitude\n(full scale 1)")
        ax.grid(axis="y")
        set_title(ax, title)
    level = 20 * np.log10(max(1e-10, float(np.sqrt(np.mean(wave**2)))))
    peak = float(np.abs(wave).max())
    length = wave.size / rate
    text = f"Waveform of {length:.2f} s, level {level:.0f} dB re full scale, peak {peak:.2f}."
    return set_alt(fig, f"{title}. {text}" if title else text)


def spectrogram(
    s: ArrayLike,
    title: str | None = None,
    ax: Axes | None = None,
    *,
    rate: int = 16000,
    hop: int | None = None,
    seconds: float | None = None,
    limits: tuple[float, float] | None = None,
) -> Figure:
    """A mel-spectrogram: time, mel frequency, level as colour.

    Args:
        s: (n_mels, frames) in dB.
        title: of the figure.
        ax: axes to draw into.
        rate: samples a second of the sound.
        hop: samples a frame; default ``2 * n_mels``, as n_mels = n_fft/4 and hop = n_fft/2.
        seconds: duration, where frames were squashed to a fixed number.
        limits: lowest and highest level of the colours in dB; default 80 dB below the highest.

    Returns:
        Figure.
    """
    s = np.asarray(s, dtype=float)
    if s.ndim != 2 or s.size == 0:
        raise ValueError(f"a spectrogram is (n_mels, frames), not {s.shape}")
    bands, frames = s.shape
    length = seconds or frames * (hop or 2 * bands) / rate
    low, high = limits or (max(s.min(), s.max() - 80), s.max())
    if high <= low:
        low = high - 1
    with drawing(ax, 3.4) as (fig, ax):
        image = ax.imshow(
            s,
            origin="lower",
            aspect="auto",
            cmap=matplotlib.colormaps["magma"],
            vmin=low,
            vmax=high,
            extent=(0, length, 0, bands),
            interpolation="nearest",
        )
        shown = [f for f in FREQUENCIES if f <= rate / 2]
        places = bands * slaney_mel(np.array(shown)) / slaney_mel(np.array(rate / 2))
        ax.set_yticks(places, [f"{f}" for f in shown])
        ax.set_xlabel("time, s")
        ax.set_ylabel("frequency, Hz (mel)")
        fig.colorbar(image, ax=ax, pad=0.02).set_label("level, dB")
        set_title(ax, title)
    energy = 10 ** (s / 10)
    top = energy.sum(1).argmax()
    at = mel_to_hz((top + 0.5) / bands * slaney_mel(np.array(rate / 2)))
    text = (
        f"Mel-spectrogram of {length:.2f} s, {bands} bands by {frames} frames, levels from "
        f"{s.min():.0f} to {s.max():.0f} dB, most energy near {round(float(at), -1):.0f} Hz."
    )
    return set_alt(fig, f"{title}. {text}" if title else text)


def spectrogram_pair(
    s1: ArrayLike,
    s2: ArrayLike,
    title: str | None = None,
    *,
    rate: int = 16000,
    seconds: float | None = None,
) -> Figure:
    """S1 (fine in time) above S2 (fine in frequency), on one time axis; titles say bands × frames.

    Args:
        s1, s2: (n_mels, frames) in dB, as :func:`ser.mel_pair` gives them.
        title: of the figure.
        rate: samples a second of the sound.
        seconds: duration, where frames were squashed to a fixed number.

    Returns:
        Figure.
    """
    pair = [np.asarray(s, dtype=float) for s in (s1, s2)]
    names = ("S1, fine in time", "S2, fine in frequency")
    with drawing(None, 6.2, 2, sharex=True) as (fig, axes):
        for ax, s, name in zip(axes, pair, names, strict=True):
            shape = f"{name} ({s.shape[0]} × {s.shape[1]})"
            first = title and ax is axes[0]
            spectrogram(s, f"{title}\n{shape}" if first else shape, ax, rate=rate, seconds=seconds)
        axes[0].set_xlabel("")
    return fig


def mfcc(
    values: ArrayLike,
    title: str | None = None,
    ax: Axes | None = None,
    hop_seconds: float = 0.01,
) -> Figure:
    """The 39 numbers of every frame, each scaled to its own mean and standard deviation.

    Args:
        values: (frames, 39): 12 MFCC and energy, their deltas, their accelerations.
        title: of the figure.
        ax: axes to draw into.
        hop_seconds: seconds a frame.

    Returns:
        Figure.
    """
    values = np.asarray(values, dtype=float)
    if values.ndim != 2 or values.size == 0:
        raise ValueError(f"MFCCs are (frames, numbers), not {values.shape}")
    frames, count = values.shape
    spread = values.std(0)
    scaled = (values - values.mean(0)) / np.where(spread > 0, spread, 1)
    with drawing(ax, 4.4) as (fig, ax):
        image = ax.imshow(
            scaled.T,
            aspect="auto",
            cmap=matplotlib.colormaps["PuOr"],
            vmin=-3,
            vmax=3,
            extent=(0, frames * hop_seconds, count, 0),
            interpolation="nearest",
        )
        ax.set_xlabel("time, s")
        if count == 39:
            for edge in (13, 26):
                ax.axhline(edge, color=INK, linewidth=1.2)
            rows = (0.5, 5.5, 12.5, 19.5, 32.5)
            ax.set_yticks(rows, ["c1", "c6", "energy", "deltas", "acceler-\nations"])
            ax.tick_params(axis="y", length=0)
        else:
            ax.set_ylabel("coefficient")
        fig.colorbar(image, ax=ax, pad=0.02, extend="both").set_label("standard deviations")
        set_title(ax, title)
    length = frames * hop_seconds
    text = f"{count} MFCC features over {frames} frames, {length:.2f} s, each scaled to its spread."
    return set_alt(fig, f"{title}. {text}" if title else text)


def slaney_mel(hertz: np.ndarray) -> np.ndarray:
    """Slaney's mel scale (librosa's default): linear to 1000 Hz, logarithmic above."""
    hertz = np.asarray(hertz, dtype=float)
    logarithmic = 15 + 27 * np.log(np.maximum(hertz, 1000) / 1000) / np.log(6.4)
    return np.where(hertz < 1000, 3 * hertz / 200, logarithmic)


def mel_to_hz(mel: float | np.ndarray) -> np.ndarray:
    """Inverse of :func:`slaney_mel`.

    Example:
        >>> mel_to_hz(slaney_mel(np.array([440.0, 4000.0]))).round(6).tolist()
        [440.0, 4000.0]
    """
    mel = np.asarray(mel, dtype=float)
    return np.where(mel < 15, mel * 200 / 3, 1000 * 6.4 ** ((np.maximum(mel, 15) - 15) / 27))
