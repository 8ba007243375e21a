"""What lies near what in a corpus, and what a linear classifier needs there, as one record.

The record is plain JSON of some tens of kilobytes, and all figures of :mod:`ser.plots.voices` are
drawn from it, so that a page shows them where the corpus is not.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ser.errors import RecordError
from ser.explain.functionals import FOLDS, REPEATS, SETTING, importance
from ser.features.utterance_values import normalised_values
from ser.normalise import drawn

if TYPE_CHECKING:
    from ser.corpora.base import Corpus

KIND = "ser explain --corpus"
FORMAT = 1
POINTS = 500
"""Utterances that are drawn; of a larger corpus so many are taken, by their names and the seed."""
NEIGHBOURS = 10
"""Nearest utterances, in the 88 scaled numbers, that are looked at."""
WAYS: dict[str, str] = {"egemaps-lr": "as they are", "egemaps-lr+": "by speaker"}
"""Rows of the results table -> what was done to the functionals before."""

NAMED: dict[str, tuple[str, str]] = {
    "F0semitoneFrom27.5Hz_sma3nz_amean": ("mean pitch", "semitones above 27.5 Hz"),
    "F0semitoneFrom27.5Hz_sma3nz_pctlrange0-2": ("range of pitch", "semitones"),
    "equivalentSoundLevel_dBp": ("sound level", "dB"),
    "loudnessPeaksPerSec": ("peaks of loudness", "a second"),
    "hammarbergIndexV_sma3nz_amean": ("Hammarberg index, voiced", "dB"),
    "HNRdBACF_sma3nz_amean": ("harmonics-to-noise ratio", "dB"),
}
"""Functionals whose distributions are shown: openSMILE's name -> words and unit."""


def explain_corpus(
    corpus: Corpus,
    cache: str | os.PathLike | None = None,
    progress: bool = True,
    repeats: int = REPEATS,
    seed: int = 0,
    skip_bad: bool = False,
) -> dict[str, Any]:
    """Importance of groups of functionals, a map of the utterances, and distributions by emotion.

    Args:
        corpus: of :func:`ser.load_corpus`.
        cache: folder of the cache of functionals; None: the usual one.
        progress: show a progress bar.
        repeats: how often each group is dealt anew.
        seed: of dealing, map and draw.
        skip_bad: leave utterances out whose audio cannot be read; else they are an error.

    Returns:
        The record, JSON-able: ``corpus``, ``licence``, ``utterances``, ``speakers`` and ``classes``
        (names), ``setting``, ``importance`` (row -> :func:`ser.explain.functionals.importance`),
        ``shown`` (utterances drawn), ``emotion`` and ``speaker`` of each (numbers), ``map`` (way ->
        ``x``, ``y`` of each, whole numbers without a unit), ``near`` (way -> shares in percent of
        the :data:`NEIGHBOURS` nearest utterances that have the same ``speaker``, ``emotion``),
        ``chance`` (of both), ``named`` (list of ``name``, ``unit``, ``values``).

    Raises:
        FeatureError: opensmile is not installed, or audio that cannot be read.
        ProtocolError: as :func:`ser.explain.functionals.importance`.

    Example:
        >>> from ser import load_corpus
        >>> record = explain_corpus(load_corpus("emodb", root))      # doctest: +SKIP
    """
    from sklearn.preprocessing import StandardScaler

    from ser.features.egemaps import egemaps, egemaps_names
    from ser.progress import counted

    found = egemaps(corpus, cache, progress, skip_bad)
    table, values, names = found.table, found.values.astype(np.float64), egemaps_names()
    speakers = sorted(table.speaker.unique())
    classes = [e for e in corpus.emotions if e in set(table.emotion)]
    emotion = table.emotion.map(classes.index).to_numpy()
    speaker = table.speaker.map(speakers.index).to_numpy()
    shown = np.sort(drawn(table.utterance.tolist(), seed)[:POINTS])
    told = {"mean": values.mean(0), "names": table.utterance.tolist()}
    own = normalised_values(values, "speaker", np.arange(len(values)), table.speaker, **told)
    ways = {"as they are": values, "by speaker": own}
    work = len(ways) * (min(len(speakers), FOLDS) + 3)
    measured, maps, near = {}, {}, {}
    with counted("explaining", work, "steps", progress, leave=False) as bar:
        for row, way in WAYS.items():
            measured[row] = importance(
                ways[way], emotion, table.speaker.tolist(), names, repeats, seed, bar.update
            )
        for way, numbers in ways.items():
            scaled = StandardScaler().fit_transform(numbers)
            near[way] = _near(scaled, {"speaker": speaker, "emotion": emotion})
            bar.update()
            maps[way] = _map(scaled[shown], seed)
            bar.update(2)
    return {
        "kind": KIND,
        "format": FORMAT,
        "corpus": corpus.name,
        "licence": corpus.licence,
        "utterances": len(table),
        "speakers": speakers,
        "classes": classes,
        "setting": SETTING,
        "seed": seed,
        "importance": measured,
        "near": near,
        "chance": {"speaker": _chance(speaker), "emotion": _chance(emotion)},
        "shown": len(shown),
        "emotion": emotion[shown].tolist(),
        "speaker": speaker[shown].tolist(),
        "map": maps,
        "named": [
            {
                "name": said,
                "unit": unit,
                "values": [float(f"{v:.3g}") for v in values[shown, names.index(name)]],
            }
            for name, (said, unit) in NAMED.items()
        ],
    }


def read_voices(path: str | os.PathLike) -> dict[str, Any]:
    """A record that ``ser explain --corpus NAME --json FILE`` wrote.

    Raises:
        RecordError: no such file, or another one.

    Example:
        >>> read_voices("results/voices/emodb.json")["corpus"]       # doctest: +SKIP
        'emodb'
    """
    again = "make it anew: ser explain --corpus NAME --json FILE"
    try:
        body = json.loads(Path(path).read_text(encoding="utf-8"))
        if body["kind"] != KIND:
            raise ValueError(f"its kind is {body['kind']!r:.40}")
        if body["format"] > FORMAT:
            raise RecordError(f"{path}: written by a later version of ser; update the package")
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, RecordError):
            raise
        raise RecordError(f"{path}: no record of a corpus's voices ({error}); {again}") from error
    return body


def _map(values: np.ndarray, seed: int) -> dict[str, list[int]]:
    """t-SNE (van der Maaten, Hinton, Journal of Machine Learning Research 9, 2008) in the plane."""
    from sklearn.manifold import TSNE

    perplexity = min(30.0, max(2.0, (len(values) - 1) / 4))
    plane = TSNE(2, init="pca", perplexity=perplexity, random_state=seed).fit_transform(values)
    plane = plane - (plane.max(0) + plane.min(0)) / 2
    whole = np.round(99 * plane / np.abs(plane).max()).astype(int)
    return {"x": whole[:, 0].tolist(), "y": whole[:, 1].tolist()}


def _near(values: np.ndarray, kinds: dict[str, np.ndarray]) -> dict[str, float]:
    from sklearn.neighbors import NearestNeighbors

    count = min(NEIGHBOURS, len(values) - 1)
    places = NearestNeighbors(n_neighbors=count).fit(values).kneighbors(return_distance=False)
    return {
        name: round(100 * float((kind[places] == kind[:, None]).mean()), 1)
        for name, kind in kinds.items()
    }


def _chance(kind: np.ndarray) -> float:
    """Percent of pairs of utterances that are of the same kind."""
    counts = np.bincount(kind)
    return round(100 * float((counts * (counts - 1)).sum() / (len(kind) * (len(kind) - 1))), 1)
