"""Losses step by step, as a figure (book: chapter "Training on a GPU")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from ser.plots.style import BLUE, GREEN, ORANGE, drawing, set_alt

LOOKS = ((BLUE, "-"), (ORANGE, "--"), (GREEN, ":"))


def loss_curves(curves: Mapping[str, Sequence[float]]) -> Figure:
    """The loss of up to three loops against the step.

    Raises:
        ValueError: no curve, or more than three.

    Example:
        >>> from ser.plots import describe
        >>> describe(loss_curves({"right": [1.4, 0.2]}))
        'Loss by step. right: 1.40 to 0.20.'
    """
    if not 1 <= len(curves) <= len(LOOKS):
        raise ValueError(f"one to {len(LOOKS)} curves, not {len(curves)}")
    with drawing(None, 3.4) as (fig, ax):
        for (name, losses), (colour, dash) in zip(curves.items(), LOOKS, strict=False):
            ax.plot(losses, dash, color=colour, linewidth=2, label=name)
        ax.set_xlabel("step")
        ax.set_ylabel("loss, nats")
        ax.legend()
    ends = "; ".join(f"{name}: {c[0]:.2f} to {c[-1]:.2f}" for name, c in curves.items())
    return set_alt(fig, f"Loss by step. {ends}.")
