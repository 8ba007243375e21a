"""Your own recordings: one file in, a probability of each emotion out.

Book: chapter "Bring IEMOCAP, or your own voice".
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ser.audio import LOUDEST, load_audio
from ser.corpora.problems import many
from ser.errors import AudioError, FeatureError, ModelError, shortage
from ser.loading import SavedModel, load_model
from ser.sound_quality import EFFECTS, Channels, listen, speech_level

if TYPE_CHECKING:
    import torch

    from ser.batch import Batch

log = logging.getLogger(__name__)

AGAIN = ("one of the neutral recordings", "it was normalised by itself, as none in training was")
"""What is said of a recording that tells the voice and is asked about, and what that does."""
LOUDER, SOFTER = 15.0, -25.0
"""dB of :func:`ser.sound_quality.speech_level` from a voice's calm sentences: no utterance of EmoDB
or nEMO is as far from the median of its speaker's neutral ones."""


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


def enrolled(model: SavedModel, neutral: Sequence[str | os.PathLike | np.ndarray]) -> SavedModel:
    """The model as it hears one speaker, who has said something calm before.

    Args:
        model: of :func:`load_model`, trained with normalisation ``enrol:K``.
        neutral: recordings of the speaker, neutral, as :func:`predict` takes them; K of them are
            what the model was trained with.

    Returns:
        The model with the mean and deviation of these recordings as ``scales``.

    Raises:
        ModelError: the model was trained otherwise, or no recording is given.
        AudioError, FeatureError: as :func:`predict`.

    Example:
        >>> enrolled(load_model("results/models/..."), ["calm.wav"])         # doctest: +SKIP
    """
    from dataclasses import replace

    from ser.normalise import enrolled_by, measure

    if not (count := enrolled_by(model.normalise)):
        rule = {
            "none": "by nothing",
            "train": "by its training corpus",
            "utterance": "each recording by itself",
            "speaker": "each speaker by all their recordings",
            "running": "each speaker by what was said before",
        }[model.normalise]
        raise ModelError(
            f"{model.row} was trained on features normalised {rule}: neutral recordings would "
            "change nothing, for it has not learnt to be told a voice. Train one that has: "
            f"ser run --normalise enrol:{len(neutral) or 3}, or name no model: one that has comes "
            "with ser"
        )
    if not len(neutral):
        raise ModelError(_calm(model, count))
    names = [
        os.fspath(one) if isinstance(one, (str, os.PathLike)) else "samples" for one in neutral
    ]
    waves, listened = [], []
    for one, name in zip(neutral, names, strict=True):
        channels = Channels()
        from_file = isinstance(one, (str, os.PathLike))
        wave = load_audio(one, heed=channels.add) if from_file else samples(one)
        heard = listen(wave) | channels.heard()
        if "silence" in heard:
            raise ModelError(f"{name}: silence tells no voice; give another neutral recording")
        waves.append(wave)
        listened.append(heard)
    sounds = [_sound(wave) for wave in waves]
    if len(set(sounds)) < len(sounds):
        raise ModelError(
            "two of the neutral recordings are the same sound; give each once, others tell more"
        )
    waves = [without_offset(*one) for one in zip(waves, listened, strict=True)]
    heard = _Several(waves, model.preset)
    scales = {
        row: measure(heard, range(len(waves)), part.needs) for row, part in model.branches.items()
    }
    return replace(
        model,
        scales=scales,
        calm=frozenset(sounds),
        calm_level=float(np.median([speech_level(wave) for wave in waves])),
        calm_remarks=_oddities(names, listened, count),
    )


def _oddities(
    names: Sequence[str], listened: Sequence[Mapping[str, str]], count: int
) -> tuple[tuple[str, str], ...]:
    """What is odd about neutral recordings, each kind once; and their number."""
    found = []
    for kind in dict.fromkeys(kind for heard in listened for kind in heard):
        which = [k for k, heard in enumerate(listened) if kind in heard]
        files = ", ".join(os.path.basename(names[k]) for k in which)
        told = f"neutral {files}: {listened[which[0]][kind]}"
        found.append((told, f"{EFFECTS[kind]}; the whole voice is measured by it"))
    if len(names) != count:
        told = many(len(names), "neutral recording")
        found.append((told, f"in training there were {count} of each speaker"))
    return tuple(found)


