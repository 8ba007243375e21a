"""What the recipes of a corpus come to, in words, from their records.

Book: chapter "What lifts it, honestly".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from ser.report.pool import Row
from ser.report.record import Record

from chapters.recipe.gains import BASE, recipe_table
from chapters.recipe.nested import nested
from chapters.shared.result_tables import ALPHA, span, trained_on


def evidence_table(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """What the answers rest on, a line a corpus or row: recipes, seeds, folds, speakers.

    Args:
        tables: name -> table of :func:`chapters.recipe.gains.recipe_table`; empty ones are
            left out.

    Returns:
        DataFrame of text; ``smallest p`` is the least that the swap test can give with so many
        speakers, the corrected one its product with the number of recipes; ``settled`` how many
        recipes are above or below the base after the correction.
    """
    lines = {}
    for name, table in tables.items():
        if table.empty:
            continue
        sure = table[table.p_holm < ALPHA]
        least = 2.0 ** (1 - int(table.speakers.max()))
        lines[name] = {
            "recipes": len(table) - 1,
            "seeds": span(table.seeds),
            "folds": span(table.folds),
            "speakers": span(table.speakers),
            "smallest p": f"{least:.4f}",
            "smallest corrected p": f"{min(1.0, least * max(1, len(table) - 1)):.4f}",
            "settled": f"{(sure.gain > 0).sum()} above, {(sure.gain < 0).sum()} below",
        }
    return pd.DataFrame.from_dict(lines, orient="index")


def recipe_summary(
    sets: Mapping[str, Mapping[str, Sequence[Record]]], model: str = "dual", resamples: int = 2000
) -> str:
    """What was chosen and what it is worth, a line a corpus, as a list in Markdown.

    Args:
        sets: of :func:`chapters.recipe.gains.recipe_sets`.
        model: the row.
        resamples: of the bootstrap over speakers.

    Returns:
        Lines, or one that says that no recipe is there to choose.
    """
    lines = []
    for corpus, recipes in sets.items():
        table = recipe_table(recipes, model, resamples=resamples)
        if len(table) < 2:
            continue
        best = str(table.dev.idxmax())
        line = f"- {corpus}, `{model}`: of {len(table)} ways of training the dev speakers chose "
        line += f"`{best}`"
        if best == BASE:
            line += ", the one that changes nothing."
        else:
            told = table.loc[best]
            line += f"; on the test speakers it gains {_points(*told[['gain', *GAIN]])} points, "
            line += f"corrected p {told.p_holm:.3f}: "
            line += "settled." if told.p_holm < ALPHA else "not settled."
        result = nested(recipes, model, resamples=resamples)
        if result is not None:
            pair = result.paired
            ends = (100 * pair.ua_difference, 100 * pair.ua_low, 100 * pair.ua_high)
            line += f" Each fold choosing for itself gains {_points(*ends)}, p {pair.ua_p:.3f}."
        lines.append(line)
    return "\n".join(lines) or "- No recipe was there to choose when this page was made."


GAIN = ("gain_low", "gain_high")


def _points(middle: float, low: float, high: float) -> str:
    return f"{middle:+.1f} ({low:+.1f} to {high:+.1f})"


def on_gpu(row: Row, records: Sequence[Record]) -> bool:
    """Whether a GPU trained a recipe's row, or a branch of it where it is fused.

    Args:
        row: of one recipe.
        records: all that there are of the recipe, its branches' too.

    Example:
        >>> on_gpu(row, recipe_sets("book/results")["emodb"]["average"])  # doctest: +SKIP
        True
    """
    devices = {r.data["id"]: r.data.get("device") for r in records}
    return trained_on((r.data for r in row.records), devices) != {"cpu"}
