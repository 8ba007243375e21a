"""Features learnt from much speech: wav2vec 2.0, HuBERT, WavLM, used frozen.

A pipeline of torchaudio turns a waveform into one vector a layer every 20 ms; their mean over
layers and time describes the utterance. The weights are files of some hundred MB. They are never
downloaded from here: where one is missing, the error says where it belongs and how to get it.
Book: chapter "What came after".
"""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import numpy as np

from ser.errors import FeatureError
from ser.features.compute import Compute
from ser.features.presets import SAMPLE_RATE
from ser.features.utterance_values import UtteranceValues, utterance_values

if TYPE_CHECKING:
    from ser.corpora.base import Corpus

SHORTEST = 400
"""25 ms in samples: what the first vector of such a network sees; shorter sounds are followed by
zeros."""


def learnt(
    corpus: Corpus,
    cache: str | Path | None = None,
    progress: bool = True,
    skip_bad: bool = False,
    model: str = "WAV2VEC2_BASE",
) -> UtteranceValues:
    """One vector an utterance: the mean over layers and time of a frozen network's outputs.

    Utterances are computed one by one, for the first layer of some of these networks normalises
    over time, padding included.

    Args:
        corpus: its ``table`` is used.
        cache: folder of the cache; None: ``$SER_CACHE`` or the user's cache folder.
        progress: show a progress bar.
        skip_bad: leave utterances out whose audio cannot be read; else they are an error.
        model: a pipeline of ``torchaudio.pipelines`` (see :func:`pipelines`).

    Returns:
        UtteranceValues with values (utterances, size), 768 numbers for the networks called BASE.

    Raises:
        FeatureError: torchaudio is not installed, no such pipeline, weights that are not on disk
            or cannot be read, audio that cannot be read, or a cache that cannot be written.

    Example:
        >>> from ser import load_corpus
        >>> learnt(load_corpus("emodb", root)).values.shape      # doctest: +SKIP
        (339, 768)
    """
    parameters = {"set": "learnt", "model": model, "weights": weights_digest(model), "version": 1}
    return utterance_values(corpus, parameters, _compute(model), cache, progress, skip_bad)


def pipelines() -> dict[str, Any]:
    """torchaudio's pipelines without a speech recogniser on top, by their names.

    Raises:
        FeatureError: torchaudio is not installed.

    Example:
        >>> "WAV2VEC2_BASE" in pipelines()
        True
    """
    try:
        from torchaudio import pipelines as module
    except ImportError as error:
        raise FeatureError(
            f"features learnt from much speech need torchaudio ({error}); run: pip install "
            "'ser-book[ssl]'"
        ) from error
    return {n: b for n, b in vars(module).items() if type(b) is module.Wav2Vec2Bundle}


def weights_file(model: str) -> Path:
    """Where the weights of a pipeline belong: torch.hub's folder of checkpoints.

    Raises:
        FeatureError: torchaudio is not installed, or has no such pipeline.

    Example:
        >>> weights_file("HUBERT_BASE").name
        'hubert_fairseq_base_ls960.pth'
    """
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints" / Path(_bundle(model)._path).name


def weights_digest(model: str) -> str:
    """SHA-256 of the weights of a pipeline.

    Raises:
        FeatureError: as :func:`weights_file`, or the file is not there.
    """
    file = weights_file(model)
    try:
        with open(file, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        address = urljoin("https://download.pytorch.org/torchaudio/models/", _bundle(model)._path)
        raise FeatureError(
            f"{file}: the weights of {model} are not there ({error.strerror}), and nothing is "
            "downloaded by itself (BASE: some 370 MB). To get them, with Internet: python -c "
            f'"import torchaudio; torchaudio.pipelines.{model}.get_model()", or put the file '
            f"{address} there. torchaudio publishes no checksum of it; the SHA-256 of the "
            "file that was used stands in the record of a run"
        ) from error


def _bundle(model: str) -> Any:
    if model not in (known := pipelines()):
        raise FeatureError(f"no pipeline {model!r}; there are {', '.join(sorted(known))}")
    return known[model]


def _network(model: str) -> Any:
    """The network with its weights, read as tensors only."""
    file = weights_file(model)
    given = {"model_dir": str(file.parent), "file_name": file.name, "weights_only": True}
    try:
        return _bundle(model).get_model(dl_kwargs=given).requires_grad_(False)
    except Exception as error:  # torch names many kinds of a file that is none of weights
        told = str(error).strip().partition("\n")[0]
        raise FeatureError(
            f"{file}: not the weights of {model} ({type(error).__name__}: {told}); get them again"
        ) from error


def _compute(model: str) -> Compute:
    """Waveforms -> their vectors; the network is read when the first of them comes."""
    if _bundle(model).sample_rate != SAMPLE_RATE:
        raise FeatureError(f"{model} hears {_bundle(model).sample_rate} Hz, not {SAMPLE_RATE}")
    networks, lock = [], threading.Lock()

    def describe(waves: list[np.ndarray]) -> list[list[np.ndarray]]:
        """Waves (samples,) at 16 kHz -> one (channels,) each: the mean over layers and time.

        Waves of any length, one at a time: padding would be heard. The first call reads the
        weights and raises FeatureError where they are missing or none (book: "What came after").
        """
        import torch

        with lock:
            if not networks:
                networks.append(_network(model))
        rows = []
        with torch.inference_mode():
            for wave in waves:
                wave = np.pad(wave, (0, max(SHORTEST - len(wave), 0))).astype(np.float32)
                layers, _ = networks[0].extract_features(torch.from_numpy(wave)[None])
                rows.append([torch.stack(layers).mean((0, 2))[0].numpy()])
        return rows

    return describe
