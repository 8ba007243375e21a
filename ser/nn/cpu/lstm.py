"""torch.nn.LSTM over sequences of different lengths, by batches that shrink as sequences end.

On the CPU torch runs packed sequences step by step, many times slower than padded ones.
Book: chapter "Making it fast".
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

GROUPS = 8
"""The batch shrinks in at most so many steps: more cost more calls, fewer more padding."""


def why_not(lstm: nn.LSTM, x: Tensor, lengths: Tensor | None) -> str:
    """What keeps :func:`output` from standing in; empty where nothing does."""
    if lengths is None:
        return "all sequences are equally long"
    return "it has two directions" if lstm.bidirectional else ""


def output(lstm: nn.LSTM, x: Tensor, lengths: Tensor) -> Tensor:
    """As :func:`ser.nn.lstm_output`: x (B, T, size), lengths (B,) -> (B, T, H), zeros beyond.

    Sorted by length, it runs padded up to the end of the shortest eighth, then, without those, to
    the end of the next, the state carried on. One direction only.

    Example:
        >>> lstm, x = nn.LSTM(39, 8, batch_first=True), torch.randn(2, 50, 39)
        >>> output(lstm, x, torch.tensor([50, 30]))[1, 30:].abs().max()
        tensor(0., grad_fn=<MaxBackward1>)
    """
    ordered, order = torch.sort(lengths, descending=True, stable=True)
    padding = torch.arange(x.shape[1]) >= ordered[:, None]
    x = x.index_select(0, order).masked_fill(padding[:, :, None], 0.0)
    group = max(1, -(-len(x) // GROUPS))
    pieces, state, start, active = [], None, 0, len(x)
    while active:
        keep = max(0, active - group)
        stop = int(ordered[keep])
        if stop > start:
            output, state = lstm(x[:active, start:stop], state)
            pieces.append(F.pad(output, (0, 0, 0, 0, 0, len(x) - active)))
            start = stop
        state = tuple(s[:, :keep].contiguous() for s in state)
        active = keep
    pieces.append(x.new_zeros(len(x), x.shape[1] - start, lstm.proj_size or lstm.hidden_size))
    output = torch.cat(pieces, dim=1).masked_fill(padding[:, :, None], 0.0)
    return output.index_select(0, torch.argsort(order))
