"""From a row's name to its network; the names are in :mod:`ser.rows`.

Book: chapters "Ablations" and, for networks of your own (:func:`add_row`), "What came after".
"""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from ser.batch import NEEDS, Batch
from ser.errors import ModelError, where
from ser.features.presets import get_preset
from ser.nn.branches import (
    CNNLSTMBranch,
    CNNLSTMPairBranch,
    ConcatBranch,
    DSBranch,
    DSProsodyBranch,
    MFCCBranch,
    ProsodyBranch,
)
from ser.nn.fusion import Fused
from ser.rows import ROWS, ModelRow, get_row

__all__ = ["ROWS", "ModelRow", "add_row", "build_model", "count_parameters", "get_row"]

_COMMON = frozenset({"layers", "fast", "dropout", "pooling", "recurrent_dropout"})
_FRAMES, _SPECTROGRAMS = _COMMON | {"stride"}, _COMMON | {"channels"}
_DUAL = frozenset({"max_steps", "gate_norm", "output_norm", "y_candidate"})
OPTIONS = _FRAMES | _SPECTROGRAMS | _DUAL
"""What :func:`build_model` can be asked for."""
_BRANCHES: dict[str, tuple[Callable[..., nn.Module], frozenset[str]]] = {
    "mfcc-lstm": (lambda n_mels, **given: MFCCBranch(**given), _FRAMES),
    "prosody-lstm": (lambda n_mels, **given: ProsodyBranch(**given), _FRAMES),
    "ds-lstm-prosody": (lambda n_mels, **given: DSProsodyBranch(**given), _FRAMES | _DUAL),
    "cnn-lstm-s1": (lambda n_mels, **given: CNNLSTMBranch("s1", n_mels[0], **given), _SPECTROGRAMS),
    "cnn-lstm-s2": (lambda n_mels, **given: CNNLSTMBranch("s2", n_mels[1], **given), _SPECTROGRAMS),
    "cnn-lstm-pair": (CNNLSTMPairBranch, _SPECTROGRAMS),
    "concat-lstm": (ConcatBranch, _SPECTROGRAMS),
}
"""Row -> its network, made from the numbers of mel bands, and the options that it has; all others
are variants of the DS-LSTM."""


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
            ``recurrent_dropout``, ``pooling``, ``stride`` and the DS-LSTM's ``gate_norm``,
            ``output_norm``, ``y_candidate``, for the branches that have them.

    Returns:
        a module with ``needs`` (names of features) and ``branches(batch)``, a dict of logits by
        the branches' rows.

    Raises:
        ModelError: unknown row, a baseline (which is no network), an unknown option, or one that
            a network of your own does not take.

    Example:
        >>> model = build_model("dual", preset="release", seed=0)
        >>> sorted(model.needs), count_parameters(model)
        (['mfcc', 's1', 's2'], 3732296)
    """
    row = get_row(name)
    if row.kind == "baseline":
        raise ModelError(f"{name} is a baseline, no network; `ser run --model {name}` runs it")
    if unknown := set(options) - OPTIONS:
        raise ModelError(
            f"unknown model options {', '.join(sorted(unknown))}; "
            f"there are {', '.join(sorted(OPTIONS))}"
        )
    if not set(row.branches).isdisjoint(n for n, r in ROWS.items() if r.kind == "baseline"):
        raise ModelError(f"{name} is fused from records, one of them a baseline's: no network")
    given = {"n_mels": get_preset(preset).n_mels, "classes": classes, "hidden": hidden}
    parts = {}
    for branch in row.branches:
        plain = get_row(get_row(branch).base or branch)
        with torch.random.fork_rng(devices=[], enabled=seed is not None):
            if seed is not None:
                digest = hashlib.sha256(f"{seed}/{plain.name}".encode()).digest()
                torch.manual_seed(int.from_bytes(digest[:7], "big"))
            parts[branch] = _network(plain, given, options)
    return Fused(parts)


def _network(row: ModelRow, given: dict[str, Any], options: dict[str, Any]) -> nn.Module:
    """One branch's; *given* are n_mels, classes and hidden."""
    if row.own is None:
        kind, takes = _BRANCHES.get(row.name, (DSBranch, _SPECTROGRAMS | _DUAL))
        taken = {k: v for k, v in {**row.options, **options}.items() if k in takes}
        return kind(**given, **taken)
    how = {k: v for k, v in options.items() if k == "fast"}  # not what is computed
    asked = {k: v for k, v in options.items() if k not in how}
    network = _call(row.name, row.own, given | how, asked)
    if given["classes"] != 4:  # tried with four when it was added
        _try_out(row.name, network, row.needs, given["classes"])
        network.train()
    return network


