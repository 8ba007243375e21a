"""Your own recordings: one file in, a probability of each emotion out.

Book: chapter "Bring IEMOCAP, or your own voice".
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ser.enrolled_model import AGAIN, calm_remarks, model_for
from ser.errors import FeatureError, ModelError, shortage
from ser.loading import SavedModel
from ser.loading import load_model as load_model  # scripts import it from here
from ser.normalise import normalised
from ser.recording import Recording, Sound, wave_features
from ser.sound_quality import EFFECTS

if TYPE_CHECKING:
    import torch

    from ser.batch import Batch


@dataclass(frozen=True)
class Prediction:
    """What a model says of one recording.

    Attributes:
        path: the file.
        seconds: its duration.
        emotion: the class of the highest probability.
        probabilities: class -> probability (softmax of the averaged logits).
        branches: for each branch of the model, class -> probability.
        remarks: why the answer may be worth less than it looks: what was heard in the recording
            (:mod:`ser.sound_quality`), its length, its level; and what that does, or ``""``.
    """

    path: str
    seconds: float
    emotion: str
    probabilities: dict[str, float]
    branches: dict[str, dict[str, float]]
    remarks: tuple[tuple[str, str], ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """The remarks, each a sentence."""
        return tuple(": ".join(filter(None, remark)) for remark in self.remarks)

    def as_dict(self) -> dict:
        """JSON-able."""
        facts = {name: value for name, value in vars(self).items() if name != "remarks"}
        return facts | {"warnings": list(self.warnings)}

    def to_text(self) -> str:
        """Bars of the probabilities, a line a class, and what each branch says."""
        lines = [f"{self.path}  ({self.seconds:.2f} s): {self.emotion}"]
        wide = max(8, *map(len, self.probabilities))
        for name, value in self.probabilities.items():
            lines.append(f"  {name:{wide}} {100 * value:5.1f} %  {'#' * round(30 * value)}")
        if len(self.branches) > 1:
            for branch, values in self.branches.items():
                best = max(values, key=values.get)
                lines.append(f"  {branch} says {best} ({100 * values[best]:.1f} %)")
        return "\n".join([*lines, *(f"  note: {w}" for w in self.warnings)])


def predict(
    recording: Sound,
    checkpoint: SavedModel | str | os.PathLike | None = None,
    neutral: Sequence[Sound] | Sound = (),
) -> Prediction:
    """What a trained model says of a recording.

    Args:
        recording: a file, or mono samples (n,) at 16 kHz within -1..1; signed whole numbers, as
            microphones give them, are taken by their own full scale.
        checkpoint: a model of :func:`ser.loading.load_model`, or its folder; None: the small model
            that comes with the package, read anew at every call; with *neutral* the one that was
            trained so.
        neutral: calm recordings of the same speaker, see :func:`ser.enrolled_model.model_for`; or
            one of them.

    Raises:
        AudioError: the file cannot be read (the message names it and the way out), or samples
            that are no sound.
        FeatureError: too short for the network.
        ModelError: see :func:`ser.loading.load_model`.

    Example:
        >>> from ser import predict
        >>> predict("me.wav").emotion  # doctest: +SKIP
        'neutral'
        >>> predict("me.wav", "results/models/dual/loso-release-03-seed0")  # doctest: +SKIP

        Many recordings, the model read once:

        >>> from ser.loading import load_model
        >>> model = load_model()
        >>> answers = [predict(file, model) for file in ["a.wav", "b.wav"]]  # doctest: +SKIP
    """
    model = model_for(checkpoint, neutral, recordings=1)
    return answer(Recording.of(recording), model)


def answer(recording: Recording, model: SavedModel, part: bool = False) -> Prediction:
    """What *model* says of a recording that was read.

    Args:
        recording: of :meth:`ser.recording.Recording.of`.
        model: of :func:`ser.enrolled_model.model_for`.
        part: it was cut out of a longer sound; what is odd about a voice's neutral recordings is
            not said again.

    Raises:
        FeatureError, ModelError: as :func:`predict`.
    """
    import torch

    name, wave, emotions = recording.name, recording.wave, model.emotions
    try:
        with torch.no_grad():
            logits = {row: branch_logits(wave, model, row, name) for row in model.branches}
    except (MemoryError, RuntimeError) as error:
        if not shortage(error):
            raise
        raise FeatureError(
            f"{name}: {recording.seconds:.0f} s do not fit into memory; cut it into utterances, or "
            "answer it window by window: ser predict --stream"
        ) from error
    if not all(torch.isfinite(v).all() for v in logits.values()):
        raise ModelError(f"{name}: the model's answer is not finite; was its training?")
    fused = _probabilities(sum(logits.values()) / len(logits), emotions)
    remarks = [(what, EFFECTS[kind]) for kind, what in recording.oddities.items()]
    remarks += [(text, "") for text in _unlike_training(recording, model)]
    if any(np.array_equal(wave, one.wave) for one in model.calm):
        remarks.append(AGAIN)
    if not part:
        remarks += calm_remarks(model, recording)
    return Prediction(
        path=name,
        seconds=round(recording.seconds, 3),
        emotion=max(fused, key=fused.get),
        probabilities=fused,
        branches={row: _probabilities(v, emotions) for row, v in logits.items()},
        remarks=tuple(remarks),
    )


def _probabilities(logits: torch.Tensor, emotions: Sequence[str]) -> dict[str, float]:
    values = logits.softmax(0).tolist()
    return {e: round(v, 6) for e, v in zip(emotions, values, strict=True)}


def branch_logits(wave: np.ndarray, model: SavedModel, row: str, name: str) -> torch.Tensor:
    """Logits (classes,) of one branch, on the CPU, without a word on what the sound is like.

    Args:
        wave: float32 (samples,) at 16 kHz.
        row: the branch.
        name: what an error calls the sound.

    Raises:
        FeatureError: too short for the network.
    """
    batch = batch_of(wave, model, row, name)
    try:
        return model.branches[row](batch)[0].float().cpu()
    except FeatureError as error:
        seconds = len(wave) / 16000
        raise FeatureError(f"{name}: {seconds:.2f} s is too short ({error})") from error


def batch_of(wave: np.ndarray, model: SavedModel, row: str, name: str) -> Batch:
    """What one branch is given of a recording: a batch of one; as :func:`branch_logits`."""
    from ser.batch import Dataset

    needs, scale = model.branches[row].needs, model.scales.get(row) or None
    one = wave_features([wave], model.preset)
    one = normalised(one, model.normalise, needs, scale=scale, clip_z=model.clip_z)
    try:
        batch = Dataset(one, [0], [0], needs=needs, frames=model.frames).batch()
    except FeatureError as error:
        raise FeatureError(f"{name}: {error}") from error
    return batch.to(model.device)


def _unlike_training(recording: Recording, model: SavedModel) -> list[str]:
    found = []
    if "silence" not in recording.oddities and np.abs(recording.wave).max() < 0.01:
        found.append("very quiet (peak below -40 dB); level is a cue the model uses")
    if model.normalise == "speaker":
        found.append(
            "normalised by this recording alone; in training it was all recordings of a speaker"
        )
    if model.normalise == "running":
        found.append(
            "normalised by this recording and the training corpus; in training also by what its "
            "speaker had said before"
        )
    low, high = model.trained_on["seconds"]
    if not low * 0.8 <= recording.seconds <= high * 1.2:
        told = f"the model was trained on {low:.1f} to {high:.1f} s"
        found.append(f"{recording.seconds:.1f} s long; {told}")
    return found
