"""How many utterances a second a training step takes in (book: "Training on a GPU").

Random inputs of the release's shapes stand in for a corpus, so nothing but torch is needed. A
step is the package's own: gather the batch, forward, loss, backward, Adam, and the loss is read.
``python -m benchmarks.throughput`` measures a grid of settings and leaves a record.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from benchmarks.random_corpus import CORPUS, Plan, random_dataset
from ser.batch import Batch, Dataset
from ser.errors import TrainingError
from ser.models import build_model
from ser.training import TrainConfig, batches, epoch_order, make_optimiser
from ser.training.loop import branch_logits

MODELS = ("mfcc-lstm", "ds-lstm", "dual")
PRECISIONS = ("float32", "tf32", "bfloat16")
PLACES = ("device", "host", "pinned")


@dataclass(frozen=True)
class Setting:
    """What one measurement is of.

    Attributes:
        model: a row of the table, see :data:`ser.rows.ROWS`.
        batch: utterances a step.
        precision: ``float32``: as torch is set up by default; ``tf32``: matrix products may round
            their factors to 10 bits of mantissa (NVIDIA GPUs only, where cuDNN's convolutions and
            LSTM may do so by default); ``bfloat16``: torch.autocast, the DS-LSTM in float32.
        data: ``device``: the whole corpus lies on the device; ``host``: each batch is gathered in
            the computer's memory and copied; ``pinned``: the same, from page-locked memory, the
            next batch while the device is still busy with this one.

    Raises:
        TrainingError: a precision or a place that there is not, or a batch below two.
    """

    model: str
    batch: int
    precision: str = "float32"
    data: str = "device"

    def __post_init__(self) -> None:
        for value, known in ((self.precision, PRECISIONS), (self.data, PLACES)):
            if value not in known:
                raise TrainingError(f"no {value!r} here; there are {', '.join(known)}")
        if self.batch < 2:
            raise TrainingError(f"a batch of {self.batch}; batch norm needs at least two")

    @property
    def key(self) -> str:
        """Its name in a record.

        >>> Setting("dual", 32).key
        'dual/32/float32/device'
        """
        return "/".join(str(v) for v in dataclasses.astuple(self))


@contextlib.contextmanager
def precision(name: str, device: str) -> Iterator[Callable[[], contextlib.AbstractContextManager]]:
    """Set torch up for *name*; gives what a forward pass is wrapped into. Restored at the end."""
    before, kind = torch.get_float32_matmul_precision(), torch.device(device).type
    torch.set_float32_matmul_precision("high" if name == "tf32" else "highest")
    try:
        low = name == "bfloat16"
        yield lambda: torch.autocast(
            kind, torch.bfloat16, enabled=low, cache_enabled=kind != "cuda"
        )
    finally:
        torch.set_float32_matmul_precision(before)


def synchronise(device: str) -> None:
    """Wait until the device has done everything asked of it; a CPU always has."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


class Trainer:
    """A model, its optimiser and random data: everything that one training step needs.

    Args:
        setting, plan: what is measured, and on what.
        device: ``cpu``, ``cuda`` or ``cuda:1``.
        data: a :func:`random_dataset` to share between trainers; None makes one.

    Example:
        >>> trainer = Trainer(Setting("mfcc-lstm", 4), Plan(utterances=8, hidden=8), "cpu")
        >>> trainer.step() > 0
        True
    """

    def __init__(
        self,
        setting: Setting,
        plan: Plan,
        device: str,
        data: Dataset | None = None,
    ) -> None:
        if setting.batch > plan.utterances:
            raise TrainingError(f"a batch of {setting.batch} from {plan.utterances} utterances")
        self.setting, self.device = setting, device
        model = build_model(setting.model, hidden=plan.hidden, seed=plan.seed)
        self.model = model.to(device).train()
        self.optimiser = make_optimiser(self.model, TrainConfig(lr=1e-3))
        place = device if setting.data == "device" else "cpu"
        self.data = random_dataset(plan, self.model.needs, place) if data is None else data
        self.parts = self._parts(plan.seed)
        self.next: Batch | None = None

    def _parts(self, seed: int) -> Iterator[np.ndarray]:
        size, epoch = self.setting.batch, 0
        while True:
            epoch += 1
            cut = batches(epoch_order(len(self.data), seed, epoch), size)
            yield from (part for part in cut if len(part) == size)

    def batch(self) -> Batch:
        """The next batch, on the device or on its way there."""
        found = self.data.batch(next(self.parts))
        if self.setting.data == "pinned":
            names = [f.name for f in dataclasses.fields(found)]
            stay = {"share", *(name for name in names if name.endswith("_lengths"))}
            moved = (
                (f.name, value if f.name in stay else value.pin_memory())
                for f in dataclasses.fields(found)
                if (value := getattr(found, f.name)) is not None
            )
            return Batch(**dict(moved)).to(self.device, non_blocking=True)
        return found if self.setting.data == "device" else found.to(self.device)

    def step(self, cast: Callable[[], contextlib.AbstractContextManager] | None = None) -> float:
        """One training step; returns the loss, which waits for the device as the package does."""
        batch = self.batch() if self.next is None else self.next
        with cast() if cast else contextlib.nullcontext():
            each = branch_logits(self.model, batch)
        losses = [functional.cross_entropy(logits.float(), batch.labels) for logits in each]
        loss = sum(losses) / len(losses)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        self.next = self.batch() if self.setting.data == "pinned" else None
        return loss.item()


