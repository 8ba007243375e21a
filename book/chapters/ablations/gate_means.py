"""What a trained DS-LSTM's gates do, utterance by utterance, and for each emotion.

The cell has two doors: gate iT lets a candidate gT made of x (from S1) into the memory, gate iF a
candidate gF made of y (from S2). How far a door is open is not how much comes in, so both are
measured: the gate, and the size of the product that is added to the memory. Numbers are kept in a
small JSON record (``python -m tools.gates``). Book: chapter "Ablations".
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from ser.corpora.base import EMOTIONS
from ser.errors import RecordError
from ser.metrics.intervals import draw, percentiles

if TYPE_CHECKING:
    from ser.batch import Batch
    from ser.nn.branches import DSBranch

FORMAT = 1
GATES: tuple[str, ...] = ("f", "iT", "o", "iF")
"""The DS-LSTM's gates: forget, input of x, output, input of y."""

INFLOWS: tuple[str, ...] = ("iT*gT", "iF*gF")
QUANTITIES: tuple[str, ...] = (
    *GATES,
    *(f"{gate} sigmoid" for gate in GATES),
    *(f"{gate} outside" for gate in GATES),
    *INFLOWS,
)
"""What is kept of every utterance and layer, see :class:`GateMeans`; no number has a unit."""

SHARE = "iF share"
"""Size of iF*gF over the sizes of both products: the share that comes in by the second door."""

KEYS: tuple[str, ...] = ("utterance", "emotion", "speaker", "fold", "seed")


@dataclass(frozen=True)
class GateMeans:
    """Means over the valid steps and the hidden units of each of n utterances.

    Attributes:
        gates: (n, layers, 4), in the order of :data:`GATES`, as they act: after the gate norm, if
            there is one, and then not bound to 0..1.
        openings: (n, layers, 4), the same before the norm: the sigmoid, within 0..1.
        outside: (n, layers, 4), share of steps and units where the gate as it acts is below 0 or
            above 1.
        inflows: (n, layers, 2), of ``|iT * gT|`` and ``|iF * gF|``: the size of what each door
            adds to the memory in one step.
    """

    gates: np.ndarray = field(repr=False)
    openings: np.ndarray = field(repr=False)
    outside: np.ndarray = field(repr=False)
    inflows: np.ndarray = field(repr=False)

    def values(self) -> np.ndarray:
        """All of them, (n, layers, 14), in the order of :data:`QUANTITIES`."""
        return np.concatenate([self.gates, self.openings, self.outside, self.inflows], axis=2)


def gate_means(network: DSBranch, batch: Batch) -> GateMeans:
    """The gates of every layer, and what each door lets in (:mod:`chapters.shared.gate_trace`).

    Args:
        network: a branch with a DS-LSTM, in evaluation mode.
        batch: n utterances with S1 and S2; where it has lengths, padding does not count.

    Returns:
        GateMeans of the n utterances, in the order of the batch.

    Raises:
        ValueError: no such branch, a cell with one door only, or a network in training mode.

    Example:
        >>> import torch
        >>> from ser.batch import Batch
        >>> from ser.nn.branches import DSBranch
        >>> branch = DSBranch((128, 256), hidden=8).eval()
        >>> batch = Batch(s1=torch.randn(3, 128, 230), s2=torch.randn(3, 256, 120))
        >>> seen = gate_means(branch, batch)
        >>> seen.gates.shape, seen.inflows.shape
        ((3, 2, 4), (3, 2, 2))
    """
    import torch
    from ser.nn.branches import DSBranch, aligned_pair

    from chapters.shared.gate_trace import trace

    if not isinstance(network, DSBranch):
        raise ValueError(f"{type(network).__name__} is no branch with a DS-LSTM")
    if network.training:
        raise ValueError("the network is in training mode: call eval() on it first")
    if network.lstm.layers[0].cell.W_F is None:
        raise ValueError("this cell has no y-candidate, hence one door only")
    with torch.no_grad():
        x, y, lengths = aligned_pair(network.front1, network.front2, batch)
        x, y = x.transpose(0, 1), y.transpose(0, 1)
        steps, n = x.shape[:2]
        lengths = torch.full((n,), steps) if lengths is None else lengths
        lengths = lengths.to(x.device)
        valid = (torch.arange(steps, device=x.device)[:, None] < lengths)[:, :, None]

        def mean(values: torch.Tensor) -> torch.Tensor:
            total = torch.where(valid, values, 0).double().sum((0, 2))
            return total / (lengths * values.shape[2])

        found: dict[str, list] = {"gates": [], "openings": [], "outside": [], "inflows": []}
        for layer in network.lstm.layers:
            seen, cell = trace(layer, x, y), layer.cell
            before = torch.cat([torch.zeros_like(seen["h"][:1]), seen["h"][:-1]])
            raw = torch.sigmoid(torch.cat([x, y, before], dim=2) @ cell.W.T + cell.b)
            raw = raw.split(cell.hidden_size, dim=2)
            acting = [seen[gate] for gate in GATES]
            beyond = [((gate < 0) | (gate > 1)).to(gate.dtype) for gate in acting]
            let_in = [(seen["iT"] * seen["gT"]).abs(), (seen["iF"] * seen["gF"]).abs()]
            for name, parts in zip(found, (acting, raw, beyond, let_in), strict=True):
                found[name].append(torch.stack([mean(part) for part in parts], dim=1))
            # What the layer above reads is the output, which the release's norm sets apart from h.
            x = seen["h"] if layer.output_norm is None else layer.output_norm(seen["h"])
    return GateMeans(**{k: torch.stack(v, dim=1).cpu().numpy() for k, v in found.items()})


