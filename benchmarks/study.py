"""``python -m benchmarks.study``: how long the whole study takes on this machine, from its epochs.

Each network is trained for a few epochs by the package's own loop (:func:`ser.training.train`),
on random features of the release's shapes that lie on the device; the study is summed up from
that. Book: chapter "Training on a GPU", which shows every such record in book/results/throughput.
"""

from __future__ import annotations

import argparse
import dataclasses
import multiprocessing
import shlex
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from threading import BrokenBarrierError
from typing import Any

import numpy as np
import torch
from chapters.training.study_time import totals

from benchmarks.pairs import wait
from benchmarks.random_corpus import CORPUS, Plan, RandomFeatures
from benchmarks.throughput import resolve
from benchmarks.throughput_record import describe, load, now, save
from ser.batch import Batch, Dataset
from ser.errors import SerError
from ser.experiments.records import provenance
from ser.models import ROWS, build_model
from ser.nn import tune_allocator
from ser.training import TrainConfig, train

TRAINED = ("mfcc-lstm", "cnn-lstm-s1", "cnn-lstm-s2", "cnn-lstm-pair", "ds-lstm")
"""The networks of the released rows; a fused row is the mean of two of their logits."""
GOALS = {"epoch_seconds": 2.0, "study_seconds": 600.0}
MEAN_SECONDS, SPREAD = 4.5, 0.6
"""Of the made-up utterances: IEMOCAP's turns last 4.5 s in the mean (Busso et al. 2008); the
logarithm's spread is ours, so that a few are several times as long, as in any corpus."""
HOW = (
    "The study is a sum of measured epochs, it was not run whole: for each network, folds x "
    "(epochs x the median epoch of a fold + what its start took longer) + what the very first "
    "start took longer. The start is the first two epochs: kernels are compiled and graphs "
    "captured, those of an epoch's last batch in the second; the medians are over the epochs "
    "after it. Where several folds ran at once, as with 'ser run --jobs', an epoch is the slowest "
    "fold's, and the folds take as many rounds as they need. Features, reading and writing files, "
    "starting processes, and baselines are not in it; fused rows are made from logits that are "
    "there."
)
EPILOG = """\
examples:
  python -m benchmarks.study --device cuda --out book/results/throughput/gpu-study.json
  python -m benchmarks.study --device cuda --batches similar --together 5 --out study.json
  python -m benchmarks.study --device cpu --utterances 256 --out study.json"""


class Part:
    """Utterances *first* to *last* (not included) of a dataset."""

    def __init__(self, data: Dataset, first: int, last: int) -> None:
        self.data, self.first, self.last = data, first, last

    def __len__(self) -> int:
        return self.last - self.first

    @property
    def lengths(self) -> np.ndarray | None:
        """Frames of each utterance of the part, if they have lengths of their own."""
        return None if self.data.lengths is None else self.data.lengths[self.first : self.last]

    def batch(self, indices: np.ndarray) -> Batch:
        """The utterances at these positions of the part."""
        return self.data.batch(np.asarray(indices) + self.first)


def durations(count: int) -> list[float]:
    """So many seconds: the middles of equal shares of a lognormal distribution."""
    middle = np.log(MEAN_SECONDS) - SPREAD**2 / 2
    normal = statistics.NormalDist(middle, SPREAD)
    return [float(np.exp(normal.inv_cdf((k + 0.5) / count))) for k in range(count)]


def timed(model: torch.nn.Module, config: TrainConfig, device: str, *sides: Any) -> list[float]:
    """Seconds of each epoch of :func:`ser.training.train`, evaluation included."""
    stamps: list[float] = []

    def stamp(_: dict) -> None:
        wait(device)
        stamps.append(time.perf_counter())

    wait(device)
    begun = time.perf_counter()
    train(model, config, *sides, device=device, on_epoch=stamp)
    return np.diff([begun, *stamps]).tolist()


