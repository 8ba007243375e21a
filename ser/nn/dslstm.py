"""The stacked Dual-Sequence LSTM: the cell of :mod:`ser.nn.cell` over time, layers, directions.

The equations run in a loop (``DSLSTMLayer.forward``). Beside them there are faster ways
(:data:`ser.nn.fast.WAYS`), which take all products with x and y out of the loop and run layer after
layer; that is exact because a layer needs nothing of the one above. They compute without calling
the layers, their cells and norms: where one of them is not what this package made it, or is
listened to, the equations run.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ser.nn.cell import DSLSTMCell, State
from ser.nn.fast import choose
from ser.nn.hooks import Standard, not_standard
from ser.nn.inputs import (
    check_features,
    check_lengths,
    check_pair,
    check_size,
    check_state,
    check_tensors,
)
from ser.nn.norms import GateNorm, OutputNorm
from ser.nn.packing import stacked
from ser.nn.transforms import counted


class DSLSTMLayer(nn.Module):
    """One layer and direction: a cell and the release's norms, if asked for.

    The cell may be any module that maps (x, y, (h, c)) to (h, c), with the gate norm as a fourth
    argument where there is one; norms are called as :class:`GateNorm` and :class:`OutputNorm` are.
    """

    def __init__(self, cell: DSLSTMCell, gate_norm: bool, output_norm: bool, max_steps: int):
        super().__init__()
        kind = {"device": cell.W.device, "dtype": cell.W.dtype}
        self.cell = cell
        self.gate_norm = GateNorm(len(cell.W), max_steps, **kind) if gate_norm else None
        self.output_norm = OutputNorm(cell.hidden_size, **kind) if output_norm else None

    def forward(self, x: Tensor, y: Tensor, state: State, lengths: Tensor) -> tuple[Tensor, State]:
        """The equations in a loop over time: slow, and short enough to be read.

        Args:
            x, y: (T, B, X) and (T, B, Y), finite beyond the lengths.
            state: h and c, (B, H) each.
            lengths: (B,) valid steps.

        Returns:
            Output (T, B, H), zero beyond the lengths, and h and c after the last valid step.
        """
        h, c = state
        norm = self.gate_norm
        steps = counted(x.shape[0])
        before = norm.statistics(steps) if norm is not None else None
        out = []
        for t in range(steps):
            valid = t < lengths
            given = (x[t], y[t], (h, c))
            if norm is not None:
                given += (partial(norm, step=t, valid=valid, statistics=before),)
            new_h, new_c = self.cell(*given)
            h = torch.where(valid[:, None], new_h, h)
            c = torch.where(valid[:, None], new_c, c)
            o = h if self.output_norm is None else self.output_norm(h, valid)
            out.append(torch.where(valid[:, None], o, torch.zeros_like(o)))
        return torch.stack(out), (h, c)


_LAYER = Standard(DSLSTMLayer)
_PARTS = {
    "cell": Standard(DSLSTMCell),
    "gate_norm": Standard(GateNorm),
    "output_norm": Standard(OutputNorm),
}


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
        reference: True runs the equations step by step instead of a faster way
            (:data:`ser.nn.fast.WAYS`); the results agree to rounding. They run as well, which is
            told once, where a layer, cell or norm is of another class, has a forward of its own,
            parametrizations or hooks.
        bias: False leaves out the biases.
        device, dtype: of the parameters, as torch.nn.LSTM takes them.

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
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ):
        super().__init__()
        check_size("num_layers", num_layers)
        if not 0 <= dropout <= 1:
            raise ValueError(f"dropout must be between 0 and 1, got {dropout}")
        self.x_size, self.y_size, self.hidden_size = x_size, y_size, hidden_size
        self.num_layers, self.batch_first = num_layers, batch_first
        self.bidirectional, self.dropout, self.reference = bidirectional, dropout, reference
        self.bias = bias
        self.directions = 2 if bidirectional else 1
        sizes = [x_size, *[hidden_size * self.directions] * (num_layers - 1)]
        cells = [
            DSLSTMCell(size, y_size, hidden_size, y_candidate, bias, device, dtype)
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
            TypeError: no tensors, or of another format than the weights.
            ValueError: shapes that do not fit, no steps, lengths outside 1 to T, another device.
        """
        called = "" if self.reference else self._called()
        # Who listens may bring weights to another device or format first; the cell looks then.
        module = None if called else self
        self._check_kinds(x, y, lengths, state, module)
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
        way = choose("DS-LSTM", self, not self.reference, called, x, y, *state)
        if way is None:
            output, (h, c) = self._equations(x, y, lengths, state)
        else:
            output, (h, c) = stacked(way, self, x, y, lengths, state)
        if unbatched:
            return output.squeeze(1), (h.squeeze(1), c.squeeze(1))
        return (output.transpose(0, 1) if self.batch_first else output), (h, c)

    def _called(self) -> str:
        """What of the layers must be called, and not stood in for; empty where nothing is."""
        parts = []
        for k, layer in enumerate(self.layers):
            parts.append((f"layers[{k}]", _LAYER, layer))
            for name, standard in _PARTS.items():
                parts.append((f"layers[{k}].{name}", standard, getattr(layer, name, None)))
        return not_standard(parts)

    def _equations(self, x: Tensor, y: Tensor, lengths: Tensor | None, state: State):
        """Every layer called with the padded batch, see :meth:`DSLSTMLayer.forward`."""
        steps, batch = x.shape[:2]
        if lengths is None:
            lengths = torch.full((batch,), steps)
        lengths = lengths.to(x.device)
        # What stands at the padding must not even be multiplied by a gradient of zero.
        padding = (torch.arange(steps, device=x.device)[:, None] >= lengths)[:, :, None]
        x, y = x.masked_fill(padding, 0.0), y.masked_fill(padding, 0.0)

        def run(k: int, x: Tensor, y: Tensor) -> tuple[Tensor, State]:
            return self.layers[k](x, y, (state[0][k], state[1][k]), lengths)

        return self.through_layers(x, y, run, lambda padded: flip(padded, lengths))

    def through_layers(
        self,
        x: Tensor,
        y: Tensor,
        run: Callable[[int, Tensor, Tensor], tuple[Tensor, State]],
        turn: Callable[[Tensor], Tensor],
    ) -> tuple[Tensor, State]:
        """x and y through every layer and direction, padded or packed alike.

        Args:
            x, y: (..., size).
            run: number of a layer and direction, its x and y -> its output, and its last h and c.
            turn: the same sequences read from their ends to their starts.

        Returns:
            The top layer's output, and the last h and c of all.
        """
        states = []
        for depth in range(self.num_layers):
            outputs = []
            for back in range(self.directions):
                inputs = (turn(x), turn(y)) if back else (x, y)
                out, last = run(depth * self.directions + back, *inputs)
                states.append(last)
                outputs.append(turn(out) if back else out)
            x = outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=-1)
            if self.dropout and depth < self.num_layers - 1:
                x = F.dropout(x, self.dropout, self.training)
        h_n, c_n = (torch.stack(last) for last in zip(*states, strict=True))
        return x, (h_n, c_n)

    def _check_kinds(self, x, y, lengths, state, module: nn.Module | None) -> None:
        """Whether what must be tensors are, before any of them is asked for its shape."""
        parts = [v[0] if type(v) in (tuple, list) and v else v for v in (y, lengths)]
        if parts[0] is not y or (isinstance(parts[1], Tensor) and parts[1].dim() > 1):
            raise TypeError(
                "a DSLSTM is called as lstm(x, y, lengths, state): give (h_0, c_0) by name, as "
                "lstm(x, y, state=(h_0, c_0))"
            )
        check_tensors(module, x=x, y=y)
        if state is not None:
            check_pair(state, module)

    def _check(self, x: Tensor, y: Tensor, lengths: Tensor | None, state: State | None):
        if x.dim() != 3 or y.dim() != 3:
            raise ValueError(
                "x and y must have 3 dimensions, or both 2 for one sequence, got "
                f"{tuple(x.shape)} and {tuple(y.shape)}"
            )
        if x.shape[:2] != y.shape[:2]:
            raise ValueError(
                f"x has {x.shape[0]} steps of {x.shape[1]} sequences, y has {y.shape[0]} of "
                f"{y.shape[1]}; ser.nn.align makes two sequences equally long"
            )
        check_features(self, x, y)
        steps, batch = x.shape[:2]
        if steps == 0:
            raise ValueError(f"sequences have no steps: x {tuple(x.shape)}, y {tuple(y.shape)}")
        if state is not None:
            check_state(state, (len(self.layers), batch, self.hidden_size))
        return None if lengths is None else check_lengths(lengths, batch, steps)


def flip(padded: Tensor, lengths: Tensor) -> Tensor:
    """(T, B, F) with each sequence's valid steps in reverse order; padding stays where it is."""
    time = torch.arange(len(padded), device=padded.device)[:, None]
    index = torch.where(time < lengths, lengths - 1 - time, time)
    return padded.gather(0, index[:, :, None].expand_as(padded))
