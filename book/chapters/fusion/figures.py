"""Figures of two branches and their one answer.

The margin of an answer is the true class's logit less the best of the others: above zero the
answer is right. For logits that are averaged, the margin is at least the mean of the branches'
margins. Book: chapter "Fusion"; the fusion is :func:`ser.nn.fuse` (Wang et al. 2020, section 2.4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from ser.plots.style import BLUE, GREEN, GREY, INK, ORANGE, PURPLE, VERMILLION, drawing, set_alt

FATES: tuple[tuple[str, str, str], ...] = (
    ("kept: both right", GREY, "."),
    ("repaired: one right, fused right", GREEN, "o"),
    ("spoiled: one right, fused wrong", VERMILLION, "X"),
    ("lost: both wrong, fused wrong", INK, "+"),
    ("gained: both wrong, fused right", PURPLE, "*"),
)
"""What can become of an utterance: name, colour and mark."""


def margins(labels: ArrayLike, logits: ArrayLike) -> np.ndarray:
    """The true class's logit less the best of the others; the answer is right where it is > 0.

    Args:
        labels: (n,) true classes.
        logits: (n, classes).

    Returns:
        (n,) float64, in the logits' unit.

    Raises:
        ValueError: shapes that do not fit.

    Example:
        >>> margins([0, 1], [[3.0, 1.0], [3.0, 1.0]]).tolist()
        [2.0, -2.0]
    """
    truth, scores = np.asarray(labels, dtype=int), np.array(logits, dtype=float)
    if scores.ndim != 2 or truth.shape != scores.shape[:1]:
        raise ValueError(f"labels {truth.shape} do not fit logits {scores.shape}")
    rows = np.arange(len(truth))
    true = scores[rows, truth]
    scores[rows, truth] = -np.inf
    return true - scores.max(axis=1)


def fates(labels: ArrayLike, a: ArrayLike, b: ArrayLike, fused: ArrayLike) -> np.ndarray:
    """What became of each utterance: (n,) positions in :data:`FATES`.

    Args:
        labels: (n,) true classes.
        a, b, fused: (n, classes) scores of the two branches and of their fusion.

    Raises:
        ValueError: shapes that do not fit.

    Example:
        >>> a, b = np.array([[2.0, 0.0], [0.0, 3.0]]), np.array([[1.0, 0.0], [1.0, 0.0]])
        >>> [FATES[k][0][:7] for k in fates([0, 0], a, b, a + b)]
        ['kept: b', 'spoiled']
    """
    truth = np.asarray(labels, dtype=int)
    right = []
    for scores in (a, b, fused):
        scores = np.asarray(scores)
        if scores.ndim != 2 or truth.shape != scores.shape[:1]:
            raise ValueError(f"labels {truth.shape} do not fit scores {scores.shape}")
        right.append(scores.argmax(axis=1) == truth)
    first, second, both = right
    one = np.where(both, 1, 2)
    none = np.where(both, 4, 3)
    kept = np.where(both, 0, 2)
    return np.where(first & second, kept, np.where(first | second, one, none))


def compared(labels: ArrayLike, a: ArrayLike, b: ArrayLike) -> tuple[pd.DataFrame, float]:
    """The normal formula for the share of right answers against the count, and the correlation.

    Args:
        labels: (n,) true classes.
        a, b: (n, classes) logits of the two branches.

    Returns:
        percentages right, rows ``formula`` and ``counted``, columns ``A``, ``B`` and ``fused``;
        and the correlation of the two margins.
    """
    from scipy.stats import norm

    truth, a, b = np.asarray(labels), np.asarray(a), np.asarray(b)
    m_a, m_b = margins(truth, a), margins(truth, b)
    by_formula = [norm.cdf(m.mean() / m.std()) for m in (m_a, m_b, (m_a + m_b) / 2)]
    counted = [np.mean(s.argmax(1) == truth) for s in (a, b, a + b)]
    values = 100 * np.array([by_formula, counted])
    frame = pd.DataFrame(values, ["formula", "counted"], ["A", "B", "fused"])
    return frame.round(1), float(np.corrcoef(m_a, m_b)[0, 1])


def gains(
    right: float, partners: Sequence[float], correlation: np.ndarray, draws: int = 200_000
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Gain in points of a branch fused with each partner, by the formula and from random margins.

    Args:
        right: share of right answers of the branch, and *partners*: those of its partners.
        correlation: (k,) of the two margins.
        draws: of random margins, for each point.

    Returns:
        partner's name -> (k,) gain over the branch alone, by the formula; and the same simulated.
    """
    from scipy.stats import norm

    random, strong = np.random.default_rng(0), norm.ppf(right)
    theory, simulated = {}, {}
    for partner in partners:
        weak, name = norm.ppf(partner), f"partner right {100 * partner:.0f} % of the time"
        both = (strong + weak) / np.sqrt(2 * (1 + correlation))
        theory[name] = 100 * (norm.cdf(both) - right)
        hits = []
        for rho in correlation:
            e = random.normal(size=(2, draws))
            e[1] = rho * e[0] + np.sqrt(1 - rho**2) * e[1]
            hits.append((strong + e[0] + weak + e[1] > 0).mean())
        simulated[name] = 100 * (np.array(hits) - right)
    return theory, simulated


