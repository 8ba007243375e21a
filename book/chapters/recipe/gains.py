"""What an option of training is worth: one row trained in several ways, chosen on dev speakers.

A folder of recipes holds one folder of records for each way of training, with the same corpus and
folds; one of them, ``as-released``, is what the others are compared with. Recipes may differ in
how many seeds have been run: scores are means over a recipe's own. Options are compared by their
score on the dev speakers of each fold at the last epoch, and judged on the test speakers. Book:
chapter "What lifts it, honestly".
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
from ser.errors import RecordError
from ser.experiments.record_folder import record_files
from ser.metrics import Paired, paired_test, ua
from ser.report.load import load_records
from ser.report.pool import Row, pool_records
from ser.report.record import Record

from chapters.recipe.options import (
    BASE,
    FOLDER,
    OPTIONS,
    ROWS_TRIED,
    command,
    options_of,
    recipe_folder,
)
from chapters.shared.paired_questions import holm

__all__ = [
    "BASE", "OPTIONS", "ROWS_TRIED", "against_base", "changed", "command", "dev_ua", "finished",
    "fold_hashes", "fold_ua", "load_recipes", "options_of", "recipe_folder",
    "recipe_sets", "recipe_table", "recipe_words",
]  # fmt: skip


def recipe_sets(results: str | os.PathLike) -> dict[str, dict[str, list[Record]]]:
    """The recipes of every corpus that has some, EmoDB first.

    Args:
        results: the folder that holds ``recipe`` and ``recipe-<corpus>``.

    Returns:
        Corpus -> its recipes, as of :func:`load_recipes`.

    Raises:
        RecordError: a damaged record, or records of another corpus in a folder.
    """
    found: dict[str, dict[str, list[Record]]] = {}
    for folder in sorted(Path(results).glob(f"{FOLDER}*")):
        recipes = load_recipes(folder)
        corpora = {record.corpus for records in recipes.values() for record in records}
        if len(corpora) > 1 or corpora & found.keys():
            raise RecordError(f"{folder}: recipes of {', '.join(corpora)}; one folder a corpus")
        found |= dict.fromkeys(corpora, recipes)
    return found


def load_recipes(folder: str | os.PathLike) -> dict[str, list[Record]]:
    """Records of every recipe below a folder, ``as-released`` first.

    Args:
        folder: holds a folder for each recipe; it need not exist.

    Returns:
        Name of the recipe -> its records; recipes without any record are left out.

    Raises:
        RecordError: a record cut short or inconsistent.

    Example:
        >>> load_recipes("no such folder")
        {}
    """
    root, found = Path(folder), {}
    below = [p for p in root.iterdir() if p.is_dir()] if root.is_dir() else []
    for path in sorted(below, key=lambda p: (_place(p.name), p.name)):
        # A run that has just begun has no record yet.
        if not path.name.startswith(".") and any(record_files(path)):
            found[path.name] = load_records(path)
    return found


def _place(name: str) -> int:
    return list(OPTIONS).index(name) if name in OPTIONS else len(OPTIONS)


def finished(
    recipes: Mapping[str, Sequence[Record]], model: str, selection: str = "last"
) -> dict[str, Row]:
    """The recipes under which all folds of a row have been trained.

    Args:
        recipes: of :func:`load_recipes`.
        model: the row.
        selection: of the epoch.

    Returns:
        Name of the recipe -> row; all on the same utterances and folds as the first.

    Raises:
        RecordError: recipes tested on different utterances or folds.
    """
    rows: dict[str, Row] = {}
    for name, records in recipes.items():
        mine = [r for r in records if r.data["model"] == model]
        for row in pool_records(mine):
            if row.selection == selection and row.folds == row.folds_total:
                rows.setdefault(name, row)
    for name, row in rows.items():
        first = next(iter(rows.values()))
        if not np.array_equal(row.utterances, first.utterances) or fold_hashes(row) != fold_hashes(
            first
        ):
            raise RecordError(f"recipe {name!r} of {model} was trained and tested on other folds")
    return rows


def fold_hashes(row: Row) -> set[str]:
    """Hashes of the divisions that the row's runs were made on."""
    return {str(r.data["protocol"].get("hash")) for r in row.records}


def dev_ua(row: Row) -> pd.Series:
    """UA on the dev speakers of each fold, percent, at the row's epoch, mean over seeds.

    Args:
        row: of :func:`finished`.

    Returns:
        Series, fold -> percent, in the order of the folds' names.

    Raises:
        RecordError: a run without dev speakers.
    """
    told: dict[str, list[float]] = {}
    for record in row.records:
        epoch = record.data["selection"][row.selection]["epoch"]
        line = next((e for e in record.data["history"] if e["epoch"] == epoch), {})
        if line.get("dev_ua") is None:
            raise RecordError(
                f"{record.source}: no score on dev speakers; run it with --select dev"
            )
        told.setdefault(record.fold, []).append(100 * line["dev_ua"])
    means = {fold: float(np.mean(told[fold])) for fold in sorted(told)}
    return pd.Series(means, name="dev", dtype=float).rename_axis("fold")