def model_for(
    checkpoint: SavedModel | str | os.PathLike | None = None,
    neutral: Sequence[str | os.PathLike | np.ndarray] = (),
    device: str = "auto",
    recordings: int | None = None,
) -> SavedModel:
    """The model that is to answer, told the voice where there is something calm of it.

    Args:
        checkpoint, neutral: as for :func:`predict`.
        device, recordings: as for :func:`ser.loading.load_model`.

    Raises:
        AudioError, FeatureError, ModelError: as :func:`enrolled`, also where a model that wants
            to be told a voice is not, and :func:`ser.loading.load_model`.

    Example:
        >>> model_for().normalise
        'train'
    """
    if isinstance(neutral, (str, os.PathLike)) or getattr(neutral, "ndim", 2) == 1:
        neutral = [neutral]
    model = checkpoint
    if not isinstance(model, SavedModel):
        model = load_model(checkpoint, device, recordings, enrolled=len(neutral) > 0)
    from ser.normalise import enrolled_by

    untold = enrolled_by(model.normalise) and not all(model.scales.values())
    return enrolled(model, neutral) if len(neutral) or untold else model


def _sound(wave: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(wave, np.float32)).hexdigest()


def _calm(model: SavedModel, count: int) -> str:
    return (
        f"{model.row} was trained with {count} neutral recordings of each speaker (enrol:{count}), "
        f"which tell it the voice: give {count} of the one who speaks, --neutral calm1.wav ..."
    )


def predict(
    recording: str | os.PathLike | np.ndarray,
    checkpoint: SavedModel | str | os.PathLike | None = None,
    neutral: Sequence[str | os.PathLike | np.ndarray] = (),
) -> Prediction:
    """What a trained model says of a recording.

    Args:
        recording: a file, or mono samples (n,) at 16 kHz within -1..1; signed whole numbers, as
            microphones give them, are taken by their own full scale.
        checkpoint: a model of :func:`load_model`, or its folder; None: the small model that comes
            with the package, read anew at every call; with *neutral* the one that was trained so.
        neutral: calm recordings of the same speaker, see :func:`enrolled`; or one of them.

    Raises:
        AudioError: the file cannot be read (the message names it and the way out), or samples
            that are no sound.
        FeatureError: too short for the network.
        ModelError: see :func:`load_model`.

    Example:
        >>> from ser import predict
        >>> predict("me.wav").emotion  # doctest: +SKIP
        'neutral'
        >>> predict("me.wav", "results/models/dual/loso-release-03-seed0")  # doctest: +SKIP
    """
    model = model_for(checkpoint, neutral, recordings=1)
    if not isinstance(recording, (str, os.PathLike)):
        return answer(samples(recording), model, "samples")
    channels = Channels()
    wave = load_audio(recording, heed=channels.add)
    return answer(wave, model, str(recording), channels)


def answer(
    wave: np.ndarray,
    model: SavedModel,
    name: str,
    channels: Channels | None = None,
    part: bool = False,
) -> Prediction:
    """What *model* says of samples as :func:`samples` gives them; :func:`predict` without a file.

    Args:
        wave: float32 (samples,) at 16 kHz. A DC offset that :func:`ser.sound_quality.listen` tells
            is taken away: nothing the models were trained on has one.
        model: of :func:`load_model`.
        name: what the answer and an error call the sound.
        channels: what was noted before the channels were mixed.
        part: it was cut out of a longer sound; what is odd about a voice's neutral recordings
            (``model.calm_remarks``) is not said again.

    Raises:
        FeatureError, ModelError: as :func:`predict`.
    """
    import torch

    asked_again = bool(model.calm) and _sound(wave) in model.calm
    heard = listen(wave, part) | (channels.heard() if channels else {})
    wave = without_offset(wave, heard)
    try:
        with torch.no_grad():
            logits = {row: branch_logits(wave, model, row, name) for row in model.branches}
    except (MemoryError, RuntimeError) as error:
        if not shortage(error):
            raise
        raise FeatureError(
            f"{name}: {len(wave) / 16000:.0f} s do not fit into memory; cut it into utterances, or "
            "answer it window by window: ser predict --stream"
        ) from error
    if not all(torch.isfinite(v).all() for v in logits.values()):
        raise ModelError(f"{name}: the model's answer is not finite; was its training?")
    fused = _probabilities(sum(logits.values()) / len(logits), model.emotions)
    return Prediction(
        path=name,
        seconds=round(len(wave) / 16000, 3),
        emotion=max(fused, key=fused.get),
        probabilities=fused,
        branches={row: _probabilities(v, model.emotions) for row, v in logits.items()},
        remarks=(*((what, EFFECTS[kind]) for kind, what in heard.items()),
                 *((text, "") for text in _warnings(wave, model, silent="silence" in heard)),
                 *((AGAIN,) if asked_again else ()),
                 *(() if part else _calm_remarks(wave, model))),
    )  # fmt: skip


