"""Sequences of different lengths without their padding: the layout of the faster ways.

Sequences of a batch are sorted by length, longest first, and their valid steps laid one after
another in time order: step t owns ``sizes[t]`` rows. Padding is never computed.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor


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
