"""Figures of one frame on its way to its cepstra, and of what the cepstra keep.

Book: chapter "MFCC: a spectrum in a few numbers".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from ser.plots.style import BLUE, GREY, ORANGE, drawing, set_alt

from chapters.mfcc.envelope import SIZE, smooth_spectrum
from chapters.shared.svg import colour

DECIBEL = 10 / np.log(10)
"""Decibels of power in one neper of power, the unit of a natural logarithm."""
MFCC = colour("mfcc")
LOOKS = ((ORANGE, "--"), (MFCC, "-"))


def one_frame(
    samples: ArrayLike, power: ArrayLike, place: ArrayLike, bands: ArrayLike, cepstra: ArrayLike
) -> Figure:
    """Three panels: the windowed samples, the powers with the levels of the bands, the cepstra.

    Args:
        samples: (L,) of the frame under its window, 16 kHz.
        power: (bins,).
        place: (bins,) of every power, in steps of the mel axis; band m stands at m + 1.
        bands: (M,) natural logarithms.
        cepstra: (K,) coefficients 1 to K.

    Returns:
        Figure.

    Example:
        >>> fig = one_frame(np.ones(400), np.ones(257), np.linspace(0, 27, 257), np.ones(26),
        ...                 np.arange(1, 13))
        >>> fig.ser_alt[-38:]
        '12 coefficients, the largest one c_12.'
    """
    samples, bands, cepstra = (np.asarray(part, dtype=float) for part in (samples, bands, cepstra))
    k = np.arange(1, len(cepstra) + 1)
    with drawing(height=6.6, rows=3) as (fig, (one, two, three)):
        one.plot(np.arange(len(samples)) / 16, samples, color=BLUE)
        one.set(xlabel="time in the frame, ms", ylabel="sample")
        two.plot(place, 10 * np.log10(np.maximum(1, power)), color=GREY, label="power")
        two.plot(np.arange(1, len(bands) + 1), DECIBEL * bands, "o-", color=MFCC, label="bands")
        two.set(xlabel="steps on the mel axis", ylabel="level, dB")
        two.legend()
        three.bar(k, cepstra, color=MFCC)
        three.set(xlabel="coefficient k", ylabel="$c_k$, liftered")
        three.set_xticks(k)
    return set_alt(
        fig,
        f"Three panels. A windowed wave of {len(samples) / 16:.0f} ms; its power spectrum with the "
        f"levels of {len(bands)} bands. {len(k)} coefficients, the largest one "
        f"c_{k[np.abs(cepstra).argmax()]}.",
    )


def envelopes(power: ArrayLike, counts: Sequence[int] = (4, 13)) -> Figure:
    """A power spectrum, and the smooth curves that its first cepstra describe.

    Args:
        power: (257,) of 512 samples at 16 kHz.
        counts: cepstra kept, the constant among them; one or two numbers.

    Returns:
        Figure.

    Example:
        >>> envelopes(np.ones(257)).ser_alt
        'Level over frequency: a spectrum and its smooth curves of 4 and 13 coefficients.'
    """
    power = np.maximum(np.asarray(power, dtype=float), 1e-12)
    hertz = np.fft.rfftfreq(SIZE, 1 / 16000)
    with drawing(height=3.9) as (fig, ax):
        ax.plot(hertz, 10 * np.log10(power), label="real", color=GREY, linewidth=1)
        for count, (shade, dash) in zip(counts, LOOKS, strict=False):
            curve = 10 * np.log10(smooth_spectrum(power[None], count)[0])
            name = f"{count} coefficients"
            ax.plot(hertz, curve, label=name, color=shade, linestyle=dash, linewidth=2)
        ax.set(xlabel="frequency, Hz", ylabel="level, dB")
        fig.legend(loc="outside lower center", ncols=3)
    named = " and ".join(str(count) for count in counts)
    return set_alt(
        fig, f"Level over frequency: a spectrum and its smooth curves of {named} coefficients."
    )


def error_curve(error: ArrayLike) -> Figure:
    """How far the smooth curve is from the bands, by the number of coefficients kept; 13 marked.

    Args:
        error: dB with 1, 2, ... coefficients; at least 13.

    Returns:
        Figure.

    Example:
        >>> error_curve(np.linspace(9, 0, 25)).ser_alt
        'Error against number of coefficients: 9.0 dB with one, 4.5 dB with thirteen.'
    """
    error = np.asarray(error, dtype=float)
    with drawing(height=3) as (fig, ax):
        ax.plot(np.arange(1, len(error) + 1), error, "o-", color=MFCC, markersize=4)
        ax.plot(13, error[12], "D", color=ORANGE, markersize=9)
        ax.set(xlabel="coefficients kept", ylabel="error, dB", ylim=0)
        ax.grid(axis="y")
    return set_alt(
        fig,
        f"Error against number of coefficients: {error[0]:.1f} dB with one, {error[12]:.1f} dB "
        "with thirteen.",
    )
