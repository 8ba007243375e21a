"""Figures of the study: its questions, its speakers, and what the choice of epoch is worth.

Each draws a table of :mod:`chapters.shared.study`; what colour says, shape says again. Book:
chapters "Ablations", "Confusion matrices" and "EmoDB, measured".
"""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from ser.plots.results import SELECTIONS
from ser.plots.style import (
    BLUE,
    CARD,
    GREEN,
    GREY,
    INK,
    MUTED,
    ORANGE,
    PURPLE,
    VERMILLION,
    drawing,
    mark_legend,
    set_alt,
    set_title,
)

VERDICTS: dict[str, tuple[str, str, str]] = {
    "better": (GREEN, "^", GREEN),
    "worse": (VERMILLION, "v", VERMILLION),
    "higher": (PURPLE, "^", CARD),
    "lower": (PURPLE, "v", CARD),
    "open": (GREY, "o", CARD),
}
"""Verdict -> colour of the line, marker, and what fills the marker."""

GENDERS: dict[str, tuple[str, str]] = {
    "female": (ORANGE, "o"),
    "male": (BLUE, "s"),
    "": (GREY, "D"),
}
"""Gender -> colour and marker; of speakers whose gender is not told, the last."""


def question_forest(table: pd.DataFrame, title: str | None = None) -> Figure:
    """The questions of the study: difference in UA, its interval, and the verdict as a shape.

    Args:
        table: of :func:`chapters.shared.study_questions.questions`; questions that were
            not run are left out, and named in the description.
        title: of the figure.

    Returns:
        Figure; with several corpora each line names its own.

    Raises:
        ValueError: no question is answered.
    """
    there = table[table.difference.notna()]
    if there.empty:
        raise ValueError("no question of this table is answered")
    several = there.corpus.nunique() > 1
    labels = [
        f"{_wrap(r.first)}\n− {_wrap(r.second)}" + (f"\n({r.corpus})" if several else "")
        for r in there.itertuples()
    ]
    lines = sum(label.count("\n") + 1.6 for label in labels)
    with drawing(None, 1.8 + 0.2 * lines) as (fig, ax):
        ax.axvline(0, color=INK, linewidth=1)
        for verdict, (colour, marker, face) in VERDICTS.items():
            mine = np.flatnonzero((there.verdict == verdict).to_numpy())
            if not len(mine):
                continue
            part = there.iloc[mine]
            ax.hlines(mine, part.low, part.high, color=colour, linewidth=2.2)
            ax.plot(
                part.difference, mine, marker, color=colour, markerfacecolor=face, markersize=8,
                markeredgewidth=1.6, label=verdict,
            )  # fmt: skip
        ax.set_yticks(range(len(labels)), labels)
        ax.set_ylim(len(labels) - 0.5, -0.5)
        ax.tick_params(axis="y", length=0)
        ax.grid(axis="x")
        ax.set_xlabel(f"difference in UA, points{mark_legend(labels)}", loc="right")
        fig.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=3)
        set_title(ax, title)
    said = " ".join(
        f"{f'{r.corpus}: ' if several else ''}{r.first} minus {r.second}: {r.difference:+.1f} "
        f"points, {r.low:+.1f} to {r.high:+.1f}, {r.verdict}."
        for r in there.itertuples()
    )
    left = table[table.difference.isna()]
    told = f" Not run: {'; '.join(dict.fromkeys(map(str, left.index)))}." if len(left) else ""
    return set_alt(
        fig,
        "Differences in UA with 95 percent intervals over speakers; a verdict needs a p below "
        f"0.05 after Holm's correction. {said}{told}",
    )


def speaker_dots(table: pd.DataFrame, title: str | None = None, chance: float = 25.0) -> Figure:
    """UA of each speaker, women and men told apart by colour and shape, worst at the bottom.

    Args:
        table: of :func:`chapters.shared.study.by_group`, by speaker.
        title: of the figure.
        chance: UA of guessing, percent; a dashed line.

    Returns:
        Figure; bars are the 95 % intervals of the table.

    Raises:
        ValueError: no speakers.
    """
    if table.empty or "gender" not in table:
        raise ValueError("a table of speakers is needed, as by_group(row, 'speaker') gives it")
    table = table.sort_values("ua", kind="stable")
    gender = table.gender.where(table.gender.isin(list(GENDERS)), "").to_numpy()
    at = np.arange(len(table))
    with drawing(None, 1.9 + 0.3 * len(table)) as (fig, ax):
        ax.axvline(chance, color=MUTED, linestyle="--", linewidth=1, label="chance")
        for name, (colour, marker) in GENDERS.items():
            mine = gender == name
            if not mine.any():
                continue
            part = table[mine]
            ax.hlines(at[mine], part.low, part.high, color=colour, linewidth=1.8, alpha=0.75)
            ax.plot(part.ua, at[mine], marker, color=colour, markersize=7, label=name or "not told")
        ax.set_yticks(at, [str(name) for name in table.index])
        ax.set_ylim(-0.6, len(table) - 0.4)
        ax.set_ylabel("speaker")
        ax.set_xlabel("UA in percent, 95 % interval over the speaker's clips")
        ax.grid(axis="x")
        fig.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=4)
        set_title(ax, title, 34)
    said = ", ".join(
        f"{name}{f' ({g})' if g else ''} {ua:.1f}"
        for name, g, ua in zip(table.index[::-1], gender[::-1], table.ua[::-1], strict=True)
    )
    return set_alt(fig, f"UA by speaker in percent, best first: {said}.")


def selection_slopes(gaps: dict[str, pd.DataFrame], title: str | None = None) -> Figure:
    """UA of the last, the dev-chosen and the test-chosen epoch, a line for each row.

    Args:
        gaps: name of the line -> table of :func:`chapters.shared.study.selection_gap`; at most six.
        title: of the figure.

    Returns:
        Figure; upright bars are 95 % intervals over speakers, side by side so that they can be
        told apart.

    Raises:
        ValueError: nothing to draw, or too many lines.
    """
    from chapters.shared.interval_figures import LOOKS

    if not 1 <= len(gaps) <= len(LOOKS):
        raise ValueError(f"one to {len(LOOKS)} lines can be drawn, not {len(gaps)}")
    order = [s for s in SELECTIONS if any(s in table.index for table in gaps.values())]
    with drawing(None, 4.2) as (fig, ax):
        for number, ((name, table), (colour, marker)) in enumerate(
            zip(gaps.items(), LOOKS, strict=False)
        ):
            part = table.loc[[s for s in order if s in table.index]]
            x = np.array([order.index(s) for s in part.index])
            x = x + 0.07 * (number - (len(gaps) - 1) / 2)
            ax.vlines(x, part.low, part.high, color=colour, linewidth=1.6, alpha=0.7)
            ax.plot(x, part.ua, marker + "-", color=colour, markersize=7, label=name)
        ax.set_xticks(range(len(order)), [SELECTIONS[s][0] for s in order])
        ax.set_xlim(-0.4, len(order) - 0.6)
        ax.set_xlabel("epoch")
        ax.set_ylabel("UA in percent, 95 % interval")
        ax.grid(axis="y")
        fig.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2)
        set_title(ax, title)
    said = "; ".join(
        f"{name}: " + ", ".join(f"{s} {table.ua[s]:.1f}" for s in order if s in table.index)
        for name, table in gaps.items()
    )
    more = " Test-chosen scores are too good to be true." if "test" in order else ""
    return set_alt(fig, f"UA in percent by the choice of epoch. {said}.{more}")


def _wrap(name: str) -> str:
    return textwrap.fill(name, 28, break_long_words=False, break_on_hyphens=False)
