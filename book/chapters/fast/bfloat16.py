"""Which instruction decides whether bfloat16 is fast (book: chapter "Making it fast").

torch hands products in bfloat16 to oneDNN. oneDNN looks at the processor once, when a process
first uses it, and can be told (``ONEDNN_MAX_CPU_ISA``) to overlook its newer instructions. So one
processor shows what others, which lack them, would do.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    import pandas as pd

SETS = {
    "AVX2": ("avx2", "AVX2"),
    "AVX-512": ("avx512_f", "AVX512_CORE"),
    "AVX512_BF16": ("avx512_bf16", "AVX512_CORE_BF16"),
    "AMX": ("amx_bf16", "AVX512_CORE_AMX"),
}
"""Sets of instructions, each with all before it: torch's word for it, and oneDNN's."""
WITH_PRODUCTS = ("AVX512_BF16", "AMX")
"""Those that multiply numbers in bfloat16."""


def instruction_sets() -> list[str]:
    """Those of :data:`SETS` that this machine's processor has, by torch's account.

    Empty on a processor of another make (ARM), where oneDNN does not know them.

    Example:
        >>> set(instruction_sets()) <= set(SETS)
        True
    """
    has = torch.cpu.get_capabilities()
    return [name for name, (flag, _) in SETS.items() if has.get(flag)]


def bfloat16_instruction() -> str:
    """The instructions that multiply in bfloat16 here; empty where there are none.

    Example:
        >>> bfloat16_instruction() in ("", *WITH_PRODUCTS)
        True
    """
    there = [name for name in instruction_sets() if name in WITH_PRODUCTS]
    return there[-1] if there else ""


def by_instructions(rows: int = 216, inner: int = 496, outer: int = 384) -> pd.DataFrame:
    """A matrix product in both formats, in a process for each set of instructions, one thread.

    Args:
        rows, inner, outer: (rows, inner) times the transpose of (outer, inner), as a layer does it.

    Returns:
        indexed by what oneDNN may use: ``float32, ms``, ``bfloat16, ms`` (medians) and ``times as
        fast``, bfloat16 against float32 (median of the rounds' ratios, which take turns). A single
        row, ``as it comes``, where there is nothing to choose: another make of processor, or a
        system whose processes cannot be forked (Windows).
    """
    import pandas as pd  # here: the process that measures does without

    sets = instruction_sets() if hasattr(os, "fork") else []
    plan = json.dumps([sets or ["as it comes"], [rows, inner, outer]])
    command = [sys.executable, "-m", "chapters.fast.bfloat16", plan]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return pd.DataFrame(json.loads(done.stdout)).T.rename_axis("oneDNN may use")


def _measure_all(names: list[str], shape: list[int]) -> dict[str, dict[str, float]]:
    """Each in a process forked before oneDNN has looked at the processor; torch is loaded once."""
    if names[0] not in SETS:
        return {name: _measure(*shape) for name in names}
    found = {}
    for name in names:
        os.environ["ONEDNN_MAX_CPU_ISA"] = SETS[name][1]
        with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as process:
            found[name] = process.submit(_measure, *shape).result()
    return found


def _measure(rows: int, inner: int, outer: int, rounds: int = 15) -> dict[str, float]:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    pairs = {"float32": (torch.randn(rows, inner), torch.randn(outer, inner))}
    pairs["bfloat16"] = tuple(t.bfloat16() for t in pairs["float32"])
    taken: dict[str, list[float]] = {kind: [] for kind in pairs}
    for _ in range(rounds + 2):  # two to warm up
        for kind, (a, b) in pairs.items():
            begun = time.process_time()
            a @ b.T
            taken[kind].append(time.process_time() - begun)
    high, low = (taken[kind][2:] for kind in pairs)
    return {
        "float32, ms": 1000 * statistics.median(high),
        "bfloat16, ms": 1000 * statistics.median(low),
        "times as fast": statistics.median(h / b for h, b in zip(high, low, strict=True)),
    }


if __name__ == "__main__":
    print(json.dumps(_measure_all(*json.loads(sys.argv[1]))))
