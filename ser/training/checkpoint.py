"""One file that holds everything a run needs to go on: safetensors with a JSON header.

Written whole beside the old one and renamed over it, after every epoch; so a kill costs at most
the epoch under way. Nothing in it is ever unpickled.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, field
from pathlib import Path

import torch

from ser.paths import atomic_write
from ser.training.average import WeightAverage


@dataclass
class Progress:
    """Where a run stands after ``len(history)`` epochs.

    Attributes:
        history: one dict an epoch.
        test_logits, dev_logits: (epochs, utterances, classes), float32.
    """

    history: list[dict] = field(default_factory=list)
    test_logits: torch.Tensor = field(default_factory=lambda: torch.empty(0))
    dev_logits: torch.Tensor = field(default_factory=lambda: torch.empty(0))


def save_checkpoint(
    path: Path,
    fingerprint: str,
    model: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
    progress: Progress,
    average: WeightAverage | None = None,
) -> None:
    """Write *path* atomically. *fingerprint* names the configuration it belongs to."""
    from safetensors.torch import save  # here: who only measures trains without a checkpoint

    tensors = {f"model/{k}": v for k, v in model.state_dict().items()}
    for index, state in optimiser.state_dict()["state"].items():
        for key, value in state.items():
            if value is not None:
                tensors[f"optimiser/{index}/{key}"] = torch.as_tensor(value)
    if average is not None:
        tensors |= {f"average/{k}": v for k, v in average.state().items()}
    tensors["test_logits"] = progress.test_logits
    tensors["dev_logits"] = progress.dev_logits
    tensors = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
    header = {"fingerprint": fingerprint, "history": json.dumps(progress.history)}
    with atomic_write(path) as stream:
        stream.write(save(tensors, metadata=header))


def load_checkpoint(
    path: Path,
    fingerprint: str,
    model: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
    average: WeightAverage | None = None,
) -> Progress | None:
    """Restore *model*, *optimiser* and *average* in place; None: nothing to go on from.

    A checkpoint of another configuration, or one that cannot be read, counts as nothing.
    """
    if not path.exists():
        return None
    from safetensors import SafetensorError, safe_open

    with contextlib.suppress(SafetensorError, OSError, KeyError, ValueError, RuntimeError):
        with safe_open(path, framework="pt") as stored:
            header = stored.metadata() or {}
            if header.get("fingerprint") != fingerprint:
                return None
            tensors = {k: stored.get_tensor(k) for k in stored.keys()}  # noqa: SIM118
        history = json.loads(header["history"])
        weights = {k[6:]: v for k, v in tensors.items() if k.startswith("model/")}
        states: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in tensors.items():
            if key.startswith("optimiser/"):
                _, index, name = key.split("/", 2)
                states.setdefault(int(index), {})[name] = value
        mean = {k[8:]: v for k, v in tensors.items() if k.startswith("average/")}
        groups = optimiser.state_dict()["param_groups"]
        if average is not None:
            average.load(mean)
        model.load_state_dict(weights)
        optimiser.load_state_dict({"state": states, "param_groups": groups})
        return Progress(history, tensors["test_logits"], tensors["dev_logits"])
    return None
