"""Why a network answers as it does about one recording.

Book: chapter "Mistakes and certainty, in full".
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ser.enrolled_model import model_for
from ser.errors import SerError
from ser.explain.explanation import Explanation, ranks_alike
from ser.explain.gradients import captum_gradients, integrated_gradients, shuffled
from ser.explain.patches import (
    VIEW_OF,
    View,
    cells_of,
    mean_of,
    middles,
    occlusion,
    repeated,
    view_of,
)
from ser.features.presets import get_preset
from ser.loading import SavedModel
from ser.normalise import enrolled_by
from ser.prediction import Prediction, answer, batch_of
from ser.progress import counted
from ser.recording import Recording, Sound

LONGEST = 60.0
"""Seconds; what is longer is no utterance, and has too many patches to be looked at."""
SHUFFLES = 3
"""Networks with shuffled weights that the control asks."""


def explain(
    recording: Sound,
    checkpoint: SavedModel | str | os.PathLike | None = None,
    neutral: Sequence[Sound] | Sound = (),
    gradients: bool = True,
    progress: bool = False,
) -> Explanation:
    """What of a recording an answer rests on.

    Args:
        recording, checkpoint, neutral: as for :func:`ser.predict`.
        gradients: also integrated gradients (needs captum) and their control.
        progress: show a progress bar.

    Raises:
        AudioError, FeatureError, ModelError: as :func:`ser.predict`.
        SerError: captum is not installed, or the recording is longer than :data:`LONGEST`.

    Example:
        >>> from ser.explain import explain
        >>> explain("me.wav").views[0].strongest                 # doctest: +SKIP
    """
    if gradients:
        captum_gradients()
    model = model_for(checkpoint, neutral, "cpu")
    heard = Recording.of(recording)
    if heard.seconds > LONGEST:
        raise SerError(
            f"{heard.name}: {heard.seconds:.0f} s; an utterance is explained, of {LONGEST:.0f} s "
            "at most: cut one out (ser predict --stream says where it sounds like what)"
        )
    prediction = answer(heard, model)
    work = len(model.branches) * (2 + SHUFFLES if gradients else 1)
    with counted("explaining", work, "steps", progress, leave=False) as bar:
        return _explained(heard.wave, model, prediction, gradients, bar)


def _explained(
    wave: np.ndarray,
    model: SavedModel,
    prediction: Prediction,
    gradients: bool,
    bar: Any,
) -> Explanation:
    target, seconds = list(prediction.probabilities).index(prediction.emotion), len(wave) / 16000
    share, preset = 1 / len(model.branches), get_preset(model.preset)
    views: dict[str, View] = {}
    added: dict[str, Any] = {}
    others: list[dict[str, Any]] = [{} for _ in range(SHUFFLES)]
    logits, mean_logit, gap = {}, 0.0, 0.0
    for row, network in model.branches.items():
        batch = batch_of(wave, model, row, prediction.path)
        cells: dict[str, Any] = {}
        for field in sorted(network.needs):
            values = getattr(batch, field)
            frames = values.shape[1 if field in ("mfcc", "prosody") else 2]
            at = middles(field, frames, len(wave), preset, model.frames == "fixed")
            view = views.setdefault(VIEW_OF[field], view_of(VIEW_OF[field], seconds))
            cells[field] = cells_of(view, field, tuple(values.shape[1:]), at)
        mean = mean_of(batch, cells, known=model.normalise != "none")
        with torch.no_grad():
            logits[row] = tuple(round(v, 6) for v in network(batch)[0].tolist())
            mean_logit += share * float(network(repeated(batch, mean))[0, target])
        for name in dict.fromkeys(VIEW_OF[field] for field in cells):
            own = {field: cell for field, cell in cells.items() if VIEW_OF[field] == name}
            shape = views[name].shape
            lost = occlusion(network, batch, own, mean, target, int(np.prod(shape)))
            views[name].occlusion += share * lost.reshape(shape)
        bar.update()
        if not gradients:
            continue
        parts, _, missed = integrated_gradients(network, batch, mean, target)
        gap += share * missed
        _add(added, parts, cells, views, share)
        bar.update()
        for seed, tables in enumerate(others):
            parts, _, _ = integrated_gradients(shuffled(network, seed), batch, mean, target, 0)
            _add(tables, parts, cells, views, share)
            bar.update()
    control = {}
    for name, table in added.items():
        views[name].gradients = table
        alike = [ranks_alike(abs(table), abs(tables[name])) for tables in others]
        control[name] = round(float(np.mean(alike)), 3)
    return Explanation(
        prediction=prediction,
        model=model.describe(),
        logits=logits,
        baseline=_mean_is(model),
        views=tuple(views.values()),
        mean_logit=mean_logit,
        gap=gap if gradients else None,
        control=control,
        wave=wave,
        preset=model.preset,
    )


def _add(
    sums: dict[str, Any], parts: dict[str, Any], cells: dict[str, Any], views: dict, share: float
) -> None:
    """Add the attributions of every number up over each patch of its view."""
    for field, values in parts.items():
        name = VIEW_OF[field]
        bands, stretches = views[name].shape
        weights = values.flatten().double().numpy()
        worth = np.bincount(cells[field].flatten().numpy(), weights, bands * stretches)
        sums[name] = sums.get(name, 0.0) + share * worth.reshape(bands, stretches)


def _mean_is(model: SavedModel) -> str:
    if enrolled_by(model.normalise):
        return "the mean of the speaker's neutral recordings"
    return {
        "none": "each band's or column's mean over this recording",
        "train": "the mean of the training corpus",
        "running": "the mean of this recording and the training corpus",
    }.get(model.normalise, "the mean of this recording")