def gates_table(values: np.ndarray, **keys: Any) -> pd.DataFrame:
    """A line for each utterance and layer.

    Args:
        values: (n, layers, 14) of :meth:`GateMeans.values`.
        keys: columns to go with them, each (n,) or one for all: ``utterance``, ``emotion``
            (name), ``speaker``, ``fold``, ``seed``.

    Returns:
        DataFrame with the keys, ``layer`` (from 1), a column for each of :data:`QUANTITIES`, and
        :data:`SHARE`.

    Example:
        >>> table = gates_table(np.ones((3, 2, 14)), utterance=["a", "b", "c"], seed=0)
        >>> len(table), float(table[SHARE].iloc[0])
        (6, 0.5)
    """
    n, layers, _ = values.shape
    parts = []
    for k in range(layers):
        columns = {name: values[:, k, q] for q, name in enumerate(QUANTITIES)}
        parts.append(pd.DataFrame(keys | {"layer": k + 1} | columns, index=range(n)))
    table = pd.concat(parts, ignore_index=True)
    both = table[list(INFLOWS)].sum(axis=1)
    table[SHARE] = table[INFLOWS[1]] / both.where(both > 0)
    return table


def gates_by_emotion(
    table: pd.DataFrame,
    quantities: Sequence[str] | None = None,
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Mean of each quantity for each emotion, and how far it is from the other emotions.

    Every speaker counts the same: first the mean over a speaker's utterances of an emotion, then
    over speakers. The difference is taken within each speaker, against the mean of the speaker's
    other emotions; a speaker's own level, and that of the network which was tested on this
    speaker, cancel. Intervals resample speakers.

    Args:
        table: of :func:`gates_table` or :func:`load_gates`.
        quantities: columns to look at; default: all of :data:`QUANTITIES` and :data:`SHARE`.
        resamples, level, seed: of the intervals, as in :func:`ser.metrics.bootstrap_interval`.

    Returns:
        DataFrame with index (layer, quantity, emotion): ``n`` utterances, ``speakers``, ``mean``,
        ``low``, ``high``, ``difference``, ``difference_low``, ``difference_high``. Without two
        speakers there is no interval, and without another emotion no difference (NaN).

    Raises:
        RecordError: an empty table, columns that are missing, or an unknown emotion.

    Example:
        >>> keys = {"utterance": list("abcd"), "speaker": ["A", "A", "B", "B"]}
        >>> values = np.arange(4.0)[:, None, None] * np.ones((4, 1, 14))
        >>> table = gates_table(values, emotion=["angry", "sad"] * 2, **keys)
        >>> by = gates_by_emotion(table, ["iT"])
        >>> by.loc[(1, "iT", "sad"), ["mean", "difference"]].tolist()
        [2.0, 1.0]
    """
    wanted = [*QUANTITIES, SHARE] if quantities is None else list(quantities)
    if missing := {"utterance", "emotion", "speaker", "layer", *wanted} - set(table.columns):
        raise RecordError(f"a table of gates needs the columns {', '.join(sorted(missing))}")
    unknown = sorted(set(table.emotion) - set(EMOTIONS))
    if table.empty or unknown:
        told = f"unknown emotions {', '.join(unknown)}" if unknown else "no utterances"
        raise RecordError(f"{told} in this table of gates")
    names = [e for e in EMOTIONS if (table.emotion == e).any()]
    weights = draw(table.speaker.nunique(), resamples, seed)
    lines = {}
    for layer, part in table.groupby("layer"):
        cells = part.groupby(["speaker", "emotion"])[wanted].mean()
        counts = part.groupby("emotion").utterance.nunique()
        for quantity in wanted:
            grid = cells[quantity].unstack().reindex(columns=names)
            for emotion in names:
                mine = grid[emotion]
                apart = mine - grid.drop(columns=emotion).mean(axis=1)
                line: dict[str, Any] = {"n": int(counts[emotion]), "speakers": mine.notna().sum()}
                line |= zip(("mean", "low", "high"), _pooled(mine, weights, level), strict=True)
                ends = ("difference", "difference_low", "difference_high")
                line |= zip(ends, _pooled(apart, weights, level), strict=True)
                lines[int(layer), quantity, emotion] = line
    found = pd.DataFrame.from_dict(lines, orient="index")
    found.index = pd.MultiIndex.from_tuples(lines, names=["layer", "quantity", "emotion"])
    return found


def _pooled(each: pd.Series, weights: np.ndarray, level: float) -> tuple[float, float, float]:
    """Mean over speakers, NaN for one who does not count, and the ends of its interval."""
    values = each.to_numpy(float)
    there = np.isfinite(values)
    if there.sum() < 2:
        return each.mean(), np.nan, np.nan
    drawn = weights[:, there].sum(1)
    totals = (weights[:, there] @ values[there])[drawn > 0]
    return each.mean(), *percentiles(totals / drawn[drawn > 0], level)


@dataclass(frozen=True)
class GateRecord:
    """A record as its file tells it: the whole JSON object, and the lines of a table.

    ``table`` is that of :func:`gates_table`, a line for each utterance, seed and layer.
    """

    path: Path
    data: Mapping[str, Any] = field(repr=False)
    table: pd.DataFrame = field(repr=False)


def gate_record(values: np.ndarray, keys: Mapping[str, Sequence], about: Mapping[str, Any]) -> dict:
    """What goes into the file, for :func:`load_gates` to read.

    Args:
        values: (n, layers, 14); rounded to five digits after the point.
        keys: ``utterance``, ``emotion`` (names), ``speaker``, ``fold``, ``seed``, each (n,).
        about: where the numbers come from; at least ``corpus`` (with its ``name``) and ``row``.
    """
    labels = [EMOTIONS.index(e) for e in keys["emotion"]]
    lists = {f"{k}s": list(keys[k]) for k in KEYS if k != "emotion"}
    body = {"kind": "gates", "format": FORMAT, **about, "quantities": list(QUANTITIES)}
    return body | lists | {"labels": labels, "values": np.round(values, 5).tolist()}


def load_gates(path: str | os.PathLike) -> GateRecord:
    """Read and check a record that ``python -m tools.gates`` wrote.

    Raises:
        RecordError: no such file, another kind, a later version, parts that do not fit together.

    Example:
        >>> load_gates("book/results/gates/emodb.json").table            # doctest: +SKIP
    """
    path = Path(path)
    again = "make it again with 'python -m tools.gates'"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["kind"] != "gates":
            raise ValueError("it is of another kind")
        if data["format"] > FORMAT:
            raise RecordError(f"{path}: written by a later version of ser; update the package")
        _ = data["row"], data["corpus"]["name"]
        values = np.asarray(data["values"], dtype=float)
        n = len(data["labels"])
        if n == 0 or values.ndim != 3 or values.shape[::2] != (n, len(QUANTITIES)):
            raise ValueError(f"values {values.shape} for {n} labels")
        if tuple(data["quantities"]) != QUANTITIES or not np.isfinite(values).all():
            raise ValueError("other quantities, or numbers that are not finite")
        if not set(data["labels"]) <= set(range(len(EMOTIONS))):
            raise ValueError(f"labels outside 0..{len(EMOTIONS) - 1}")
        emotions = [EMOTIONS[k] for k in data["labels"]]
        keys = {k: emotions if k == "emotion" else data[f"{k}s"] for k in KEYS}
        if any(len(column) != n for column in keys.values()):
            raise ValueError(f"names that do not fit {n} labels")
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror}; {again}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, RecordError):
            raise
        raise RecordError(f"{path} is not a whole record of gates ({error!r}); {again}") from error
    return GateRecord(path, data, gates_table(values, **keys))
