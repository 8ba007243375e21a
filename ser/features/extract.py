"""From a corpus to :class:`Features`: read what the cache lacks, compute it, keep it."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ser.corpora.base import EMOTIONS
from ser.errors import FeatureError
from ser.features import mel, mfcc
from ser.features.compute import compute_missing
from ser.features.presets import INT16_SCALE, SAMPLE_RATE, Preset, get_preset
from ser.features.prosody import PARAMETERS, prosody_of
from ser.features.speed import change_speed, check_speed
from ser.features.table import Features

if TYPE_CHECKING:
    from ser.corpora.base import Corpus

FEATURE_VERSION = 6
"""Of the MFCCs and spectrograms; raised whenever the same audio would give other numbers, be it in
their last bits: old caches are then left alone."""


def parameters(preset: Preset, speed: float = 1.0) -> dict:
    """Everything the numbers depend on besides the audio; hashed into the cache folder's name."""
    return {
        "speed": float(speed),
        "version": FEATURE_VERSION,
        "rate": SAMPLE_RATE,
        "scale": INT16_SCALE,
        "mel": [*preset.n_fft, *preset.hop_length, *preset.n_mels],
        "floor": mel.FLOOR,
        "mfcc": [mfcc.FRAME, mfcc.HOP, mfcc.BANDS, mfcc.CEPSTRA, mfcc.LIFTER, mfcc.EMPHASIS],
    }


def extract(
    corpus: Corpus,
    preset: str | Preset = "release",
    cache: str | Path | None = None,
    progress: bool = True,
    skip_bad: bool = False,
    speed: float = 1.0,
    prosody: bool = False,
) -> Features:
    """MFCCs and mel-spectrograms of every utterance of *corpus*, from the cache where it has them.

    Args:
        corpus: what ``load_corpus`` returns; its ``table`` is used.
        preset: ``"release"`` or ``"paper"``.
        cache: folder of the cache; None: ``$SER_CACHE`` or the user's cache folder.
        progress: show a progress bar.
        skip_bad: leave utterances out whose audio cannot be read; else they are an error.
        speed: play the audio this many times as fast, pitch and formants included
            (:func:`change_speed`). Each speed has its own folder in the cache.
        prosody: compute :mod:`ser.features.prosody` as well (needs openSMILE), in its own folder.

    Returns:
        Features: rows of ``corpus.table`` in order (less those left out). Spectrograms have their
        true lengths; the preset's squash is applied when batches are made.

    Raises:
        FeatureError: audio that cannot be read (all files are tried first, the message lists the
            first few), an empty table, a cache that cannot be written, or a speed outside 0.5..2.

    Example:
        >>> from ser import load_corpus
        >>> features = extract(load_corpus("synthetic"))         # doctest: +SKIP
        >>> features.mel(0)[0].shape                             # doctest: +SKIP
        (128, 121)
    """
    preset = get_preset(preset)
    if len(corpus.table) == 0:
        raise FeatureError(f"{corpus.name}: no utterances; `{corpus.check_command}` says why")
    check_speed(speed)
    name = corpus.name if speed == 1 else f"{corpus.name} at speed {speed:g}"
    compute = functools.partial(features_of, preset=preset, speed=speed)
    store, table, keys, report = compute_missing(
        corpus, parameters(preset, speed), compute, cache, progress, skip_bad, name
    )
    frames = None
    if prosody:
        made = PARAMETERS if speed == 1 else PARAMETERS | {"speed": float(speed)}
        compute = functools.partial(prosody_of, speed=speed)
        heard, name = replace(corpus, table=table), f"{name} (prosody)"
        frames, *_, also = compute_missing(heard, made, compute, cache, progress, name=name)
        for part in ("computed", "computed_seconds"):
            report[part] = max(report[part], also[part])
        report["wall_seconds"] += also["wall_seconds"]
    told = {"name": corpus.name, "licence": corpus.licence, "citation": corpus.citation}
    if corpus.emotions != EMOTIONS:
        told["emotions"] = list(corpus.emotions)
    return Features(table, keys, preset, store, told, report, frames)


def features_of(
    waves: list[np.ndarray], preset: Preset, speed: float = 1.0
) -> list[list[np.ndarray]]:
    """MFCC (frames, 39), S1 (n_mels1, T1) and S2 (n_mels2, T2) of each waveform."""
    waves = [change_speed(wave, speed) for wave in waves]
    return [
        [part.numpy() for part in (mfcc.mfcc39(wave), *mel.mel_pair(wave, preset))]
        for wave in waves
    ]
