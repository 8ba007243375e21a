"""Where the time of a piece of work goes, operator by operator (book: "Training on a GPU").

A thin layer over torch.profiler: the same table for a CPU and a GPU, quiet, JSON-able.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping, Sequence

import pandas as pd
import torch
from torch.profiler import ProfilerActivity, profile

VIEWS = (
    "as_strided|slice|narrow|split|select|t|transpose|view|expand|unsqueeze|squeeze|permute|detach"
    "|alias|reshape|_unsafe_view|chunk|unbind"
)
MOVES = "cat|index|gather|fill_|zero|ones|contiguous|clone|pad|empty|stack"
PRODUCTS = (
    "(add|b|addb|baddb|s|sspadd|h)?mm|mv|addmv|addr|ger|outer|dot|vdot|vecdot|tensordot"
    "|einsum|matmul|q?linear|bilinear|trilinear"
)
"""Products of matrices and vectors: the word in an operator's name that says so."""
KINDS = {
    "convolution": r"[Cc]onv|^_Block",
    "LSTM of torch": r"[Rr]nn|lstm",
    "recurrence": r"Recurrence|^Segments",
    "matrix product": rf"::(?!\w*upsample)(\w+_|_)?({PRODUCTS})(_\w*)?$"
    r"|\b(Mkldnn)?(Addmm|Mm|Bmm|Baddbmm|Addbmm|Linear|Addmv|Mv|Dot|Matmul)\w*Backward",
    "batch norm": r"batch_norm",
    "pool, ReLU": r"pool|relu|threshold",
    "optimiser": r"_foreach|_fused_adam|addcdiv|lerp|Optimizer",
    "looking at a part": rf"::({VIEWS})(_backward)?$",
    "moving data": rf"copy|to$|::({MOVES})",
}
"""What an operator is for, by its name; the first that fits.

``recurrence`` is what the package does between the products of a step, in the DS-LSTM (and, on a
GPU, in the LSTM on MFCCs); a product counts as one wherever it is made.
"""

OTHER = "everything else"
LAUNCH = re.compile(r"^cu(da)?Launch")


def kind_of(name: str) -> str:
    """The kind of work that an operator of torch does.

    >>> kind_of("aten::addmm_"), kind_of("_BlockBackward"), kind_of("aten::sigmoid")
    ('matrix product', 'convolution', 'everything else')
    """
    return next((kind for kind, names in KINDS.items() if re.search(names, name)), OTHER)


def seconds_of(module: Callable[..., object], *inputs: torch.Tensor) -> float:
    """A forward and a backward pass by the clock, after one that is not counted.

    A module that gives several outputs (an LSTM) is followed back from its first.

    Example:
        >>> seconds_of(torch.nn.Linear(2, 3), torch.ones(1, 2)) > 0
        True
    """
    begun = 0.0
    for _ in range(2):
        begun = time.perf_counter()
        out = module(*inputs)
        (out[0] if isinstance(out, tuple) else out).sum().backward()
    return time.perf_counter() - begun


def numbers_and_time(work: Mapping[str, Sequence]) -> pd.DataFrame:
    """How the numbers that modules learn, and the time of a step, are shared out among them.

    Args:
        work: name -> a module and its inputs.

    Returns:
        indexed by name: ``numbers (%)`` and ``time (%)`` of a forward and a backward pass.

    Example:
        >>> layer, x = torch.nn.Linear(2, 3), torch.ones(1, 2)
        >>> numbers_and_time({"a": (layer, x), "b": (layer, x)})["numbers (%)"].tolist()
        [50.0, 50.0]
    """
    rows = {
        name: {
            "numbers (%)": sum(p.numel() for p in module.parameters()),
            "time (%)": seconds_of(module, *inputs),
        }
        for name, (module, *inputs) in work.items()
    }
    table = pd.DataFrame(rows).T
    return 100 * table / table.sum()


def profile_work(
    work: Callable[[], object], device: str = "cpu", warmup: int = 2, most: int = 40
) -> dict:
    """Profile one call of *work*, after some unobserved ones.

    Args:
        work: for instance one training step.
        device: what it runs on.
        warmup: calls before, which compile kernels and fill caches.
        most: operators to keep by name; the rest is summed up as one.

    Returns:
        ``operators``: dicts of ``name``, ``kind``, ``calls``, ``cpu_ms`` (time in the operator
        itself, without those it calls) and ``device_ms`` (of the kernels that it launched; 0 on
        a CPU), longest first; ``calls``: of all operators; ``launches``: kernels given to the
        device; ``wall_ms``: by the clock, with the profiler's own cost. Times of a CPU with
        several threads are those of the thread that calls.

    Example:
        >>> found = profile_work(lambda: torch.ones(9, 9) @ torch.ones(9, 9))
        >>> "aten::mm" in [operator["name"] for operator in found["operators"]]
        True
    """
    os.environ.setdefault("KINETO_LOG_LEVEL", "5")  # it reports a missing GPU as an error
    cuda = torch.device(device).type == "cuda"
    activities = [ProfilerActivity.CPU, *[ProfilerActivity.CUDA] * cuda]
    for _ in range(warmup):
        work()
    with profile(activities=activities, acc_events=True) as found:
        start = time.perf_counter()
        work()
        if cuda:
            torch.cuda.synchronize(device)
        wall = time.perf_counter() - start
    rows, launches = [], 0
    for event in found.key_averages():
        if event.device_type != torch.autograd.DeviceType.CPU:
            continue  # a kernel: its time is in the operator that launched it
        if LAUNCH.match(event.key):
            launches += event.count
        if re.match(r"cu(da)?[A-Z]|ProfilerStep|Activity Buffer", event.key):
            continue  # calls of the driver, and the profiler's own
        rows.append(
            {
                "name": event.key,
                "kind": kind_of(event.key),
                "calls": event.count,
                "cpu_ms": event.self_cpu_time_total / 1000,
                "device_ms": event.self_device_time_total / 1000,
            }
        )
    rows.sort(key=lambda row: row["device_ms" if cuda else "cpu_ms"], reverse=True)
    calls = sum(row["calls"] for row in rows)
    return {
        "operators": _rounded(rows[:most]) + _rest(rows[most:]),
        "calls": calls,
        "launches": launches,
        "wall_ms": round(1000 * wall, 3),
    }


def _rounded(rows: list[dict]) -> list[dict]:
    return [row | {k: round(row[k], 4) for k in ("cpu_ms", "device_ms")} for row in rows]


def _rest(rows: list[dict]) -> list[dict]:
    """What is left, one row for each kind."""
    kinds: dict[str, dict] = {}
    for row in rows:
        empty = {"name": f"({row['kind']}: the rest)", "kind": row["kind"]}
        sums = kinds.setdefault(row["kind"], empty | {"calls": 0, "cpu_ms": 0.0, "device_ms": 0.0})
        for name in ("calls", "cpu_ms", "device_ms"):
            sums[name] += row[name]
    return _rounded(list(kinds.values()))
