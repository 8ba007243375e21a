"""A kill in the middle of a run with everything on costs nothing but time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from ser.experiments import RunConfig, run
from ser.training import TrainConfig

TRAIN = TrainConfig(
    epochs=10,
    batch_size=8,
    hidden=8,
    normalise="train",
    speed=(0.9,),
    ema=0.9,
    dropout=0.2,
    mixup=0.2,
    spec_augment=1,
)
OPTIONS = """--model mfcc-lstm --protocol random --folds 2 --epochs 10 --batch-size 8 --hidden 8
--normalise train --speed 0.9 --ema 0.9 --dropout 0.2 --mixup 0.2 --spec-augment 1
--jobs 1 --threads 1"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_killed_with_everything_on_the_next_run_ends_with_the_same_bits(tiny_root, tmp_path):
    cache, out, other = tmp_path / "cache", tmp_path / "out", tmp_path / "whole"
    config = RunConfig(
        root=str(tiny_root),
        models=("mfcc-lstm",),
        protocol="random",
        folds=2,
        train=TRAIN,
        jobs=1,
        threads=1,
        progress=False,
        cache=str(cache),
        out=other,
    )
    whole = run(config)
    command = [sys.executable, "-m", "ser", "run", "--root", str(tiny_root), *OPTIONS.split()]
    command += ["--cache", str(cache), "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(out.glob("work/*.safetensors")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert list(out.glob("work/*.safetensors")), "killed before the first epoch was saved"
    assert not (out / "records.parquet").exists(), "it was done before it was killed"
    resumed = run(replace(config, out=out))
    for a, b in zip(whole, resumed, strict=True):
        assert a["fingerprint"] == b["fingerprint"]
        assert (a["selection"], a["history"]) == (b["selection"], b["history"])
    for name in ("random-release-1-seed0", "random-release-2-seed0"):
        weights = f"models/mfcc-lstm/{name}/mfcc-lstm.safetensors"
        assert (out / weights).read_bytes() == (other / weights).read_bytes()
