"""The settings of one training run; defaults are the release's (book: "Training on a GPU")."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from dataclasses import dataclass

from ser.errors import TrainingError
from ser.normalise import NORMALISATIONS, known_rule
from ser.training.ranges import RANGES

FIRST = (
    "epochs", "batch_size", "lr", "optimiser", "weight_decay", "milestones", "gamma", "clip",
    "frames", "hidden",
)  # fmt: skip
"""Settings of the first records; all others came later."""

BATCHES: tuple[str, ...] = ("shuffled", "similar", "balanced")
"""Which utterances share a batch."""
FACTORS = 11
"""Factors of ``vtlp`` that are drawn from: of the range 0.9 to 1.1 every fiftieth."""
SCHEDULES: tuple[str, ...] = ("steps", "one-cycle")
WARM, START, END = 0.3, 25.0, 1e4
"""Of one-cycle: share of the run in which the rate rises; start is top / 25, end start / 10,000."""

NAMED: dict[str, dict[str, object]] = {
    "release": {},
    "small": {
        "epochs": 8,
        "batch_size": 32,
        "lr": 3e-3,
        "optimiser": "adamw",
        "weight_decay": 0.01,
        "schedule": "one-cycle",
        "label_smoothing": 0.1,
        "hidden": 64,
        "channels": (8, 8),
        "stride": 2,
        "pooling": "mean-deviation",
        "recurrent_dropout": 0.1,
    },
}
"""Settings by name: the release's, and those of a small network for voices it has not heard."""


