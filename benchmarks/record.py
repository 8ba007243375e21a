"""From pytest-benchmark's JSON to a record of ratios, and from the record to a table."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("torch", "triton", "numpy", "numba", "librosa", "pytest-benchmark")


HELD_BY = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS", "NUMBA_CPU_NAME")
"""Variables by which a processor is held to instructions that an older one has."""


def cpu_name() -> str:
    """The processor as the system names it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def commit() -> str:
    """The commit this runs from, with ``+changes`` where the tree differs; empty without git."""

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "HEAD") + ("+changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def versions() -> dict[str, str]:
    """Of Python and of what is installed of PACKAGES; of CUDA and cuDNN where there is a GPU."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    if torch.cuda.is_available():
        found |= {"cuda": torch.version.cuda, "cudnn": str(torch.backends.cudnn.version())}
    return found


def reduce(body: dict, command: str, stated: str = "") -> dict:
    """What is kept of pytest-benchmark's JSON *body*.

    Args:
        body: its ``--benchmark-json`` output.
        command: what was typed.
        stated: the commit, for a copy of the tree that git does not know or knows wrongly.

    Returns:
        JSON-able: command, machine, versions, commit, and for each benchmark its name, median and
        rounds, and what :func:`benchmarks.conftest.compare` noted.
    """
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    rows = [
        {
            "name": row["name"].removeprefix("test_"),
            "file": Path(row["fullname"].split("::")[0]).name,
            "seconds": row["stats"]["median"] / row["extra_info"].get("repeats", 1),
            "rounds": row["stats"]["rounds"],
            **row["extra_info"],
        }
        for row in body["benchmarks"]
    ]
    return {
        "command": command,
        "date": body["datetime"],
        "commit": stated or commit(),
        "machine": {
            "cpu": cpu_name(),
            "vectors": torch.backends.cpu.get_cpu_capability(),
            "held_to": {name: os.environ[name] for name in HELD_BY if name in os.environ},
            "cores": os.cpu_count(),
            "threads": min(2, os.cpu_count() or 1),
            "gpu": gpu,
            "system": platform.system(),
            "load": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
        },
        "versions": versions(),
        "rows": rows,
    }


def verdict(row: dict) -> str:
    """``reached`` or ``not reached`` where a row has a goal, else an empty string."""
    if row.get("goal") is None:
        return ""
    good = row["ratio"] <= row["goal"] if row["kind"] == "cost" else row["ratio"] >= row["goal"]
    return "reached" if good else "not reached"


def table(record: dict) -> str:
    """The record as text, a line a benchmark."""
    lines = [
        f"{'benchmark':46} {'ours':>9} {'against':>9} {'ratio':>14}  goal",
        "-" * 96,
    ]
    for row in record["rows"]:
        if "ratio" not in row:
            continue
        sign, bound = ("x cost", "<=") if row["kind"] == "cost" else ("x", ">=")
        goal = f"{bound} {row['goal']:g} {verdict(row)}" if row.get("goal") is not None else ""
        lines.append(
            f"{row['name'][:46]:46} {_time(row['seconds'])} {_time(row['plain_seconds'])} "
            f"{row['ratio']:7.2f}{sign:7}  {goal}"
        )
        lines.append(f"    against {row['against']}")
    machine = record["machine"]
    lines.append("")
    vectors = f" ({machine['vectors']})" if machine.get("vectors") else ""
    cpu = f"{machine['cpu']}{vectors}, {machine['cores']} cores"
    lines.append(f"{cpu}, GPU: {machine['gpu'] or 'none'}")
    lines.append(record["command"])
    return "\n".join(lines)


def _time(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:7.2f} s"
    return f"{1000 * seconds:6.1f} ms"