def add_row(name: str, make: Callable[..., nn.Module], summary: str = "") -> ModelRow:
    """Bring your own network: from now on *name* is a row that :func:`ser.run` trains and tests.

    It gets the folds, seeds, batches, loop, records and reports of the book's rows. Before it is
    added it is made once and asked about four made-up utterances, alone and together.

    Args:
        name: of the row, new; giving one of your own rows again replaces it.
        make: a class or function that returns a module from :class:`ser.batch.Batch` to logits
            (B, classes). The module's ``needs`` names the features it reads, of ``mfcc``, ``s1``,
            ``s2``, ``prosody``. Of ``n_mels`` (pair), ``classes``, ``hidden`` and the options of
            :func:`build_model`, *make* is given those that it has a parameter for.
        summary: one line for people.

    Returns:
        The row. Its ``source`` is a digest of the network's source, as far as Python finds it: the
        classes of its modules, and functions that they name. Records of another source are not
        taken for runs of this one.

    Raises:
        ModelError: a name of the book's, a network that cannot be made, that has no ``needs``, no
            weights or other logits, or whose answer to an utterance changes with the others of the
            batch (padding that is not masked).

    Example:
        >>> class Mean(nn.Module):
        ...     needs = frozenset({"s1"})
        ...     def __init__(self, n_mels, classes):
        ...         super().__init__()
        ...         self.linear = nn.Linear(n_mels[0], classes)
        ...     def forward(self, batch):
        ...         return self.linear(batch.s1.mean(2))
        >>> add_row("mean-s1", Mean, "the mean spectrum").needs
        frozenset({'s1'})
        >>> del ROWS["mean-s1"]
    """
    if name in ROWS and ROWS[name].own is None:
        raise ModelError(f"{name} is a row of the book's; give your network another name")
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", name):
        raise ModelError(f"{name!r}: names of rows are of small letters, digits, dots and hyphens")
    network = _call(name, make, {"n_mels": (128, 256), "classes": 4, "hidden": 200}, {})
    needs = frozenset(getattr(network, "needs", ()))
    if not needs or needs - set(NEEDS):
        raise ModelError(
            f"{name}: its needs are {sorted(needs)}; name what it reads of {', '.join(NEEDS)}, "
            'as in needs = frozenset({"mfcc"})'
        )
    if not count_parameters(network):
        raise ModelError(f"{name}: it has no weights to train")
    _try_out(name, network, needs)
    told = summary or "a network of your own"
    ROWS[name] = ModelRow(name, "", "network", (name,), told, needs, own=make,
        source=_source(make, network))  # fmt: skip
    return ROWS[name]


def _call(name: str, make: Callable, given: dict[str, Any], options: dict[str, Any]) -> nn.Module:
    takes = inspect.signature(make).parameters
    every = any(p.kind is p.VAR_KEYWORD for p in takes.values())
    if not every and (lacking := sorted(set(options) - set(takes))):
        raise ModelError(f"{name} does not take {', '.join(lacking)}: add it as a parameter")
    try:
        network = make(**{k: v for k, v in {**given, **options}.items() if every or k in takes})
    except TypeError as error:
        raise ModelError(f"{name} cannot be made: {error}") from error
    if not isinstance(network, nn.Module):
        raise ModelError(f"{name}: expected a torch.nn.Module, got a {type(network).__name__}")
    return network


@torch.no_grad()
def _try_out(name: str, network: nn.Module, needs: frozenset[str], classes: int = 4) -> None:
    """Whether the answers are logits, and an utterance's the same alone and in a batch."""
    network.eval()
    draw = torch.Generator().manual_seed(0)
    lengths = torch.tensor([90, 71, 50, 33])
    valid = (torch.arange(90) < lengths[:, None])[:, :, None]
    whole = {
        "mfcc": torch.randn(4, 90, 39, generator=draw) * valid,
        "s1": torch.randn(4, 128, 230, generator=draw),
        "s2": torch.randn(4, 256, 120, generator=draw),
        "prosody": torch.randn(4, 90, 25, generator=draw) * valid,
    }
    ragged = [n for n in ("mfcc", "prosody") if n in needs]
    more = {f"{n}_lengths": lengths for n in ragged}
    try:
        found = network(Batch(**{n: whole[n] for n in needs}, **more))
    except Exception as error:
        raise ModelError(
            f"{name} fails on four made-up utterances: {where(error)}. A batch holds what its "
            f"needs name ({', '.join(sorted(needs))}), and no labels"
        ) from error
    if not isinstance(found, torch.Tensor) or found.shape != (4, classes):
        shape = tuple(getattr(found, "shape", ()))
        more = "" if classes == 4 else "; give it a parameter `classes`, which says how many"
        raise ModelError(
            f"{name}: expected logits {(4, classes)} of four utterances, got {shape}{more}"
        )
    if not found.isfinite().all():
        raise ModelError(f"{name}: its answers to four made-up utterances are not all finite")
    for i, length in enumerate(lengths.tolist()):
        one = {n: whole[n][i : i + 1] for n in needs}
        for n in ragged:
            one |= {n: one[n][:, :length], f"{n}_lengths": lengths[i : i + 1]}
        if not torch.allclose(network(Batch(**one)), found[i : i + 1], rtol=1e-3, atol=1e-4):
            raise ModelError(
                f"{name}: its answer to an utterance is another one alone than in a batch; frames "
                "beyond batch.mfcc_lengths (prosody_lengths) are padding and must not count"
            )


def _source(make: Callable, network: nn.Module) -> str:
    """SHA-256 of the source of what is neither torch's nor the package's."""
    kinds = sorted({type(part) for part in network.modules()}, key=lambda kind: kind.__qualname__)
    seen: dict[Any, None] = {}
    for thing in [getattr(make, "func", make), *kinds]:
        if inspect.isclass(thing):
            for value in (v for kind in thing.__mro__ for v in vars(kind).values()):
                _follow(value, seen)
        _follow(thing, seen)
    texts = [repr(network), repr(getattr(make, "keywords", ""))]
    for function in seen:
        try:
            texts.append(inspect.getsource(function))
        except (OSError, TypeError):
            texts.append(function.__code__.co_code.hex())
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def _follow(thing: Any, seen: dict[Any, None]) -> None:
    """Put a function into *seen*, and those that it names; not torch's and the package's."""
    if not inspect.isfunction(thing) or thing in seen:
        return
    if thing.__module__.partition(".")[0] not in ("torch", "ser"):
        seen[thing] = None
        for name in thing.__code__.co_names:
            _follow(thing.__globals__.get(name), seen)


def count_parameters(model: nn.Module) -> int:
    """Trainable numbers of a model.

    >>> count_parameters(nn.Linear(3, 2))
    8
    """
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
