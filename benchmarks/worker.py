"""A process that takes training steps on request, so that each side has its own allocator.

``python -m benchmarks.worker '{"model": "ds-lstm", "side": "fast", ...}'`` makes the model, warms
up, prints ``ready`` and then answers every line on its standard input, a number, with so many
steps.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SIDES = ("plain", "fast")


class Stepper:
    """A worker as seen from the benchmark: :meth:`step` takes training steps back to back.

    Args:
        model: ``mfcc-lstm``, ``ds-lstm`` or ``dual`` (its two branches, one after the other).
        side: ``plain``, the release's formulas as written; ``fast``, the package's.
        tuned: glibc told to keep freed pages (:func:`ser.allocator.tune_allocator`), or as it
            comes; the plain side's Adam is then fused, as the package's is.
        batch: utterances a step.
        threads: of torch.
        precision: ``float32`` or ``bfloat16`` (fast side only).
    """

    def __init__(self, **settings) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", json.dumps(settings)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        self._expect("ready")

    def _expect(self, word: str) -> None:
        line = self._process.stdout.readline().strip()
        if line != word:
            raise RuntimeError(f"the worker said {line!r} and ended with {self._process.poll()}")

    def step(self, count: int = 1) -> None:
        """So many training steps; returns when they are done."""
        self._process.stdin.write(f"{count}\n")
        self._process.stdin.flush()
        self._expect("done")

    def close(self) -> None:
        """End the process."""
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(timeout=60)


def steppers(model: str, side: str, batch: int, precision: str, tuned: bool) -> list:
    """Functions that take one training step each; *dual* has two, which share nothing."""
    import torch

    from benchmarks.inputs import plain_model, release_batch, training_step
    from ser.models import build_model
    from ser.training import TrainConfig, make_optimiser

    data = release_batch(batch)
    torch.manual_seed(0)
    found = []
    for row in ("mfcc-lstm", "ds-lstm") if model == "dual" else (model,):
        if side == "plain":
            network = plain_model(row)
            optimiser = torch.optim.Adam(network.parameters(), lr=1e-3, fused=tuned)
        else:
            network = build_model(row, "release")
            optimiser = make_optimiser(network, TrainConfig(lr=1e-3))
        found.append(training_step(network, data, optimiser, precision))
    return found


def main() -> None:
    """Serve steps until standard input ends."""
    settings = json.loads(sys.argv[1])
    if settings.get("tuned"):
        from ser.allocator import tune_allocator

        tune_allocator()
    import torch

    torch.set_num_threads(settings["threads"])
    functions = steppers(
        settings["model"],
        settings["side"],
        settings["batch"],
        settings.get("precision", "float32"),
        bool(settings.get("tuned")),
    )
    for _ in range(settings.get("warm_up", 2)):
        for function in functions:
            function()
    print("ready", flush=True)
    for count in sys.stdin:
        for _ in range(int(count)):
            for function in functions:
                function()
        print("done", flush=True)


if __name__ == "__main__":
    main()
