"""What a corpus's utterances are like, drawn from the record of ``ser explain --corpus``.

Every function takes the record of :func:`ser.explain.explain_corpus` or
:func:`ser.explain.read_voices`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ser.explain.corpus import NEIGHBOURS
from ser.marks import TRANSDUCTIVE
from ser.plots.style import (
    BLUE,
    EMOTION_COLOURS,
    GREEN,
    GREY,
    INK,
    MUTED,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    drawing,
    set_alt,
    set_title,
)

SHAPES = "os^DvPX*<>"
MORE = (PURPLE, GREEN, SKY, "#8c6d31", "#000000", "#b15928")
"""Colours of classes that :data:`ser.plots.EMOTION_COLOURS` has none for."""
NAMED_SPEAKERS = 12
"""More speakers than these are not named one by one."""
WORDS = {"egemaps-lr": "as they are", "egemaps-lr+": f"by speaker {TRANSDUCTIVE}"}


def colours_of(classes: Sequence[str]) -> dict[str, str]:
    """A colour for each class, the book's where it has one.

    Example:
        >>> colours_of(["sad", "bored"])
        {'sad': '#0072b2', 'bored': '#cc79a7'}
    """
    spare = iter([c for c in MORE if c not in EMOTION_COLOURS.values()] * len(classes))
    return {name: EMOTION_COLOURS.get(name) or next(spare) for name in classes}


def group_importance(record: Mapping[str, Any]) -> Figure:
    """What UA on unseen speakers loses when a group of functionals is dealt anew.

    Args:
        record: see above.

    Returns:
        Figure: a mark a group and row, with its 95 % interval over speakers.
    """
    looks = {"egemaps-lr": ("o", VERMILLION, 0.16), "egemaps-lr+": ("s", BLUE, -0.16)}
    rows, said = record["importance"], []
    names = [group["name"] for group in next(iter(rows.values()))["groups"]]
    with drawing(height=4.4) as (fig, ax):
        ax.axvline(0, color=INK, linewidth=1)
        for row, told in rows.items():
            marker, colour, shift = looks[row]
            label = f"{WORDS[row]}: UA {told['ua']:.0f} %"
            for y, group in enumerate(told["groups"]):
                place = len(names) - 1 - y + shift
                ax.hlines(place, group["low"], group["high"], color=colour, linewidth=2.4)
                first = {"label": label} if y == 0 else {}
                ax.plot(group["drop"], place, marker, color=colour, markersize=8,
                        linestyle="none", **first)  # fmt: skip
            losses = ", ".join(f"{g['name']} {g['drop']:.1f}" for g in told["groups"])
            said.append(f"{WORDS[row]}, UA {told['ua']:.1f} %: {losses}.")
        ax.set_yticks(range(len(names)), names[::-1])
        ax.tick_params(axis="y", length=0)
        ax.set_xlabel("UA lost when the group is dealt anew, points")
        ax.grid(axis="x")
        ax.margins(y=0.1)
        fig.legend(loc="outside lower left", title="functionals", alignment="left")
    return set_alt(fig, f"Points of UA lost by group of functionals. {' '.join(said)}")


def utterance_map(
    record: Mapping[str, Any], way: str = "as they are", title: str | None = None
) -> Figure:
    """Utterances in the plane (t-SNE of the 88 functionals), by emotion and by speaker.

    Near each other in the plane are utterances that were near each other in the 88 numbers;
    distances between clouds, and the axes, mean nothing.

    Args:
        record: see above.
        way: ``"as they are"`` or ``"by speaker"``: each speaker brought to mean 0 and deviation 1.
        title: of the figure.

    Returns:
        Figure with two panels of the same points.

    Raises:
        ValueError: no such way in the record.
    """
    if way not in record["map"]:
        raise ValueError(f"no map {way!r}; there are {', '.join(record['map'])}")
    at, classes, speakers = record["map"][way], record["classes"], record["speakers"]
    x, y = np.array(at["x"]), np.array(at["y"])
    many = len(speakers) > NAMED_SPEAKERS
    near, chance = record["near"][way], record["chance"]
    nearest = min(NEIGHBOURS, record["utterances"] - 1)
    size = 14 if len(x) < 600 else 7
    named = max(len(classes), 0 if many else len(speakers))
    height = 3.7 + 0.22 * -(-named // 2) + 0.35 * bool(title)  # two names a line of the legend
    with drawing(None, height, columns=2) as (fig, panels):
        palette = colours_of(classes)
        _points(panels[0], x, y, np.array(record["emotion"]), classes,
                [(palette[c], SHAPES[k % 4]) for k, c in enumerate(classes)], size)  # fmt: skip
        hues = [VERMILLION, BLUE, GREEN, ORANGE, PURPLE, SKY, INK, GREY]
        looks = [(hues[k % 8], SHAPES[k % len(SHAPES)]) for k in range(len(speakers))]
        if many:
            scale = matplotlib.colormaps["turbo"](np.linspace(0, 1, len(speakers)))
            looks = [(tuple(c), SHAPES[k % 4]) for k, c in enumerate(scale)]
        _points(panels[1], x, y, np.array(record["speaker"]), speakers, looks, size)
        for ax, name in zip(panels, ("emotion", "speaker"), strict=True):
            ax.set(xticks=[], yticks=[], box_aspect=1)
            for spine in ax.spines.values():
                spine.set(visible=True, color=MUTED, linewidth=0.6)
            set_title(ax, f"by {name}")
            share = f"of the {nearest} nearest,\n{near[name]:.0f} % same {name}"
            ax.set_xlabel(f"{share}\n(by chance {chance[name]:.0f} %)")
        if title:
            fig.suptitle(title, x=0.02, ha="left", fontweight="bold", fontsize=12.5)
        for ax, place in zip(panels, ("left", "right"), strict=True):
            if ax is panels[1] and many:
                continue
            fig.legend(
                *ax.get_legend_handles_labels(), loc=f"outside lower {place}", ncols=2,
                handletextpad=0.1, columnspacing=0.6, markerscale=1.6,
            )  # fmt: skip
    heading = f"{title}. " if title else ""
    return set_alt(
        fig,
        f"{heading}Map of {len(x)} utterances of {len(speakers)} speakers, functionals {way}. Of "
        f"an utterance's {nearest} nearest, {near['speaker']:.0f} % are of the same "
        f"speaker (by chance {chance['speaker']:.0f} %) and {near['emotion']:.0f} % of the same "
        f"emotion (by chance {chance['emotion']:.0f} %).",
    )


def named_distribution(record: Mapping[str, Any], name: str) -> Figure:
    """How a functional with a name and a unit is distributed in each emotion.

    Args:
        record: see above.
        name: one of the ``name`` of ``record["named"]``, e.g. ``"mean pitch"``.

    Returns:
        Figure: outlines of the densities, and quartiles as lines.

    Raises:
        ValueError: no functional of that name in the record.
    """
    import seaborn

    known = {one["name"]: one for one in record["named"]}
    if name not in known:
        raise ValueError(f"no functional {name!r}; there are {', '.join(known)}")
    classes, values = record["classes"], np.array(known[name]["values"])
    emotion = np.array(classes)[record["emotion"]]
    palette = colours_of(classes)
    with drawing(height=1.3 + 0.5 * len(classes)) as (fig, ax):
        seaborn.violinplot(
            x=values, y=emotion, order=classes, hue=emotion, palette=palette, legend=False,
            inner="quart", cut=0, density_norm="width", linewidth=1.1, linecolor=INK, ax=ax,
            orient="h", saturation=1,
        )  # fmt: skip
        ax.set(xlabel=f"{name}, {known[name]['unit']}", ylabel="")
        ax.tick_params(axis="y", length=0)
        ax.grid(axis="x")
    middles = ", ".join(f"{c} {np.median(values[emotion == c]):.3g}" for c in classes)
    return set_alt(fig, f"{name} by emotion, medians in {known[name]['unit']}: {middles}.")


def _points(
    ax: Axes,
    x: np.ndarray,
    y: np.ndarray,
    kind: np.ndarray,
    names: Sequence[str],
    looks: Sequence[tuple[Any, str]],
    size: float,
) -> None:
    for number, (name, (colour, marker)) in enumerate(zip(names, looks, strict=True)):
        of = kind == number
        ax.scatter(x[of], y[of], s=size, color=colour, marker=marker, linewidths=0, alpha=0.8,
                   label=name)  # fmt: skip
