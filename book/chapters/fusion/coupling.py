"""Does the sum of the losses couple two branches? (book: chapter "Fusion")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from ser import build_model
from ser.batch import Dataset
from ser.training import TrainConfig, logits_of, train


def joint_against_apart(
    rows: Sequence[str],
    side: Dataset,
    options: Mapping[str, Any],
    optimiser: str,
    lr: float,
    lr_apart: float,
) -> dict[str, float]:
    """Train ``dual-equations`` on the sum of its losses, and its branches apart; compare them.

    Args:
        rows: the two branches' own rows, in the order of the fusion.
        side: what they learn from, two epochs of batches of 8.
        options: for :func:`ser.build_model`.
        optimiser, lr: of the joint training.
        lr_apart: learning rate of the branches apart.

    Returns:
        differences: ``weights, median``, ``weights, largest`` and ``logits, largest``.
    """

    def trained(row: str, rate: float) -> torch.nn.Module:
        model = build_model(row, seed=1, **options)
        config = TrainConfig(epochs=2, batch_size=8, lr=rate, optimiser=optimiser)
        return train(model, config, side).model

    weights, answers = [], []
    for part, row in zip(trained("dual-equations", lr).parts, rows, strict=True):
        alone = trained(row, lr_apart).parts[0]
        pairs = zip(part.parameters(), alone.parameters(), strict=True)
        weights += [(u - v).abs().detach().flatten() for u, v in pairs]
        together, apart = (logits_of(model, side)[0] for model in (part, alone))
        answers.append(float((together - apart).abs().max()))
    whole = torch.cat(weights)
    return {
        "weights, median": float(whole.median()),
        "weights, largest": float(whole.max()),
        "logits, largest": max(answers),
    }
