"""What the records say of one row under several protocols, on another corpus, and of floors.

Book: chapter "The protocol laboratory".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from ser.metrics import Paired, paired_test
from ser.report import Report, make_report
from ser.report.pool import Row

__all__ = ["CHIEF", "abroad", "checks", "judged", "price_of_dev"]

CHIEF = ("egemaps-lr", "mfcc-lstm", "dual")
"""Rows that are shown across corpora."""

SHOWN = {"loso": ("last",), "loso-dev": ("last", "dev", "test"), "random-dev": ("last", "test")}
"""Ending of a folder of records -> the choices of epoch that :func:`judged` shows."""

EPOCHS = {"last": "the last", "dev": "best on dev", "test": "best on test"}


def _told(row: Row) -> dict[str, str]:
    low, high = row.interval("ua")
    ua, low, high = (f"{100 * v:.1f}" for v in (row.ua.mean(), low, high))
    return {"UA": ua, "95 %": f"{low} to {high}"}


def _trained_on(row: Row) -> str:
    """How many speakers a fold's network learnt from: fewest to most over the folds."""
    facts = [r.data["protocol"] for r in row.records]
    if row.protocol == "random":
        return f"all {len(set(row.speakers))}"
    everyone = len(set(row.speakers))
    left = [everyone - len(f["dev_speakers"]) - len(f["test_speakers"]) for f in facts]
    return f"{min(left)}" if min(left) == max(left) else f"{min(left)} to {max(left)}"


def judged(
    results: str | Path, corpus: str = "emodb", model: str = "ds-lstm"
) -> tuple[pd.DataFrame, dict[str, Report]]:
    """One row of the table, as every protocol of the long runs judges it.

    Args:
        results: folder of records.
        corpus, model: which.

    Returns:
        A line each protocol, dev share and choice of epoch: ``who is tested``, ``trained on``
        (speakers), ``epoch``, ``seeds``, ``UA`` (mean over seeds), ``seed by seed`` (lowest to
        highest), ``95 %`` (over speakers); and the reports by the folder's ending.

    Raises:
        RecordError: a damaged record.
    """
    lines, reports = [], {}
    tested = {"loso": "unseen speakers", "random": "random folds"}
    for ending, epochs in SHOWN.items():
        folder = Path(results) / f"{corpus}-{ending}"
        if not folder.is_dir():
            continue
        reports[ending] = make_report(folder)
        for row in reports[ending].rows:
            if row.model != model or row.selection not in epochs:
                continue
            each = 100 * row.ua
            lines.append(
                {
                    "who is tested": tested[row.protocol],
                    "trained on": _trained_on(row),
                    "epoch": EPOCHS[row.selection],
                    "seeds": len(each),
                    "seed by seed": f"{min(each):.1f} to {max(each):.1f}" if len(each) > 1 else "",
                    **_told(row),
                }
            )
    return pd.DataFrame(lines), reports


def price_of_dev(reports: Mapping[str, Report], model: str = "ds-lstm") -> Paired:
    """Without a dev set minus with one: unseen speakers, last epoch, the same utterances.

    Raises:
        ValueError: the two were not tested on the same utterances.
    """
    without, held = (reports[k].row(model, "last") for k in ("loso", "loso-dev"))
    if not np.array_equal(without.utterances, held.utterances):
        raise ValueError(f"{model} was tested on different utterances")
    return paired_test(without.labels, without.predictions, held.predictions, without.speakers)


def abroad(results: str | Path, models: Sequence[str] = CHIEF) -> pd.DataFrame:
    """Rows that were trained on one corpus and tested on another, beside those at home.

    Returns:
        A line each pair of corpora and row: ``UA`` and ``95 %`` on the other corpus, ``at home``:
        UA of the row within the tested corpus, unseen speakers, last epoch; with a star where
        only runs with a dev set are there. Empty without records.
    """
    lines = []
    for folder in sorted(Path(results).glob("cross-*")):
        if folder.name.count("-") > 2:  # of another network than the book's rows
            continue
        for row in make_report(folder, selection="last").rows:
            if row.model not in models:
                continue
            within = _at_home(Path(results), row.test_corpus, row.model)
            where = {"trained on": row.corpus, "tested on": row.test_corpus, "row": row.model}
            lines.append(where | _told(row) | {"at home": within})
    return pd.DataFrame(lines)


def _at_home(results: Path, corpus: str, model: str) -> str:
    for ending, mark in (("", ""), ("-dev", " *")):
        folder = results / f"{corpus}-loso{ending}"
        if folder.is_dir():
            for row in make_report(folder, selection="last").rows:
                if row.model == model:
                    return f"{100 * row.ua.mean():.1f}{mark}"
    return ""


def checks(results: str | Path) -> pd.DataFrame:
    """Rows that should fail or nearly fail: shuffled labels, level alone, duration alone.

    Returns:
        A line each, ``UA`` and ``95 %`` of the last epoch and, where a network was asked, ``best
        on test``: UA with the epoch that the test chose. Empty without records.
    """
    lines = []
    for kind in ("permuted", "floors"):
        for folder in sorted(Path(results).glob(f"*-{kind}")):
            rows = make_report(folder).rows
            best = {r.model: f"{100 * r.ua.mean():.1f}" for r in rows if r.selection == "test"}
            for row in (r for r in rows if r.selection == "last"):
                name = row.model.replace(" [labels permuted 0]", ", labels shuffled")
                line = {"corpus": row.corpus, "row": name} | _told(row)
                lines.append(line | {"best on test": best.get(row.model, "")})
    return pd.DataFrame(lines)
