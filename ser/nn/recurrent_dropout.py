"""Recurrent dropout: in training, some of the weights from h to the gates are 0 for a whole batch.

The weights are dropped, not the memory (Merity et al. 2018, "Regularizing and Optimizing LSTM
Language Models", the weight-dropped LSTM), so every way of computing an LSTM can be taken.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ser.nn.cell import DSLSTMCell
from ser.nn.time_pool import drop


class Recurrent(nn.Module):
    """Calls *run* with the LSTM or DS-LSTM in *holder*, its recurrent weights dropped in training.

    Args:
        share: of the weights of every step from h that are set to 0; the others are divided by
            1 - share. 0: nothing is done, and no random number is drawn.
    """

    def __init__(self, share: float = 0.0):
        super().__init__()
        self.share = share

    def forward(self, lstm: nn.Module, run: Any, *given: Any) -> Any:
        """What ``run(lstm, *given)`` returns.

        Example:
            >>> lstm = nn.LSTM(3, 4, batch_first=True)
            >>> x = torch.ones(1, 2, 3)
            >>> first = Recurrent(0.5)(lstm, lambda net, x: net(x)[0], x)[:, 0]
            >>> bool(torch.equal(first, lstm(x)[0][:, 0]))
            True
        """
        if not (self.share and self.training):
            return run(lstm, *given)
        weights = {f"lstm.{name}": w for name, w in dropped(lstm, self.share).items()}
        return functional_call(_Call(lstm, run), weights, given)


def dropped(lstm: nn.Module, share: float) -> dict[str, Tensor]:
    """The recurrent weights of an ``nn.LSTM`` or :class:`ser.nn.DSLSTM` by name, *share* of them 0.

    In the DS-LSTM they are the last H columns of W, W_T and W_F.

    Example:
        >>> sorted(dropped(nn.LSTM(3, 4, 2), 0.5))
        ['weight_hh_l0', 'weight_hh_l1']
    """
    found = {}
    for name, weight in lstm.named_parameters():
        if name.startswith("weight_hh"):
            found[name] = drop(weight, share, True)
    for path, cell in lstm.named_modules():
        if isinstance(cell, DSLSTMCell):
            for own in ("W", "W_T", "W_F"):
                if (weight := getattr(cell, own)) is not None:
                    given, back = weight.split(
                        [weight.shape[1] - cell.hidden_size, cell.hidden_size], 1
                    )
                    found[f"{path}.{own}"] = torch.cat([given, drop(back, share, True)], 1)
    return found


class _Call(nn.Module):
    def __init__(self, lstm: nn.Module, run: Any):
        super().__init__()
        self.lstm, self.run = lstm, run

    def forward(self, *given: Any) -> Any:
        return self.run(self.lstm, *given)
