"""Print every table of the study from its records: ``python -m tools.study [FOLDER ...]``.

Without folders, those of ``book/results`` that are the study
(:mod:`chapters.shared.study_folders`): all with a dev set, so that no row is compared with one that
was trained on other speakers; and the tables of the recipes tried. The README's tables have a
command of their own, ``python -m tools.readme``.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from chapters.recipe.gains import ROWS_TRIED, recipe_sets, recipe_table, recipe_words
from chapters.shared.study import by_group, misheard, pair_confusion, questions, selection_gap
from chapters.shared.study_folders import study_folders

from ser.errors import RecordError, SerError
from ser.report import make_report
from tools.execute import ROOT

if TYPE_CHECKING:
    from ser.report import Report, Row


def folders() -> list[Path]:
    """The folders of ``book/results`` that are the study."""
    return study_folders(ROOT / "book" / "results")


def recipe_tables(results: Path, resamples: int = 2000) -> dict[str, pd.DataFrame]:
    """Title -> table of the recipes tried, a table a corpus and row."""
    found = {}
    for corpus, recipes in recipe_sets(results).items():
        for model in ROWS_TRIED:
            table = recipe_table(recipes, model, resamples=resamples)
            if not table.empty:
                found[f"recipes: {model}, {corpus}"] = recipe_words(table)
    return found


def tables(
    report: Report, model: str = "", only: list[str] | None = None
) -> dict[str, pd.DataFrame]:
    """Title -> table, in the order in which they are printed.

    Args:
        report: of the records.
        model: the row that is looked into; default: ``dual``, else the report's own choice.
        only: keys of the questions to ask.
    """
    found = {"questions": questions(report, only)}
    for row in _looked_into(report, model):
        where = {"corpus": row.corpus, "protocol": row.protocol, "preset": row.preset}
        name = f"{row.label}, {row.corpus}, {row.protocol}"
        try:
            found[f"selection: {name}"] = selection_gap(report, row.model, **where)
        except RecordError:
            found[f"selection: {name}"] = pd.DataFrame()
        found[f"by speaker: {name}"] = by_group(row, "speaker", resamples=report.resamples)
        try:
            found[f"by gender: {name}"] = by_group(row, "gender", resamples=report.resamples)
        except RecordError:
            found[f"by gender: {name}"] = pd.DataFrame()
        found[f"heard as: {name}"] = pair_confusion(row, resamples=report.resamples)
        found[f"misheard: {name}"] = misheard(row)
    return found


def _looked_into(report: Report, model: str) -> list[Row]:
    """One row of each corpus, under its protocol of unseen speakers where there is one."""
    rows = [r for r in report.rows if r.selection == "last" and not r.test_corpus]
    rows = [r for r in rows if r.folds == r.folds_total]
    if model and not any(r.model == model for r in rows):
        raise RecordError(f"no finished row {model} (last) in these records")
    chosen = []
    for corpus in dict.fromkeys(r.corpus for r in rows):
        here = [r for r in rows if r.corpus == corpus]
        here = [r for r in here if r.protocol != "random"] or here
        wanted = [r for r in here if r.model == (model or "dual")]
        wanted.sort(key=lambda r: (r.preset != "release", -len(r.seeds)))
        chosen += wanted[:1] or ([] if model else here[-1:])
    return chosen


def render(found: dict[str, pd.DataFrame], most: int = 20) -> str:
    """The tables as text, the commands for what is missing after the questions."""
    parts = []
    for title, table in found.items():
        shown = table.drop(columns=["question", "command"], errors="ignore")
        long = "misheard" in title and len(table) > most
        cut = f" (the first {most} of {len(table)})" if long else ""
        shown = shown.head(most) if cut else shown
        text = (
            shown.round(3).to_string(na_rep="-") if len(table) else "nothing of this in the records"
        )
        parts.append(f"{title}{cut}\n{text}")
        if title == "questions":
            parts += [f"note: {note}" for note in table.attrs.get("notes", [])]
            missing = table[table.command != ""]
            here = f"{ROOT.as_posix()}/"
            lines = [
                f"{r.corpus}, {key}:\n  {r.command.replace(here, '')}"
                for key, r in missing.iterrows()
            ]
            if lines:
                parts.append("to make what was not run:\n" + "\n".join(lines))
    return "\n\n".join(parts) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Print the tables; 0, or 2 where the records do not allow it."""
    parser = argparse.ArgumentParser(prog="python -m tools.study", description=__doc__)
    parser.add_argument("folders", nargs="*", help="default: the study's of book/results")
    parser.add_argument("--model", default="", help="the row to look into (default: dual)")
    parser.add_argument("--only", help="keys of questions, separated by semicolons")
    parser.add_argument("--resamples", type=int, default=2000)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(arguments)
    only = [k.strip() for k in args.only.split(";")] if args.only else None
    try:
        report = make_report(args.folders or folders(), resamples=args.resamples)
        found = tables(report, args.model, only)
        if not args.folders and not only:
            found |= recipe_tables(ROOT / "book" / "results", args.resamples)
    except SerError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if args.json:
        data = {k: json.loads(t.reset_index().to_json(orient="records")) for k, t in found.items()}
        sys.stdout.write(json.dumps(data, indent=1) + "\n")
    else:
        sys.stdout.write(render(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
