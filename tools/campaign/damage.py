"""Records, caches, packs, checkpoints and kept networks, damaged, against what they gave whole.

Right is the same answer as before (made anew, or damage without effect) or an error that names the
file. Another answer is wrong.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch

from ser.batch import Dataset
from ser.corpora import load_corpus
from ser.corpora.base import Corpus
from ser.experiments.config import RunConfig
from ser.experiments.grid import run
from ser.features import extract
from ser.features.pack import load_pack, save_pack
from ser.loading import load_model
from ser.models import build_model
from ser.prediction import predict
from ser.report import make_report
from ser.training.config import TrainConfig
from ser.training.loop import train
from tools.campaign.pool import Wrong
from tools.campaign.sounds import RATE, voice

KINDS = ("records", "cache", "pack", "checkpoint", "model")
TRAIN = TrainConfig(epochs=3, batch_size=8, hidden=8)


def make_manifest(folder: Path, speakers: int = 4, each: int = 2) -> Path:
    """A corpus of tones, each class at its own level, as a table."""
    rows = ["path,emotion,speaker"]
    (folder / "clips").mkdir(parents=True)
    for s in range(speakers):
        for e, emotion in enumerate(("angry", "happy", "neutral", "sad")):
            for k in range(each):
                name = f"clips/{s}{emotion}{k}.wav"
                wave = voice(0.4 + 0.05 * k, seed=100 * s + 10 * e + k) * (1 + e)
                soundfile.write(folder / name, wave / 5, RATE)
                rows.append(f"{name},{emotion},s{s}")
    path = folder / "my.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


class Stop(Exception):
    """Ends a training between two epochs."""


class Damage:
    """Makes the cases of this kind (see :func:`tools.campaign.pool.run_cases`)."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        torch.set_num_threads(1)
        self.folder = Path(tempfile.mkdtemp(prefix="campaign-"))
        self.whole, self.case = self.folder / "whole", self.folder / "case"
        self.corpus = load_corpus("manifest", make_manifest(self.folder / "corpus"))
        self.wave = voice(1.0)
        self._make()
        self.truth = {kind: self._answer(kind, self.whole / kind) for kind in KINDS}

    def _make(self) -> None:
        config = RunConfig(
            corpus="manifest",
            root=str(self.corpus.root),
            models=("mfcc-lstm", "majority"),
            folds=2,
            train=replace(TRAIN, epochs=2),
            jobs=1,
            out=self.whole / "records",
            cache=str(self.whole / "cache"),
            progress=False,
            select=("last", "dev", "test"),
        )
        run(config)
        models = self.whole / "records" / "models"
        shutil.move(
            next(p.parent for p in sorted(models.rglob("model.json"))), self.whole / "model"
        )
        shutil.rmtree(models)
        save_pack(self._features(self.corpus, self.whole / "cache"), self.whole / "pack")
        (self.whole / "checkpoint").mkdir()
        self._train(self.whole / "checkpoint", stop=2)

    @staticmethod
    def _features(corpus: Corpus, cache: Path) -> Any:
        return extract(corpus, cache=cache, progress=False)

    def _train(self, folder: Path, stop: int | None = None) -> np.ndarray:
        features = self._features(self.corpus, self.whole / "cache")
        rows = np.arange(len(self.corpus.table))
        labels = rows // 2 % 4
        data = [
            Dataset(features, part, labels[part], needs=frozenset({"mfcc"}))
            for part in (rows[rows % 4 > 0], rows[rows % 4 == 0])
        ]

        def ended(entry: dict) -> None:
            if entry["epoch"] == stop:
                raise Stop

        model = build_model("mfcc-lstm", hidden=8, seed=0)
        path = folder / "one.safetensors"
        try:
            return train(
                model, TRAIN, *data, checkpoint=path, fingerprint="campaign", on_epoch=ended
            ).test_logits
        except Stop:
            return np.zeros(0)

    def _answer(self, kind: str, folder: Path) -> Any:
        """What the files in *folder* say, comparable."""
        if kind == "records":
            report = make_report(folder)
            return report.to_text().replace(str(folder), ""), report.to_json()
        if kind == "model":
            found = predict(self.wave, load_model(folder, "cpu"))
            return json.dumps(found.probabilities)
        if kind == "checkpoint":
            copy = self.folder / "training"
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(folder, copy)
            return self._train(copy).tobytes()
        features = load_pack(folder) if kind == "pack" else self._features(self.corpus, folder)
        arrays = [a for i in range(len(features)) for a in (features.mfcc(i), *features.mel(i))]
        table = features.table
        told = table[["utterance", "emotion", "speaker"]].to_csv()
        return told, [(a.shape, np.ascontiguousarray(a).tobytes()) for a in arrays]

    def __call__(self, number: int) -> tuple[str, Callable[[], str]]:
        rng = np.random.default_rng([self.seed, number])
        kind = KINDS[number % len(KINDS)]
        shutil.rmtree(self.case, ignore_errors=True)
        shutil.copytree(self.whole / kind, self.case)
        files = sorted(p for p in self.case.rglob("*") if p.is_file() and p.stat().st_size)
        path = files[int(rng.integers(len(files)))]
        data = bytearray(path.read_bytes())
        mutation = MUTATIONS[int(rng.integers(len(MUTATIONS)))]
        done = mutation(data, rng)
        path.write_bytes(data)
        return f"{kind}: {path.name}: {done}", lambda: self._check(kind)

    def _check(self, kind: str) -> str:
        if self._answer(kind, self.case) != self.truth[kind]:
            raise Wrong("another answer, without a word")
        return "the same answer"


def _flip(data: bytearray, rng: np.random.Generator) -> str:
    place = int(rng.integers(len(data)))
    data[place] ^= 1 << int(rng.integers(8))
    return f"bit flipped at {place} of {len(data)}"


def _digit(data: bytearray, rng: np.random.Generator) -> str:
    """A digit becomes another: still JSON, still CSV."""
    places = [i for i, byte in enumerate(data) if 48 <= byte <= 57]
    if not places:
        return _flip(data, rng)
    place = places[int(rng.integers(len(places)))]
    data[place] = 48 + (data[place] - 48 + int(rng.integers(1, 10))) % 10
    return f"another digit at {place} of {len(data)}"


def _cut(data: bytearray, rng: np.random.Generator) -> str:
    count = int(rng.integers(1, len(data) + 1))
    del data[len(data) - count :]
    return f"last {count} bytes gone"


def _zeros(data: bytearray, rng: np.random.Generator) -> str:
    place, count = int(rng.integers(len(data))), int(rng.integers(1, 5000))
    data[place : place + count] = bytes(len(data[place : place + count]))
    return f"{count} zeros at {place}"


def _swap(data: bytearray, rng: np.random.Generator) -> str:
    count = max(1, len(data) // 8)
    first, second = (int(rng.integers(0, len(data) - count + 1)) for _ in range(2))
    one, two = data[first : first + count], data[second : second + count]
    data[first : first + count], data[second : second + count] = two, one
    return f"{count} bytes at {first} and {second} changed places"


MUTATIONS = (_flip, _digit, _cut, _zeros, _swap)
