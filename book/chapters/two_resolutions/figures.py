"""Figures: what windows tell apart, power beside level, two clips of one length.

Book: chapter "Two resolutions".
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from ser.plots.style import BLUE, INK, ORANGE, drawing, set_alt

from chapters.shared.windows import DIP, WINDOWS

STRIP = {
    "origin": "lower",
    "aspect": "auto",
    "cmap": colormaps["magma"],
    "interpolation": "nearest",
}


def dip_curves(dips: ArrayLike, rate: int = 16000) -> Figure:
    """How deep the level falls between two bursts and between two harmonics, by window.

    Args:
        dips: (windows, 2) in dB, a row for each of :data:`chapters.shared.windows.WINDOWS`.
        rate: samples a second.

    Returns:
        Figure.

    Example:
        >>> dip_curves(np.tile([[9.0, 0.0]], (12, 1))).ser_alt[:47]
        'Dip against window length, 4 to 128 ms. Bursts:'
    """
    dips = np.asarray(dips, dtype=float)
    ms = 1000 * np.array(WINDOWS) / rate
    with drawing(height=3.4) as (fig, ax):
        ax.plot(ms, dips[:, 0], "o-", color=BLUE, label="bursts")
        ax.plot(ms, dips[:, 1], "s--", color=ORANGE, label="harmonics")
        ax.axhline(DIP, color=INK, linewidth=1, linestyle=":")
        ax.set(xscale="log", ylim=(-0.5, 20))
        ax.set_xticks([4, 8, 16, 32, 64, 128], [4, 8, 16, 32, 64, 128])
        ax.minorticks_off()
        ax.set(xlabel="length of the window, ms", ylabel="dip, dB")
        ax.legend()
    bursts, harmonics = ((d >= DIP).sum() for d in dips.T)
    return set_alt(
        fig,
        f"Dip against window length, {ms[0]:.0f} to {ms[-1]:.0f} ms. Bursts: told apart by the "
        f"{bursts} shortest windows. Harmonics: by the {harmonics} longest.",
    )


def power_and_level(power: ArrayLike, level: ArrayLike, seconds: float) -> Figure:
    """One mel-spectrogram twice: as power and in decibels, 80 dB deep.

    Args:
        power: (bands, frames).
        level: (bands, frames) in dB.
        seconds: duration.

    Returns:
        Figure.

    Example:
        >>> power_and_level(np.ones((4, 9)), np.zeros((4, 9)), 1.0).ser_alt[:39]
        'Two pictures of one mel-spectrogram. Po'
    """
    level = np.asarray(level, dtype=float)
    extent = (0, seconds, 0, len(level))
    with drawing(height=5, rows=2, sharex=True) as (fig, axes):
        axes[0].imshow(power, extent=extent, **STRIP)
        axes[0].set_title("power as it is")
        axes[1].imshow(level, vmin=level.max() - 80, extent=extent, **STRIP)
        axes[1].set_title("the same in decibels, 80 dB deep")
        for ax in axes:
            ax.set_ylabel("mel band")
        axes[1].set_xlabel("time, s")
    return set_alt(
        fig,
        "Two pictures of one mel-spectrogram. Power: dark but for a few spots. Decibels: the whole "
        "utterance with its gaps.",
    )


def squashed_pair(fed: Mapping[str, ArrayLike], seconds: Mapping[str, float]) -> Figure:
    """Clips of different duration that were brought to one number of frames.

    Args:
        fed: name -> (bands, frames) in dB, two of them.
        seconds: name -> duration before.

    Returns:
        Figure.

    Example:
        >>> flat = np.zeros((4, 9))
        >>> squashed_pair({"a": flat, "b": flat}, {"a": 1.0, "b": 2.0}).ser_alt
        'Squashed mel-spectrograms of equal width: a, 1.00 s in 9 frames; b, 2.00 s in 9 frames.'
    """
    said = []
    with drawing(height=5.6, rows=2, sharex=True) as (fig, axes):
        for ax, (name, s) in zip(axes, fed.items(), strict=True):
            s = np.asarray(s, dtype=float)
            shown = f"{seconds[name]:.2f} s in {s.shape[1]} frames"
            ax.imshow(s, vmin=s.max() - 80, extent=(0, s.shape[1], 0, len(s)), **STRIP)
            ax.set_title(f"{name}: {shown}")
            ax.set_ylabel("mel band")
            said.append(f"{name}, {shown}")
        axes[-1].set_xlabel("frame after the squash")
    return set_alt(fig, f"Squashed mel-spectrograms of equal width: {'; '.join(said)}.")
