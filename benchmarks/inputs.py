"""What the benchmarks are fed: random numbers of the release's shapes, utterances made up."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from ser.batch import Batch
from ser.corpora.base import EMOTIONS, make_table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
import reference

PLAIN = {
    "mfcc-lstm": reference.PlainMFCC,
    "cnn-lstm-s1": reference.PlainCNNLSTM,
    "cnn-lstm-s2": lambda **sizes: reference.PlainCNNLSTM("s2", **sizes),
    "cnn-lstm-pair": reference.PlainPair,
    "ds-lstm": reference.PlainDS,
}
SAMPLE_RATE = 16000


def release_batch(size: int, seed: int = 0, device: str = "cpu") -> Batch:
    """Spectrograms squashed to 230 and 120 frames, MFCCs with lengths like EmoDB's (1.4 to 9 s)."""
    rng = np.random.default_rng(seed)
    frames = np.clip(rng.lognormal(np.log(265), 0.33, size), 144, 900).astype(int)
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    return Batch(
        mfcc=10 * normal(size, int(frames.max()), 39),
        mfcc_lengths=torch.tensor(frames),
        s1=50 + 20 * normal(size, 128, 230),
        s2=50 + 20 * normal(size, 256, 120),
        labels=torch.randint(0, 4, (size,), generator=generator),
    ).to(device)


def plain_model(row: str, hidden: int = 200) -> torch.nn.Module:
    """The release's formulas as written, for a row."""
    return PLAIN[row](hidden=hidden)


def training_step(
    network: Callable[[Batch], torch.Tensor], data: Batch, optimiser, precision: str = "float32"
) -> Callable[[], None]:
    """A function that takes one step: forward, cross entropy, backward, update."""
    if precision == "float32":
        cast = contextlib.nullcontext
    else:

        def cast() -> contextlib.AbstractContextManager:
            return torch.autocast(data.labels.device.type, dtype=getattr(torch, precision))

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        with cast():
            logits = network(data)
        torch.nn.functional.cross_entropy(logits.float(), data.labels).backward()
        optimiser.step()

    return step


def noise(seconds: float, seed: int) -> np.ndarray:
    """float32 (samples,): noise with a slow envelope, so that frames differ as in speech."""
    rng = np.random.default_rng(seed)
    count = round(seconds * SAMPLE_RATE)
    envelope = 0.05 + 0.2 * np.abs(np.sin(np.linspace(0, 3 * seconds, count) + seed))
    return (envelope * rng.standard_normal(count)).clip(-1, 1).astype(np.float32)


def made_up_corpus(folder: Path, count: int) -> pd.DataFrame:
    """Write *count* utterances of 1.5 to 4.5 s as WAV files; the table :func:`extract` takes.

    Files there already are kept. Durations and contents depend on the number of the file alone.
    """
    import soundfile

    long = noise(60, 0)
    rows = []
    for number in range(count):
        rng = np.random.default_rng(number)
        seconds = float(rng.uniform(1.5, 4.5))
        samples = round(seconds * SAMPLE_RATE)
        path = folder / f"{number // 1000:02d}" / f"{number:05d}.wav"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            first = int(rng.integers(0, len(long) - samples))
            soundfile.write(path, long[first : first + samples], SAMPLE_RATE)
        rows.append(
            {
                "utterance": f"{number:05d}",
                "path": str(path),
                "emotion": EMOTIONS[number % 4],
                "speaker": str(number % 10),
                "seconds": samples / SAMPLE_RATE,
            }
        )
    return make_table(rows)
