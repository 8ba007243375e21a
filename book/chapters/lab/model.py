"""A model that comes with the package, as a page holds it: float32 numbers, base64.

The page's own forward pass (``features.js``, ``network.js``) reads them. Of the gates' norm only
the steps that can occur are kept: the front ends make 27 of a squashed pair.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
from ser.features.presets import get_preset
from ser.loading import SavedModel
from ser.nn.alignment import aligned_lengths
from ser.normalise import enrolled_by
from ser.saved_models import SCALE

HERE = Path(__file__).parent
KINDS = ("mean", "deviation")
LIBRARY = tuple(HERE / f"{name}.js" for name in ("signal", "features", "network", "sound"))
"""The page's code that a widget with the network needs, in this order."""


def packed(model: SavedModel) -> dict[str, Any]:
    """Weights of a ``dual`` as ``serPage.unpack`` reads them.

    Args:
        model: of :func:`ser.loading.load_model`: branches ``mfcc-lstm`` and ``ds-lstm`` of the
            row ``dual``, preset ``release``, frames squashed, normalised by rule ``train``, or by
            ``enrol:K``, for which the page measures a voice itself; nothing clipped.

    Returns:
        ``shapes``, a list of (branch, name, shape), and ``packed``, their numbers one after the
        other as little-endian float32 in base64.

    Raises:
        ValueError: another kind of model.

    Example:
        >>> from ser.loading import load_model
        >>> len(packed(load_model())["packed"]) < 1_800_000
        True
    """
    kind = model.row, model.preset, model.frames, model.normalise
    known = kind[3] == "train" or enrolled_by(kind[3])
    if kind[:3] != ("dual", "release", "fixed") or not known or model.clip_z:
        raise ValueError(
            f"the page's forward pass is of dual, release, fixed, train or enrol:K; not {kind}"
        )
    front = model.branches["ds-lstm"]
    preset = get_preset(model.preset)
    frames = zip((front.front1, front.front2), preset.frames, strict=True)
    steps = aligned_lengths(*(part.out_lengths(size) for part, size in frames))
    shapes, numbers = [], []
    for branch, network in model.branches.items():
        named = {k: v.detach().cpu().numpy() for k, v in network.state_dict().items()}
        for name, pair in model.scales[branch].items():
            named |= {f"{SCALE}{name}/{k}": v for k, v in zip(KINDS, pair, strict=True)}
        for name, values in named.items():
            if name.endswith("num_batches_tracked"):
                continue
            if "gate_norm.running" in name:
                values = _statistics(network, name, steps)
            shapes.append((branch, name, list(values.shape)))
            numbers.append(values.ravel().astype("<f4"))
    text = base64.b64encode(np.concatenate(numbers).tobytes()).decode("ascii")
    return {"shapes": shapes, "packed": f"base64,{text}"}


def _statistics(network: Any, name: str, steps: int) -> np.ndarray:
    """Running mean or variance of a gate norm, (steps, 4H), as evaluation uses them."""
    path, kind = name.rsplit(".", 1)
    mean, variance = network.get_submodule(path).statistics(steps)
    return (mean if kind == "running_mean" else variance).detach().cpu().numpy()
