"""Sequences of different lengths without their padding: how the faster ways run a DS-LSTM.

Sequences of a batch are sorted by length, longest first, and their valid steps laid one after
another in time order: step t owns ``sizes[t]`` rows. Padding is never computed.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from itertools import accumulate, groupby
from types import ModuleType
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from ser.nn.norms import OutputNorm

if TYPE_CHECKING:
    from ser.nn.dslstm import DSLSTM, DSLSTMLayer


@dataclass(frozen=True)
class Packing:
    """Where the valid steps of a padded batch lie in its packed form.

    Attributes:
        sizes: sequences still running at each step, longest first.
        rows: packed row -> row of the flattened (T * B) batch; None if nothing is padded.
        order: sorted position -> sequence in the batch; None if unsorted.
        last: sequence -> packed row of its last valid step.
        flip: packed row -> the row that takes its place when time runs backwards.
    """

    sizes: list[int]
    steps: int
    batch: int
    rows: Tensor | None
    order: Tensor | None
    last: Tensor
    flip: Tensor

    @classmethod
    def make(cls, steps: int, batch: int, lengths: Tensor | None, device: torch.device) -> Packing:
        """lengths (B,) of valid steps, each 1 to ``steps``; None: all steps of all sequences."""
        if lengths is None:
            index = torch.arange(steps * batch, device=device).view(steps, batch)
            flip = index.flip(0).flatten()
            return cls([batch] * steps, steps, batch, None, None, index[-1], flip)
        lengths = lengths.to("cpu", torch.long)
        ordered, order = torch.sort(lengths, descending=True, stable=True)
        time = torch.arange(int(ordered[0]) if batch else 0)
        valid = time[:, None] < ordered
        sizes = valid.sum(1).tolist()
        rows = (time[:, None] * batch + order)[valid]
        position = torch.full(valid.shape, -1)
        position[valid] = torch.arange(len(rows))
        column = torch.arange(batch)
        last = torch.empty(batch, dtype=torch.long)
        last[order] = position[ordered - 1, column]
        mirrored = (ordered - 1 - time[:, None]).clamp_min(0)
        flip = position[mirrored, column.expand_as(mirrored)][valid]
        moved = (t.to(device) for t in (rows, order, last, flip))
        return cls(sizes, steps, batch, *moved)

    def pack(self, padded: Tensor) -> Tensor:
        """(T, B, F) -> (N, F)."""
        flat = padded.reshape(self.steps * self.batch, padded.shape[-1])
        return flat if self.rows is None else flat.index_select(0, self.rows)

    def unpack(self, packed: Tensor) -> Tensor:
        """(N, F) -> (T, B, F), zeros at the padding."""
        if self.rows is None:
            return packed.view(self.steps, self.batch, packed.shape[1])
        flat = packed.new_zeros(self.steps * self.batch, packed.shape[1])
        return flat.index_copy(0, self.rows, packed).view(self.steps, self.batch, packed.shape[1])

    def sort(self, state: Tensor) -> Tensor:
        """State (B, H) in the packed order."""
        return state if self.order is None else state.index_select(0, self.order)


def states_before(h: Tensor, sizes: list[int], batch: int, rows: int) -> Tensor:
    """h before each row's step: (rows, H), from initial states (B) and those of all rows."""
    if not sizes or sizes[-1] == batch:
        return h[:rows]
    blocks, before = [], 0
    for start, n in zip([0, *accumulate(sizes)], sizes, strict=False):
        blocks.append(h[before : before + n])
        before = batch + start
    return torch.cat(blocks)


@functools.lru_cache(maxsize=64)
def counts_of(sizes: tuple[int, ...], device: torch.device) -> Tensor:
    """Sequences still running at each step, on the device; kept, for a copy there costs a wait.

    >>> counts_of((3, 3, 1), torch.device("cpu"))
    tensor([3, 3, 1])
    """
    with torch.inference_mode(False):
        return torch.tensor(sizes, device=device)


