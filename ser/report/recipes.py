"""What an option of training is worth: one row trained in several ways, chosen on dev speakers.

A folder of recipes holds one folder of records for each way of training, with the same corpus,
folds and seeds; one of them, ``as-released``, is what the others are compared with. Options are
compared by their score on the dev speakers of each fold at the last epoch, and judged on the test
speakers. Book: chapter "What lifts it, honestly".
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from ser.corpora.base import EMOTIONS
from ser.errors import ProtocolError, RecordError
from ser.metrics import Interval, Paired, bootstrap_interval, paired_test, ua
from ser.report.ablation import holm
from ser.report.load import Record, load_records
from ser.report.pool import Row, pool_records

BASE = "as-released"

OPTIONS: dict[str, str] = {
    BASE: "",
    "normalise-train": "--normalise train",
    "normalise-utterance": "--normalise utterance",
    "normalise-speaker": "--normalise speaker",
    "dropout-masks": "--dropout 0.3 --spec-augment 1",
    "attention": "--pooling attention",
    "average": "--ema 0.98",
}
"""Name of a recipe -> what ``ser run`` is told; the order is that of the tables."""

SPLIT_DEV = 0.2
"""Share of the training side that ``ser run`` holds out unless told otherwise."""


def command(name: str, corpus: str = "emodb") -> str:
    """The command that makes the records of a recipe.

    Args:
        name: one of :data:`OPTIONS`.
        corpus: short name; its folder is left as a word in capitals.

    Raises:
        RecordError: no such recipe.

    Example:
        >>> command("average").split()[-4:]
        ['--ema', '0.98', '--out', 'results/recipe/average']
    """
    if name not in OPTIONS:
        raise RecordError(f"no recipe {name!r}; there are: {', '.join(OPTIONS)}")
    parts = [
        f"ser run --corpus {corpus} --root {corpus.upper()} --model mfcc-lstm,ds-lstm,dual",
        "--protocol speakers --select last,dev,test --seeds 1 --epochs 15 --batch-size 32",
        "--no-models --quiet",
        OPTIONS[name],
        f"--out results/recipe/{name}",
    ]
    return " ".join(filter(None, parts))


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
        # The folder "work" of a run that has just begun holds no record yet.
        records = [p for p in path.rglob("*.json") if "work" not in p.relative_to(path).parts]
        if records and not path.name.startswith("."):
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
        if not np.array_equal(row.utterances, first.utterances) or _hashes(row) != _hashes(first):
            raise RecordError(f"recipe {name!r} of {model} was trained and tested on other folds")
    return rows


def _hashes(row: Row) -> set[str]:
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
            raise RecordError(f"{record.path}: no score on dev speakers; run it with --select dev")
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
        speakers, ``p_holm`` corrected for the number of recipes, ``seeds``, ``folds``,
        ``speakers``. Empty if the base or everything is missing.

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
            told = _against(row, rows[base], resamples)
            line["gain"], line["p"] = 100 * told.ua_difference, told.ua_p
            line["gain_low"], line["gain_high"] = 100 * told.ua_low, 100 * told.ua_high
        line |= {"seeds": len(row.seeds), "folds": row.folds, "speakers": len(set(row.speakers))}
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
        DataFrame of text: ``T`` (transductive), ``dev``, ``UA``, ``gain``, ``p``, ``Holm``; the
        last three are empty for the base.
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
        },
        index=table.index,
    )
    words.loc[table.p.isna(), ["gain", "p", "Holm"]] = ""
    return words


def fold_gains(rows: Mapping[str, Row], base: str = BASE) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Gain over the base on each fold's dev speakers, and on its test speakers, in points.

    Args:
        rows: of :func:`finished`, with the base and at least one more.
        base: recipe to compare with.

    Returns:
        Two DataFrames, a line a fold, a column a recipe without the base.
    """
    scores = [pd.DataFrame({k: score(r) for k, r in rows.items()}) for score in (dev_ua, fold_ua)]
    dev, test = (s.drop(columns=base).sub(s[base], axis=0) for s in scores)
    return dev, test


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


def _against(row: Row, base: Row, resamples: int) -> Paired:
    return paired_test(row.labels, row.predictions, base.predictions, row.speakers, resamples)


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

    Records name the speakers of the test side only. All test sides together are the corpus, so it
    is divided again here, and a fold is told only if the hash of its division is the record's.

    Args:
        row: of :func:`finished`.

    Returns:
        Fold -> names of its dev speakers; folds that could not be divided again are missing.
    """
    from ser.protocols import split  # needs scikit-learn

    table = pd.DataFrame({"utterance": row.utterances, "speaker": row.speakers})
    table["emotion"] = np.array(EMOTIONS)[row.labels]
    table["session"] = ""
    data = row.records[0].data
    said = re.search(r"--dev[ =]([\d.]+)", str(data.get("command", "")))
    try:
        share = float(said.group(1)) if said else SPLIT_DEV
        parts = split(table, row.protocol, row.folds_total, dev=share)
    except ProtocolError:
        return {}
    known = _hashes(row)
    return {
        part.name: tuple(sorted(set(row.speakers[part.dev].tolist())))
        for part in parts
        if part.hash in known
    }
