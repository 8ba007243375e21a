"""What a model is given: a batch of utterances, padded or squashed to fixed frames.

Book: chapter "Training on a GPU".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ser.errors import FeatureError

NEEDS = ("mfcc", "s1", "s2", "prosody")
"""Every kind of features that a batch can hold."""

PAPER = NEEDS[:3]
"""What the paper's system reads, and what is read where nothing else is asked for."""


@dataclass
class Batch:
    """B utterances; fields a model does not need may be None.

    Attributes:
        mfcc: (B, F, 39), zero beyond ``mfcc_lengths`` (B,).
        s1: (B, n_mels1, T1) in dB; ``s1_lengths`` (B,) valid frames, or None: all of them.
        s2, s2_lengths: the same for the frequency-fine spectrogram.
        labels: (B,) index in EMOTIONS.
        mixed, share: where each utterance is a mixture (mixup): the position (B,) of the other
            one, and the share of its own.
        prosody: (B, F, 25), zero beyond ``prosody_lengths`` (B,) and where there is no value.
        speakers: (B,) numbers of who speaks, where a training asks for them.

    Example:
        >>> batch = Batch(mfcc=torch.zeros(2, 9, 39), mfcc_lengths=torch.tensor([9, 4]))
        >>> len(batch), batch.to("cpu").mfcc.shape
        (2, torch.Size([2, 9, 39]))
    """

    mfcc: Tensor | None = None
    mfcc_lengths: Tensor | None = None
    s1: Tensor | None = None
    s1_lengths: Tensor | None = None
    s2: Tensor | None = None
    s2_lengths: Tensor | None = None
    labels: Tensor | None = None
    mixed: Tensor | None = None
    share: float = 1.0
    prosody: Tensor | None = None
    prosody_lengths: Tensor | None = None
    speakers: Tensor | None = None

    def __len__(self) -> int:
        for tensor in (self.mfcc, self.s1, self.s2, self.prosody, self.labels):
            if tensor is not None:
                return len(tensor)
        return 0

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Batch:
        """The same batch on a device. Lengths stay on the CPU: sorting by them needs no sync."""
        moved = {}
        for field in fields(self):
            tensor = getattr(self, field.name)
            if isinstance(tensor, Tensor) and not field.name.endswith("_lengths"):
                tensor = tensor.to(device, non_blocking=non_blocking)
            moved[field.name] = tensor
        return Batch(**moved)


