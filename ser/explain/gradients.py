"""Integrated gradients of a branch, and a control with weights that mean nothing.

Integrated gradients (Sundararajan, Taly, Yan, "Axiomatic Attribution for Deep Networks", ICML 2017)
go from the mean to the recording in a straight line and add up, for each number of the input, its
change times the logit's slope. They are *complete*: their sum is the logit's whole difference, and
so it can be seen whether the line was walked in steps small enough. Computed by captum.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from ser.batch import Batch
from ser.errors import SerError
from ser.explain.explanation import allowed
from ser.explain.patches import TOGETHER, repeated

STEPS = 12
"""Steps on a piece of the way."""
DEPTH = 50
"""How often a piece of the way may be halved."""


def captum_gradients() -> Any:
    """captum's class of integrated gradients.

    Raises:
        SerError: captum is not installed.
    """
    try:
        from captum.attr import IntegratedGradients
    except ImportError as error:
        raise SerError(
            f"integrated gradients need the captum package ({error}); run: pip install "
            "'ser-book[explain]', or leave them out (--occlusion-only)"
        ) from error
    return IntegratedGradients


def integrated_gradients(
    network: nn.Module,
    batch: Batch,
    mean: Mapping[str, Tensor],
    target: int,
    depth: int = DEPTH,
) -> tuple[dict[str, Tensor], float, float]:
    """What each number that a network reads adds to the logit of a class.

    A recurrent network may change its mind all at once somewhere on the way: there the logit climbs
    by several units within a millionth of the way. Equal steps miss that place, so a piece of the
    way whose sum is not the difference over it is halved, in double precision.

    Args:
        network: from a batch to logits (B, classes), in evaluation mode.
        batch: one utterance.
        mean: all fields that the network reads, where the way begins.
        target: the class's number.
        depth: how often a piece may be halved.

    Returns:
        Field -> attributions, as the field; the logit's difference between the recording and the
        mean; the sum of the attributions minus that difference.

    Raises:
        SerError: captum is not installed.
    """
    names = list(mean)
    network = copy.deepcopy(network).double()
    batch = replace(batch, **{name: getattr(batch, name).double() for name in names})

    def logit(*given: Tensor) -> Tensor:
        return network(repeated(batch, dict(zip(names, given, strict=True))))[:, target]

    method = captum_gradients()(logit, multiply_by_inputs=True)
    begin = [mean[name].double() for name in names]
    way = [getattr(batch, name) - at for name, at in zip(names, begin, strict=True)]

    def place(share: float) -> tuple[Tensor, ...]:
        return tuple(at + share * whole for at, whole in zip(begin, way, strict=True))

    def value(share: float) -> float:
        with torch.no_grad():
            return float(logit(*place(share)))

    ends = value(0.0), value(1.0)
    difference = ends[1] - ends[0]
    total = [torch.zeros_like(at) for at in begin]
    pieces = [(0.0, 1.0, *ends, 0)]
    while pieces:
        first, last, before, after, halved = pieces.pop()
        # cuDNN has no backward pass through an LSTM in evaluation mode
        with torch.backends.cudnn.flags(enabled=False):
            found = method.attribute(
                place(last), place(first), n_steps=STEPS, internal_batch_size=TOGETHER
            )
        missed = sum(float(part.sum()) for part in found) - (after - before)
        if halved < depth and abs(missed) > allowed(difference) / 8:
            middle = (first + last) / 2
            there = value(middle)
            pieces += [
                (first, middle, before, there, halved + 1),
                (middle, last, there, after, halved + 1),
            ]
            continue
        for kept, part in zip(total, found, strict=True):
            kept += part.detach()
    gap = sum(float(part.sum()) for part in total) - difference
    parts = {name: part[0].cpu() for name, part in zip(names, total, strict=True)}
    return parts, difference, gap


def shuffled(network: nn.Module, seed: int) -> nn.Module:
    """A copy whose weights are the same numbers, in each tensor in another order.

    An explanation that stays the same shows the sound and not what the network has learnt.

    Source: Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018.

    Example:
        >>> layer = nn.Linear(3, 2)
        >>> other = shuffled(layer, seed=0)
        >>> sorted(other.weight.flatten().tolist()) == sorted(layer.weight.flatten().tolist())
        True
    """
    other = copy.deepcopy(network)
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weights in other.parameters():
            order = torch.randperm(weights.numel(), generator=draw).to(weights.device)
            weights.copy_(weights.flatten()[order].view_as(weights))
    return other
