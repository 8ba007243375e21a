"""The recurrent layers as ONNX has them: one operator, whatever the number of steps.

``torch.export`` writes a loop over time out step by step (``torch.nn.LSTM`` too, in torch 2.11),
which fixes the number of steps. These modules stand in for the layers while a network is exported
(:mod:`ser.export`), in evaluation and for one direction.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch._higher_order_ops.scan import scan

from ser.nn.dslstm import DSLSTM


class ScannedDSLSTM(nn.Module):
    """A :class:`DSLSTM` (batch first, one direction) whose cell ONNX's ``Scan`` takes through time.

    Example:
        >>> lstm = DSLSTM(5, 7, 4, batch_first=True).eval().requires_grad_(False)
        >>> x, y = torch.randn(1, 10, 5), torch.randn(1, 10, 7)
        >>> bool((ScannedDSLSTM(lstm)(x, y)[0] - lstm(x, y)[0]).abs().max() < 1e-6)
        True
    """

    def __init__(self, lstm: DSLSTM) -> None:
        super().__init__()
        if lstm.bidirectional or not lstm.batch_first:
            raise ValueError("a DSLSTM is exported with batch_first=True and one direction")
        self.layers, self.hidden_size = lstm.layers, lstm.hidden_size

    def forward(self, x: Tensor, y: Tensor, lengths: None = None) -> tuple[Tensor, None]:
        """x (1, T, x_size), y (1, T, y_size) -> the output (1, T, H)."""
        # Strides that depend on T would not be traced (torch 2.11: "unhashable type: SymInt").
        x, y = (given.transpose(0, 1).contiguous() for given in (x, y))
        for layer in self.layers:
            cell, gate_norm, output_norm = layer.cell, layer.gate_norm, layer.output_norm
            steps = x, y
            if gate_norm is not None:
                steps += gate_norm.statistics(x.shape[0])

            def step(state, now, cell=cell, gate_norm=gate_norm, output_norm=output_norm):
                """State and one step of x and y, each (B, size) -> next state, output (B, H)."""
                given = [*now[:2], state]
                if gate_norm is not None:
                    own = tuple(one[None] for one in now[2:])
                    given.append(lambda gates: gate_norm(gates, 0, statistics=own))
                h, c = cell(*given)
                return (h, c), (h if output_norm is None else output_norm(h)).clone()

            zeros = x.new_zeros(x.shape[1], self.hidden_size)
            _, x = scan(step, (zeros, zeros.clone()), steps)
        return x.transpose(0, 1), None


class OnnxLSTM(nn.Module):
    """ONNX's ``LSTM`` in place of ``torch.nn.LSTM`` (batch first, one direction).

    It computes nothing in torch: the operator is written into the graph that is exported.
    """

    def __init__(self, lstm: nn.LSTM) -> None:
        super().__init__()
        if lstm.bidirectional or lstm.proj_size or not (lstm.batch_first and lstm.bias):
            raise ValueError("an LSTM is exported with batch_first=True, a bias and one direction")
        self.batch_first, self.hidden_size = True, lstm.hidden_size
        self.input_size, self.num_layers = lstm.input_size, lstm.num_layers
        for k in range(lstm.num_layers):
            weights = (
                getattr(lstm, f"{name}_l{k}").detach() for name in ("weight_ih", "weight_hh")
            )
            for name, weight in zip(("input", "recurrent"), weights, strict=True):
                self.register_buffer(f"{name}{k}", _in_onnx_order(weight)[None])
            biases = (getattr(lstm, f"{name}_l{k}").detach() for name in ("bias_ih", "bias_hh"))
            self.register_buffer(f"bias{k}", torch.cat([_in_onnx_order(b) for b in biases])[None])

    def forward(self, x: Tensor, state: None = None) -> tuple[Tensor, None]:
        """x (1, T, input_size) -> the output (1, T, H)."""
        x = x.transpose(0, 1)
        for k in range(self.num_layers):
            weights = (getattr(self, f"{name}{k}") for name in ("input", "recurrent", "bias"))
            x = torch.onnx.ops.symbolic(
                "LSTM",
                (x, *weights),
                {"hidden_size": self.hidden_size},
                dtype=x.dtype,
                shape=(x.shape[0], 1, x.shape[1], self.hidden_size),
            ).squeeze(1)
        return x.transpose(0, 1), None


def _in_onnx_order(rows: Tensor) -> Tensor:
    """Rows of the gates i, f, g, o, as torch has them, in ONNX's order i, o, f, g."""
    i, f, g, o = rows.chunk(4)
    return torch.cat([i, o, f, g])
