"""Recurrent dropout: in training, some of the weights from h to the gates are 0 for a whole batch.

The weights are dropped, not the memory (Merity et al. 2018, "Regularizing and Optimizing LSTM
Language Models", the weight-dropped LSTM), so every way of computing an LSTM can be taken.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ser.nn.time_pool import drop


def run_dropped(share: float, lstm: nn.Module, run: Callable[..., Any], *given: Any) -> Any:
    """What ``run(lstm, *given)`` returns, some of the recurrent weights being 0.

    Args:
        share: of the weights of every step from h that are set to 0; the others are divided by
            1 - share. 0, as out of training: nothing is done, and no random number is drawn.
        lstm: an ``nn.LSTM`` or :class:`ser.nn.DSLSTM`.
        run: called with *lstm* and *given*.

    Example:
        >>> lstm, x = nn.LSTM(3, 4, batch_first=True), torch.ones(1, 2, 3)
        >>> output = run_dropped(0.5, lstm, lambda net, x: net(x)[0], x)
        >>> bool(torch.equal(output[:, 0], lstm(x)[0][:, 0]))
        True
    """
    if not share:
        return run(lstm, *given)
    weights = {f"lstm.{name}": weight for name, weight in dropped(lstm, share).items()}
    return functional_call(_Call(lstm, run), weights, given)


def dropped(lstm: nn.Module, share: float) -> dict[str, Tensor]:
    """The recurrent weights of an ``nn.LSTM`` or :class:`ser.nn.DSLSTM` by name, *share* of them 0.

    In the DS-LSTM they are the last H columns of W, W_T and W_F.

    Example:
        >>> sorted(dropped(nn.LSTM(3, 4, 2), 0.5))
        ['weight_hh_l0', 'weight_hh_l1']
    """
    found, hidden = {}, lstm.hidden_size
    for path, weight in lstm.named_parameters():
        name = path.rpartition(".")[2]
        if name.startswith("weight_hh") or name in ("W", "W_T", "W_F"):
            back = drop(weight[:, -hidden:], share, True)
            found[path] = torch.cat([weight[:, :-hidden], back], 1)
    return found


class _Call(nn.Module):
    def __init__(self, lstm: nn.Module, run: Callable[..., Any]):
        super().__init__()
        self.lstm, self.run = lstm, run

    def forward(self, *given: Any) -> Any:
        return self.run(self.lstm, *given)