def fold_in_a_process(
    row: str, args: argparse.Namespace, device: str, seed: int, barrier: Any
) -> list[float]:
    """:func:`timed` of a fold, begun when all processes are ready to."""
    try:
        torch.set_num_threads(max(1, torch.get_num_threads() // args.together))
        data = dataset(row, args, device, made_up(args))
        sides = Part(data, 0, trained(args)), Part(data, trained(args), args.utterances)
        model = build_model(row, hidden=args.hidden, seed=seed)
        wait(device)
        barrier.wait(timeout=600)
        return timed(model, settings_of(args), device, *sides)
    except BaseException:
        barrier.abort()
        raise


def at_once(row: str, args: argparse.Namespace, device: str) -> list[list[float]]:
    """:func:`timed` of ``args.together`` folds in as many processes at the same time."""
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, ProcessPoolExecutor(args.together, context) as pool:
        barrier = manager.Barrier(args.together)
        jobs = [
            pool.submit(fold_in_a_process, row, args, device, seed, barrier)
            for seed in range(args.together)
        ]
        failed = [e for e in (job.exception() for job in jobs) if e is not None]
        if failed:
            raise next((e for e in failed if not isinstance(e, BrokenBarrierError)), failed[0])
        return [job.result() for job in jobs]


def made_up(args: argparse.Namespace) -> RandomFeatures:
    """Noise that lasts as long as speech does."""
    plan = dataclasses.replace(Plan(), utterances=args.utterances)
    return RandomFeatures(plan, durations(RandomFeatures.DISTINCT))


def dataset(row: str, args: argparse.Namespace, device: str, features: RandomFeatures) -> Dataset:
    """All utterances, of what the network reads, on the device."""
    needs = build_model(row, hidden=args.hidden, seed=0).needs
    labels = np.arange(args.utterances) % 4
    return Dataset(features, range(args.utterances), labels, needs, "fixed", device)


def trained(args: argparse.Namespace) -> int:
    """Utterances of a fold's training side."""
    return args.utterances - args.utterances // args.folds


def settings_of(args: argparse.Namespace) -> TrainConfig:
    """How a network is trained here."""
    return TrainConfig(
        epochs=1 + args.epochs,
        batch_size=args.batch,
        hidden=args.hidden,
        precision=args.precision,
        batches=args.batches,
    )


def measure(row: str, args: argparse.Namespace, device: str, features: RandomFeatures) -> dict:
    """Epochs of one network: over all utterances, and of a fold (the rest tested each epoch)."""
    begun = time.perf_counter()
    data = dataset(row, args, device, features)
    wait(device)
    loaded = time.perf_counter() - begun
    config, count, cut = settings_of(args), args.utterances, trained(args)
    spent: dict[str, list] = {
        "epochs": timed(build_model(row, hidden=args.hidden, seed=0), config, device, data),
        "fold_epochs": timed(
            build_model(row, hidden=args.hidden, seed=1),
            config,
            device,
            Part(data, 0, cut),
            Part(data, cut, count),
        ),
    }
    spent = {name: [round(s, 4) for s in seconds] for name, seconds in spent.items()}
    if args.together > 1:
        del data
        if device != "cpu":
            torch.cuda.empty_cache()
        found = at_once(row, args, device)
        spent["together_epochs"] = [[round(s, 4) for s in seconds] for seconds in found]
    return {
        "load_seconds": round(loaded, 3),
        "utterances": count,
        "fold_train": cut,
        "fold_test": count - cut,
        **spent,
    }


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def parser() -> argparse.ArgumentParser:
    """The options."""
    p = argparse.ArgumentParser(
        prog="python -m benchmarks.study",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = p.add_argument
    add("--device", default="auto", metavar="DEV", help="auto, cpu, cuda, cuda:1 (default: auto)")
    add("--out", type=Path, default=Path("study.json"), metavar="FILE", help="%(default)s")
    add("--models", default=",".join(TRAINED), metavar="ROWS", help="default: %(default)s")
    add("--epochs", type=_count, default=3, metavar="N", help="after a first; 2 or more, or the "
        "start is one epoch alone (default: 3)")  # fmt: skip
    add(
        "--utterances",
        type=_count,
        default=CORPUS,
        metavar="N",
        help="default: IEMOCAP's %(default)s",
    )
    add("--batch", type=_count, default=128, metavar="N", help="utterances a step (default: 128)")
    add("--hidden", type=_count, default=200, metavar="H", help="hidden size (default: 200)")
    add("--precision", default="float32", choices=("float32", "bfloat16"), help="%(default)s")
    add(
        "--batches",
        default="shuffled",
        choices=("shuffled", "similar"),
        help="similar: utterances of similar length together, less padding (default: shuffled)",
    )
    add("--folds", type=_count, default=5, metavar="N", help="of the study (default: 5)")
    add(
        "--together",
        type=_count,
        default=1,
        metavar="N",
        help="also N folds at once, in N processes, as 'ser run --jobs N' trains them; on a GPU "
        "start CUDA's multi-process service first (default: 1)",
    )
    add("--study-epochs", type=_count, default=50, metavar="N", help="of a fold (default: 50)")
    add("--commit", default="", metavar="SHA", help="of the code, where git does not know")
    add("--note", default="", metavar="TEXT", help="kept in the record, e.g. 'shared machine'")
    return p


def main(argv: list[str] | None = None) -> int:
    """Measure, print, and leave a record after each network."""
    argv = list(sys.argv[1:] if argv is None else argv)
    args = parser().parse_args(argv)
    tune_allocator()
    try:
        device = resolve(args.device)
        settings = {k: v for k, v in vars(args).items() if k not in ("out", "note", "commit")}
        record = {
            "schema": 1,
            "kind": "study-time",
            "command": shlex.join(["python", "-m", "benchmarks.study", *argv]),
            **provenance(),
            "device": describe(device, torch.get_num_threads()),
            "tf32": {
                "cudnn": torch.backends.cudnn.allow_tf32,
                "matmul": torch.backends.cuda.matmul.allow_tf32,
            },
            "settings": {**settings, "device": device, "models": args.models.split(",")},
            "fused": {n: list(r.branches) for n, r in ROWS.items() if r.kind == "fused"},
            "goals": GOALS,
            "how": HOW,
            "note": args.note,
            "started": now(),
            "rows": {},
        }
        record["package"]["commit"] = args.commit or record["package"]["commit"] or None
        features = made_up(args)
        for row in record["settings"]["models"]:
            record["rows"][row] = measure(row, args, device, features)
            record["finished"], record["load"] = now(), load()
            save(args.out, record)
            print(f"{row}: {record['rows'][row]['epochs']}", file=sys.stderr, flush=True)
    except SerError as error:
        print(f"study: {error}", file=sys.stderr)
        return error.exit_code
    print(totals(record).round(3).to_string())
    print(f"{record['device']['name']}; {record['command']}\n{HOW}\nrecord: {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
