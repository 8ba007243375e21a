"""What the recipes of a corpus come to, in words, from their records.

Book: chapter "What lifts it, honestly".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ser.report.record import Record

from chapters.recipe.gains import BASE, recipe_table
from chapters.recipe.nested import nested
from chapters.shared.result_tables import ALPHA


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
