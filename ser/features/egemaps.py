"""Functionals of openSMILE: eGeMAPS, 88 hand-made numbers an utterance, and ComParE, 6,373.

eGeMAPS (extended Geneva Minimalistic Acoustic Parameter Set v02) was chosen by people, small;
ComParE 2016, of the challenges of that name, is many statistics of 65 descriptors and their slopes.
Both are computed on the waveform that ``load_audio`` gives, and kept in the same kind of cache as
the other features. openSMILE works on 16-bit integers: samples are cut to full scale and truncated.
Digital silence gives finite values (F0 and jitter 0, equivalent sound level -120 dB). openSMILE has
no value for sounds shorter than 60 ms; they are followed by zeros up to that. A value that
openSMILE leaves undefined is 0 here. Book: chapter "EmoDB, measured".
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ser.features.presets import SAMPLE_RATE
from ser.features.prosody import as_heard, opensmile_for
from ser.features.utterance_values import UtteranceValues, utterance_values

if TYPE_CHECKING:
    from ser.corpora.base import Corpus

SETS: dict[str, int] = {"eGeMAPSv02": 88, "ComParE_2016": 6373}
"""openSMILE's name of a set -> how many numbers."""


def egemaps(
    corpus: Corpus,
    cache: str | Path | None = None,
    progress: bool = True,
    skip_bad: bool = False,
) -> UtteranceValues:
    """eGeMAPS v02 functionals of every utterance.

    Args:
        corpus: its ``table`` is used.
        cache: folder of the cache; None: ``$SER_CACHE`` or the user's cache folder.
        progress: show a progress bar.
        skip_bad: leave utterances out whose audio cannot be read; else they are an error.

    Returns:
        UtteranceValues with values (utterances, 88), columns as :func:`egemaps_names`.

    Raises:
        FeatureError: opensmile is not installed (and something is not in the cache), audio that
            cannot be read, or a cache that cannot be written.

    Source: Eyben et al., "The Geneva Minimalistic Acoustic Parameter Set (GeMAPS) for Voice
    Research and Affective Computing", IEEE Transactions on Affective Computing 7(2), 2016.

    Example:
        >>> from ser import load_corpus
        >>> egemaps(load_corpus("emodb", root)).values.shape     # doctest: +SKIP
        (339, 88)
    """
    parameters = {"set": "eGeMAPSv02", "level": "functionals", "version": 3}
    return utterance_values(corpus, parameters, _functionals, cache, progress, skip_bad)


def compare(
    corpus: Corpus,
    cache: str | Path | None = None,
    progress: bool = True,
    skip_bad: bool = False,
) -> UtteranceValues:
    """ComParE 2016 functionals of every utterance; arguments and errors as :func:`egemaps`.

    Returns:
        UtteranceValues with values (utterances, 6373), columns as openSMILE names them.

    Source: Schuller et al., "The INTERSPEECH 2016 Computational Paralinguistics Challenge:
    Deception, Sincerity and Native Language", Interspeech 2016.

    Example:
        >>> from ser import load_corpus
        >>> compare(load_corpus("emodb", root)).values.shape     # doctest: +SKIP
        (339, 6373)
    """
    parameters = {"set": "ComParE_2016", "level": "functionals", "version": 1}

    def many(waves: list[np.ndarray]) -> list[list[np.ndarray]]:
        return _functionals(waves, "ComParE_2016")

    return utterance_values(corpus, parameters, many, cache, progress, skip_bad)


def egemaps_names() -> list[str]:
    """openSMILE's names of the 88 columns.

    Raises:
        FeatureError: opensmile is not installed.

    Example:
        >>> egemaps_names()[0]                                   # doctest: +SKIP
        'F0semitoneFrom27.5Hz_sma3nz_amean'
    """
    return list(_smile().feature_names)


def installed() -> bool:
    """Whether eGeMAPS can be computed here, and not only read from a cache."""
    return importlib.util.find_spec("opensmile") is not None


def _smile(which: str = "eGeMAPSv02") -> Any:
    opensmile = opensmile_for(which)
    return opensmile.Smile(
        feature_set=opensmile.FeatureSet[which],
        feature_level=opensmile.FeatureLevel.Functionals,
    )


def _functionals(waves: list[np.ndarray], which: str = "eGeMAPSv02") -> list[list[np.ndarray]]:
    smile = _smile(which)
    rows = []
    for wave in waves:
        values = smile(as_heard(wave), SAMPLE_RATE).astype(np.float32).reshape(SETS[which])
        rows.append([np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)])
    return rows
