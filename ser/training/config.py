"""The settings of one training run; defaults are the release's (book: "Training on a GPU")."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass

from ser.errors import TrainingError


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

    def __post_init__(self) -> None:
        object.__setattr__(self, "milestones", tuple(int(m) for m in self.milestones))
        wrong = [
            f"{name} = {getattr(self, name)}"
            for name, fine in {
                "epochs": self.epochs >= 1,
                "batch_size": self.batch_size >= 2,
                "lr": 0 < self.lr < float("inf"),
                "optimiser": self.optimiser in ("adam", "adamw", "sgd"),
                "weight_decay": self.weight_decay >= 0,
                "gamma": 0 < self.gamma <= 1,
                "clip": self.clip >= 0,
                "hidden": self.hidden >= 1,
                "precision": self.precision in ("float32", "bfloat16"),
                "frames": self.frames in ("preset", "fixed", "true"),
            }.items()
            if not fine
        ]
        if wrong:
            raise TrainingError(f"cannot train with {', '.join(wrong)}; see 'ser run --help'")

    def rate(self, epoch: int) -> float:
        """Learning rate of *epoch* (counted from 1)."""
        passed = sum(epoch > milestone for milestone in self.milestones)
        return self.lr * self.gamma**passed

    def as_dict(self) -> dict:
        """The settings as JSON-able values.

        ``precision`` is left out at float32: records and checkpoints from before there was a
        choice keep their fingerprint.
        """
        settings = {**dataclasses.asdict(self), "milestones": list(self.milestones)}
        if self.precision == "float32":
            del settings["precision"]
        return settings


def derived_seed(*parts: object) -> int:
    """A 63-bit seed from any parts, equal on every machine and in every process.

    >>> derived_seed(0, "mfcc-lstm") == derived_seed(0, "mfcc-lstm")
    True
    """
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1
