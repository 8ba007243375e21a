"""The record of ``python -m benchmarks.throughput``: begun, gone on with, written, printed."""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import hashlib
import json
import os
import platform
import shlex
from pathlib import Path
from typing import Any

import torch

from benchmarks.random_corpus import Plan
from ser.errors import TrainingError
from ser.experiments.records import provenance
from ser.paths import atomic_write

ROOT = Path(__file__).resolve().parent.parent
MEASURED = (
    "ser/nn",
    "ser/models.py",
    "ser/batch.py",
    "ser/training",
    "benchmarks/trainer.py",
    "benchmarks/random_corpus.py",
)
"""Files and folders that decide what a step costs."""


def begin(
    args: argparse.Namespace, argv: list[str], device: str, plan: Plan, threads: int
) -> dict[str, Any]:
    """The record to go on with, or a new one.

    Raises:
        TrainingError: the file is of other code, another machine or other settings.
    """
    record = {
        "schema": 1,
        "kind": "throughput",
        "command": shlex.join(["python", "-m", "benchmarks.throughput", *argv]),
        **provenance(),
        "code": code_digest(),
        "device": describe(device, threads),
        "plan": dataclasses.asdict(plan),
        "note": args.note,
        "started": now(),
        "finished": now(),
        "load": load(),
        "cells": {},
        "profiles": {},
    }
    record["package"]["commit"] = args.commit or record["package"]["commit"] or None
    if args.fresh or not args.out.exists():
        return record
    try:
        old = json.loads(args.out.read_text(encoding="utf-8"))
        same = {k: old[k] == record[k] for k in ("schema", "code", "device", "plan", "versions")}
    except (ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{args.out}: no record of this tool; --fresh replaces it") from error
    if other := [name for name, equal in same.items() if not equal]:
        raise TrainingError(
            f"{args.out}: measured with another {', '.join(other)}; choose another --out, or "
            "--fresh to begin anew"
        )
    return old


def describe(device: str, threads: int) -> dict:
    """What is measured on."""
    about: dict[str, Any] = {"type": torch.device(device).type, "threads": threads}
    about |= {"cpu": cpu_name(), "cores": os.cpu_count(), "system": platform.system()}
    if about["type"] == "cuda":
        found = torch.cuda.get_device_properties(device)
        about |= {
            "name": found.name,
            "memory_bytes": found.total_memory,
            "capability": f"{found.major}.{found.minor}",
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
        }
    return {"name": about["cpu"], **about}


def cpu_name() -> str:
    """The processor as the system names it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return (names or [platform.processor() or platform.machine()])[0]


def code_digest() -> str:
    """Names the code that was measured, with or without git: 12 hexadecimal digits."""
    digest = hashlib.sha256()
    for name in MEASURED:
        path = ROOT / name
        for file in [path] if path.is_file() else sorted(path.rglob("*.py")):
            digest.update(file.relative_to(ROOT).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]


def load() -> list[float]:
    """How busy the machine is: the average of one minute, where the system tells it."""
    return [round(os.getloadavg()[0], 2)] if hasattr(os, "getloadavg") else []


def now() -> str:
    """The time, to the second, in UTC."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def save(path: Path, record: dict) -> None:
    """Write the record, whole or not at all."""
    with atomic_write(path, "w") as stream:
        stream.write(json.dumps(record, indent=1) + "\n")


def table(record: dict) -> str:
    """The record as text, a line a measurement."""
    lines = [f"{'model/batch/precision/data':36} {'utterances/s':>22} {'epoch':>9} {'memory':>9}"]
    for key, cell in record["cells"].items():
        if "error" in cell:
            lines.append(f"{key:36} {cell['error']:>22}")
            continue
        spread = f"({cell['low']:.0f} to {cell['high']:.0f})"
        memory = "-" if cell["step_bytes"] is None else f"{cell['step_bytes'] / 2**20:.0f} MiB"
        rate, epoch = f"{cell['utterances_per_second']:.1f}", f"{cell['epoch_seconds']:.1f} s"
        lines.append(f"{key:36} {rate:>8} {spread:>13} {epoch:>9} {memory:>9}")
    return "\n".join([*lines, "", f"{record['device']['name']}; {record['command']}"])
