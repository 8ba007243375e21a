"""From a row's name to its network (book: "Ablations"); the names are in :mod:`ser.rows`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from ser.errors import ModelError
from ser.nn.branches import CNNLSTMBranch, CNNLSTMPairBranch, DSBranch, MFCCBranch
from ser.nn.concat import ConcatBranch
from ser.nn.fusion import Fused
from ser.rows import ROWS, ModelRow, get_row

__all__ = ["ROWS", "ModelRow", "build_model", "count_parameters", "get_row"]

OPTIONS = frozenset({"channels", "layers", "max_steps", "fast", "dropout", "pooling"})
DS_OPTIONS = ("gate_norm", "output_norm", "y_candidate")


def build_model(
    name: str,
    preset: Any = "release",
    classes: int = 4,
    hidden: int = 200,
    seed: int | None = None,
    **options: Any,
) -> nn.Module:
    """The network of a row: a module from :class:`ser.batch.Batch` to logits (B, classes).

    Args:
        name: a row's name, see :data:`ROWS`.
        preset: name of a preset or the preset itself; gives the numbers of mel bands.
        classes: emotions to tell apart.
        hidden: hidden size of every LSTM.
        seed: if given, each branch's weights depend on it and on the branch's own row alone: the
            branches of ``dual`` start as ``mfcc-lstm`` and ``ds-lstm`` do. Torch's global
            generator is then left as it was.
        options: ``channels`` (two numbers), ``layers``, ``max_steps``, ``fast``, ``dropout``,
            ``pooling`` and the DS-LSTM's ``gate_norm``, ``output_norm``, ``y_candidate``, for the
            branches that have them.

    Returns:
        a module with ``needs`` (names of features) and ``branches(batch)``, a dict of logits by
        the branches' rows.

    Raises:
        ModelError: unknown row, a baseline (which is no network), an unknown option.

    Example:
        >>> model = build_model("dual", preset="release", seed=0)
        >>> sorted(model.needs), count_parameters(model)
        (['mfcc', 's1', 's2'], 3732296)
    """
    row = get_row(name)
    if row.kind == "baseline":
        raise ModelError(f"{name} is a baseline, no network; `ser run --model {name}` runs it")
    known = OPTIONS | set(DS_OPTIONS)
    if unknown := set(options) - known:
        raise ModelError(
            f"unknown model options {', '.join(sorted(unknown))}; "
            f"there are {', '.join(sorted(known))}"
        )
    n_mels = _n_mels(preset)
    parts = {}
    for branch in row.branches:
        plain = get_row(get_row(branch).base or branch)
        make = _maker(plain, n_mels, classes, hidden, options)
        parts[branch] = make() if seed is None else _seeded(make, seed, plain.name)
    return Fused(parts)


def count_parameters(model: nn.Module) -> int:
    """Trainable numbers of a model.

    >>> count_parameters(nn.Linear(3, 2))
    8
    """
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def _n_mels(preset: Any) -> tuple[int, int]:
    if isinstance(preset, str):
        from ser.features.presets import get_preset

        preset = get_preset(preset)
    n_mels = tuple(int(n) for n in preset.n_mels)
    if len(n_mels) != 2:
        raise ModelError(f"a preset has two numbers of mel bands, got {n_mels}")
    return n_mels


def _maker(
    row: ModelRow, n_mels: tuple[int, int], classes: int, hidden: int, options: dict[str, Any]
) -> Callable[[], nn.Module]:
    common = {"classes": classes, "hidden": hidden}
    common |= {k: options[k] for k in ("layers", "fast", "dropout", "pooling") if k in options}
    if row.name == "mfcc-lstm":
        return lambda: MFCCBranch(**common)
    if "channels" in options:
        common["channels"] = tuple(options["channels"])
    if row.name in ("cnn-lstm-s1", "cnn-lstm-s2"):
        which = row.name[-2:]
        return lambda: CNNLSTMBranch(which, n_mels[which == "s2"], **common)
    if row.name == "cnn-lstm-pair":
        return lambda: CNNLSTMPairBranch(n_mels, **common)
    if row.name == "concat-lstm":
        return lambda: ConcatBranch(n_mels, **common)
    extra = {k: options[k] for k in ("max_steps", *DS_OPTIONS) if k in options}
    return lambda: DSBranch(n_mels, **{**row.options, **common, **extra})


def _seeded(make: Callable[[], nn.Module], seed: int, branch: str) -> nn.Module:
    digest = hashlib.sha256(f"{seed}/{branch}".encode()).digest()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int.from_bytes(digest[:7], "big"))
        return make()
