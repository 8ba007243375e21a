"""What the chapter's tables and figures show, in sentences.

Book: chapter "What lifts it, honestly".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure
from ser.plots.style import BLUE, ORANGE, VERMILLION, drawing, set_alt
from ser.report.build import Report
from ser.report.comparison import compare
from ser.report.pool import Row

from chapters.recipe.gains import BASE
from chapters.recipe.nested import Nested
from chapters.shared.paired_questions import speaker_differences
from chapters.shared.seen import Seen, seen


def gap_words(gaps: Mapping[str, pd.DataFrame]) -> Seen:
    """How often the dev-chosen and the test-chosen epoch stand above the last one.

    Args:
        gaps: row -> table of :func:`chapters.shared.study.selection_gap`.
    """
    told = []
    for choice in ("dev", "test"):
        lines = [gap.loc[choice] for gap in gaps.values() if choice in gap.index]
        steps = [line.difference for line in lines]
        clear = sum(line.p < 0.05 for line in lines)
        told.append(
            f"chosen on {choice} it is above the last epoch in {sum(v > 0 for v in steps)} of "
            f"{len(steps)} rows ({min(steps):+.1f} to {max(steps):+.1f} points, p below 0.05 in "
            f"{clear})"
        )
    return seen(f"The epoch's score, unseen speakers: {'; '.join(told)}.")


def promise_table(rows: Sequence[Row]) -> pd.DataFrame:
    """What the dev-chosen epoch gains over the last one on dev and on test speakers.

    Args:
        rows: read at their dev-chosen epoch.

    Returns:
        DataFrame, a line a row: points of UA, mean over folds and seeds.
    """
    lines = {}
    for row in rows:
        gains = []
        for record in row.records:
            past = pd.DataFrame(record.data["history"]).set_index("epoch")
            sides = past.loc[record.data["selection"]["dev"]["epoch"]] - past.iloc[-1]
            gains.append(100 * sides[["dev_ua", "test_ua"]].astype(float))
        lines[row.model] = pd.DataFrame(gains).mean()
    table = pd.DataFrame(lines).T
    return table.set_axis(["promised on dev", "kept on test"], axis=1)


def noise_figure(noise: Sequence[float], curves: Mapping[str, Sequence[float]]) -> Figure:
    """What an honest choice of the epoch keeps, over the noise of the dev score; three curves."""
    looks = ((BLUE, "o-"), (ORANGE, "s--"), (VERMILLION, "^:"))
    with drawing(None, 4.2) as (fig, ax):
        for (name, kept), (colour, look) in zip(curves.items(), looks, strict=False):
            ax.plot(noise, kept, look, color=colour, label=name, ms=5)
        ax.set_xlabel("noise of the dev score, points")
        ax.set_ylabel("kept on test, points")
        ax.grid(axis="y")
        fig.legend(loc="outside lower center", ncols=3)
    said = "; ".join(
        f"{name} {kept[0]:+.1f} without noise, {kept[-1]:+.1f} at {noise[-1]:.0f} points of noise"
        for name, kept in curves.items()
    )
    return set_alt(fig, f"Points kept on the test over the noise of the dev score. {said}.")


def nested_words(result: Nested, table: pd.DataFrame) -> Seen:
    """The one choice beside the nested one, and how many options the folds chose.

    Args:
        result: of :func:`chapters.recipe.nested.nested`.
        table: of :func:`chapters.recipe.gains.recipe_table`, of the same row.
    """
    best = str(table.dev.idxmax())
    one, pair = table.loc[best], result.paired
    picked = result.choices.recipe.value_counts()
    first = f"`{best}`" + " changes nothing" * (best == BASE)
    gain = "" if best == BASE else f" and gains {one.gain:+.1f} points over `{BASE}` on the test"
    ends = f"{100 * pair.ua_low:+.1f} to {100 * pair.ua_high:+.1f}"
    return seen(
        f"By the mean of all dev scores {first} comes first{gain} (p {one.p_holm:.2f} after the "
        f"correction for {len(table) - 1} options). The folds by themselves choose {len(picked)} "
        f"different options; the procedure gains {100 * pair.ua_difference:+.1f} points ({ends}, "
        f"p {pair.ua_p:.2f}), and a choice on the test would have printed "
        f"{result.choices.best.mean() - result.choices.ua.mean():+.1f} points more."
    )


EVEN: tuple[tuple[str, str], ...] = (("egemaps-lr", "egemaps-lr+"), ("dual", "dual+"))
"""Rows without and with the normalisation by speaker."""


def even_table(reports: Mapping[str, Report]) -> pd.DataFrame:
    """Functionals and the network, without and with normalisation by speaker, UA in percent.

    Args:
        reports: corpus -> report of the last epoch on unseen speakers.

    Returns:
        DataFrame: a line a corpus and row; ``as it is``, ``by speaker``, ``gain`` with its
        95 % interval over speakers.
    """
    lines = {}
    for corpus, report in reports.items():
        rows = _even_rows(report)
        for plain, plus in EVEN:
            if {plain, plus} <= set(rows):
                result = compare(rows[plus], rows[plain], report.resamples).result
                gap, low, high = (
                    100 * getattr(result, f"ua_{k}") for k in ("difference", "low", "high")
                )
                lines[corpus, plain] = {
                    "as it is": f"{100 * rows[plain].ua.mean():.1f}",
                    "by speaker (T)": f"{100 * rows[plus].ua.mean():.1f}",
                    "gain": f"{gap:+.1f} ({low:+.1f} to {high:+.1f})",
                }
    return pd.DataFrame.from_dict(lines, orient="index")


def even_words(reports: Mapping[str, Report]) -> Seen:
    """The network minus the functionals, both as they are and both by speaker."""
    told = []
    for corpus, report in reports.items():
        rows = _even_rows(report)
        for what, first, second in (
            ("as they are", "dual", "egemaps-lr"),
            ("both by speaker", "dual+", "egemaps-lr+"),
        ):
            if {first, second} <= set(rows):
                result = compare(rows[first], rows[second], report.resamples).result
                told.append(
                    f"{corpus}, {what}: {100 * result.ua_difference:+.1f} points "
                    f"({100 * result.ua_low:+.1f} to {100 * result.ua_high:+.1f}, "
                    f"p {result.ua_p:.3f})"
                )
    return seen(f"The network minus the functionals. {'; '.join(told) or 'Not run'}.")


def loser_words(reports: Mapping[str, Report]) -> Seen:
    """For whom the normalisation by speaker costs the network something."""
    told = []
    for corpus, report in reports.items():
        rows = _even_rows(report)
        if {"dual", "dual+"} <= set(rows):
            each = speaker_differences(compare(rows["dual+"], rows["dual"], report.resamples))
            worst = each.idxmin()
            told.append(
                f"on {corpus} {(each < 0).sum()} of {len(each)} speakers lose by it (the least "
                f"gain is {each[worst]:+.1f} points, for {worst})"
            )
    what = "; ".join(told) or "nothing was run"
    return seen(f"The network by speaker against the network as it is: {what}.")


def settled_words(tables: Mapping[tuple[str, str], pd.DataFrame]) -> Seen:
    """How many options are settled against the base after the correction, a row at a time."""
    told = []
    for (corpus, model), table in tables.items():
        sure = table[table.p_holm < 0.05]
        told.append(
            f"`{model}` on {corpus}: {(sure.gain > 0).sum()} of {len(table) - 1} options above "
            f"`{BASE}` and {(sure.gain < 0).sum()} below"
        )
    return seen(f"Settled after the correction, {'; '.join(told) or 'nothing was run'}.")


def _even_rows(report: Report) -> dict[str, Row]:
    """The rows at the last epoch by name; a baseline that left the dev set out goes first."""
    last = [row for row in report.rows if row.selection == "last"]
    last.sort(key=lambda row: "leave_dev" in row.tags)
    return {row.base: row for row in last}