def fold_ua(row: Row) -> pd.Series:
    """UA on the test speakers of each fold, percent, mean over seeds; as :func:`dev_ua`."""
    told: dict[str, list[float]] = {}
    for record in row.records:
        answers = record.logits[row.selection].argmax(1)
        told.setdefault(record.fold, []).append(100 * ua(record.labels, answers))
    means = {fold: float(np.mean(told[fold])) for fold in sorted(told)}
    return pd.Series(means, name="test", dtype=float).rename_axis("fold")


def changed(row: Row, base: Row) -> dict[str, object]:
    """The settings of *row* that are not those of *base*.

    A record leaves out what is at its default, so a setting that only one of them names counts.
    """
    from ser.training.config import TrainConfig  # imports torch, which a report rarely needs

    own = asdict(TrainConfig())
    ours, theirs = ({**own, **(r.records[0].data.get("config") or {})} for r in (row, base))
    skip = {"seed", "joint", "permute"}
    return {k: v for k, v in ours.items() if k not in skip and v != theirs.get(k)}


def recipe_table(
    recipes: Mapping[str, Sequence[Record]],
    model: str = "dual",
    base: str = BASE,
    resamples: int = 2000,
) -> pd.DataFrame:
    """Every finished recipe of a row: its score on dev and on test speakers, and what it gains.

    Args:
        recipes: of :func:`load_recipes`.
        model: the row.
        base: recipe the others are compared with.
        resamples: of the bootstrap over speakers.

    Returns:
        DataFrame, a line a recipe; the index is its name. ``option`` (what differs from the
        base), ``transductive`` (it looks at all of a test speaker's utterances before it
        answers), ``dev`` (mean of the folds), ``ua``, ``low``, ``high`` (test, folds pooled, last
        epoch), ``gain``, ``gain_low``, ``gain_high`` against the base in points, ``p`` of swapping
        speakers, ``p_holm`` corrected for the number of recipes, ``seeds``, ``sd`` of UA over
        them (NaN with one), ``folds``, ``speakers``. Empty if the base or everything is missing.

    Example:
        >>> recipe_table({}).empty
        True
        >>> recipe_table(load_recipes("book/results/recipe"))[["dev", "ua"]]  # doctest: +SKIP
    """
    rows = finished(recipes, model)
    lines = {}
    for name, row in rows.items() if base in rows else ():
        ends = row.interval("ua", resamples)
        settings = changed(row, rows[base])
        line: dict[str, object] = {
            "option": ", ".join(f"{k} {v}" for k, v in settings.items()),
            "transductive": settings.get("normalise") == "speaker",
            "dev": float(dev_ua(row).mean()),
            "ua": 100 * float(row.ua.mean()),
            "low": 100 * ends.low,
            "high": 100 * ends.high,
        }
        line |= {"gain": 0.0} | dict.fromkeys(("gain_low", "gain_high", "p"), np.nan)
        if name != base:
            told = against_base(row, rows[base], resamples)
            line["gain"], line["p"] = 100 * told.ua_difference, told.ua_p
            line["gain_low"], line["gain_high"] = 100 * told.ua_low, 100 * told.ua_high
        spread = 100 * float(row.ua.std(ddof=1)) if len(row.seeds) > 1 else np.nan
        line |= {"seeds": len(row.seeds), "sd": spread, "folds": row.folds}
        line["speakers"] = len(set(row.speakers))
        lines[name] = line
    table = pd.DataFrame.from_dict(lines, orient="index").rename_axis("recipe")
    if not table.empty:
        table.insert(list(table).index("p") + 1, "p_holm", holm(table.p))
    return table


def recipe_words(table: pd.DataFrame) -> pd.DataFrame:
    """The table of :func:`recipe_table` in words, as a page shows it.

    Args:
        table: with at least the base.

    Returns:
        DataFrame of text: ``T`` (transductive), ``dev``, ``UA``, ``gain``, ``p``, ``Holm`` (these
        three are empty for the base), ``seeds`` (how many, and the sd of UA over them).
    """
    score, gain = "{:.1f} ({:.1f} to {:.1f})".format, "{:+.1f} ({:+.1f} to {:+.1f})".format
    words = pd.DataFrame(
        {
            "T": np.where(table.transductive.astype(bool), "T", ""),
            "dev": table.dev.map("{:.1f}".format),
            "UA": [score(*v) for v in zip(table.ua, table.low, table.high, strict=True)],
            "gain": [
                gain(*v) for v in zip(table.gain, table.gain_low, table.gain_high, strict=True)
            ],
            "p": table.p.map("{:.3f}".format),
            "Holm": table.p_holm.map("{:.3f}".format),
            "seeds": [
                f"{n}" if np.isnan(sd) else f"{n} (sd {sd:.1f})"
                for n, sd in zip(table.seeds, table.sd, strict=True)
            ],
        },
        index=table.index,
    )
    words.loc[table.p.isna(), ["gain", "p", "Holm"]] = ""
    return words


def against_base(row: Row, base: Row, resamples: int) -> Paired:
    """Paired test of *row* against the base on the same utterances."""
    return paired_test(row.labels, row.predictions, base.predictions, row.speakers, resamples)
