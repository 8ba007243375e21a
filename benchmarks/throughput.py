"""``python -m benchmarks.throughput``: utterances a second, memory, and where a step's time goes.

Book: chapter "Training on a GPU", which shows an epoch of every record in book/results/throughput.
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import itertools
import multiprocessing
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import torch
from chapters.shared.profiling import profile_work

from benchmarks.random_corpus import Plan, random_dataset
from benchmarks.throughput_record import begin, load, now, save, table
from benchmarks.trainer import (
    MODELS,
    PLACES,
    PRECISIONS,
    Setting,
    Trainer,
    measure,
    precision,
    start_memory,
)
from ser.batch import Dataset
from ser.errors import SerError, TrainingError
from ser.models import get_row
from ser.nn import tune_allocator

DEFAULTS = {
    "cuda": {"batches": "32,64,128,256,512,1024", "profile": 128, "plan": Plan(warmup=5)},
    "cpu": {
        "batches": "4,8,16,32",
        "profile": 16,
        "plan": Plan(utterances=256, warmup=1, rounds=3),
    },
}
DESCRIPTION = """\
Measure training steps: utterances a second, memory, and where the time goes.

The inputs are random, of the shapes that the release feeds its networks, so no
corpus and no sound library is needed. A step is what 'ser run' does: gather the
batch, forward, loss, backward, Adam, read the loss. It is warmed up, the device
is waited for before and after each round, and the median of the rounds counts.

what is varied:
  --models       rows of the table
  --batches      utterances a step
  --precisions   float32   as torch is set up by default
                 tf32      matrix products round their factors (NVIDIA GPUs only)
                 bfloat16  torch.autocast; states and norms stay in float32
  --data         device    the whole corpus lies on the device
                 host      it lies in the computer's memory; batches are copied
                 pinned    the same from page-locked memory, one batch ahead
                 (host and pinned are measured in float32 only, and on a GPU only)

The record is written after every measurement. Interrupt at any time: the same
command takes up where it stopped, if code, machine and settings are the same."""
EPILOG = """\
examples:
  python -m benchmarks.throughput --device cuda --out book/results/throughput/gpu.json
  python -m benchmarks.throughput --device cpu --threads 1 --out book/results/throughput/cpu.json
  python -m benchmarks.throughput --models mfcc-lstm --batches 8,32 --no-profile --out quick.json