def norm_steps(norm: OutputNorm, h: Tensor, sizes: list[int]) -> Tensor:
    """What an output norm makes of all steps: packed h (sum(sizes), H), ``sizes[t]`` rows a step.

    Its running statistics are moved in training.

    Example:
        >>> norm_steps(OutputNorm(8), torch.randn(5, 8), [3, 2]).shape
        torch.Size([5, 8])
    """
    alike = [(size, len(list(steps))) for size, steps in groupby(sizes)]
    outputs = []
    for (size, steps), rows in zip(alike, h.split([n * t for n, t in alike]), strict=True):
        if norm.training and size > 1:
            # Side by side: torch's batch norm then has features of their own for every step.
            rows = rows.view(steps, size, -1).transpose(0, 1).flatten(1)
            mean, var = rows.new_zeros(rows.shape[1]), rows.new_ones(rows.shape[1])
            scale, shift = norm.weight.repeat(steps), norm.bias.repeat(steps)
            out = F.batch_norm(rows, mean, var, scale, shift, True, 1.0, norm.eps)
            biased = var.view(steps, -1) * ((size - 1) / size)
            norm.update(mean.view(steps, -1), biased, torch.full((steps,), size, device=h.device))
            out = out.view(size, steps, -1).transpose(0, 1).flatten(0, 1)
        else:
            out = (rows - norm.running_mean) * torch.rsqrt(norm.running_var + norm.eps)
            out = torch.addcmul(norm.bias, out, norm.weight)
        outputs.append(out)
    return torch.cat(outputs)


def stacked(
    way: ModuleType,
    lstm: DSLSTM,
    x: Tensor,
    y: Tensor,
    lengths: Tensor | None,
    state: tuple[Tensor, Tensor],
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """What a DS-LSTM computes, layer after layer over packed sequences, by a faster way.

    Args:
        way: its module (:func:`ser.nn.fast.choose`).
        lstm: its weights; running statistics of its norms are moved in training.
        x, y: (T, B, size).
        lengths: (B,) valid steps, or None: all.
        state: h and c, (layers * directions, B, H) each.
    """
    packing = Packing.make(*x.shape[:2], lengths, x.device)

    def run(k: int, x: Tensor, y: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Layer and direction *k* over packed steps; h and c each at a sequence's last one."""
        h0, c0 = packing.sort(state[0][k]), packing.sort(state[1][k])
        out, h, c = one_layer(way, lstm.layers[k], x, y, h0, c0, packing.sizes)
        return out, (h[packing.last], c[packing.last])

    packed = packing.pack(x), packing.pack(y)
    output, last = lstm.through_layers(*packed, run, lambda rows: rows[packing.flip])
    return packing.unpack(output), last


def one_layer(
    way: ModuleType,
    layer: DSLSTMLayer,
    x: Tensor,
    y: Tensor,
    h0: Tensor,
    c0: Tensor,
    sizes: list[int],
) -> tuple[Tensor, Tensor, Tensor]:
    """A layer of it: packed x (N, X), y (N, Y), states (B, H) -> output, h and c (N, H) each."""
    norm = layer.gate_norm
    cell = layer.cell
    weights = cell.W, cell.b, cell.W_T, cell.b_T, cell.W_F, cell.b_F
    stats = (None, None, None, None)
    if norm is not None:
        stats = (norm.weight, norm.bias, *norm.statistics(len(sizes)))
    eps, training = (0.0, False) if norm is None else (norm.eps, norm.training)
    h, c, mean, var = way.layer(x, y, weights, h0, c0, stats, sizes, eps, training)
    if norm is not None and norm.training:
        norm.update(mean, var, counts_of(tuple(sizes), mean.device))
    output = h if layer.output_norm is None else norm_steps(layer.output_norm, h, sizes)
    return output, h, c
