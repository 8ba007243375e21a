"""Features: against librosa's loop, against the duration of the sound, against corpus size."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.inputs import SAMPLE_RATE, made_up_corpus, noise
from ser.allocator import tune_allocator
from ser.corpora.base import Corpus
from ser.features import extract
from ser.features.mel import MelPair, mel_pair
from ser.features.presets import INT16_SCALE, PRESETS
from ser.threads import share_work

librosa = pytest.importorskip("librosa", reason="needs librosa, to compare with")
pytest.importorskip("soundfile", reason="needs soundfile, to write utterances")
ROOT = Path(__file__).resolve().parent.parent


def our_pair(waves: list[np.ndarray]) -> list[MelPair]:
    """The mel pair of each waveform, each on one core, as :func:`ser.features.extract` does."""
    found: list = [None] * len(waves)

    def some(start: int, stop: int) -> None:
        found[start:stop] = [mel_pair(wave) for wave in waves[start:stop]]

    share_work(len(waves), some, alone=True)
    return found


def librosa_pair(waves: list[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    """The mel pair of each waveform by librosa, one after the other, as the release made it."""
    preset = PRESETS["release"]
    return [
        tuple(
            librosa.power_to_db(
                librosa.feature.melspectrogram(
                    y=wave * INT16_SCALE, sr=SAMPLE_RATE, n_fft=n, hop_length=n // 2, n_mels=m
                ),
                top_db=None,
            )
            for n, m in zip(preset.n_fft, preset.n_mels, strict=True)
        )
        for wave in waves
    ]


def test_mel_pair_against_librosa(compare, quick):
    """Goal: 10 times. Both keep their pages, as all training here does."""
    tune_allocator()
    waves = [noise(1.5 + 0.1 * k, k) for k in range(4 if quick else 32)]
    first = librosa_pair(waves[:1])[0]
    assert np.abs(our_pair(waves[:1])[0].s1.numpy() - first[0]).max() < 0.1

    count = 1 if quick else 10

    def batches(compute: Callable[[list[np.ndarray]], object]) -> None:
        for _ in range(count):
            compute(waves)

    compare(
        lambda: batches(our_pair),
        lambda: batches(librosa_pair),
        against="librosa, one utterance after the other",
        goal=10,
        repeats=count,
    )


def corpus_sizes(full: int, quick: bool) -> list[int]:
    """Four sizes, each about four times the one before."""
    if quick:
        return [20, 60]
    return [max(full // 64, 20), max(full // 16, 40), max(full // 4, 80), full]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("made-up")


def test_all_three_inputs_against_real_time(benchmark, request, quick, folder, threads):
    """Goal: 300 times real time, linear in hours, memory that does not grow with the corpus."""
    sizes = corpus_sizes(request.config.getoption("--corpus-size"), quick)
    made_up_corpus(folder, sizes[-1])
    rows = []

    def all_sizes() -> None:
        for size in sizes:
            command = [sys.executable, "-m", "benchmarks.extraction", str(folder), str(size)]
            done = subprocess.run(
                [*command, str(threads)], cwd=ROOT, check=True, capture_output=True, text=True
            )
            rows.append(json.loads(done.stdout))

    benchmark.pedantic(all_sizes, rounds=1)
    last = rows[-1]
    benchmark.extra_info.update(
        against="the duration of the sound",
        plain_seconds=last["sound_seconds"],
        ratio=last["sound_seconds"] / last["wall_seconds"],
        kind="speedup",
        goal=300,
        axis="utterances",
        points=rows,
    )


def test_features_from_a_warm_cache(compare, folder, quick):
    """Opening what is there already, against computing it."""
    table = made_up_corpus(folder, 20 if quick else 200)
    warm, cold = folder / "warm", iter(range(1000))
    corpus = Corpus("made up", folder, table, table, licence="", citation="")
    extract(corpus, cache=warm, progress=False)
    compare(
        lambda: extract(corpus, cache=warm, progress=False),
        lambda: extract(corpus, cache=folder / f"cold{next(cold)}", progress=False),
        against="computing them",
        rounds=3,
    )
