"""All figures of a report as files (``ser report --figures``)."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from ser.corpora.emotion_set import set_name
from ser.paths import atomic_write
from ser.plots.results import confusion_matrix, paired_difference, results_table_plot
from ser.plots.style import describe, png
from ser.plots.training import learning_curves, reliability_diagram
from ser.report import Comparison, Report


def write_gallery(
    report: Report,
    folder: str | os.PathLike,
    comparisons: Sequence[Comparison] | None = None,
    dpi: int = 160,
) -> list[Path]:
    """Write the report's figures as PNG, and ``figures.json`` with a description of each.

    Returns:
        The files, ``figures.json`` last.
    """
    folder = Path(folder)
    files, said = [], {}
    for name, fig in figures(report, comparisons):
        path = folder / (re.sub(r"[^\w.+-]+", "_", name) + ".png")
        with atomic_write(path) as stream:
            stream.write(png(fig, dpi))
        files.append(path)
        said[path.name] = describe(fig)
    with atomic_write(folder / "figures.json", "w") as stream:
        json.dump(said, stream, indent=1)
    return [*files, folder / "figures.json"]


def figures(
    report: Report, comparisons: Sequence[Comparison] | None = None
) -> Iterator[tuple[str, Figure]]:
    """(name, figure): scores, comparisons, and for each row's last epoch its confusion matrix,
    learning curves (all folds and seeds) and reliability (first seed)."""
    for metric in ("ua", "wa"):
        yield metric, results_table_plot(report.table, metric)
    if comparisons is None:
        comparisons = report.default_pairs()
    if comparisons:
        yield "paired", paired_difference(comparisons)
    last = [r for r in report.rows if r.selection == "last"] or report.rows
    for row in last:
        place = [row.corpus, row.test_corpus, row.protocol, row.preset, row.model]
        place += [file_word(row.emotions)]
        name = "-".join(filter(None, [*place, "" if row.selection == "last" else row.selection]))
        heading = f"{row.label}, {row.test_corpus or row.corpus}, {row.protocol}"
        heading += f", {len(row.emotions)} emotions" if set_name(row.emotions) else ""
        heading += ", test-chosen*" if row.test_chosen else f", {row.selection} epoch"
        yield f"confusion-{name}", confusion_matrix(row.confusion, heading, classes=row.emotions)
        yield f"reliability-{name}", reliability_diagram(row.labels, row.logits[0], heading)
        history = [r.data["history"] for r in row.records if r.data.get("history")]
        if history:
            yield f"learning-{name}", learning_curves(history, heading)


def file_word(emotions: Sequence[str]) -> str:
    """A set of emotions in a file's name; ``""`` for the usual four.

    Example:
        >>> file_word(("angry", "sad"))
        'angry+sad'
    """
    if not set_name(emotions):
        return ""
    word = "+".join(emotions)
    if len(word) > 90:
        word = f"{len(emotions)}-emotions-{hashlib.sha256(word.encode()).hexdigest()[:8]}"
    return word
