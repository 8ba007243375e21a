"""Other voices from those that are there: throat, tempo and pitch of training utterances.

Changed are the stored features, before they are normalised, in every batch anew:

- the vocal tract by a factor (:mod:`ser.features.vtlp`);
- tempo: rows and frames are read so many times as fast, in between by linear interpolation;
  deltas grow with it, accelerations with its square. Where prosody has no value on one side, the
  nearer row counts. Spectrograms squashed to fixed frames have no tempo, and stay;
- F0 of prosody by some semitones, where there is a voice.

Whose mean and deviation are taken away depends on the rule (:mod:`ser.normalise`): ``train`` has
those of the training side as it is; the other rules have those of their group with the throat that
was drawn, as if the speaker had it always. Nothing of this happens on dev or test.
Book: "The recipe in full".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ser.batch import Batch, Dataset
from ser.features.prosody import F0
from ser.features.vtlp import Warped, Warps
from ser.normalise import Normalised, Scale

DELTAS = slice(13, 26)
ACCELERATIONS = slice(26, 39)
_LAST_IS_TIME = ("s1", "s2")


@dataclasses.dataclass
class Voice:
    """What was drawn for B utterances.

    Attributes:
        tract: (B,) places among the dataset's factors.
        tempo: (B,) how many times as fast, float64.
        semitones: (B,) by which F0 is higher.
    """

    tract: Tensor
    tempo: Tensor | None = None
    semitones: Tensor | None = None


class Voices(Dataset):
    """A training side whose utterances can be given other voices; batches as of a Dataset.

    Args:
        sources: features of the utterances as they are, then of each of their versions (at other
            speeds); not normalised.
        indices, labels, needs, frames, device, speakers: as for :class:`ser.batch.Dataset`.
        factors: of the vocal tract.
        normalise: from features to features under a rule of :mod:`ser.normalise`.
        grow: whether deltas grow with the tempo; not where each utterance is divided by a
            deviation of its own, which would grow as well.

    Example:
        >>> from types import SimpleNamespace
        >>> given = SimpleNamespace(mfcc=lambda i: np.ones((4, 39)), preset=None)
        >>> data = Voices([given], [0], None, {"mfcc"}, "true", factors=[0.9, 1.0])
        >>> voice = Voice(torch.tensor([1]), tempo=torch.tensor([2.0]))
        >>> data.voiced([0], None, voice).mfcc[0, :, 13].tolist()
        [2.0, 2.0]
    """

    def __init__(
        self,
        sources: Sequence[Any],
        indices: Sequence[int],
        *given: Any,
        factors: Sequence[float] = (1.0,),
        normalise: Callable[[Any], Any] = lambda features: features,
        grow: bool = True,
        **more: Any,
    ) -> None:
        super().__init__(sources[0], indices, *given, versions=sources[1:], gaps=True, **more)
        self.warps, self.grow, self.clip_z = Warps(factors), grow, 0.0
        groups: dict[int, tuple[int, Scale]] = {}  # the scales are kept, so their ids stay theirs
        places = np.zeros((len(sources), len(factors), len(self)), np.int64)
        for v, source in enumerate(sources):
            for k, factor in enumerate(factors):
                seen = normalise(source if factor == 1 else Warped(source, self.warps, k))
                if not isinstance(seen, Normalised):
                    continue
                self.clip_z = seen.clip_z
                for place, row in enumerate(self.indices):
                    scale = seen.scale(row)
                    places[v, k, place] = groups.setdefault(id(scale), (len(groups), scale))[0]
        self._places = torch.from_numpy(places)
        self._scales: dict[str, list[Tensor]] = {}
        for name in self.needs if groups else ():
            if all(name in scale for _, scale in groups.values()):
                pairs = zip(*(scale[name] for _, scale in groups.values()), strict=True)
                self._scales[name] = [torch.tensor(np.stack(p), device=self.device) for p in pairs]

    def voiced(self, positions: Any, version: Tensor | None, voice: Voice) -> Batch:
        """The utterances at *positions*, each with the voice that was drawn for it, normalised."""
        batch = super().batch(positions, version)
        changed: dict[str, Tensor | None] = {}
        rows = torch.as_tensor(positions, dtype=torch.long)
        versions = torch.zeros(len(rows), dtype=torch.long) if version is None else version.long()
        group = self._places[versions.cpu(), voice.tract, rows].to(self.device)
        for name in sorted(self.needs):
            values, lengths = getattr(batch, name), getattr(batch, f"{name}_lengths")
            last = name in _LAST_IS_TIME
            if voice.tempo is not None and lengths is not None:
                values, lengths = at_tempo(values.mT if last else values, lengths, voice.tempo)
                values = values.mT if last else values
                changed[f"{name}_lengths"] = lengths
                if name == "mfcc" and self.grow:
                    faster = voice.tempo.to(values)[:, None, None]
                    values[..., DELTAS] *= faster
                    values[..., ACCELERATIONS] *= faster**2
            if self.warps.factors != [1.0]:
                values = self.warps(name, values, voice.tract)
            if name == "prosody" and voice.semitones is not None:
                values = values.clone()
                values[..., F0] += voice.semitones.to(values)[:, None]
            if name in self._scales:
                mean, deviation = (part[group] for part in self._scales[name])
                mean, deviation = (p[:, :, None] if last else p[:, None] for p in (mean, deviation))
                values = (values - mean) / deviation
                if self.clip_z:
                    values = values.clamp(-self.clip_z, self.clip_z)
            if name == "prosody":
                values = values.nan_to_num()
            if lengths is not None:
                size = values.shape[2] if last else values.shape[1]
                there = (torch.arange(size) < lengths[:, None]).to(values.device)
                values = values * (there[:, None] if last else there[:, :, None])
            changed[name] = values.contiguous()
        return dataclasses.replace(batch, **changed)

    def batch(self, positions: Any = None, version: Tensor | None = None) -> Batch:
        """The utterances with the first of the factors; a training asks for :meth:`voiced`."""
        if positions is None or isinstance(positions, slice):
            positions = range(len(self))[positions or slice(None)]
        positions = torch.as_tensor(list(positions) if isinstance(positions, range) else positions)
        return self.voiced(positions, version, Voice(torch.zeros(len(positions), dtype=torch.long)))


def at_tempo(values: Tensor, lengths: Tensor, tempo: Tensor) -> tuple[Tensor, Tensor]:
    """Sequences (B, T, columns) read faster or slower, and their new lengths.

    Args:
        values: what lies beyond the lengths is not looked at; NaN: no value.
        lengths: (B,) valid rows, at least 1 each.
        tempo: (B,) rows of *values* that one new row goes on.

    Returns:
        (B, T', columns), its last row repeated beyond the new lengths, and these (B,): ``lengths /
        tempo``, rounded, at least 1.

    Example:
        >>> rows, lengths = at_tempo(torch.arange(5.0)[None, :, None], torch.tensor([5]),
        ...                          torch.tensor([2.0]))
        >>> rows.ravel().tolist(), lengths.tolist()
        ([0.0, 2.0], [2])
    """
    new = (lengths.double() / tempo.double()).round().long().clamp(min=1)
    place = torch.arange(int(new.max()), dtype=torch.float64) * tempo.double()[:, None]
    place = torch.minimum(place, (lengths - 1).double()[:, None])
    below = place.floor().long()
    above = torch.minimum(below + 1, (lengths - 1)[:, None])
    share = (place - below).to(values)[:, :, None]
    low, high = (
        values.gather(1, index.to(values.device)[:, :, None].expand(-1, -1, values.shape[2]))
        for index in (below, above)
    )
    mixed = low + share * (high - low)
    nearer = torch.where(share < 0.5, low, high)
    return torch.where(mixed.isnan(), nearer, mixed), new
