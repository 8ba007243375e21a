"""A recording as the models hear it: one channel at 16 kHz, and what is odd about it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from ser.audio import LOUDEST, load_audio
from ser.errors import AudioError
from ser.features.presets import get_preset
from ser.sound_quality import Channels, listen

Sound = str | os.PathLike | np.ndarray
"""A file, or mono samples (n,) at 16 kHz, as :func:`samples` takes them."""


@dataclass(frozen=True, eq=False)
class Recording:
    """A sound that a model may be asked about.

    Attributes:
        name: what an answer and an error call it.
        wave: float32 (samples,) at 16 kHz. A DC offset that :func:`ser.sound_quality.listen` tells
            is taken away: nothing the models were trained on has one.
        oddities: kind of :data:`ser.sound_quality.EFFECTS` -> what was heard.

    Example:
        >>> one = Recording.of(np.full(16000, 0.5))
        >>> one.name, one.oddities, one.seconds
        ('samples', {'silence': 'silence (never beyond -70 dB)'}, 1.0)
    """

    name: str
    wave: np.ndarray
    oddities: dict[str, str]

    @classmethod
    def of(
        cls,
        sound: Sound,
        name: str = "samples",
        channels: Channels | None = None,
        part: bool = False,
    ) -> Recording:
        """Read a file, or take samples.

        Args:
            sound: the file or the samples.
            name, channels: of samples: what they are called; what was noted before they were mixed.
            part: cut out of a longer sound.

        Raises:
            AudioError: as :func:`ser.load_audio` and :func:`samples`.
        """
        channels = channels or Channels()
        if isinstance(sound, (str, os.PathLike)):
            name, wave = os.fspath(sound), load_audio(sound, heed=channels.add)
        else:
            wave = samples(sound, name)
        oddities = listen(wave, part) | channels.heard()
        if "offset" in oddities:
            wave = wave - np.float32(np.mean(wave, dtype=np.float64))
        return cls(name, wave, oddities)

    @property
    def seconds(self) -> float:
        """Its duration."""
        return len(self.wave) / 16000


def samples(values: np.ndarray, name: str = "samples") -> np.ndarray:
    """Mono samples as the models hear them, float32 within -1..1.

    Args:
        values: (n,), floats at full scale 1, or signed whole numbers at theirs.
        name: what an error calls them.

    Raises:
        AudioError: more than one dimension, another type, NaN, or far above full scale.

    Example:
        >>> samples(np.array([0, 16384], dtype=np.int16))
        array([0. , 0.5], dtype=float32)
    """
    values = np.asarray(values)
    if values.ndim != 1:
        raise AudioError(f"{name}: one channel (n,) is expected, not {values.shape}")
    if values.dtype.kind == "i":
        values = values / -float(np.iinfo(values.dtype).min)
    elif values.dtype.kind != "f":
        raise AudioError(f"{name}: {values.dtype} is not a sound; give floats or signed integers")
    if len(values) and not np.isfinite(peak := float(np.abs(values).max())):
        raise AudioError(f"{name}: some are NaN or infinite; check the recorder")
    if len(values) and peak > LOUDEST:
        raise AudioError(
            f"{name}: a peak of {peak:.3g}, full scale is 1; whole numbers kept as floats? "
            "Divide them by their full scale"
        )
    return values.astype(np.float32, copy=False)


def wave_features(waves: Sequence[np.ndarray], preset: str) -> SimpleNamespace:
    """The features of waveforms, each computed when :class:`ser.batch.Dataset` asks for it.

    Args:
        waves: float32 (samples,) each, at 16 kHz.
        preset: of the spectrograms.

    Example:
        >>> wave_features([np.zeros(16000, np.float32)], "release").mfcc(0).shape
        (98, 39)
    """
    from ser import features

    return SimpleNamespace(
        preset=(known := get_preset(preset)),
        mfcc=lambda i: features.mfcc39(waves[i]).numpy(),
        mel=lambda i: tuple(s.numpy() for s in features.mel_pair(waves[i], known)),
        prosody=lambda i: features.prosody25(waves[i]),
    )