@dataclass(frozen=True)
class TrainConfig:
    """How a network is trained.

    Attributes:
        epochs: passes over the training side.
        batch_size: utterances a step. The release's 128 is too large for a corpus of a few
            hundred utterances: use 32 there.
        lr: learning rate of the first epochs.
        optimiser: ``adam``, ``adamw`` or ``sgd`` (momentum 0.9).
        weight_decay: as in torch.optim.
        milestones: after these epochs the learning rate is multiplied by ``gamma``.
        gamma: see ``milestones``.
        clip: largest gradient norm; 0 does not clip.
        frames: ``fixed`` squashes spectrograms to the preset's frames (the release's way),
            ``true`` keeps true lengths, ``preset`` does what the preset does.
        hidden: hidden size of every LSTM and DS-LSTM.
        precision: ``float32``, or ``bfloat16`` for matrix products and convolutions (weights,
            optimiser and statistics stay in float32; see :mod:`ser.nn.precision`).
        normalise: ``none``, ``train``, ``utterance``, ``running``, ``enrol:K`` or ``speaker``
            (transductive); see :mod:`ser.normalise`.
        spec_augment: so many masks along time and as many along frequency for every training
            utterance and spectrogram (along time only in MFCCs), each up to 15 % wide (Park et
            al. 2019).
        level: every training utterance is made louder or softer by up to so many dB.
        speed: factors, as (0.9, 1.1): in each epoch every training utterance is played at one of
            them or as it is (Ko et al. 2015; pitch and formants move with it).
        mixup: alpha of the Beta distribution of the shares in which two training utterances
            and their labels are mixed (Zhang et al. 2018); 0: none.
        dropout: share of numbers set to 0 in training, of what enters a branch's recurrence
            from its front end and of what enters its last linear layer.
        pooling: ``mean`` over time, ``mean-deviation``, or ``attention``, a learnt weighting.
        channels: of the two convolutions of a front end.
        ema: decay of the average of the weights that dev and test are given (0: the weights of
            the last step themselves).
        batches: ``shuffled``; ``similar``: utterances of similar length share a batch, so that
            less of it is padding; or ``balanced``: in every batch speakers, and the classes of
            each, are heard equally often. See :mod:`ser.training.order`.
        layers: of every LSTM and DS-LSTM.
        stride: of so many rows of MFCCs and prosody (10 ms each) one is read; spectrograms are
            read whole.
        recurrent_dropout: share of the weights from h that are 0 in a training step
            (:mod:`ser.nn.recurrent_dropout`).
        schedule: of the learning rate: ``steps`` (``milestones``), or ``one-cycle`` (Smith and
            Topin 2019): from ``lr`` / 25 up to ``lr`` in the first 30 % of all steps, then down to
            almost nothing, along cosines.
        label_smoothing: share of a label that is spread over all classes (Szegedy et al. 2016).
        clip_z: features beyond so many deviations are set to them once they are normalised
            (:func:`ser.normalise.clipped`), functionals of baselines too; 0: none is.
        vtlp: (A, B): in each epoch every training utterance comes from a vocal tract changed by a
            factor from A to B (Jaitly and Hinton 2013; :mod:`ser.features.vtlp`), drawn among
            :data:`FACTORS` of equal distance; with a factor above 1 formants are lower.
        tempo: (A, B): in each epoch every training utterance is so many times as fast, its pitch
            and formants as they were (:mod:`ser.training.voices`).
        pitch_shift: F0 of every training utterance is moved by up to so many semitones, of prosody
            alone; MFCCs and spectrograms hear little of F0.
        adversarial: weight of the reversed gradient of a head that names the training speaker from
            what enters a branch's last linear layer (:mod:`ser.training.adversary`); it grows from
            0 to this along the run. 0: no head.

    Raises:
        TrainingError: a value that cannot be trained with.

    Example:
        >>> TrainConfig(epochs=30).rate(11)
        0.0005
    """

    epochs: int = 50
    batch_size: int = 128
    lr: float = 1e-3
    optimiser: str = "adam"
    weight_decay: float = 0.0
    milestones: tuple[int, ...] = (10, 20, 30)
    gamma: float = 0.5
    clip: float = 0.0
    frames: str = "preset"
    hidden: int = 200
    precision: str = "float32"
    normalise: str = "none"
    spec_augment: int = 0
    level: float = 0.0
    speed: tuple[float, ...] = ()
    mixup: float = 0.0
    dropout: float = 0.0
    pooling: str = "mean"
    channels: tuple[int, int] = (64, 16)
    ema: float = 0.0
    batches: str = "shuffled"
    layers: int = 2
    stride: int = 1
    recurrent_dropout: float = 0.0
    schedule: str = "steps"
    label_smoothing: float = 0.0
    clip_z: float = 0.0
    vtlp: tuple[float, ...] = ()
    tempo: tuple[float, ...] = ()
    pitch_shift: float = 0.0
    adversarial: float = 0.0

    @classmethod
    def named(cls, name: str, **changes: object) -> TrainConfig:
        """Settings by their name (:data:`NAMED`), some of them changed.

        Raises:
            TrainingError: no such name, or values that cannot be trained with.

        Example:
            >>> TrainConfig.named("small", epochs=4).hidden, TrainConfig.named("release").hidden
            (64, 200)
        """
        if name not in NAMED:
            raise TrainingError(f"no settings are called {name!r}; there are {', '.join(NAMED)}")
        return cls(**{**NAMED[name], **changes})  # type: ignore[arg-type]

    def __post_init__(self) -> None:
        for name in ("milestones", "channels"):
            object.__setattr__(self, name, tuple(int(m) for m in getattr(self, name)))
        for name in ("speed", "vtlp", "tempo"):
            object.__setattr__(self, name, tuple(float(s) for s in getattr(self, name)))
        wrong = [
            name
            for name, fine in {
                "epochs": self.epochs >= 1,
                "batch_size": self.batch_size >= 2,
                "lr": 0 < self.lr < float("inf"),
                "optimiser": self.optimiser in ("adam", "adamw", "sgd"),
                "weight_decay": 0 <= self.weight_decay < float("inf"),
                "gamma": 0 < self.gamma <= 1,
                "clip": 0 <= self.clip < float("inf"),
                "hidden": self.hidden >= 1,
                "precision": self.precision in ("float32", "bfloat16"),
                "frames": self.frames in ("preset", "fixed", "true"),
                "normalise": known_rule(self.normalise),
                "spec_augment": 0 <= self.spec_augment <= 20,
                "level": 0 <= self.level <= 60,
                "speed": len(set(self.speed)) == len(self.speed)
                and all(0.5 <= s <= 2 and s != 1 for s in self.speed),
                "mixup": 0 <= self.mixup < float("inf"),
                "dropout": 0 <= self.dropout < 1,
                "pooling": self.pooling in ("mean", "mean-deviation", "attention"),
                "channels": len(self.channels) == 2 and min(self.channels) >= 1,
                "ema": 0 <= self.ema < 1,
                "batches": self.batches in BATCHES,
                "layers": self.layers >= 1,
                "stride": 1 <= self.stride <= 20,
                "recurrent_dropout": 0 <= self.recurrent_dropout < 1,
                "schedule": self.schedule in SCHEDULES,
                "label_smoothing": 0 <= self.label_smoothing < 1,
                "clip_z": 0 <= self.clip_z < float("inf"),
                "vtlp": _range(self.vtlp),
                "tempo": _range(self.tempo),
                "adversarial": 0 <= self.adversarial < float("inf"),
                "pitch_shift": 0 <= self.pitch_shift <= 24,
            }.items()
            if not fine
        ]
        ranges = RANGES | {"normalise": f"one of {', '.join(NORMALISATIONS)}, K a number from 1"}
        told = [f"{name} = {getattr(self, name)} ({ranges[name]})" for name in wrong]
        if not wrong and self.normalise not in ("none", "train"):
            told = self._taken_away()
        if told:
            raise TrainingError(f"cannot train with {', '.join(told)}; see 'ser run --help'")

    def _taken_away(self) -> list[str]:
        """Settings that a rule of normalisation by group takes away again."""
        told = []
        if self.level:
            why = "level goes with normalise none or train, one scale for all"
            if self.normalise in ("utterance", "speaker"):
                why = f"normalisation {self.normalise!r} takes the level away again"
            told.append(f"level = {self.level} ({why})")
        if self.pitch_shift:
            told.append(
                f"pitch_shift = {self.pitch_shift} (normalisation {self.normalise!r} takes the "
                "speaker's own mean away, and with it a higher or lower voice; pitch_shift goes "
                "with none or train)"
            )
        return told

    def rate(self, epoch: int, part: float = 0.0) -> float:
        """Learning rate of *epoch* (counted from 1), *part* of which (0 to 1) is done.

        With ``steps`` it is one for the whole epoch.

        Example:
            >>> cycle = TrainConfig(epochs=10, schedule="one-cycle", lr=0.1)
            >>> round(cycle.rate(1), 6), round(cycle.rate(4), 6), cycle.rate(10, 1.0) < 1e-6
            (0.004, 0.1, True)
        """
        if self.schedule == "one-cycle":
            done = (epoch - 1 + part) / self.epochs
            first, last, way = self.lr / START, self.lr, done / WARM
            if done > WARM:
                first, last, way = self.lr, self.lr / START / END, (done - WARM) / (1 - WARM)
            return last + (first - last) * (1 + math.cos(math.pi * way)) / 2
        passed = sum(epoch > milestone for milestone in self.milestones)
        return self.lr * self.gamma**passed

    def as_dict(self) -> dict:
        """The settings as JSON-able values.

        What came later than the first records (all but :data:`FIRST`) is left out at its
        default: records and checkpoints from before there was a choice keep their fingerprint.
        """
        settings = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name in FIRST or value != field.default:
                settings[field.name] = list(value) if isinstance(value, tuple) else value
        return settings

    @property
    def voices(self) -> bool:
        """Whether training utterances are given other voices (:mod:`ser.training.voices`)."""
        return bool(self.vtlp or self.tempo or self.pitch_shift)

    @property
    def factors(self) -> list[float]:
        """Of the vocal tract, that are drawn from.

        Example:
            >>> TrainConfig(vtlp=(0.9, 1.1)).factors[:3], TrainConfig().factors
            ([0.9, 0.92, 0.94], [1.0])
        """
        if not self.vtlp:
            return [1.0]
        low, high = self.vtlp
        way = (high - low) / (FACTORS - 1)
        return sorted({round(low + way * i, 6) for i in range(FACTORS)})

    @property
    def model_options(self) -> dict:
        """What :func:`ser.models.build_model` is told beside row, preset and hidden size."""
        names = ("dropout", "pooling", "channels", "layers", "stride", "recurrent_dropout")
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        return {n: getattr(self, n) for n in names if getattr(self, n) != defaults[n]}


def _range(factors: tuple[float, ...]) -> bool:
    return not factors or (len(factors) == 2 and 0.5 <= factors[0] <= factors[1] <= 2)


def derived_seed(*parts: object) -> int:
    """A 63-bit seed from any parts, equal on every machine and in every process.

    >>> derived_seed(0, "mfcc-lstm") == derived_seed(0, "mfcc-lstm")
    True
    """
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1