def without_offset(wave: np.ndarray, heard: Mapping[str, str]) -> np.ndarray:
    """Samples less their DC offset, where :func:`ser.sound_quality.listen` told of one.

    Example:
        >>> without_offset(np.float32([0.25, 0.75]), {"offset": "0.5 of full scale"})
        array([-0.25,  0.25], dtype=float32)
    """
    return wave - np.float32(np.mean(wave, dtype=np.float64)) if "offset" in heard else wave


def samples(values: np.ndarray) -> np.ndarray:
    """Mono samples as the models hear them, float32 within -1..1.

    Args:
        values: (n,), floats at full scale 1, or signed whole numbers at theirs.

    Raises:
        AudioError: more than one dimension, another type, NaN, or far above full scale.

    Example:
        >>> samples(np.array([0, 16384], dtype=np.int16))
        array([0. , 0.5], dtype=float32)
    """
    values = np.asarray(values)
    if values.ndim != 1:
        raise AudioError(f"samples: one channel (n,) is expected, not {values.shape}")
    if values.dtype.kind == "i":
        values = values / -float(np.iinfo(values.dtype).min)
    elif values.dtype.kind != "f":
        raise AudioError(f"samples: {values.dtype} is not a sound; give floats or signed integers")
    if len(values) and not np.isfinite(peak := float(np.abs(values).max())):
        raise AudioError("samples: some are NaN or infinite; check the recorder")
    if len(values) and peak > LOUDEST:
        raise AudioError(
            f"samples: a peak of {peak:.3g}, full scale is 1; whole numbers kept as floats? "
            "Divide them by their full scale"
        )
    return values.astype(np.float32, copy=False)


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
    from ser.normalise import enrolled_by, normalised

    needs = model.branches[row].needs
    if (count := enrolled_by(model.normalise)) and not model.scales.get(row):
        raise ModelError(_calm(model, count))
    try:
        one = _Several([wave], model.preset)
        scale = model.scales.get(row)
        one = normalised(one, model.normalise, needs, scale=scale, clip_z=model.clip_z)
        batch = Dataset(one, [0], [0], needs=needs, frames=model.frames).batch()
    except (ValueError, RuntimeError) as error:
        if shortage(error):
            raise
        if isinstance(error, FeatureError):
            raise FeatureError(f"{name}: {error}") from error
        raise FeatureError(f"{name}: {len(wave) / 16000:.2f} s is too short ({error})") from error
    return batch.to(model.device)


def _warnings(wave: np.ndarray, model: SavedModel, silent: bool) -> list[str]:
    found = []
    if not silent and np.abs(wave).max() < 0.01:
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
    seconds = len(wave) / 16000
    low, high = model.trained_on["seconds"]
    if not low * 0.8 <= seconds <= high * 1.2:
        found.append(f"{seconds:.1f} s long; the model was trained on {low:.1f} to {high:.1f} s")
    return found


def _calm_remarks(wave: np.ndarray, model: SavedModel) -> Iterator[tuple[str, str]]:
    """What is odd about the neutral recordings, by themselves and beside what is asked about."""
    yield from model.calm_remarks
    gap = speech_level(wave) - model.calm_level  # NaN without neutral recordings
    if gap > LOUDER or gap < SOFTER:
        told = f"{abs(gap):.0f} dB {'louder' if gap > 0 else 'softer'} than the neutral recordings"
        yield told, "level is a cue; record all at one distance and one gain"


class _Several:
    """The features of waveforms, as :class:`ser.batch.Dataset` reads a corpus's, once wanted."""

    def __init__(self, waves: Sequence[np.ndarray], preset: str) -> None:
        from ser.features.presets import get_preset

        self.waves, self.preset, self._name = waves, get_preset(preset), preset

    def mfcc(self, index: int) -> np.ndarray:
        from ser.features import mfcc39

        return mfcc39(self.waves[index]).numpy()

    def mel(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        from ser.features import mel_pair

        return tuple(s.numpy() for s in mel_pair(self.waves[index], self._name))

    def prosody(self, index: int) -> np.ndarray:
        from ser.features import prosody25

        return prosody25(self.waves[index])
