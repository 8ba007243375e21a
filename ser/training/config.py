"""The settings of one training run; defaults are the release's (book: "Training on a GPU")."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from operator import index
from typing import Any

from ser.errors import TrainingError
from ser.normalise import NORMALISATIONS, known_rule

FIRST = (
    "epochs", "batch_size", "lr", "optimiser", "weight_decay", "milestones", "gamma", "clip",
    "frames", "hidden",
)  # fmt: skip
"""Settings of the first records; all others came later."""

FACTORS = 11
"""Factors of ``vtlp`` that are drawn from: of the range 0.9 to 1.1 every fiftieth."""
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


def _setting(
    default: Any, allowed: str, fine: Callable[[Any], bool] | None = None, *features: str
) -> Any:
    """A setting, all that is known of it but its description, which the docstring has.

    Args:
        default: its type is the setting's.
        allowed: what it may be, in words; without *fine*: the words it may be.
        fine: whether it may be a value.
        features: that it is about alone; none: whatever a network reads.
    """
    choices = None if fine else re.split(", | or ", allowed)
    fine = fine or choices.__contains__
    known = {"allowed": allowed, "fine": fine, "choices": choices, "features": {*features}}
    return dataclasses.field(default=default, metadata=known)


def _factors(given: tuple[float, ...]) -> bool:
    return not given or (len(given) == 2 and 0.5 <= given[0] <= given[1] <= 2)


def _speeds(given: tuple[float, ...]) -> bool:
    return len(set(given)) == len(given) and all(0.5 <= s <= 2 and s != 1 for s in given)


_COUNT = "a whole number from 1", lambda value: value >= 1
_FINITE = "0 or more", lambda value: 0 <= value < math.inf
_SHARE = "0 or more, below 1", lambda value: 0 <= value < 1
_TWO_FACTORS = "two factors A,B from 0.5 to 2, A not above B", _factors


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
        normalise: by whose numbers features come to mean 0 and deviation 1: ``none``, ``train``
            (the training side's), ``utterance`` (each its own), ``running`` (what its speaker said
            so far), ``enrol:K`` (K neutral utterances of each speaker, used for nothing else) or
            ``speaker`` (transductive: all utterances of each, the tested ones too; refused where
            speakers are heard in one class only, for it takes that class away). Rows that hear
            prosody take ``train`` for ``none``; eGeMAPS rows take ``running`` and ``enrol:K`` (a
            mean) and ``speaker``. See :mod:`ser.normalise`.
        spec_augment: so many masks along time and as many along frequency for every training
            utterance and spectrogram (along time only in MFCCs), each up to 15 % wide (Park et
            al. 2019).
        level: every training utterance is made louder or softer by up to so many dB.
        speed: factors, for example 0.9 and 1.1: in each epoch every training utterance is played
            at one of them or as it is (Ko et al. 2015; pitch and formants move with it).
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
            (:func:`ser.normalise.clipped`), functionals of baselines too: one odd recording can
            put one at 400; 0: none is.
        vtlp: two factors A, B: in each epoch every training utterance comes from a vocal tract
            changed by one from A to B (Jaitly and Hinton 2013; :mod:`ser.features.vtlp`), drawn
            among 11 of equal distance; with a factor above 1 formants are lower.
        tempo: two factors A, B: in each epoch every training utterance is one from A to B times as
            fast, its pitch and formants as they were (:mod:`ser.training.voices`).
        pitch_shift: F0 of every training utterance is moved by up to so many semitones, of prosody
            alone; MFCCs and spectrograms hear little of F0. It goes with normalise ``none`` or
            ``train``.
        adversarial: weight of the reversed gradient of a head that names the training speaker from
            what enters a branch's last linear layer (:mod:`ser.training.adversary`); it grows from
            0 to this along the run. 0: no head.

    Raises:
        TrainingError: a value that cannot be trained with.

    Example:
        >>> TrainConfig(epochs=30).rate(11)
        0.0005
    """

    epochs: int = _setting(50, *_COUNT)
    batch_size: int = _setting(128, "a whole number from 2", lambda value: value >= 2)
    lr: float = _setting(1e-3, "above 0", lambda value: 0 < value < math.inf)
    optimiser: str = _setting("adam", "adam, adamw or sgd")
    weight_decay: float = _setting(0.0, *_FINITE)
    milestones: tuple[int, ...] = _setting((10, 20, 30), "whole numbers", lambda _: True)
    gamma: float = _setting(0.5, "above 0, at most 1", lambda value: 0 < value <= 1)
    clip: float = _setting(0.0, *_FINITE)
    frames: str = _setting("preset", "preset, fixed or true", None, "s1", "s2")
    hidden: int = _setting(200, *_COUNT)
    precision: str = _setting("float32", "float32 or bfloat16")
    normalise: str = _setting(
        "none", f"one of {', '.join(NORMALISATIONS)}, K a number from 1", known_rule
    )
    spec_augment: int = _setting(0, "0 to 20", lambda value: 0 <= value <= 20)
    level: float = _setting(0.0, "0 to 60", lambda value: 0 <= value <= 60)
    speed: tuple[float, ...] = _setting((), "factors from 0.5 to 2 but 1, each once", _speeds)
    mixup: float = _setting(0.0, *_FINITE)
    dropout: float = _setting(0.0, *_SHARE)
    pooling: str = _setting("mean", "mean, mean-deviation or attention")
    channels: tuple[int, int] = _setting(
        (64, 16),
        "two whole numbers from 1",
        lambda value: len(value) == 2 and min(value) >= 1,
        *("s1", "s2"),
    )
    ema: float = _setting(0.0, *_SHARE)
    batches: str = _setting("shuffled", "shuffled, similar or balanced")
    layers: int = _setting(2, *_COUNT)
    stride: int = _setting(1, "1 to 20", lambda value: 1 <= value <= 20, "mfcc", "prosody")
    recurrent_dropout: float = _setting(0.0, *_SHARE)
    schedule: str = _setting("steps", "steps or one-cycle")
    label_smoothing: float = _setting(0.0, *_SHARE)
    clip_z: float = _setting(0.0, *_FINITE)
    vtlp: tuple[float, ...] = _setting((), *_TWO_FACTORS)
    tempo: tuple[float, ...] = _setting((), *_TWO_FACTORS, "mfcc", "prosody")
    pitch_shift: float = _setting(0.0, "0 to 24", lambda value: 0 <= value <= 24, "prosody")
    adversarial: float = _setting(0.0, *_FINITE)

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
        told = []
        for setting in dataclasses.fields(self):
            value, kind = getattr(self, setting.name), type(setting.default)
            try:
                if kind is tuple:
                    number = index if setting.name in ("milestones", "channels") else float
                    value = tuple(map(number, value))
                elif kind is int:
                    value = index(value)
                fine = setting.metadata["fine"](value)
            except (TypeError, ValueError):  # a number as text, a fraction for a whole number
                fine = False
            object.__setattr__(self, setting.name, value)
            if not fine:
                shown = value if kind is str else repr(value)
                told.append(f"{setting.name} = {shown} ({setting.metadata['allowed']})")
        if not told and self.normalise not in ("none", "train"):
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

    def frames_of(self, preset: str) -> str:
        """``fixed`` or ``true``: what *preset* does, unless told otherwise.

        Example:
            >>> TrainConfig().frames_of("release"), TrainConfig().frames_of("paper")
            ('fixed', 'true')
        """
        from ser.features.presets import get_preset

        if self.frames != "preset":
            return self.frames
        return "true" if get_preset(preset).frames is None else "fixed"

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


def described() -> dict[str, str]:
    """Setting -> what the docstring says of it, without markup: for the help of ``ser run``.

    Example:
        >>> described()["epochs"]
        'passes over the training side.'
    """
    text = (inspect.getdoc(TrainConfig) or "").partition("Attributes:\n")[2].partition("\n\n")[0]
    plain = re.sub(r":\w+:`~?([^`]*)`|``", r"\1", text)
    parts = re.split(r"^    (\w+): ", plain, flags=re.MULTILINE)[1:]
    return {
        name: " ".join(said.split()) for name, said in zip(parts[::2], parts[1::2], strict=True)
    }


def derived_seed(*parts: object) -> int:
    """A 63-bit seed from any parts, equal on every machine and in every process.

    >>> derived_seed(0, "mfcc-lstm") == derived_seed(0, "mfcc-lstm")
    True
    """
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1
