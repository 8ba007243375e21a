"""Choosing a recipe by dev speakers, and what the choice is worth on people who did not choose.

The dev speakers of one fold are test speakers of another; so the recipe with the best mean dev
score has been chosen by people whom it is then tested on. In the nested estimate each fold chooses
by its own dev speakers and is then tested once. Book: chapter "What lifts it, honestly".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from ser.errors import RecordError
from ser.metrics import Interval, Paired, bootstrap_interval, paired_test
from ser.report.pool import Row
from ser.report.record import Record

from chapters.recipe.gains import (
    BASE,
    dev_ua,
    finished,
    fold_ua,
    recipe_table,
)


def choice_table(
    recipes: Mapping[str, Sequence[Record]],
    models: Sequence[str],
    resamples: int = 2000,
) -> pd.DataFrame:
    """The one choice by mean dev UA beside the nested estimate, also of inductive recipes alone.

    Args:
        recipes: of :func:`load_recipes`.
        models: rows; those without two finished recipes are passed over.
        resamples: of the bootstrap over speakers.

    Returns:
        DataFrame of text, a line a row and kind (``all``, ``inductive``): ``by mean dev`` (the
        recipe), ``its UA`` on the test speakers, ``nested UA`` with its interval, ``gain`` of the
        nested choice over the base with its interval, and its ``p``.
    """
    lines = {}
    for model in models:
        table = recipe_table(recipes, model, resamples=resamples)
        for kind in ("all", "inductive") if len(table) > 1 else ():
            left = table if kind == "all" else table[~table.transductive.astype(bool)]
            result = nested(recipes, model, among=list(left.index), resamples=resamples)
            if result is None:
                continue
            pair = result.paired
            ends = (100 * pair.ua_difference, 100 * pair.ua_low, 100 * pair.ua_high)
            lines[model, kind] = {
                "by mean dev": left.dev.idxmax(),
                "its UA": f"{left.ua[left.dev.idxmax()]:.1f}",
                "nested UA": "{:.1f} ({:.1f} to {:.1f})".format(result.ua, *result.interval),
                "gain": "{:+.1f} ({:+.1f} to {:+.1f})".format(*ends),
                "p": f"{pair.ua_p:.3f}",
            }
    return pd.DataFrame.from_dict(lines, orient="index")


@dataclass(frozen=True)
class Nested:
    """What choosing a recipe by dev speakers is worth, fold by fold.

    Attributes:
        choices: a line a fold: ``recipe`` (best on this fold's dev speakers), ``dev``, ``ua`` on
            its test speakers, ``best`` (what the best recipe on the test would have had).
        ua, interval: of all folds pooled, each answered by its own choice; percent.
        paired: against the base on the same utterances, as fractions of 1.
        among: the recipes that were chosen from.
    """

    choices: pd.DataFrame = field(repr=False)
    ua: float
    interval: Interval
    paired: Paired = field(repr=False)
    among: tuple[str, ...]


def nested(
    recipes: Mapping[str, Sequence[Record]],
    model: str = "dual",
    base: str = BASE,
    among: Sequence[str] | None = None,
    resamples: int = 2000,
) -> Nested | None:
    """Each fold takes the recipe that is best on its own dev speakers; then it is tested, once.

    Unlike the one recipe with the best mean over all folds, the choice of a fold has seen nobody
    of those it is tested on.

    Args:
        recipes: of :func:`load_recipes`.
        model: the row.
        base: recipe to compare with; of recipes equally good on dev, the first of *recipes*.
        among: names to choose from; all finished ones if not given.
        resamples: of the bootstrap over speakers.

    Returns:
        :class:`Nested`, or None with fewer than two finished recipes or without the base.

    Example:
        >>> nested({}) is None
        True
    """
    rows = finished(recipes, model)
    rows = {k: r for k, r in rows.items() if among is None or k in among or k == base}
    names = [k for k in rows if among is None or k in among]
    if base not in rows or len(rows) < 2 or not names:
        return None
    seeds = sorted(set.intersection(*(set(r.seeds) for r in rows.values())))
    if not seeds:
        raise RecordError("the recipes have no seed in common")
    dev = pd.DataFrame({k: dev_ua(rows[k]) for k in names})
    test = pd.DataFrame({k: fold_ua(rows[k]) for k in names})
    taken = dev.idxmax(axis=1)
    start = rows[base]
    fold = {u: r.fold for r in start.records for u in r.data["test"]["utterances"]}
    of = np.array([fold[u] for u in start.utterances])
    answers = {k: r.predictions[[r.seeds.index(s) for s in seeds]] for k, r in rows.items()}
    mixed = answers[base].copy()
    for name, recipe in taken.items():
        mixed[:, of == name] = answers[recipe][:, of == name]
    choices = pd.DataFrame(
        {
            "recipe": taken,
            "dev": dev.max(axis=1),
            "ua": [test.loc[f, r] for f, r in taken.items()],
            "best": test.max(axis=1),
        }
    )
    ends = bootstrap_interval(start.labels, mixed, start.speakers, "ua", resamples)
    pair = paired_test(start.labels, mixed, answers[base], start.speakers, resamples)
    interval = Interval(100 * ends.low, 100 * ends.high)
    return Nested(choices, 100 * pair.ua_a, interval, pair, tuple(names))


def dev_speakers(row: Row) -> dict[str, tuple[str, ...]]:
    """Who was held out to choose in each fold.

    Args:
        row: of :func:`finished`.

    Returns:
        Fold -> names of its dev speakers; folds that had none are missing.
    """
    told = {r.fold: r.data["protocol"].get("dev_speakers") for r in row.records}
    return {fold: tuple(names) for fold, names in told.items() if names}
