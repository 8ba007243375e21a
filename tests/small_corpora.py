"""Small corpora that tests make, and how to compare their features."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import soundfile as sf

from ser.corpora.base import Corpus, make_table
from ser.features import extract


def make_corpus(folder: Path, count: int = 12, write: bool = True) -> Corpus:
    """Noises of 0.06 to 0.6 s with the table that a reader would give; two are the same sound."""
    folder.mkdir(parents=True, exist_ok=True)
    random, rows = np.random.default_rng(1), []
    for i in range(count):
        path = folder / f"clip {i:03d} ä.wav"
        samples = 960 + i * 8640 // count
        sound = random.normal(0, 0.1, samples) if i else np.zeros(samples)
        if write:
            sf.write(path, sound, 16000)
        rows.append({
            "utterance": f"clip{i:03d}", "path": str(path), "speaker": f"{i % 3:02d}",
            "emotion": ("angry", "happy", "neutral", "sad")[i % 4], "text": "NA", "seconds": 0.1,
        })  # fmt: skip
    if write:
        shutil.copy(rows[-2]["path"], rows[-1]["path"])
    table = make_table(rows)
    return Corpus("made", folder, table, table, "made up, free", "nobody")


def get(corpus, cache, **options):
    return extract(corpus, cache=cache, progress=False, **options)


def same(a, b) -> bool:
    """Two Features hold the same rows and the same bits."""
    return a.content_hash == b.content_hash and all(
        np.array_equal(a.mfcc(i), b.mfcc(i))
        and all(np.array_equal(x, y) for x, y in zip(a.mel(i), b.mel(i), strict=True))
        for i in range(len(a))
    )


def shards(cache: Path, kind: str = "safetensors") -> list[Path]:
    return sorted(Path(cache).rglob(f"*.{kind}"))