def measure(
    setting: Setting,
    plan: Plan,
    device: str = "cpu",
    data: Dataset | None = None,
    base: int | None = None,
) -> dict:
    """Time training steps of *setting*, and look how much memory they take.

    The clock runs between two synchronisations, for rounds of whole steps, after a warm-up.

    Args:
        setting, plan, device, data: as in :class:`Trainer`.
        base: on a CPU, the process's bytes before its first step, where earlier measurements of
            smaller batches have left memory to it; None: as it is now.

    Returns:
        The setting's fields; ``rates``, utterances a second of each round, their median
        ``utterances_per_second``, ``low`` and ``high``; ``step_seconds``, ``batch_seconds`` (of
        them, to gather and move a batch on its own), ``epoch_seconds`` for 5,531 utterances;
        ``data_bytes`` held, ``step_bytes``: the most memory that steps took beside data and
        weights (gradients, Adam's moments, activations), on a GPU as torch counts it, on a CPU
        what the process grew by (Linux; elsewhere None).

    Raises:
        TrainingError: a setting that cannot be measured on this device.
    """
    kind = torch.device(device).type
    if setting.precision == "tf32" and kind != "cuda":
        raise TrainingError("tf32 is a format of NVIDIA GPUs; there is none on a CPU")
    if setting.data == "pinned" and kind != "cuda":
        raise TrainingError("pinned memory serves copies to a GPU; on a CPU nothing is copied")
    trainer = Trainer(setting, plan, device, data)
    start = start_memory(device)
    before = start if base is None else base
    with precision(setting.precision, device) as cast:
        for _ in range(plan.warmup):
            trainer.step(cast)
        once = _seconds(lambda: trainer.step(cast), 1, device)
        steps = max(1, round(plan.round_seconds / once))
        rounds = [_seconds(lambda: trainer.step(cast), steps, device) for _ in range(plan.rounds)]
        peak = _peak_memory(device)
        gather = [_seconds(trainer.batch, 1, device) for _ in range(plan.rounds)]
    rates = sorted(setting.batch / seconds for seconds in rounds)
    median = statistics.median(rates)
    held = sum(t.nbytes for t in trainer.data._data.values())
    return {
        **dataclasses.asdict(setting),
        "rates": [round(rate, 3) for rate in rates],
        "utterances_per_second": round(median, 3),
        "low": round(rates[0], 3),
        "high": round(rates[-1], 3),
        "steps_a_round": steps,
        "step_seconds": round(setting.batch / median, 6),
        "batch_seconds": round(statistics.median(gather), 6),
        "epoch_seconds": round(CORPUS / median, 3),
        "data_bytes": held,
        "step_bytes": None if peak is None or before is None else max(0, peak - before),
    }


def _seconds(work: Callable[[], object], times: int, device: str) -> float:
    """Seconds that *work* takes, the mean of *times* in a row."""
    synchronise(device)
    start = time.perf_counter()
    for _ in range(times):
        work()
    synchronise(device)
    return (time.perf_counter() - start) / times


def start_memory(device: str) -> int | None:
    """Bytes in use before the first step; the peak is counted from here on."""
    gc.collect()
    if torch.device(device).type != "cuda":
        with contextlib.suppress(OSError):  # Linux: forget the peak so far
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        return _status("VmRSS")
    synchronise(device)
    torch.cuda.reset_peak_memory_stats(device)
    return torch.cuda.memory_allocated(device)


def _peak_memory(device: str) -> int | None:
    if torch.device(device).type != "cuda":
        return _status("VmHWM")
    return torch.cuda.max_memory_allocated(device)


def _status(name: str) -> int | None:
    """A line of Linux' /proc/self/status in bytes; None elsewhere."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
    return None
