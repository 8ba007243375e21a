"""The stacked Dual-Sequence LSTM: the cell of :mod:`ser.nn.cell` over time, layers, directions.

Two ways to the same numbers: ``_reference`` is the equations in a loop; ``_fast`` takes all
products with x and y out of the loop and runs layer after layer, which is exact because a layer
needs nothing of the one above.
"""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ser.nn import recurrent
from ser.nn.cell import DSLSTMCell, State, check_features, shape_of
from ser.nn.functional import Packing
from ser.nn.norms import GateNorm, OutputNorm, counts_of


class DSLSTMLayer(nn.Module):
    """One layer and direction: a cell and the release's norms, if asked for."""

    def __init__(self, cell: DSLSTMCell, gate_norm: bool, output_norm: bool, max_steps: int):
        super().__init__()
        self.cell = cell
        self.gate_norm = GateNorm(len(cell.b), max_steps) if gate_norm else None
        self.output_norm = OutputNorm(cell.hidden_size) if output_norm else None

    def run(
        self, x: Tensor, y: Tensor, h0: Tensor, c0: Tensor, sizes: list[int]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Packed x (N, X) and y (N, Y) -> packed output, h and c (N, H) each."""
        norm = self.gate_norm
        cell = self.cell
        weights = cell.W, cell.b, cell.W_T, cell.b_T, cell.W_F, cell.b_F
        stats = (None, None, None, None)
        if norm is not None:
            stats = (norm.weight, norm.bias, *norm.statistics(len(sizes)))
        eps, training = (0.0, False) if norm is None else (norm.eps, norm.training)
        h, c, mean, var = recurrent.layer(x, y, weights, h0, c0, stats, sizes, eps, training)
        if norm is not None and norm.training:
            norm.update(mean, var, counts_of(tuple(sizes), mean.device))
        output = h if self.output_norm is None else self.output_norm.sequence(h, sizes)
        return output, h, c


class DSLSTM(nn.Module):
    """Stacked DS-LSTM over two sequences of equal length, called as :class:`torch.nn.LSTM` is.

    Layer 1 reads x and y; every further layer reads the output of the one below and the same y.

    Args:
        x_size, y_size, hidden_size, y_candidate: as in :class:`DSLSTMCell`.
        num_layers: layers of the stack.
        batch_first: inputs and output are (B, T, ...) instead of (T, B, ...).
        bidirectional: a second set of cells reads from each sequence's end to its start; the
            output has 2H features, forward first.
        gate_norm: batch norm of the gates after the sigmoid, as released (:class:`GateNorm`).
        output_norm: batch norm of the output; the raw h recurs (:class:`OutputNorm`).
        dropout: probability, on the output of every layer but the last, in training.
        max_steps: steps for which gate_norm keeps statistics; later steps use the last ones.
        reference: True runs the equations step by step (:meth:`reference`) instead of the fast
            path; the results agree to rounding.

    Example:
        >>> lstm = DSLSTM(x_size=5, y_size=7, hidden_size=4, num_layers=2, batch_first=True)
        >>> x, y = torch.randn(3, 10, 5), torch.randn(3, 10, 7)
        >>> output, (h, c) = lstm(x, y, lengths=torch.tensor([10, 4, 7]))
        >>> output.shape, h.shape
        (torch.Size([3, 10, 4]), torch.Size([2, 3, 4]))
    """

    def __init__(
        self,
        x_size: int,
        y_size: int,
        hidden_size: int,
        num_layers: int = 1,
        batch_first: bool = False,
        bidirectional: bool = False,
        gate_norm: bool = False,
        output_norm: bool = False,
        y_candidate: bool = True,
        dropout: float = 0.0,
        max_steps: int = 128,
        reference: bool = False,
    ):
        super().__init__()
        if num_layers < 1:
            raise ValueError(f"num_layers must be at least 1, got {num_layers}")
        if not 0 <= dropout <= 1:
            raise ValueError(f"dropout must be between 0 and 1, got {dropout}")
        self.x_size, self.y_size, self.hidden_size = x_size, y_size, hidden_size
        self.num_layers, self.batch_first = num_layers, batch_first
        self.bidirectional, self.dropout, self.reference = bidirectional, dropout, reference
        self.directions = 2 if bidirectional else 1
        sizes = [x_size, *[hidden_size * self.directions] * (num_layers - 1)]
        cells = [
            DSLSTMCell(size, y_size, hidden_size, y_candidate)
            for size in sizes
            for _ in range(self.directions)
        ]
        self.layers = nn.ModuleList(
            DSLSTMLayer(cell, gate_norm, output_norm, max_steps) for cell in cells
        )

    def reset_parameters(self) -> None:
        """Draws every weight anew, as at construction."""
        for layer in self.layers:
            for part in layer.children():
                part.reset_parameters()

    def forward(
        self, x: Tensor, y: Tensor, lengths: Tensor | None = None, state: State | None = None
    ) -> tuple[Tensor, State]:
        """Runs both sequences.

        Args:
            x: (T, B, x_size), or (B, T, x_size) if batch_first, or (T, x_size).
            y: the same with y_size.
            lengths: (B,) valid steps of each sequence, 1 to T; None: all T. Padding has no
                influence on anything; the output there is 0.
            state: (h_0, c_0), each (num_layers * directions, B, H); None: zeros.

        Returns:
            output (T, B, H * directions), or batch first, and (h_n, c_n), each
            (num_layers * directions, B, H), at the last valid step of each sequence.

        Raises:
            ValueError: shapes that do not fit, no steps, lengths outside 1 to T.
        """
        unbatched = x.dim() == 2 and y.dim() == 2
        if unbatched:
            x, y = x.unsqueeze(1), y.unsqueeze(1)
            if state is not None:
                state = (state[0].unsqueeze(1), state[1].unsqueeze(1))
        elif self.batch_first and x.dim() == 3 and y.dim() == 3:
            x, y = x.transpose(0, 1), y.transpose(0, 1)
        lengths = self._check(x, y, lengths, state)
        if state is None:
            zeros = x.new_zeros(len(self.layers), x.shape[1], self.hidden_size)
            state = (zeros, zeros)
        run = self._reference if self.reference else self._fast
        output, (h, c) = run(x, y, lengths, state)
        if unbatched:
            return output.squeeze(1), (h.squeeze(1), c.squeeze(1))
        return (output.transpose(0, 1) if self.batch_first else output), (h, c)

    def _fast(self, x: Tensor, y: Tensor, lengths: Tensor | None, state: State):
        steps, batch = x.shape[:2]
        packing = Packing.make(steps, batch, lengths, x.device)
        seq, y = packing.pack(x), packing.pack(y)
        h_n, c_n = [], []
        for depth in range(self.num_layers):
            outputs = []
            for way in range(self.directions):
                k = depth * self.directions + way
                inputs = (seq, y) if not way else (seq[packing.flip], y[packing.flip])
                h0, c0 = packing.sort(state[0][k]), packing.sort(state[1][k])
                out, h, c = self.layers[k].run(*inputs, h0, c0, packing.sizes)
                h_n.append(h[packing.last])
                c_n.append(c[packing.last])
                outputs.append(out[packing.flip] if way else out)
            seq = outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=1)
            if self.dropout and depth < self.num_layers - 1:
                seq = F.dropout(seq, self.dropout, self.training)
        return packing.unpack(seq), (torch.stack(h_n), torch.stack(c_n))

    def _reference(self, x: Tensor, y: Tensor, lengths: Tensor | None, state: State):
        """The equations in a loop over time: slow, and short enough to be read."""
        steps, batch = x.shape[:2]
        if lengths is None:
            lengths = torch.full((batch,), steps)
        lengths = lengths.to(x.device)
        h_n, c_n = [], []
        for depth in range(self.num_layers):
            outputs = []
            for way in range(self.directions):
                k = depth * self.directions + way
                layer, h, c = self.layers[k], state[0][k], state[1][k]
                in_x, in_y = (flip(x, lengths), flip(y, lengths)) if way else (x, y)
                norm, gate_norm = layer.gate_norm, None
                before = norm.statistics(steps) if norm else None
                out = []
                for t in range(steps):
                    valid = t < lengths
                    if norm:
                        gate_norm = partial(norm, step=t, valid=valid, statistics=before)
                    new_h, new_c = layer.cell(in_x[t], in_y[t], (h, c), gate_norm)
                    h = torch.where(valid[:, None], new_h, h)
                    c = torch.where(valid[:, None], new_c, c)
                    o = layer.output_norm(h, valid) if layer.output_norm else h
                    out.append(torch.where(valid[:, None], o, torch.zeros_like(o)))
                h_n.append(h)
                c_n.append(c)
                outputs.append(flip(torch.stack(out), lengths) if way else torch.stack(out))
            x = torch.cat(outputs, dim=2)
            if self.dropout and depth < self.num_layers - 1:
                x = F.dropout(x, self.dropout, self.training)
        return x, (torch.stack(h_n), torch.stack(c_n))

    def _check(self, x: Tensor, y: Tensor, lengths: Tensor | None, state: State | None):
        if x.dim() != 3 or y.dim() != 3:
            raise ValueError(f"x and y must have 3 dimensions, got {shape_of(x)} and {shape_of(y)}")
        if x.shape[:2] != y.shape[:2]:
            raise ValueError(
                f"x has {x.shape[0]} steps of {x.shape[1]} sequences, y has {y.shape[0]} of "
                f"{y.shape[1]}; ser.nn.align makes two sequences equally long"
            )
        check_features(self, x, y)
        steps, batch = x.shape[:2]
        if steps == 0:
            raise ValueError(f"sequences have no steps: x {shape_of(x)}, y {shape_of(y)}")
        expected = (len(self.layers), batch, self.hidden_size)
        if state is not None and any(s.shape != expected for s in state):
            got = [shape_of(s) for s in state]
            raise ValueError(f"state must be two tensors {expected}, got {got}")
        if lengths is None:
            return None
        lengths = torch.as_tensor(lengths)
        if lengths.is_floating_point() or lengths.dtype == torch.bool:
            raise ValueError(f"lengths must be whole numbers, got {lengths.dtype}")
        if lengths.shape != (batch,):
            raise ValueError(f"lengths must be ({batch},), got {shape_of(lengths)}")
        if batch and (int(lengths.min()) < 1 or int(lengths.max()) > steps):
            raise ValueError(f"lengths must lie in 1 to {steps}, got {lengths.tolist()}")
        return lengths


def flip(padded: Tensor, lengths: Tensor) -> Tensor:
    """(T, B, F) with each sequence's valid steps in reverse order; padding stays where it is."""
    time = torch.arange(len(padded), device=padded.device)[:, None]
    index = torch.where(time < lengths, lengths - 1 - time, time)
    return padded.gather(0, index[:, :, None].expand_as(padded))
