"""Prosody frame by frame: the 25 low-level descriptors of eGeMAPS, one row every 10 ms.

Computed by openSMILE (extended Geneva Minimalistic Acoustic Parameter Set v02) on the waveform that
``load_audio`` gives. Row t begins at sample 160 t, as that of MFCCs; of n samples there are
``2 + (n - 960) // 160`` rows (96 of 1.000 s), and a sound shorter than 60 ms is followed by zeros
up to that. The columns:

====== =================================================== ============================ ==========
column what                                                unit                         sees
====== =================================================== ============================ ==========
0      loudness (auditory spectrum, summed)                openSMILE's own              20 ms
1, 2   alpha ratio, Hammarberg index                       dB                           20 ms
3, 4   slope of the spectrum, 0-500 and 500-1500 Hz        dB/Hz                        20 ms
5      spectral flux                                       openSMILE's own              20 ms
6-9    MFCC 1 to 4                                         as HTK's                     20 ms
10     F0                                                  semitones above 27.5 Hz      60 ms
11, 12 jitter (share of a period), shimmer                 1, dB                        periods
13     harmonics-to-noise ratio                            dB                           60 ms
14, 15 H1-H2, H1-A3                                        dB                           60 ms
16-24  formant 1 to 3: frequency, bandwidth, level on F0   Hz, Hz, dB                   20, 60 ms
====== =================================================== ============================ ==========

Each is a mean over three rows. What to beware of:

- Row t of column 10 sees 60 ms from where the row begins and column 0 only 20 ms, so F0 sees a
  voice that sets in 30 to 40 ms before loudness does.
- Without a voice openSMILE writes 0 into F0 and HNR, -201 into the formants' levels, and a plain
  number of Hz into their frequencies, which is a formant of nothing. Here columns 10 to 24 of such
  rows are NaN: there is no value. Jitter and shimmer are NaN as well where openSMILE could not
  measure them (0) though there is a voice. Means and deviations (:mod:`ser.normalise`) are over the
  numbers that are there, and after them NaN becomes 0, the mean.
- The last hundredths of a second, as long as no whole row fits, are in no row. They are in the
  functionals (:mod:`ser.features.egemaps`).

Book: chapter "Pitch, level and rate".
"""

from __future__ import annotations

from types import ModuleType

import numpy as np

from ser.errors import FeatureError
from ser.features.presets import SAMPLE_RATE
from ser.features.speed import change_speed

SIZE = 25
"""Columns."""
F0, JITTER, SHIMMER = 10, 11, 12
VOICED = slice(F0, SIZE)
"""The columns that have a value only where there is a voice."""
PARAMETERS = {"set": "eGeMAPSv02", "level": "descriptors, NaN without voice", "version": 1}
"""What the numbers depend on besides the audio; names the folder of the cache."""

SHORTEST = 960
"""60 ms in samples: openSMILE's longest frame."""


def opensmile_for(what: str) -> ModuleType:
    """The opensmile package; FeatureError where it is missing, for *what* cannot be without it."""
    try:
        import opensmile
    except ImportError as error:
        raise FeatureError(
            f"{what} needs the opensmile package ({error}); run: pip install 'ser-book[egemaps]'"
        ) from error
    return opensmile


def as_heard(wave: np.ndarray) -> np.ndarray:
    """A waveform within 16 bits' full scale and not shorter than :data:`SHORTEST`.

    Example:
        >>> as_heard(np.ones(2)).shape
        (960,)
    """
    return np.pad(np.clip(wave, -1.0, 32767 / 32768), (0, max(SHORTEST - len(wave), 0)))


def prosody25(wave: np.ndarray) -> np.ndarray:
    """The 25 descriptors of a waveform.

    Args:
        wave: (samples,) float, mono, 16 kHz, values in -1..1.

    Returns:
        float32 (rows, 25), NaN where there is no value.

    Raises:
        FeatureError: opensmile is not installed, or not a 1-D waveform.

    Source: Eyben et al., "The Geneva Minimalistic Acoustic Parameter Set (GeMAPS) for Voice
    Research and Affective Computing", IEEE Transactions on Affective Computing 7(2), 2016.

    Example:
        >>> prosody25(np.zeros(16000, dtype=np.float32)).shape   # doctest: +SKIP
        (96, 25)
    """
    return prosody_of([wave])[0][0]


def masked(values: np.ndarray) -> np.ndarray:
    """openSMILE's rows (rows, 25) with NaN where there is no value, float32, a copy.

    Example:
        >>> rows = np.ones((2, SIZE))
        >>> rows[0, F0] = rows[1, JITTER] = 0
        >>> np.isnan(masked(rows)).sum(axis=1).tolist()
        [15, 1]
    """
    values = np.array(values, dtype=np.float32, order="C")
    silent = values[:, F0] == 0
    for column in (JITTER, SHIMMER):
        values[values[:, column] == 0, column] = np.nan
    values[silent, VOICED] = np.nan
    values[~np.isfinite(values)] = np.nan
    return values


def prosody_of(waves: list[np.ndarray], speed: float = 1.0) -> list[list[np.ndarray]]:
    """:func:`prosody25` of several, as :func:`ser.features.compute.compute_missing` calls it.

    Args:
        waves: as in :func:`prosody25`.
        speed: play them this many times as fast (:func:`ser.features.speed.change_speed`).
    """
    opensmile, found = opensmile_for("prosody"), []
    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, "LowLevelDescriptors")
    for wave in waves:
        wave = np.asarray(wave, dtype=np.float32)
        if wave.ndim != 1:
            raise FeatureError(f"prosody is of one waveform (samples,), not {wave.shape}")
        found.append([masked(smile(as_heard(change_speed(wave, speed)), SAMPLE_RATE)[0].T)])
    return found
