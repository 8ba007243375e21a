"""Cutting what a network reads into patches of time and band, and taking one patch away.

A patch is a stretch of the recording and a band: of frequency where the network reads
spectrograms, a group of columns where it reads MFCCs or prosody. Every number that a branch reads
is in one patch and only one, so sums over patches lose nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ser.batch import Batch
from ser.explain.explanation import ranks_alike
from ser.features.mel import hz_to_mel, mel_to_hz
from ser.features.presets import SAMPLE_RATE, Preset, nearest_index

BANDS = 8
"""Bands of frequency, each as wide as the others in mel."""
STRETCH = 0.1
"""Seconds of a patch, where that gives neither fewer nor more stretches than :data:`STRETCHES`."""
STRETCHES = (8, 40)
"""Fewest and most stretches of time."""
TOGETHER = 32
"""Copies of the recording that a network is given at a time."""

GROUPS: dict[str, tuple[tuple[str, tuple[int, ...]], ...]] = {
    "mfcc": (
        ("cepstra 1 to 12", tuple(range(12))),
        ("energy", (12,)),
        ("deltas", tuple(range(13, 26))),
        ("accelerations", tuple(range(26, 39))),
    ),
    "prosody": (
        ("loudness, flux", (0, 5)),
        ("spectrum", (1, 2, 3, 4, 6, 7, 8, 9)),
        ("pitch", (10,)),
        ("voice quality", (11, 12, 13, 14, 15)),
        ("formants", tuple(range(16, 25))),
    ),
}
"""Columns that are taken away together, where a network reads rows of columns."""

VIEW_OF = {"s1": "spectrograms", "s2": "spectrograms", "mfcc": "mfcc", "prosody": "prosody"}
"""What a network is given -> the view it belongs to: S1 and S2 are two pictures of one sound."""


@dataclass
class View:
    """One kind of input, cut into patches, and what they are worth in logits.

    Attributes:
        name: ``spectrograms``, ``mfcc`` or ``prosody``.
        edges: seconds at which the stretches begin and end, (times + 1,).
        bands: their names, lowest first.
        hertz: where the bands begin and end (bands + 1,); None where they are columns.
        occlusion: (bands, times), what the logit of the answer loses without the patch.
        gradients: (bands, times), what the patch adds to it, by integrated gradients; None: not
            asked for.
    """

    name: str
    edges: np.ndarray
    bands: tuple[str, ...]
    hertz: np.ndarray | None = None
    occlusion: Any = 0.0
    gradients: Any = None

    @property
    def shape(self) -> tuple[int, int]:
        """Bands and stretches of time."""
        return len(self.bands), len(self.edges) - 1

    @property
    def agreement(self) -> float | None:
        """Rank correlation (Spearman) of the two ways over the patches."""
        return None if self.gradients is None else ranks_alike(self.occlusion, self.gradients)

    def strongest(self, table: np.ndarray, count: int = 3) -> list[tuple[str, float, float, float]]:
        """The patches that speak most for the answer: band, from and to in seconds, logits."""
        order = np.argsort(-table, axis=None, kind="stable")[:count]
        return [
            (self.bands[band], *self.edges[at : at + 2].tolist(), float(table[band, at]))
            for band, at in zip(*np.unravel_index(order, table.shape), strict=True)
        ]


def view_of(name: str, seconds: float) -> View:
    """The patches of a recording.

    Args:
        name: of the view, see :data:`VIEW_OF`.
        seconds: the recording's duration.

    Example:
        >>> view = view_of("spectrograms", 2.0)
        >>> view.shape, view.bands[0]
        ((8, 20), '0 to 380 Hz')
        >>> view_of("mfcc", 0.3).shape
        (4, 8)
    """
    stretches = int(np.clip(round(seconds / STRETCH), *STRETCHES))
    edges = np.linspace(0.0, seconds, stretches + 1)
    if name != "spectrograms":
        return View(name, edges, tuple(group for group, _ in GROUPS[name]))
    top = float(hz_to_mel(np.array(SAMPLE_RATE / 2)))
    hertz = mel_to_hz(np.linspace(0.0, top, BANDS + 1))
    ends = [int(round(float(h), -1)) for h in hertz]
    bands = tuple(f"{a} to {b} Hz" for a, b in pairwise(ends))
    return View(name, edges, bands, hertz)


def middles(field: str, frames: int, samples: int, preset: Preset, fixed: bool) -> np.ndarray:
    """Seconds (frames,) of the middle of what each frame of a field sees.

    Args:
        field: ``s1``, ``s2``, ``mfcc`` or ``prosody``.
        frames: of the field, as the network is given it.
        samples: of the recording, at 16 kHz.
        preset: of the spectrograms.
        fixed: spectrograms were squashed to fixed numbers of frames.

    Example:
        >>> from ser.features.presets import get_preset
        >>> middles("mfcc", 3, 16000, get_preset("release"), True).round(4).tolist()
        [0.0125, 0.0225, 0.0325]
        >>> middles("s1", 230, 16000, get_preset("release"), True)[-1].round(3).item()
        0.992
    """
    rows = np.arange(frames)
    if field == "mfcc":
        return (160 * rows + 200) / SAMPLE_RATE
    if field == "prosody":
        return (160 * rows + 320) / SAMPLE_RATE  # between what F0 and what loudness sees
    hop = preset.hop_length[field == "s2"]
    if fixed:
        rows = np.asarray(nearest_index(1 + samples // hop, frames))
    return rows * hop / SAMPLE_RATE


def cells_of(view: View, field: str, shape: tuple[int, ...], seconds: np.ndarray) -> Tensor:
    """In which patch each number of a field is: band x stretches + stretch.

    Args:
        view: of :func:`view_of`.
        field: as for :func:`middles`.
        shape: of the field for one utterance: (bands, frames), or (frames, columns).
        seconds: the frames' middles.

    Returns:
        int64, of that shape.

    Example:
        >>> view = view_of("mfcc", 0.8)
        >>> cells_of(view, "mfcc", (2, 39), np.array([0.05, 0.75]))[:, 12].tolist()
        [8, 15]
    """
    bands, stretches = view.shape
    time = np.clip((seconds / view.edges[-1] * stretches).astype(int), 0, stretches - 1)
    if view.hertz is not None:
        band = np.arange(shape[0]) * bands // shape[0]
        return torch.from_numpy(band[:, None] * stretches + time[None])
    band = np.zeros(shape[1], int)
    for number, (_, columns) in enumerate(GROUPS[field]):
        band[list(columns)] = number
    return torch.from_numpy(time[:, None] + band[None] * stretches)


def mean_of(batch: Batch, fields: Mapping[str, Tensor], known: bool) -> dict[str, Tensor]:
    """The same recording with nothing in it but the mean, field by field.

    Args:
        batch: one utterance.
        fields: name -> patches of :func:`cells_of`.
        known: the network's inputs are normalised, so that their mean is 0; else it is the mean of
            each band or column over this recording.
    """
    found = {}
    for name in fields:
        values = getattr(batch, name)
        over = 1 if name in ("mfcc", "prosody") else 2
        mean = torch.zeros_like(values[:1]) if known else values.mean(over, keepdim=True)
        found[name] = mean.expand_as(values).clone()
    return found


def repeated(batch: Batch, given: Mapping[str, Tensor]) -> Batch:
    """The one utterance of *batch* as many times as *given* has rows, with these fields."""
    count = len(next(iter(given.values())))
    lengths = {
        f"{name}_lengths": kept.expand(count)
        for name in given
        if (kept := getattr(batch, f"{name}_lengths")) is not None
    }
    return replace(batch, labels=None, **given, **lengths)


def occlusion(
    network: nn.Module,
    batch: Batch,
    cells: Mapping[str, Tensor],
    mean: Mapping[str, Tensor],
    target: int,
    patches: int,
) -> np.ndarray:
    """What the logit of a class loses when a patch is replaced by the mean.

    Args:
        network: from a batch to logits (B, classes), in evaluation mode.
        batch: one utterance.
        cells: the fields of one view -> the patch of each number.
        mean: all fields that the network reads, of :func:`mean_of`.
        target: the class's number.
        patches: how many there are.

    Returns:
        float64 (patches,): the logit as it is minus the logit without the patch.

    Source: Zeiler, Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014.
    """
    whole = {name: getattr(batch, name) for name in mean}
    cells = {name: cell.to(whole[name].device) for name, cell in cells.items()}
    lost = np.empty(patches)
    with torch.no_grad():
        before = float(network(batch)[0, target])
        for first in range(0, patches, TOGETHER):
            numbers = torch.arange(first, min(first + TOGETHER, patches))
            given = {}
            for name, values in whole.items():
                copies = values.expand(len(numbers), *values.shape[1:])
                if name in cells:
                    asked = numbers.to(values.device)[:, None, None]
                    copies = torch.where(cells[name][None] == asked, mean[name], copies)
                given[name] = copies
            after = network(repeated(batch, given))[:, target]
            lost[first : first + len(numbers)] = before - after.double().cpu().numpy()
    return lost
