"""The DS-LSTM's gates over time, by the equations (book: chapter "The DS-LSTM").

The fast path keeps no gates to look at. :func:`trace` computes them again, line by line as the
paper writes them; its ``h`` and ``c`` agree with the fast path to rounding (tests/test_trace.py).
"""

from __future__ import annotations

import torch
from ser.nn.cell import DSLSTMCell
from ser.nn.dslstm import DSLSTMLayer
from ser.nn.hooks import Standard
from ser.nn.inputs import check_features, check_tensors
from torch import Tensor

_CELL = Standard(DSLSTMCell)


@torch.no_grad()
def trace(layer: DSLSTMLayer, x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """Every quantity of one layer at every step, from h_0 = c_0 = 0.

    Args:
        layer: ``DSLSTM.layers[k]``, in evaluation mode if it has the release's norms.
        x: (T, x_size), one utterance, or (T, B, x_size).
        y: (T, y_size) or (T, B, y_size).

    Returns:
        ``f``, ``iT``, ``o``, ``iF`` (the gates as they act: after the gate norm, if there is
        one), ``gT``, ``gF``, ``c``, ``h`` (the one that recurs), each (T, H) or (T, B, H).
        Without y-candidate ``iF`` and ``gF`` are absent.

    Raises:
        TypeError: no tensors, or of another format than the weights.
        ValueError: shapes that do not fit, a layer with norms in training mode, or a cell that is
            not :class:`ser.nn.DSLSTMCell` as it is.

    Example:
        >>> from ser.nn import DSLSTM
        >>> lstm = DSLSTM(x_size=5, y_size=7, hidden_size=4)
        >>> seen = trace(lstm.layers[0], torch.randn(10, 5), torch.randn(10, 7))
        >>> sorted(seen), seen["iT"].shape
        (['c', 'f', 'gF', 'gT', 'h', 'iF', 'iT', 'o'], torch.Size([10, 4]))
    """
    if why := _CELL.why_not(layer.cell):
        raise ValueError(f"the gates of this layer's cell cannot be written out: {why}")
    check_tensors(layer.cell, x=x, y=y)
    if x.dim() not in (2, 3) or x.shape[:-1] != y.shape[:-1] or len(x) == 0:
        raise ValueError(
            f"x and y must be (T, size) or (T, B, size) with the same T and B, got "
            f"{tuple(x.shape)} and {tuple(y.shape)}"
        )
    cell, norm = layer.cell, layer.gate_norm
    check_features(cell, x, y)
    if layer.training and (norm is not None or layer.output_norm is not None):
        raise ValueError("this layer has norms: call eval() on it before tracing")
    if x.dim() == 2:
        seen = trace(layer, x.unsqueeze(1), y.unsqueeze(1))
        return {name: values.squeeze(1) for name, values in seen.items()}
    statistics = norm.statistics(len(x)) if norm is not None else None
    h = c = x.new_zeros(x.shape[1], cell.hidden_size)
    steps = []
    for t in range(len(x)):
        gates = torch.sigmoid(torch.cat([x[t], y[t], h], dim=1) @ cell.W.T + cell.b)
        if norm is not None:
            gates = norm(gates, step=t, statistics=statistics)
        f, iT, o, *rest = gates.split(cell.hidden_size, dim=1)
        gT = torch.tanh(torch.cat([x[t], h], dim=1) @ cell.W_T.T + cell.b_T)
        step = {"f": f, "iT": iT, "o": o, "gT": gT}
        c = f * c + iT * gT
        if rest:
            step["iF"] = rest[0]
            step["gF"] = torch.tanh(torch.cat([y[t], h], dim=1) @ cell.W_F.T + cell.b_F)
            c = c + step["iF"] * step["gF"]
        h = o * torch.tanh(c)
        steps.append(step | {"c": c, "h": h})
    return {name: torch.stack([step[name] for step in steps]) for name in steps[0]}
