"""One file that holds everything a run needs to go on: safetensors with a JSON header.

Written whole beside the old one and renamed over it, after every epoch; so a kill costs at most
the epoch under way. Nothing in it is ever unpickled. The header holds a digest of the whole file
(BLAKE2b, 128 bits, its own place as zeros): a file that was damaged is not gone on from. Random
numbers need no place in it: each epoch draws them from the seed and its own number.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
from dataclasses import dataclass, field
from pathlib import Path

import torch

from ser.paths import atomic_write
from ser.training.optimiser import moments

log = logging.getLogger(__name__)

BLANK = "0" * 32
"""Stands for the digest while it is computed."""

Tensors = dict[str, torch.Tensor]


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
    average: torch.nn.Module | None = None,
) -> None:
    """Write *path* atomically. *fingerprint* names the configuration it belongs to."""
    from safetensors.torch import save  # here: who only measures trains without a checkpoint

    tensors = {f"model/{k}": v for k, v in model.state_dict().items()}
    for index, state in optimiser.state_dict()["state"].items():
        for key, value in state.items():
            if value is not None:
                tensors[f"optimiser/{index}/{key}"] = torch.as_tensor(value)
    if average is not None:
        tensors |= {f"average/{k}": v for k, v in average.state_dict().items()}
    tensors["test_logits"] = progress.test_logits
    tensors["dev_logits"] = progress.dev_logits
    tensors = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
    header = {"fingerprint": fingerprint, "history": json.dumps(progress.history), "digest": BLANK}
    data = save(tensors, metadata=header)
    place, digest = _digest(data, BLANK)
    with atomic_write(path) as stream:
        stream.write(data[:place])
        stream.write(digest.encode())
        stream.write(memoryview(data)[place + len(digest) :])


def load_checkpoint(
    path: Path,
    fingerprint: str,
    model: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
    average: torch.nn.Module | None = None,
) -> Progress | None:
    """Restore *model*, *optimiser* and *average* in place; None: nothing to go on from.

    All of the file is read and checked before anything is changed: its digest, and the names,
    shapes and types of weights and moments. One of another configuration counts as nothing, and so
    does a damaged one, which is told and deleted.
    """
    try:
        if not path.exists():
            return None
        header, tensors = _read(path)
        if header["fingerprint"] != fingerprint:
            log.info("%s: of other settings; this run starts from the beginning", path)
            return None
        progress = _progress(json.loads(header["history"]), tensors)
        weights = _like(_part(tensors, "model/"), model.state_dict())
        states = _states(_part(tensors, "optimiser/"), optimiser)
        mean = _part(tensors, "average/")
        if average is not None:
            mean = _like(mean, average.state_dict())
    except (OSError, KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        log.warning(
            "%s: not a whole checkpoint of this version (%s); it is deleted, and this run starts "
            "from the beginning",
            path,
            f"it lacks {error}" if isinstance(error, KeyError) else error,
        )
        with contextlib.suppress(OSError):
            path.unlink()
        return None
    model.load_state_dict(weights)
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": states, "param_groups": groups})
    if average is not None:
        average.load_state_dict(mean)
    return progress


def _digest(data: bytes, written: str) -> tuple[int, str]:
    """Where in the header the digest *written* stands, and what it should be."""
    place = data.index(f'"{written}"'.encode(), 8, 8 + int.from_bytes(data[:8], "little")) + 1
    digest = hashlib.blake2b(data[:place], digest_size=len(BLANK) // 2)
    digest.update(BLANK.encode())
    digest.update(memoryview(data)[place + len(BLANK) :])
    return place, digest.hexdigest()


def _read(path: Path) -> tuple[dict[str, str], Tensors]:
    """Header and tensors of a whole file; ValueError if it is not one."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    data = path.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    if _digest(data, header["digest"])[1] != header["digest"]:
        raise ValueError("its digest differs from what was written")
    try:
        return header, load(data)
    except SafetensorError as error:
        raise ValueError(str(error)) from error


def _part(tensors: Tensors, prefix: str) -> Tensors:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _progress(history: list[dict], tensors: Tensors) -> Progress:
    count = len(history)
    if not count or [entry["epoch"] for entry in history] != list(range(1, count + 1)):
        raise ValueError("its history is not that of the epochs from the first one on")
    progress = Progress(history, tensors["test_logits"], tensors["dev_logits"])
    for logits in (progress.test_logits, progress.dev_logits):
        if logits.numel() and (logits.ndim != 3 or len(logits) != count):
            raise ValueError(f"logits of shape {tuple(logits.shape)} after {count} epochs")
    return progress


def _like(tensors: Tensors, wanted: Tensors) -> Tensors:
    """*tensors*, which must have the names, shapes and types of *wanted*."""
    if odd := sorted(tensors.keys() ^ wanted.keys()):
        raise ValueError(f"{odd[0]!r} is {'unknown' if odd[0] in tensors else 'missing'}")
    for name, value in tensors.items():
        expected = wanted[name]
        if value.shape != expected.shape or value.dtype != expected.dtype:
            raise ValueError(
                f"{name!r} is {value.dtype} {tuple(value.shape)}, not {expected.dtype} "
                f"{tuple(expected.shape)}"
            )
    return tensors


def _states(tensors: Tensors, optimiser: torch.optim.Optimizer) -> dict[int, Tensors]:
    """The moments of each weight, complete and as large as it is."""
    states: dict[int, Tensors] = {}
    for key, value in tensors.items():
        index, _, name = key.partition("/")
        states.setdefault(int(index), {})[name] = value
    weights = [w for group in optimiser.param_groups for w in group["params"]]
    if not states or not set(states) <= set(range(len(weights))):
        raise ValueError(f"moments of {len(states)} weights, some of them unknown")
    for index, state in states.items():
        like = {k: state["step"] if k == "step" else weights[index] for k in moments(optimiser)}
        if state.get("step", torch.ones(())).numel() != 1:
            raise ValueError(f"the step of weight {index} is not a number")
        _like({f"{k} of weight {index}": v for k, v in state.items()},
              {f"{k} of weight {index}": v for k, v in like.items()})  # fmt: skip
    return states
