"""What an answer rests on, drawn over the recording (:mod:`ser.explain`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ser.plots.style import INK, drawing, set_alt, set_title

if TYPE_CHECKING:
    from ser.explain.explanation import Explanation
    from ser.explain.patches import View

FREQUENCIES = (250, 500, 1000, 2000, 4000)
OCCLUSION = "occlusion: what is lost without it"
GRADIENTS = "integrated gradients: what it adds"
STRONGEST = "PuOr_r"
"""Colours from purple (against the answer) over none to orange (for it), told apart by all."""


def explanation(explained: Explanation, view: str | None = None) -> Figure:
    """Both ways, one below the other, over time in seconds and frequency or group of columns.

    Orange speaks for the answer, purple against it. Over spectrograms the sound is drawn in grey.

    Args:
        explained: of :func:`ser.explain.explain`.
        view: ``spectrograms``, ``mfcc`` or ``prosody``; None: the first of the network's.

    Returns:
        Figure.

    Raises:
        ValueError: the network has no such view.
    """
    views = {one.name: one for one in explained.views}
    if (view := view or next(iter(views))) not in views:
        raise ValueError(f"no view {view!r}; there are {', '.join(views)}")
    one, answer = views[view], explained.prediction.emotion
    tables = {OCCLUSION: one.occlusion}
    if one.gradients is not None:
        tables[GRADIENTS] = one.gradients
    sound = _sound(explained) if one.hertz is not None else None
    height = (2.7 if sound is not None else 2.2) * len(tables) + 0.4
    with drawing(None, height, len(tables), sharex=True, squeeze=False) as (fig, grid):
        for ax, (name, table) in zip(grid[:, 0], tables.items(), strict=True):
            _patches(fig, ax, one, table, sound)
            set_title(ax, name, 44)
        grid[-1, 0].set_xlabel("time, s")
    said = " ".join(
        f"By {name.partition(':')[0]}, most for {answer}: {strongest_words(one, table)}."
        for name, table in tables.items()
    )
    about = "spectrogram" if sound is not None else f"columns of {view}"
    return set_alt(fig, f"Patches of the {about} over time, for {answer}. {said}")


def strongest_words(one: View, table: np.ndarray, count: int = 3) -> str:
    """The patches that speak most for the answer, in words."""
    return "; ".join(
        f"{band} from {first:.2f} to {last:.2f} s ({worth:+.2f})"
        for band, first, last, worth in one.strongest(table, count)
    )


def time_axis(fig: Figure) -> tuple[float, float]:
    """Where the time axis begins and ends in the figure as it was last drawn, as shares of its
    width: for a cursor."""
    box = fig.axes[0].get_position()
    return float(box.x0), float(box.x1)


def _sound(explained: Explanation) -> np.ndarray:
    from ser.features.mel import mel_pair

    return mel_pair(explained.wave, explained.preset).s2.numpy()


def _patches(fig: Figure, ax: Axes, one: View, table: np.ndarray, sound: np.ndarray | None) -> None:
    edges, bands = one.edges, len(one.bands)
    extent = (edges[0], edges[-1], 0, bands)
    if sound is not None:
        low = max(float(sound.min()), float(sound.max()) - 70)
        ax.imshow(
            sound, origin="lower", aspect="auto", cmap="Greys", vmin=low, vmax=sound.max() + 25,
            extent=extent, interpolation="nearest",
        )  # fmt: skip
    most = max(float(np.abs(table).max()), 1e-6)
    share = np.abs(table) / most
    norm = matplotlib.colors.Normalize(-most, most)
    colours = matplotlib.colormaps[STRONGEST](norm(table))
    if sound is not None:
        colours[..., 3] = 0.85 * np.sqrt(share)
    ax.imshow(colours, origin="lower", aspect="auto", extent=extent, interpolation="nearest")
    if one.hertz is None:
        names = [name.replace(" 1 to 12", "\n1 to 12") for name in one.bands]
        ax.set_yticks(np.arange(bands) + 0.5, names)
        ax.tick_params(axis="y", length=0)
    else:
        from ser.features.mel import hz_to_mel

        top = float(hz_to_mel(np.array(one.hertz[-1])))
        places = bands * hz_to_mel(np.array(FREQUENCIES)) / top
        ax.set_yticks(places, [f"{f}" for f in FREQUENCIES])
        ax.set_ylabel("frequency, Hz (mel)")
    for spine in ax.spines.values():
        spine.set(visible=True, color=INK, linewidth=0.6)
    scale = matplotlib.cm.ScalarMappable(norm, STRONGEST)
    fig.colorbar(scale, ax=ax, pad=0.02).set_label("logit")
