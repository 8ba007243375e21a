"""The rows of the table, by name (paper.md's ablations; book: chapter "Which part matters?")."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from ser.errors import ModelError
from ser.nn.branches import CNNLSTMBranch, CNNLSTMPairBranch, DSBranch, MFCCBranch
from ser.nn.fusion import Fused


@dataclass(frozen=True)
class Row:
    """One line of the results table.

    Attributes:
        name: what ``--model`` takes.
        release: the row's name in the authors' code, "" if it is ours.
        kind: ``"network"``; ``"fused"``: the mean of other rows' logits; ``"baseline"``: no
            network at all.
        branches: the rows that a fused row fuses, or the row itself.
        summary: one line for people.
        needs: features a network reads.
        options: of the DS-LSTM.
        parameters: trainable numbers with preset ``release`` and hidden 200; 0 for baselines.
    """

    name: str
    release: str
    kind: str
    branches: tuple[str, ...]
    summary: str
    needs: frozenset[str] = frozenset()
    options: dict[str, bool] = field(default_factory=dict)
    parameters: int = 0


_NORMS = {"gate_norm": True, "output_norm": True, "y_candidate": True}
_VARIANTS = {
    "": ({}, "", "as released", 3_217_092),
    "-no-y-candidate": ({"y_candidate": False}, "model1", "no y-candidate", 2_109_892),
    "-no-gate-norm": ({"gate_norm": False}, "model2", "without the gates' norm", 3_213_892),
    "-no-output-norm": ({"output_norm": False}, "model3", "without the output's norm", 3_216_292),
    "-equations": (
        {"gate_norm": False, "output_norm": False},
        "",
        "the paper's equations, no norm",
        3_213_092,
    ),
}
_MFCC = 515_204


def _rows() -> dict[str, Row]:
    both = frozenset({"s1", "s2"})
    rows = [
        Row("mfcc-lstm", "base1", "network", ("mfcc-lstm",), "LSTM on MFCCs",
            frozenset({"mfcc"}), parameters=_MFCC),
        Row("cnn-lstm-s1", "base2", "network", ("cnn-lstm-s1",),
            "CNN and LSTM on the time-fine spectrogram", frozenset({"s1"}), parameters=889_748),
        Row("cnn-lstm-s2", "base3", "network", ("cnn-lstm-s2",),
            "CNN and LSTM on the frequency-fine spectrogram", frozenset({"s2"}),
            parameters=1_299_348),
        Row("cnn-lstm-pair", "base4", "network", ("cnn-lstm-pair",),
            "both spectrograms, pooled outputs concatenated", both, parameters=2_189_092),
        Row("mfcc+cnn-lstm-s1", "base6", "fused", ("mfcc-lstm", "cnn-lstm-s1"),
            "mfcc-lstm and cnn-lstm-s1, logits averaged", parameters=_MFCC + 889_748),
        Row("mfcc+cnn-lstm-pair", "base5", "fused", ("mfcc-lstm", "cnn-lstm-pair"),
            "mfcc-lstm and cnn-lstm-pair, logits averaged", parameters=_MFCC + 2_189_092),
    ]  # fmt: skip
    for suffix, (change, _, text, count) in _VARIANTS.items():
        name = "ds-lstm" + suffix
        release = "" if suffix else "model10"
        rows.append(
            Row(name, release, "network", (name,), f"DS-LSTM on both spectrograms, {text}",
                both, {**_NORMS, **change}, count)
        )  # fmt: skip
    for suffix, (_, release, text, count) in _VARIANTS.items():
        branch = "ds-lstm" + suffix
        rows.append(
            Row("dual" + suffix, release if suffix else "model4", "fused", ("mfcc-lstm", branch),
                f"mfcc-lstm and {branch} ({text}), logits averaged", parameters=_MFCC + count)
        )  # fmt: skip
    rows += [
        Row("majority", "", "baseline", ("majority",), "always the most frequent emotion"),
        Row("egemaps-svm", "", "baseline", ("egemaps-svm",), "eGeMAPS functionals and an RBF SVM"),
        Row("egemaps-lr", "", "baseline", ("egemaps-lr",),
            "eGeMAPS functionals and logistic regression"),
    ]  # fmt: skip
    return {row.name: row for row in rows}


ROWS: dict[str, Row] = _rows()
"""Every row by name, in the order of the table."""


def get_row(name: str) -> Row:
    """The row of that name.

    Raises:
        ModelError: no such row; the message lists close names.

    >>> get_row("dual").branches
    ('mfcc-lstm', 'ds-lstm')
    """
    if name in ROWS:
        return ROWS[name]
    close = difflib.get_close_matches(name, ROWS, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(ROWS)}"
    raise ModelError(f"no model is called {name!r}; {hint}")


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
        options: ``channels`` (two numbers), ``layers``, ``max_steps``, ``fast`` and the DS-LSTM's
            ``gate_norm``, ``output_norm``, ``y_candidate``, for the branches that have them.

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
    known = {"channels", "layers", "max_steps", "fast", *_NORMS}
    if unknown := set(options) - known:
        raise ModelError(
            f"unknown model options {', '.join(sorted(unknown))}; "
            f"there are {', '.join(sorted(known))}"
        )
    n_mels = _n_mels(preset)
    parts = {}
    for branch in row.branches:
        make = _maker(get_row(branch), n_mels, classes, hidden, options)
        parts[branch] = make() if seed is None else _seeded(make, seed, branch)
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
    row: Row, n_mels: tuple[int, int], classes: int, hidden: int, options: dict[str, Any]
) -> Callable[[], nn.Module]:
    common = {"classes": classes, "hidden": hidden}
    if "layers" in options:
        common["layers"] = options["layers"]
    if "fast" in options:
        common["fast"] = options["fast"]
    if row.name == "mfcc-lstm":
        return lambda: MFCCBranch(**common)
    if "channels" in options:
        common["channels"] = tuple(options["channels"])
    if row.name in ("cnn-lstm-s1", "cnn-lstm-s2"):
        which = row.name[-2:]
        return lambda: CNNLSTMBranch(which, n_mels[which == "s2"], **common)
    if row.name == "cnn-lstm-pair":
        return lambda: CNNLSTMPairBranch(n_mels, **common)
    extra = {k: options[k] for k in ("max_steps", *_NORMS) if k in options}
    return lambda: DSBranch(n_mels, **{**row.options, **common, **extra})


def _seeded(make: Callable[[], nn.Module], seed: int, branch: str) -> nn.Module:
    digest = hashlib.sha256(f"{seed}/{branch}".encode()).digest()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int.from_bytes(digest[:7], "big"))
        return make()
