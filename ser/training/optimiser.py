"""The optimiser of a training run, and the average of its weights (book: "Training on a GPU")."""

from __future__ import annotations

import functools
import inspect

import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ser.training.config import TrainConfig

MOMENTUM = 0.9
"""Of SGD."""


def make_optimiser(model: torch.nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """Adam, AdamW or SGD over the model's weights, as the settings say.

    On a CPU and on CUDA Adam moves weights and moments in one pass over them (torch's ``fused``),
    instead of one a line of its formula.

    Args:
        model: on the device on which it will be trained.
        config: its ``optimiser``, ``lr`` and ``weight_decay``.

    Example:
        >>> net = torch.nn.Linear(2, 3)
        >>> make_optimiser(net, TrainConfig(optimiser="adamw", lr=0.01)).defaults["fused"]
        True
    """
    weights = list(model.parameters())
    common = {"lr": config.lr, "weight_decay": config.weight_decay}
    if config.optimiser == "sgd":
        return _light(torch.optim.SGD)(weights, momentum=MOMENTUM, **common)
    kind = torch.optim.Adam if config.optimiser == "adam" else torch.optim.AdamW
    fused = all(w.device.type in ("cpu", "cuda") and w.is_floating_point() for w in weights)
    return _light(kind)(weights, fused=fused or None, **common)


@functools.cache
def _light(kind: type[torch.optim.Optimizer]) -> type[torch.optim.Optimizer]:
    """*kind*, the same to the bit, without importing torch's compiler.

    torch's wrappers of these methods do that (100 MB, 1 s in every process) to keep them out of
    what is being compiled; here nothing is.
    """
    wrapped = ("add_param_group", "load_state_dict", "state_dict", "zero_grad")
    methods = {name: inspect.unwrap(getattr(kind, name)) for name in wrapped}
    methods["step"] = torch.no_grad()(inspect.unwrap(kind.step))
    return type(kind.__name__, (kind,), methods)


def moments(optimiser: torch.optim.Optimizer) -> tuple[str, ...]:
    """Names of what an optimiser of :func:`make_optimiser` keeps for each weight.

    Example:
        >>> moments(make_optimiser(torch.nn.Linear(2, 3), TrainConfig(optimiser="sgd")))
        ('momentum_buffer',)
    """
    if isinstance(optimiser, torch.optim.SGD):
        return ("momentum_buffer",)
    return ("step", "exp_avg", "exp_avg_sq")


def averaged(model: torch.nn.Module, decay: float) -> AveragedModel:
    """A second network (``module``) whose weights follow the first one's slowly.

    Step t (``update_parameters``) moves each weight by 1 - d towards the live one, d = min(decay,
    (1 + t) / (10 + t)), so that the start is soon forgotten (Polyak and Juditsky 1992, with
    exponential decay). Buffers (batch norm's running statistics) are the live ones.

    Args:
        model: the network that is trained.
        decay: 0 < decay < 1.

    Example:
        >>> live = torch.nn.Linear(1, 1, bias=False)
        >>> average = averaged(live, decay=0.9)
        >>> _ = live.weight.data.add_(1.0)
        >>> average.update_parameters(live)
        >>> bool(average.module.weight < live.weight)
        True
    """

    def follow(means: list, lives: list, count: torch.Tensor) -> None:
        rate = min(decay, count.item() / (9 + count.item()))
        get_ema_multi_avg_fn(rate)(means, lives, count)

    average = AveragedModel(model, multi_avg_fn=follow).requires_grad_(False)
    average.n_averaged += 1  # at 0 torch would take the live weights whole
    return average