class Dataset:
    """Utterances held in memory once, on one device; batches by position.

    Args:
        features: object with ``mfcc(i)`` -> (F, 39), ``mel(i)`` -> ((M1, T1), (M2, T2)),
            ``prosody(i)`` -> (F, 25) and ``preset`` (:class:`ser.features.cache.FeatureStore`).
        indices: which utterances, in the order in which :meth:`batch` counts them.
        labels: label of each of *indices*, in the same order, or None.
        needs: subset of :data:`NEEDS`.
        frames: ``"fixed"`` squashes spectrograms to ``preset.frames``; ``"true"`` keeps their
            lengths and pads.
        device: where the tensors live.
        versions: the same utterances changed (at other speeds), objects like *features*; see
            :meth:`batch`.
        speakers: who speaks each of *indices*, for batches that balance them or name them; None:
            not told.
        gaps: keep NaN where prosody has no value (else 0), for what comes before normalising.

    Example:
        >>> data = Dataset(features, range(339), labels, {"s1"}, "fixed")  # doctest: +SKIP
        >>> data.batch([0, 5, 7]).s1.shape                                  # doctest: +SKIP
        torch.Size([3, 128, 230])
    """

    def __init__(
        self,
        features: Any,
        indices: Iterable[int],
        labels: Sequence[int] | np.ndarray | None = None,
        needs: Iterable[str] = PAPER,
        frames: str = "fixed",
        device: torch.device | str = "cpu",
        versions: Sequence[Any] = (),
        speakers: Sequence[str] | None = None,
        gaps: bool = False,
    ):
        self.indices = [int(i) for i in indices]
        self.versions = 1 + len(versions)
        rows = [(source, i) for source in (features, *versions) for i in self.indices]
        self.needs = frozenset(needs)
        self.frames, self.device = frames, torch.device(device)
        if unknown := self.needs - set(NEEDS):
            raise FeatureError(f"unknown features {sorted(unknown)}; there are {', '.join(NEEDS)}")
        if frames not in ("fixed", "true"):
            raise FeatureError(f"frames must be 'fixed' or 'true', not {frames!r}")
        sizes = getattr(features.preset, "frames", None)
        if frames == "fixed" and sizes is None and self.needs & {"s1", "s2"}:
            name = getattr(features.preset, "name", features.preset)
            raise FeatureError(f"preset {name!r} has no fixed frames; use frames='true'")
        for what, given in (("labels", labels), ("speakers", speakers)):
            if given is not None and len(given) != len(self.indices):
                raise FeatureError(f"{len(given)} {what} for {len(self.indices)} utterances")
        self.labels = self.speakers = None
        if labels is not None:
            self.labels = torch.as_tensor(np.asarray(labels, np.int64), device=self.device)
        if speakers is not None:
            numbers = np.unique(np.asarray(speakers, str), return_inverse=True)[1]
            self.speakers = torch.as_tensor(numbers.astype(np.int64), device=self.device)
        self._data: dict[str, Tensor] = {}
        self._lengths: dict[str, Tensor] = {}
        if "mfcc" in self.needs:
            self._store_ragged("mfcc", [np.asarray(source.mfcc(i)) for source, i in rows])
        if "prosody" in self.needs:
            frames_of = [np.asarray(source.prosody(i)) for source, i in rows]
            self._store_ragged("prosody", frames_of if gaps else [*map(np.nan_to_num, frames_of)])
        wanted = [(k, name) for k, name in enumerate(("s1", "s2")) if name in self.needs]
        if wanted:
            mels: dict[str, list[np.ndarray]] = {name: [] for _, name in wanted}
            for source, i in rows:
                pair = source.mel(i)
                if frames == "fixed":
                    pair = features.preset.squash(*pair)
                for k, name in wanted:
                    mels[name].append(np.asarray(pair[k], dtype=np.float32))
            for name, arrays in mels.items():
                if frames == "fixed":
                    stacked = np.stack(arrays) if arrays else np.zeros((0, 0, 0), np.float32)
                    self._data[name] = torch.from_numpy(stacked).to(self.device)
                else:
                    self._store_ragged(name, [array.T for array in arrays])

    def _store_ragged(self, name: str, arrays: list[np.ndarray]) -> None:
        """Frames (F, size) of all utterances one after another, and a last one of zeros."""
        lengths = np.array([len(a) for a in arrays], dtype=np.int64)
        size = arrays[0].shape[1] if arrays else 0
        flat = np.zeros((int(lengths.sum()) + 1, size), np.float32)
        if arrays:
            np.concatenate(arrays, out=flat[:-1], casting="same_kind")
        self._data[name] = torch.from_numpy(flat).to(self.device)
        self._lengths[name] = torch.from_numpy(lengths)

    def _gather(self, name: str, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Padded (B, F, size) and the lengths (B,) of the utterances at ``rows``."""
        data, lengths = self._data[name], self._lengths[name]
        starts = (lengths.cumsum(0) - lengths)[rows].to(self.device)
        lengths = lengths[rows]
        longest = int(lengths.max()) if len(lengths) else 0
        time = torch.arange(longest, device=self.device)
        there = lengths.to(self.device)[:, None]
        index = torch.where(time < there, starts[:, None] + time, len(data) - 1)
        return data.index_select(0, index.flatten()).view(*index.shape, data.shape[1]), lengths

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def lengths(self) -> np.ndarray | None:
        """Frames of each utterance (utterances,) as it is, of the first of :data:`NEEDS` that has
        lengths of its own; None where all are squashed to fixed frames."""
        for name in NEEDS:
            if name in self._lengths:
                return self._lengths[name][: len(self)].numpy()
        return None

    def batch(
        self,
        positions: Sequence[int] | Tensor | slice | None = None,
        version: Tensor | None = None,
    ) -> Batch:
        """The utterances at these positions of ``indices`` (None: all), trimmed to the longest.

        ``version`` (B,) says which of the ``versions``, counted from 1; 0, or None: as they are.
        """
        if positions is None:
            positions = slice(None)
        if isinstance(positions, slice):
            positions = range(len(self))[positions]
        rows = torch.as_tensor(list(positions) if isinstance(positions, range) else positions)
        rows = rows.to("cpu", torch.long)
        out: dict[str, Tensor | None] = {}
        if self.labels is not None:
            out["labels"] = self.labels.index_select(0, rows.to(self.device))
        if self.speakers is not None:
            out["speakers"] = self.speakers.index_select(0, rows.to(self.device))
        if version is not None:
            rows = rows + len(self) * version.to("cpu", torch.long)
        there = rows.to(self.device)
        for name, data in self._data.items():
            if name in self._lengths:
                padded, out[f"{name}_lengths"] = self._gather(name, rows)
                out[name] = (
                    padded if name in ("mfcc", "prosody") else padded.transpose(1, 2).contiguous()
                )
            else:
                out[name] = data.index_select(0, there)
        return Batch(**out)