def margin_plane(labels: ArrayLike, a: ArrayLike, b: ArrayLike, names: tuple[str, str]) -> Figure:
    """Every utterance by the margins of its two branches, marked by what their mean answers.

    Args:
        labels: (n,) true classes.
        a, b: (n, classes) logits of the two branches.
        names: of the branches, for the axes.

    Returns:
        Figure: to the right of the upright line branch *a* is right, above the level one branch
        *b*; above the slanting line the mean of the margins is positive, so the fusion is right.

    Example:
        >>> from ser.plots import describe
        >>> a, b = [[2.0, 0.0], [0.0, 3.0]], [[1.0, 0.0], [1.0, 0.0]]
        >>> describe(margin_plane([0, 0], a, b, ("A", "B")))[:61]
        'Margins of 2 utterances, A against B: 1 kept: both right; 1 s'
    """
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    x, y = margins(labels, a), margins(labels, b)
    fate = fates(labels, a, b, (a + b) / 2)
    low, high = min(x.min(), y.min(), -0.5), max(x.max(), y.max(), 0.5)
    low, high = low - 0.05 * (high - low), high + 0.05 * (high - low)
    counts = []
    with drawing(None, 6.4) as (fig, ax):
        ax.axhline(0, color=INK, linewidth=1)
        ax.axvline(0, color=INK, linewidth=1)
        far = max(-low, high)
        ax.plot([-far, far], [far, -far], "--", color=BLUE, linewidth=1.5)
        for k, (name, colour, mark) in enumerate(FATES):
            here = fate == k
            if not here.any():
                continue
            plain = mark in "+."
            look = {} if plain else {"edgecolors": INK, "linewidths": 0.6}
            ax.scatter(
                x[here], y[here], s=46, marker=mark, color=colour, label=name, zorder=2 + k, **look
            )
            counts.append(f"{here.sum()} {name}")
        ax.set_xlim(low, high)
        ax.set_ylim(low, high)
        ax.set_aspect("equal")
        ax.set_xlabel(f"margin of {names[0]} (logits)")
        ax.set_ylabel(f"margin of {names[1]} (logits)")
        fig.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=1)
    text = f"Margins of {len(x)} utterances, {names[0]} against {names[1]}: " + "; ".join(counts)
    return set_alt(fig, text + ".")


def gain_curves(
    correlation: ArrayLike,
    theory: Mapping[str, ArrayLike],
    simulated: Mapping[str, ArrayLike],
) -> Figure:
    """Gain of fusion against the correlation of the branches' errors: lines and dots.

    Args:
        correlation: (k,) of the two margins.
        theory: name -> (k,) gain in points, drawn as a line.
        simulated: the same names -> (k,) gain in points, drawn as dots.

    Returns:
        Figure.

    Raises:
        ValueError: no curve, more than three, or names that differ.

    Example:
        >>> from ser.plots import describe
        >>> describe(gain_curves([0, 1], {"alike": [8.0, 0.0]}, {"alike": [8.1, 0.0]}))
        'Gain of fusion by correlation, 0 to 1: alike from +8.0 to +0.0 points.'
    """
    if not 1 <= len(theory) <= 3 or set(theory) != set(simulated):
        raise ValueError("one to three curves, with the same names in theory and simulation")
    looks = ((BLUE, "-", "o"), (ORANGE, "--", "s"), (VERMILLION, "-.", "^"))
    rho, said = np.asarray(correlation, dtype=float), []
    with drawing(None, 3.9) as (fig, ax):
        ax.axhline(0, color=INK, linewidth=1)
        for (name, line), (colour, dash, mark) in zip(theory.items(), looks, strict=False):
            ax.plot(rho, line, dash, color=colour, linewidth=2, label=name)
            ax.plot(rho, simulated[name], mark, color=colour, markeredgecolor=INK, markersize=6)
            line = np.asarray(line, dtype=float)
            said.append(f"{name} from {line[0]:+.1f} to {line[-1]:+.1f} points")
        ax.set_xlabel("correlation of the two margins")
        ax.set_ylabel("gain over the better branch,\npoints of accuracy")
        ax.grid(axis="y")
        fig.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=1)
    ends = f"{rho[0]:g} to {rho[-1]:g}"
    return set_alt(fig, f"Gain of fusion by correlation, {ends}: " + "; ".join(said) + ".")
