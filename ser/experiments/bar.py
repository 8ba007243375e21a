"""A progress bar over the epochs of one run."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from ser.paths import atomic_write

if TYPE_CHECKING:
    from ser.experiments.task import Task


class EpochBar:
    """A progress bar over the epochs of one run, and a watch on the process that asked for it."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.bar: Any = None
        self.path = task.checkpoint.with_suffix(".progress")

    def __enter__(self) -> EpochBar:
        if self.task.bar is not None:
            from tqdm.auto import tqdm

            title = f"{self.task.row} {self.task.fold.name} seed {self.task.seed}"
            self.bar = tqdm(
                total=self.task.train.epochs,
                desc=title[:32],
                unit="epoch",
                position=self.task.bar,
                leave=False,
                dynamic_ncols=True,
                file=sys.stderr,
            )
        return self

    def __call__(self, entry: dict) -> None:
        parent = self.task.parent
        if parent is not None and hasattr(os, "getppid") and os.getppid() != parent:
            raise SystemExit("the process that asked for this run is gone")
        if self.bar is None:
            run = f"{self.task.row} {self.task.fold.name} seed {self.task.seed}"
            line = json.dumps(entry | {"run": run})
            with contextlib.suppress(OSError), atomic_write(self.path, "w") as stream:
                stream.write(line)
        else:
            shown = {"loss": f"{entry['loss']:.3f}"}
            for side in ("dev", "test"):
                if entry[f"{side}_ua"] is not None:
                    shown[f"{side} UA"] = f"{100 * entry[f'{side}_ua']:.1f}"
            self.bar.n = entry["epoch"]
            self.bar.set_postfix(shown)

    def __exit__(self, *exc: object) -> None:
        if self.bar is not None:
            self.bar.close()
