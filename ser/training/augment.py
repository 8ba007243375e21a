"""Training batches changed at random: voice, speed, masks, level, mixtures; never dev or test.

Random numbers come from a generator of their own, seeded by run and epoch, and are drawn for all
inputs whether a network reads them or not: so branches trained apart see what they would see when
trained together, and a resumed run what an undisturbed one sees.
Book: "The recipe in full".
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ser.batch import Batch
from ser.errors import TrainingError
from ser.normalise import Scale
from ser.training.config import TrainConfig, derived_seed
from ser.training.voices import Voice

WIDEST = 0.15
"""Largest share of the frames or bands that one mask covers."""
ENERGY = 12
"""Column of the log energy among the 39 MFCC numbers."""


class Augmenter:
    """What :class:`TrainConfig` asks for, applied to the batches of one epoch in turn.

    Args:
        config: ``spec_augment``, ``level``, ``mixup`` and what gives other voices are read.
        seed, epoch: of the random numbers.
        scale: mean and deviation that the features were divided by, for ``level``.

    Example:
        >>> batch = Batch(s1=torch.ones(2, 8, 20), labels=torch.tensor([0, 3]))
        >>> augment = Augmenter(TrainConfig(level=6.0), seed=0, epoch=1)
        >>> (augment(batch).s1 != 1).all().item(), (batch.s1 == 1).all().item()
        (True, True)
    """

    def __init__(
        self, config: TrainConfig, seed: int, epoch: int, scale: Scale | None = None
    ) -> None:
        self.config, self.scale = config, scale or {}
        self.own = torch.Generator().manual_seed(derived_seed("augment prosody", seed, epoch))
        self.generator = torch.Generator().manual_seed(derived_seed("augment", seed, epoch))
        self.voices = torch.Generator().manual_seed(derived_seed("voices", seed, epoch))

    @property
    def active(self) -> bool:
        """Whether anything is to be done."""
        return bool(self.config.spec_augment or self.config.level or self.config.mixup)

    def pick(self, data: Any, part: np.ndarray) -> Batch:
        """The utterances *part* of *data*, each in one of its versions and a voice at random."""
        version = None
        if getattr(data, "versions", 1) > 1:
            version = (self._uniform(len(part)) * data.versions).long()
        if self.config.voices:
            return data.voiced(part, version, self._voice(len(part)))
        return data.batch(part) if version is None else data.batch(part, version)

    def _voice(self, size: int) -> Voice:
        """All is drawn whatever is asked for: one option does not change another's numbers."""
        config = self.config
        tract, tempo, pitch = torch.rand(3, size, generator=self.voices, dtype=torch.float64)
        low, high = config.tempo or (1.0, 1.0)
        return Voice(
            (tract * len(config.factors)).long(),
            low + tempo * (high - low) if config.tempo else None,
            config.pitch_shift * (2 * pitch - 1) if config.pitch_shift else None,
        )

    def __call__(self, batch: Batch) -> Batch:
        """A changed copy of *batch*; ``batch.mixed`` and ``batch.share`` describe a mixture."""
        if not self.active:
            return batch
        size = len(batch)
        if self.config.level:
            gain = self.config.level * (2 * self._uniform(size) - 1)
            batch = self._louder(batch, gain)
        if self.config.spec_augment:
            shape = 4, self.config.spec_augment, size
            draws = {name: self._uniform(*shape) for name in _NAMES if name != "prosody"}
            # from a generator of its own, so that the other inputs see what they always did
            draws["prosody"] = torch.rand(shape, generator=self.own)
            batch = dataclasses.replace(
                batch,
                **{
                    name: _masked(getattr(batch, name), getattr(batch, f"{name}_lengths"), draw,
                                  bands=name in _BANDS, last_is_time=name in _BANDS)
                    for name, draw in draws.items()
                    if getattr(batch, name) is not None
                },
            )  # fmt: skip
        if self.config.mixup:
            batch = self._mixture(batch)
        return batch

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:
        """Cross entropy, labels smoothed as the settings say; of a mixture, the mixture of both."""
        smooth = self.config.label_smoothing
        own = functional.cross_entropy(logits, batch.labels, label_smoothing=smooth)
        if getattr(batch, "mixed", None) is None:
            return own
        other = functional.cross_entropy(logits, batch.labels[batch.mixed], label_smoothing=smooth)
        return batch.share * own + (1 - batch.share) * other

    def _uniform(self, *shape: int) -> Tensor:
        return torch.rand(shape, generator=self.generator)

    def _louder(self, batch: Batch, gain: Tensor) -> Batch:
        """*gain* (B,) in dB; only the level changes in an MFCC, so only its log energy does."""
        changed = {}
        if batch.prosody is not None:
            raise TrainingError(
                "--level changes MFCCs and spectrograms, and prosody's loudness and levels do not "
                "follow it simply: leave it out for rows that hear prosody"
            )
        for name in _BANDS:
            if (mel := getattr(batch, name)) is not None:
                step = gain.to(mel.device)[:, None, None]
                if name in self.scale:
                    step = step / torch.from_numpy(self.scale[name][1]).to(mel.device)[:, None]
                changed[name] = mel + step
        if batch.mfcc is not None:
            mfcc = batch.mfcc.clone()
            deviation = self.scale["mfcc"][1][ENERGY] if "mfcc" in self.scale else 1.0
            step = gain.to(mfcc.device)[:, None] * (math.log(10) / 10 / float(deviation))
            time = torch.arange(mfcc.shape[1], device=mfcc.device)
            mfcc[:, :, ENERGY] += step * (time < batch.mfcc_lengths.to(mfcc.device)[:, None])
            changed["mfcc"] = mfcc
        return dataclasses.replace(batch, **changed)

    def _mixture(self, batch: Batch) -> Batch:
        """Every utterance mixed with another of the batch, one share for all."""
        alpha = torch.full((2,), float(self.config.mixup), dtype=torch.float64)
        weights = torch._standard_gamma(alpha, generator=self.generator)
        share = float((weights / weights.sum())[0]) if weights.sum() > 0 else 1.0
        partner = torch.randperm(len(batch), generator=self.generator)
        changed: dict = {"mixed": partner.to(batch.labels.device), "share": share}
        for name in _NAMES:
            value, lengths = getattr(batch, name), getattr(batch, f"{name}_lengths")
            if value is not None:
                mixed = share * value + (1 - share) * value[partner.to(value.device)]
                changed[name] = mixed
                if lengths is not None:
                    changed[f"{name}_lengths"] = torch.maximum(lengths, lengths[partner])
        return dataclasses.replace(batch, **changed)


