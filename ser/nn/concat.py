"""The plain alternative to the DS-LSTM: one ordinary LSTM over both sequences, side by side.

If a cell with two inputs a step earns its place, it must beat ``nn.LSTM`` given the same two
sequences as one vector a step. Book: chapter "Ablations".
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ser.batch import Batch
from ser.nn.branches import aligned_pair
from ser.nn.frontend import FrontEnd
from ser.nn.lstm import lstm_output
from ser.nn.recurrent_dropout import run_dropped
from ser.nn.time_pool import TimePool, drop, pooled_size


class ConcatBranch(nn.Module):
    """Two front ends -> alignment -> ``nn.LSTM`` over [x; y] -> mean over time -> logits.

    Front ends, alignment, pooling and sizes are those of :class:`ser.nn.DSBranch`; only the cell
    differs, and it has fewer numbers. With the preset ``release`` a hidden size of 323 comes
    nearest to the ``ds-lstm`` of hidden size 200, with ``paper`` one of 295
    (:func:`chapters.shared.paired_questions.equal_size`).

    Args:
        n_mels: mel bands of S1 and S2.
        classes, hidden, layers, channels, fast, dropout, pooling, recurrent_dropout: as
            in :class:`ser.nn.DSBranch`.

    Example:
        >>> branch = ConcatBranch((128, 256), hidden=8)
        >>> branch(Batch(s1=torch.randn(2, 128, 230), s2=torch.randn(2, 256, 120))).shape
        torch.Size([2, 4])
    """

    needs = frozenset({"s1", "s2"})

    def __init__(
        self,
        n_mels: tuple[int, int],
        classes: int = 4,
        hidden: int = 200,
        layers: int = 2,
        channels: tuple[int, int] = (64, 16),
        fast: bool = True,
        dropout: float = 0.0,
        pooling: str = "mean",
        recurrent_dropout: float = 0.0,
    ):
        super().__init__()
        self.front1 = FrontEnd(n_mels[0], "s1", channels, fast)
        self.front2 = FrontEnd(n_mels[1], "s2", channels, fast)
        size, self.fast = self.front1.size + self.front2.size, fast
        self.lstm = nn.LSTM(size, hidden, layers, batch_first=True)
        self.linear = nn.Linear(pooled_size(hidden, pooling), classes)
        self.pool, self.dropout = TimePool(hidden, pooling, dropout), dropout
        self.recurrent_dropout = recurrent_dropout

    def forward(self, batch: Batch) -> Tensor:
        """Batch with s1 and s2, each (B, n_mels, T) -> logits (B, classes)."""
        x, y, lengths = aligned_pair(self.front1, self.front2, batch)
        steps = drop(torch.cat([x, y], dim=2), self.dropout, self.training)
        share = self.recurrent_dropout if self.training else 0.0
        output = run_dropped(share, self.lstm, lstm_output, steps, lengths, self.fast)
        return self.linear(self.pool(output, lengths))