On a GPU the whole takes a few minutes, on a CPU far longer for the larger
batches. Keep the machine free of other work, or say with --note that it was not."""


def parser() -> argparse.ArgumentParser:
    """The options."""
    p = argparse.ArgumentParser(
        prog="python -m benchmarks.throughput",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = p.add_argument_group("what").add_argument
    add("--models", default=",".join(MODELS), metavar="ROWS", help="default: %(default)s")
    add("--batches", metavar="N,N", help="default: 32 to 1024 on a GPU, 4 to 32 on a CPU")
    add("--precisions", metavar="P,P", help="default: all that the device has")
    add("--data", metavar="D,D", help="default: all on a GPU, device on a CPU")
    add("--hidden", type=int, default=200, metavar="H", help="hidden size (default: %(default)s)")
    add("--utterances", type=int, metavar="N", help="random utterances held (5531; CPU: 256)")
    add = p.add_argument_group("how").add_argument
    add("--device", default="auto", metavar="DEV", help="auto, cpu, cuda, cuda:1 (default: auto)")
    add("--threads", type=int, metavar="N", help="CPU threads (default: torch's choice)")
    add("--rounds", type=int, metavar="N", help="rounds a measurement (default: 5; CPU: 3)")
    add("--round-seconds", type=float, default=0.5, metavar="S", help="at least (default: 0.5)")
    add("--profile-batch", type=int, metavar="N", help="utterances of the profiled step")
    add("--no-profile", action="store_true", help="leave out where the time goes")
    add = p.add_argument_group("record").add_argument
    add("--out", type=Path, default=Path("throughput.json"), metavar="FILE", help="%(default)s")
    add("--commit", default="", metavar="SHA", help="of the code, where git does not know")
    add("--note", default="", metavar="TEXT", help="kept in the record, e.g. 'shared machine'")
    add("--fresh", action="store_true", help="begin anew where FILE is of other code or settings")
    add("--quiet", action="store_true", help="no progress bar, no table")
    return p


def main(argv: list[str] | None = None) -> int:
    """Measure what is not in the record yet."""
    argv = list(sys.argv[1:] if argv is None else argv)
    args = parser().parse_args(argv)
    try:
        device = resolve(args.device)
        kind = torch.device(device).type
        plan, settings = planned(args, kind)
        threads = args.threads or torch.get_num_threads()
        record = begin(args, argv, device, plan, threads)
    except SerError as error:
        print(f"throughput: {error}", file=sys.stderr)
        return 2
    batch = args.profile_batch or min(DEFAULTS[kind]["profile"], plan.utterances)
    names = [] if args.no_profile else dict.fromkeys(s.model for s in settings)
    worker = Worker(plan, device, threads)
    jobs: list[tuple[str, Callable, Setting]] = [("cells", _measured, s) for s in settings]
    jobs += [("profiles", _profiled, Setting(name, batch)) for name in names]
    jobs = [job for job in jobs if job[2].key not in record[job[0]]]
    bar = progress(jobs, args.quiet)
    try:
        for where, work, setting in bar:
            if hasattr(bar, "set_description"):
                bar.set_description(setting.key if where == "cells" else f"profile {setting.model}")
            record[where][setting.key] = worker.run(work, setting)
            record["finished"], record["load"] = now(), record["load"][:1] + load()
            save(args.out, record)
    except KeyboardInterrupt:
        worker.close(at_once=True)
        print("\nthroughput: interrupted; the same command goes on", file=sys.stderr)
        return 130
    except SerError as error:
        print(f"throughput: {error}", file=sys.stderr)
        return error.exit_code
    finally:
        worker.close()
    if not args.quiet:
        print(table(record))
        print(f"record: {args.out}")
    return 0


def progress(jobs: list, quiet: bool) -> Any:
    """*jobs* behind a bar; as they are where tqdm is not installed."""
    try:
        from tqdm import tqdm
    except ImportError:
        return jobs
    return tqdm(jobs, unit="setting", disable=quiet or not jobs, file=sys.stderr)


def resolve(name: str) -> str:
    """A device that is there.

    Raises:
        TrainingError: CUDA is asked for and there is none.
    """
    there = torch.cuda.is_available()
    if name == "auto":
        return "cuda" if there else "cpu"
    if name.split(":")[0] not in DEFAULTS:
        raise TrainingError(f"no device {name!r} here; auto, cpu, cuda and cuda:1 are known")
    if name.startswith("cuda") and not there:
        raise TrainingError("torch sees no NVIDIA GPU here; use --device cpu")
    return name


def planned(args: argparse.Namespace, kind: str) -> tuple[Plan, list[Setting]]:
    """What is the same, and what is varied, in the order of measuring."""
    default = DEFAULTS[kind]
    changes = {
        name: value
        for name in ("utterances", "rounds", "hidden", "round_seconds")
        if (value := getattr(args, name)) is not None
    }
    plan = dataclasses.replace(default["plan"], **changes)
    on_gpu = kind == "cuda"
    wanted = {
        "models": args.models,
        "batches": args.batches or default["batches"],
        "precisions": args.precisions or ",".join(PRECISIONS if on_gpu else PRECISIONS[::2]),
        "data": args.data or ",".join(PLACES if on_gpu else PLACES[:1]),
    }
    models, sizes, kinds, places = (
        [t.strip() for t in v.split(",") if t.strip()] for v in wanted.values()
    )
    for model in models:
        if get_row(model).kind == "baseline":
            raise TrainingError(f"{model} is a baseline, which takes no steps")
    try:
        batches = sorted({int(t) for t in sizes})
    except ValueError as error:
        raise TrainingError(f"--batches {wanted['batches']}: whole numbers, please") from error
    if not on_gpu and {"tf32", "host", "pinned"} & {*kinds, *places}:
        raise TrainingError("tf32, host and pinned are for NVIDIA GPUs; leave them out on a CPU")
    grid = itertools.product(places, models, kinds, batches)
    settings = [Setting(m, b, p, d) for d, m, p, b in grid if d == "device" or p == "float32"]
    if largest := [b for b in batches if b > plan.utterances]:
        raise TrainingError(f"a batch of {largest[0]} needs --utterances of at least that many")
    return plan, settings


class Worker:
    """Runs measurements: on a GPU here, on a CPU in a process whose growth tells the memory.

    A process serves one model, precision and place, smallest batch first: it keeps the memory of
    its largest step, so the next larger one is seen.
    """

    def __init__(self, plan: Plan, device: str, threads: int) -> None:
        self.plan, self.device, self.threads = plan, device, threads
        self.pool: ProcessPoolExecutor | None = None
        self.serves: tuple | None = None

    def run(self, work: Callable, setting: Setting) -> dict:
        """``work(setting, plan, device)``; on a GPU too small for it, a dict that says so."""
        if torch.device(self.device).type != "cuda":
            group = (setting.model, setting.precision, setting.data)
            if group != self.serves:
                self.close()
                spawn, start = multiprocessing.get_context("spawn"), (self.threads,)
                self.pool = ProcessPoolExecutor(1, spawn, initializer=_start, initargs=start)
                self.serves = group
            return self.pool.submit(work, setting, self.plan, self.device).result()
        try:
            return work(setting, self.plan, self.device)
        except torch.cuda.OutOfMemoryError:
            return {**dataclasses.asdict(setting), "error": "out of memory"}
        finally:
            gc.collect()
            torch.cuda.empty_cache()

    def close(self, at_once: bool = False) -> None:
        """End the process, if there is one; *at_once*: without waiting for its measurement."""
        if self.pool is not None:
            for child in multiprocessing.active_children() if at_once else ():
                child.terminate()
            self.pool.shutdown(cancel_futures=True)
        self.pool = self.serves = None


def _start(threads: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    tune_allocator()
    torch.set_num_threads(threads)


_held: dict[str, Any] = {}
"""In the process that measures: the corpus in use, what it is for, and the memory before."""


def _data(setting: Setting, plan: Plan, device: str) -> Dataset:
    """The corpus, kept from one measurement to the next that needs the same."""
    needs = frozenset().union(*(get_row(b).needs for b in get_row(setting.model).branches))
    key = (plan, needs, device if setting.data == "device" else "cpu")
    if _held.get("key") != key:
        _held.clear()
        _held.update(key=key, data=random_dataset(plan, needs, key[2]))
        if torch.device(device).type == "cpu":  # what a first step loads is not the step's
            with precision(setting.precision, device) as cast:
                first = dataclasses.replace(setting, batch=2)
                Trainer(first, plan, device, _held["data"]).step(cast)
            _held["base"] = start_memory(device)
    return _held["data"]


def _measured(setting: Setting, plan: Plan, device: str) -> dict:
    data = _data(setting, plan, device)
    return measure(setting, plan, device, data, _held.get("base"))


def _profiled(setting: Setting, plan: Plan, device: str) -> dict:
    trainer = Trainer(setting, plan, device, _data(setting, plan, device))
    with precision(setting.precision, device) as cast:
        return dataclasses.asdict(setting) | profile_work(lambda: trainer.step(cast), device)


if __name__ == "__main__":
    sys.exit(main())
