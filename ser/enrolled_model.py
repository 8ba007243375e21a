"""The model that answers, told the speaker's voice where there is something calm of it.

Book: chapter "Bring IEMOCAP, or your own voice".
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ser.corpora.problems import many
from ser.errors import ModelError
from ser.loading import SavedModel, load_model
from ser.normalise import enrolled_by, measure
from ser.recording import Recording, Sound, wave_features
from ser.sound_quality import EFFECTS, speech_level

AGAIN = ("one of the neutral recordings", "it was normalised by itself, as none in training was")
"""What is said of a recording that tells the voice and is asked about, and what that does."""
LOUDER, SOFTER = 15.0, -25.0
"""dB of :func:`ser.sound_quality.speech_level` from a voice's calm sentences: no utterance of EmoDB
or nEMO is as far from the median of its speaker's neutral ones."""


def model_for(
    checkpoint: SavedModel | str | os.PathLike | None = None,
    neutral: Sequence[Sound] | Sound = (),
    device: str = "auto",
    recordings: int | None = None,
) -> SavedModel:
    """The model that is to answer, as it hears one speaker who has said something calm before.

    Args:
        checkpoint: as for :func:`ser.predict`.
        neutral: neutral recordings of the speaker, as :func:`ser.predict` takes recordings; a model
            trained with normalisation ``enrol:K`` wants K of them.
        device, recordings: as for :func:`ser.loading.load_model`.

    Returns:
        The model; with neutral recordings these are its ``calm``, and its ``scales`` their mean and
        deviation.

    Raises:
        ModelError: neutral recordings for a model that was trained otherwise, or none for one that
            wants to be told a voice; see also :func:`ser.loading.load_model`.
        AudioError, FeatureError: as :func:`ser.predict`.

    Example:
        >>> model_for().normalise
        'train'
        >>> model_for(neutral=["calm1.wav", "calm2.wav", "calm3.wav"])       # doctest: +SKIP
    """
    if isinstance(neutral, (str, os.PathLike)) or getattr(neutral, "ndim", 2) == 1:
        neutral = [neutral]
    model = checkpoint
    if not isinstance(model, SavedModel):
        model = load_model(checkpoint, device, recordings, enrolled=len(neutral) > 0)
    count = enrolled_by(model.normalise)
    if not len(neutral):
        if not count or all(model.scales.values()):
            return model
        raise ModelError(
            f"{model.row} was trained with {count} neutral recordings of each speaker "
            f"(enrol:{count}), which tell it the voice: give {count} of the one who speaks, "
            "--neutral calm1.wav ..."
        )
    if not count:
        raise ModelError(
            f"{model.row} was trained with normalisation {model.normalise!r}: neutral recordings "
            "would change nothing, for it has not learnt to be told a voice. Train one that has: "
            f"ser run --normalise enrol:{len(neutral)}, or name no model: one that has comes with "
            "ser"
        )
    calm = []
    for one in map(Recording.of, neutral):
        if "silence" in one.oddities:
            raise ModelError(f"{one.name}: silence tells no voice; give another neutral recording")
        calm.append(one)
    if any(np.array_equal(a.wave, b.wave) for a, b in itertools.combinations(calm, 2)):
        raise ModelError(
            "two of the neutral recordings are the same sound; give each once, others tell more"
        )
    features = wave_features([one.wave for one in calm], model.preset)
    scales = {
        row: measure(features, range(len(calm)), part.needs) for row, part in model.branches.items()
    }
    return replace(model, scales=scales, calm=tuple(calm))


def calm_remarks(model: SavedModel, beside: Recording | None = None) -> list[tuple[str, str]]:
    """What is odd about a model's neutral recordings, and what that does.

    Args:
        model: of :func:`model_for`.
        beside: what is asked about, whose level should be like theirs.
    """
    found, calm = [], model.calm
    for kind in dict.fromkeys(kind for one in calm for kind in one.oddities):
        which = [one for one in calm if kind in one.oddities]
        files = ", ".join(os.path.basename(one.name) for one in which)
        told = f"neutral {files}: {which[0].oddities[kind]}"
        found.append((told, f"{EFFECTS[kind]}; the whole voice is measured by it"))
    if calm and len(calm) != (count := enrolled_by(model.normalise)):
        told = many(len(calm), "neutral recording")
        found.append((told, f"in training there were {count} of each speaker"))
    if calm and beside:
        gap = speech_level(beside.wave) - np.median([speech_level(one.wave) for one in calm])
        if not SOFTER <= gap <= LOUDER:
            than = f"{'louder' if gap > 0 else 'softer'} than the neutral recordings"
            told = f"{abs(gap):.0f} dB {than}"
            found.append((told, "level is a cue; record all at one distance and one gain"))
    return found