_NAMES = ("mfcc", "s1", "s2", "prosody")
_BANDS = ("s1", "s2")


def _masked(
    values: Tensor, lengths: Tensor | None, draw: Tensor, *, bands: bool, last_is_time: bool
) -> Tensor:
    """*values* (B, bands, T), or (B, T, columns), with masks of its mean over valid frames.

    ``draw`` (4, masks, B) in 0..1: widths and places along time, widths and places along bands.
    """
    axis = 2 if last_is_time else 1
    total = values.shape[axis]
    valid = torch.full((len(values),), total) if lengths is None else lengths
    time = torch.arange(total)
    there = (time < valid[:, None]).to(values.device)
    inside = there[:, None] if last_is_time else there[:, :, None]
    mean = (values * inside).sum(axis, keepdim=True) / inside.sum(axis, keepdim=True).clamp(min=1)
    hidden = _spans(draw[0], draw[1], valid, total).to(values.device)
    masked = (hidden[:, None] if last_is_time else hidden[:, :, None]) & inside
    if bands:
        count = values.shape[1]
        rows = _spans(draw[2], draw[3], torch.full((len(values),), count), count)
        masked = masked | (rows.to(values.device)[:, :, None] & inside)
    return torch.where(masked, mean, values)


def _spans(widths: Tensor, places: Tensor, valid: Tensor, total: int) -> Tensor:
    """(B, total) True within any of the masks; widths and places (masks, B) in 0..1."""
    width = (widths * (WIDEST * valid + 1)).floor()
    start = (places * (valid - width + 1)).floor()
    position = torch.arange(total)
    inside = (position >= start[..., None]) & (position < (start + width)[..., None])
    return inside.any(0)
