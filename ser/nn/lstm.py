"""torch.nn.LSTM with lengths: padding costs nothing and changes nothing."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ser.nn.functional import Packing, Recurrence


class LSTM(nn.LSTM):
    """:class:`torch.nn.LSTM`, same parameters, called with lengths (B,) instead of packing.

    On the CPU, sequences of different lengths run through the recurrence of the DS-LSTM (an
    LSTM is one without y), which skips the padding; all else is torch's own.

    Args:
        fast: False always uses torch's.

    Example:
        >>> lstm = LSTM(39, 8, 2, batch_first=True)
        >>> output, _ = lstm(torch.randn(2, 50, 39), torch.tensor([50, 30]))
        >>> output.shape, bool((output[1, 30:] == 0).all())
        (torch.Size([2, 50, 8]), True)
    """

    def __init__(self, *args, fast: bool = True, **kwargs):
        super().__init__(*args, **kwargs)
        self.fast = fast

    def forward(self, x: Tensor, lengths: Tensor | None = None):
        """x (B, T, input) or (T, B, input) -> output padded with zeros, (h_n, c_n)."""
        if lengths is None:
            return super().forward(x)
        if lengths.shape != (x.shape[0 if self.batch_first else 1],):
            raise ValueError(f"lengths {tuple(lengths.shape)} for x {tuple(x.shape)}")
        own = self.fast and not (self.bidirectional or self.dropout or self.proj_size)
        if own and x.device.type == "cpu":
            return self._packed(x, lengths)
        packed = pack_padded_sequence(x, lengths.cpu(), self.batch_first, enforce_sorted=False)
        output, state = super().forward(packed)
        steps = x.shape[1 if self.batch_first else 0]
        output, _ = pad_packed_sequence(output, self.batch_first, total_length=steps)
        return output, state

    def _packed(self, x: Tensor, lengths: Tensor):
        x = x.transpose(0, 1) if self.batch_first else x
        packing = Packing.make(*x.shape[:2], lengths, x.device)
        seq = packing.pack(x)
        zeros = x.new_zeros(x.shape[1], self.hidden_size)
        h_n, c_n = [], []
        for w_ih, w_hh, *bias in self.all_weights:
            pre = F.linear(seq, _ordered(w_ih), _ordered(sum(bias)) if bias else None)
            seq, c, _, _ = Recurrence.apply(
                pre, _ordered(w_hh), zeros, zeros, None, None, None, None, packing.sizes, 0.0, False
            )
            h_n.append(seq[packing.last])
            c_n.append(c[packing.last])
        output = packing.unpack(seq)
        state = (torch.stack(h_n), torch.stack(c_n))
        return (output.transpose(0, 1) if self.batch_first else output), state


def _ordered(rows: Tensor) -> Tensor:
    """Rows i, f, g, o as torch keeps them -> f, i, o, g as the recurrence wants them."""
    i, f, g, o = rows.chunk(4)
    return torch.cat([f, i, o, g])
