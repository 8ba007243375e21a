"""One step of the Dual-Sequence LSTM (Wang et al. 2020, section 2.3; chapter "The DS-LSTM").

Two sequences, one memory: x is fine in time (T), y fine in frequency (F).

    f, iT, o, iF = sigmoid(W [x; y; h] + b)
    gT = tanh(W_T [x; h] + b_T)          gF = tanh(W_F [y; h] + b_F)
    c' = f c + iT gT + iF gF             h' = o tanh(c')
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ser.nn.inputs import (
    check_features,
    check_pair,
    check_size,
    check_state,
    check_tensors,
)

State = tuple[Tensor, Tensor]


class DSLSTMCell(nn.Module):
    """One step of the DS-LSTM, called as :class:`torch.nn.LSTMCell` is.

    Args:
        x_size: features of x, the time-fine input.
        y_size: features of y, the frequency-fine input.
        hidden_size: H, size of h and c.
        y_candidate: False leaves out iF and gF, so that y only steers the gates (the release's
            "model1").
        bias: False leaves out b, b_T and b_F.
        device, dtype: of the parameters, as torch.nn.LSTMCell takes them.

    Attributes:
        W, b: (4H, x_size + y_size + H), rows f, iT, o, iF; 3H rows without y-candidate.
        W_T, b_T: (H, x_size + H), candidate of x.
        W_F, b_F: (H, y_size + H), candidate of y; None without y-candidate.
            b, b_T and b_F are None without bias.

    Example:
        >>> cell = DSLSTMCell(x_size=5, y_size=7, hidden_size=4)
        >>> h, c = cell(torch.randn(2, 5), torch.randn(2, 7))
        >>> h.shape, c.shape
        (torch.Size([2, 4]), torch.Size([2, 4]))
    """

    def __init__(
        self,
        x_size: int,
        y_size: int,
        hidden_size: int,
        y_candidate: bool = True,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ):
        super().__init__()
        for name, size in (("x_size", x_size), ("y_size", y_size), ("hidden_size", hidden_size)):
            check_size(name, size)
        self.x_size, self.y_size, self.hidden_size = x_size, y_size, hidden_size
        self.y_candidate, self.bias = y_candidate, bias
        gates = (4 if y_candidate else 3) * hidden_size
        sizes = {
            "W": (gates, x_size + y_size + hidden_size),
            "W_T": (hidden_size, x_size + hidden_size),
            "W_F": (hidden_size, y_size + hidden_size) if y_candidate else None,
        }
        for name, size in sizes.items():
            for own, shape in ((name, size), (f"b{name[1:]}", size and bias and size[:1])):
                value = torch.empty(shape, device=device, dtype=dtype) if shape else None
                self.register_parameter(own, None if value is None else nn.Parameter(value))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Each matrix and its bias uniform within 1 / sqrt(columns), as torch.nn.Linear does."""
        for weight, bias in ((self.W, self.b), (self.W_T, self.b_T), (self.W_F, self.b_F)):
            if weight is not None:
                bound = 1 / math.sqrt(weight.shape[1])
                nn.init.uniform_(weight, -bound, bound)
                if bias is not None:
                    nn.init.uniform_(bias, -bound, bound)

    def forward(
        self,
        x: Tensor,
        y: Tensor,
        state: State | None = None,
        gate_norm: Callable[[Tensor], Tensor] | None = None,
    ) -> State:
        """x (B, x_size), y (B, y_size), state (h, c) each (B, H) or None for zeros -> (h, c).

        All may lack the batch dimension. ``gate_norm`` is applied to the gates (B, 4H) after
        the sigmoid (see :class:`ser.nn.GateNorm`).

        Raises:
            TypeError: no tensors, or of another format than the weights.
            ValueError: sizes that do not fit, another device.
        """
        check_tensors(self, x=x, y=y)
        if x.dim() not in (1, 2) or x.dim() != y.dim() or x.shape[:-1] != y.shape[:-1]:
            raise ValueError(
                f"x and y must be (B, size) or (size,), got {tuple(x.shape)} and {tuple(y.shape)}"
            )
        check_features(self, x, y)
        shape = (*x.shape[:-1], self.hidden_size)
        if state is None:
            state = x.new_zeros(shape), x.new_zeros(shape)
        check_pair(state, self)
        check_state(state, shape)
        h, c = state

        gates = torch.sigmoid(F.linear(torch.cat([x, y, h], dim=-1), self.W, self.b))
        if gate_norm is not None:
            gates = gate_norm(gates)
        gT = torch.tanh(F.linear(torch.cat([x, h], dim=-1), self.W_T, self.b_T))
        if self.y_candidate:
            f, iT, o, iF = gates.chunk(4, dim=-1)
            gF = torch.tanh(F.linear(torch.cat([y, h], dim=-1), self.W_F, self.b_F))
            c = f * c + iT * gT + iF * gF
        else:
            f, iT, o = gates.chunk(3, dim=-1)
            c = f * c + iT * gT
        h = o * torch.tanh(c)
        return h, c

    def extra_repr(self) -> str:
        """Sizes, and the options that are off, for ``print``."""
        text = f"{self.x_size}, {self.y_size}, {self.hidden_size}"
        options = {"y_candidate": self.y_candidate, "bias": self.bias}
        return text + "".join(f", {name}=False" for name, on in options.items() if not on)
