"""Sequences of different lengths without their padding: how the faster ways run a DS-LSTM.

Sequences of a batch are sorted by length, longest first, and their valid steps laid one after
another in time order: step t owns ``sizes[t]`` rows. Padding is never computed.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, groupby
from types import ModuleType
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence

from ser.nn.norms import OutputNorm

if TYPE_CHECKING:
    from ser.nn.dslstm import DSLSTM


@dataclass(frozen=True)
class Packing:
    """Where the valid steps of a padded batch lie in its packed form.

    Attributes:
        sizes: sequences still running at each step, longest first.
        counts: the same as a tensor on the device.
        rows: packed row -> row of the flattened (T * B) batch; None if nothing is padded.
        order: sorted position -> sequence in the batch; None if unsorted.
        last: sequence -> packed row of its last valid step.
        flip: packed row -> the row that takes its place when time runs backwards.
    """

    sizes: list[int]
    counts: Tensor
    steps: int
    batch: int
    rows: Tensor | None
    order: Tensor | None
    last: Tensor
    flip: Tensor

    @classmethod
    def make(cls, steps: int, batch: int, lengths: Tensor | None, device: torch.device) -> Packing:
        """lengths (B,) of valid steps, each 1 to ``steps``; None: all steps of all sequences."""
        if lengths is None or not batch:
            place = torch.arange(steps * batch, device=device).view(steps, batch)
            last, flip = place[-1], place.flip(0).flatten()
            counts = torch.full((steps,), batch, device=device)
            return cls([batch] * steps, counts, steps, batch, None, None, last, flip)
        lengths = lengths.to("cpu", torch.long)
        place = torch.arange(steps * batch).view(steps, batch)
        packed = pack_padded_sequence(place, lengths, enforce_sorted=False)
        rows, order = packed.data, packed.sorted_indices
        time, sequence = rows // batch, rows % batch
        position = torch.empty(steps * batch, dtype=torch.long)
        position[rows] = torch.arange(len(rows))
        last = position[(lengths - 1) * batch + torch.arange(batch)]
        flip = position[(lengths[sequence] - 1 - time) * batch + sequence]
        counts, *moved = (t.to(device) for t in (packed.batch_sizes, rows, order, last, flip))
        return cls(packed.batch_sizes.tolist(), counts, steps, batch, *moved)

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
        cell, norm, sizes = lstm.layers[k].cell, lstm.layers[k].gate_norm, packing.sizes
        weights = cell.W, cell.b, cell.W_T, cell.b_T, cell.W_F, cell.b_F
        stats, eps, training = (None, None, None, None), 0.0, False
        if norm is not None:
            stats = (norm.weight, norm.bias, *norm.statistics(len(sizes)))
            eps, training = norm.eps, norm.training
        h0, c0 = packing.sort(state[0][k]), packing.sort(state[1][k])
        h, c, mean, var = way.layer(x, y, weights, h0, c0, stats, sizes, eps, training)
        if training:
            norm.update(mean, var, packing.counts)
        norm = lstm.layers[k].output_norm
        output = h if norm is None else norm_steps(norm, h, sizes)
        return output, (h[packing.last], c[packing.last])

    packed = packing.pack(x), packing.pack(y)
    output, last = lstm.through_layers(*packed, run, lambda rows: rows[packing.flip])
    return packing.unpack(output), last
