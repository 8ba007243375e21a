"""Parts of a network in the form that ONNX takes whatever the number of steps (:mod:`ser.export`).

``torch.export`` writes a loop over time out step by step (``torch.nn.LSTM`` too, in torch 2.11),
which fixes the number of steps. The modules stand in for recurrent layers while a network is
exported, in evaluation and for one direction; the functions for what is done to a spectrogram.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch._higher_order_ops.scan import scan

from ser.nn.dslstm import DSLSTM
from ser.normalise import FLOOR as LEAST


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
        self.batch_first, self.input_size = True, lstm.input_size
        self.hidden_size = lstm.hidden_size
        self.weights = nn.ModuleList(
            nn.ParameterList(_in_onnx_order(part)[None] for part in ([w], [u], [b, c]))
            for w, u, b, c in lstm.all_weights
        )

    def forward(self, x: Tensor, state: None = None) -> tuple[Tensor, None]:
        """x (1, T, input_size) -> the output (1, T, H)."""
        x = x.transpose(0, 1)
        for layer in self.weights:
            x = torch.onnx.ops.symbolic(
                "LSTM",
                (x, *layer),
                {"hidden_size": self.hidden_size},
                dtype=x.dtype,
                shape=(x.shape[0], 1, x.shape[1], self.hidden_size),
            ).squeeze(1)
        return x.transpose(0, 1), None


def _in_onnx_order(parts: list[Tensor]) -> Tensor:
    """Rows of the gates i, f, g, o, as torch has them, in ONNX's order i, o, f, g, side by side."""
    gates = (part.detach().chunk(4) for part in parts)
    return torch.cat([gate for i, f, g, o in gates for gate in (i, o, f, g)])


def exportable(part: nn.Module) -> nn.Module:
    """A copy of a network whose recurrent layers are those above, and no layer takes a fast way.

    Example:
        >>> type(exportable(nn.Sequential(nn.LSTM(3, 4, batch_first=True)))[0]).__name__
        'OnnxLSTM'
    """
    part = copy.deepcopy(part)
    for module in list(part.modules()):
        if hasattr(module, "fast"):
            module.fast = False
        for name, child in module.named_children():
            if isinstance(child, DSLSTM):
                setattr(module, name, ScannedDSLSTM(child))
            elif isinstance(child, nn.LSTM):
                setattr(module, name, OnnxLSTM(child))
    return part


def standardised(
    table: Tensor, scale: Sequence[Tensor] | None = None, clip_z: float = 0.0
) -> Tensor:
    """Features (T, dimensions) less their mean, over their deviation (:mod:`ser.normalise`).

    Args:
        table: of one utterance.
        scale: mean and deviation (dimensions,) of the training side; None: the utterance's own.
        clip_z: what is beyond so many deviations is set to them; 0: nothing is.

    Example:
        >>> standardised(torch.tensor([[1.0], [3.0]])).tolist()
        [[-1.0], [1.0]]
    """
    if scale is None:
        wide = table.double()
        mean = wide.mean(0)
        variance = (wide - mean).square().mean(0)  # torch 2.11's var of doubles is wrong in ONNX
        scale = mean.float(), variance.sqrt().clamp(min=LEAST).float()
    values = (table - scale[0]) / scale[1]
    return values.clamp(-clip_z, clip_z) if clip_z else values


def squashed(spectrogram: Tensor, size: int) -> Tensor:
    """(T, bands) -> (size, bands), as :func:`ser.features.presets.squash`, T known or not.

    Place i takes frame floor(i * T / size), in single precision as everywhere here.

    Example:
        >>> squashed(torch.tensor([[1.0], [2.0], [3.0]]), 6).flatten().tolist()
        [1.0, 1.0, 2.0, 2.0, 3.0, 3.0]
    """
    count = torch.scalar_tensor(spectrogram.shape[0], dtype=torch.float32)
    places = torch.arange(size, dtype=torch.float32) * (count / size)
    return spectrogram[torch.minimum(places.floor(), count - 1).long()]
