"""Write the README's tables and the strongest result anew: ``python -m tools.readme``.

What is made stands between two comments that name it, as ``table:emodb``; nothing in it is typed by
hand. The strongest result stands on the welcome page too.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from chapters.shared.study_folders import page_folders
from chapters.unheard_voices.records import percent, study_rows, voices

from ser.loading import SHIPPED, SHIPPED_ENROLLED, describe_shipped
from ser.report.pool import Row
from ser.rows import get_row
from tools.execute import ROOT

CORPORA = {"emodb": "EmoDB", "nemo": "nEMO"}
SPOKEN = {"emodb": "German", "nemo": "Polish"}
ROWS = {
    "egemaps-lr": "linear on 88",
    "compare-lr": "linear on 6,373",
    "prosody-lstm+compare-lr": "the same and prosody",
    "ds-lstm": "small DS-LSTM",
    "ds-lstm+compare-lr": "both: DS-LSTM, 6,373",
    "dual": "whole system, large",
}
"""The rows that are shown, and what each is, in words that fit a telephone; pages have all rows."""
RELEASED = ("dual",)
"""Networks of the released sizes, from the study, with a plus by speaker; others are small."""
COLUMNS = ("new", "(E 3)", "(T)", "heard")

PAGES = {"emodb": "book/results_emodb.ipynb", "nemo": "book/results_nemo.ipynb"}
PROTOCOLS = ("loso", "random")
SURPRISE = ("nemo", "dual")
PLACES = ("README.md", "book/welcome.md")
RESULTS = ROOT / "book" / "results"


@dataclass(frozen=True)
class Score:
    """UA and its 95 % interval over speakers, in percent."""

    ua: float
    low: float
    high: float

    def text(self) -> str:
        """
        >>> Score(38.76, 33.6, 44.04).text()
        '38.8 % (95 % interval 33.6 to 44.0)'
        """
        return f"{self.ua:.1f} % (95 % interval {self.low:.1f} to {self.high:.1f})"


def scores(folders: list[Path]) -> dict[tuple[str, str], Score]:
    """(row, protocol) -> its score at the last epoch, which was fixed before training."""
    from ser.report import make_report

    table = make_report([str(folder) for folder in folders]).table
    return {
        (row.model, row.protocol): Score(100 * row.ua, 100 * row.ua_low, 100 * row.ua_high)
        for row in table[table.selection == "last"].itertuples()
    }


def rows_of(results: Path, corpus: str) -> dict[str, list[Row | None]]:
    """Row -> what stands in each of :data:`COLUMNS`; None where it has not been run.

    Rows without any score on a new voice are left out.

    Args:
        results: the folder of folders.
        corpus: short name.
    """
    unseen, shared = (study_rows(results, corpus, protocol) for protocol in PROTOCOLS)
    rules, found = voices(results)[corpus], {}
    for name in ROWS:
        asked, studied = [], name in RELEASED or get_row(name).kind == "baseline"
        if studied:
            asked = [row for row in (unseen.get(name), unseen.get(f"{name}+")) if row]
        if name not in RELEASED:
            asked += [rows[name] for rows in rules.values() if name in rows]
        # Whoever normalised decides on the column, whatever the row is called.
        new = {"train" if r.normaliser == "none" else r.normaliser: r for r in asked}
        if new.keys() & rules.keys():
            known = shared.get(name) if studied else None
            found[name] = [*(new.get(rule) for rule in rules), known]
    return found


def table(results: Path, corpus: str) -> str:
    """UA of :data:`ROWS`, on voices that were not heard in training first."""
    found = rows_of(results, corpus)
    lines = [["UA, percent", *COLUMNS], [":--", *["--:"] * len(COLUMNS)]]
    for name, rows in found.items():
        cells = [_cell(row) for row in rows[:-1]]
        known = f"{100 * rows[-1].ua.mean():.1f}" if rows[-1] else "-"
        lines.append([ROWS[name], *cells, known])
    text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"{text}\n\n{_caption(found, corpus)}\n"


def _cell(row: Row | None) -> str:
    """Score and interval below each other: a telephone shows all columns."""
    if row is None:
        return "-"
    middle, low, high = percent(row)
    return f"**{middle:.1f}**<br>{low:.0f}–{high:.0f}"


def _caption(found: dict[str, list[Row | None]], corpus: str) -> str:
    used = [row for rows in found.values() for row in rows if row]
    new = [row for rows in found.values() for row in rows[:1] if row]
    first = [row.records[0].data for row in used]
    epochs = _range(
        data["config"]["epochs"]
        for data in first
        if (data.get("history") or data.get("fused_from")) and "epochs" in data["config"]
    )
    seeds = _range(len(row.seeds) for row in used)
    count = _range(len(row.labels) for row in new)
    speakers = _range(len(set(row.speakers)) for row in new)
    names = ", ".join(f"`{name}`" for name in found)
    return (
        f"{CORPORA[corpus]}: {count} acted {SPOKEN[corpus]} utterances of {speakers} speakers, "
        "four emotions. UA (mean of the four recalls) in percent, below it the 95 % interval over "
        "speakers; guessing gives 25. **new**: each speaker left out once, nothing is known of the "
        "voice. **(E 3)**: three neutral sentences of it, which are not tested, say what the voice "
        "is like. **(T)**: all of its recordings do, though no label, before the first answer; "
        "that the large network (then `dual+`) is given them was chosen on EmoDB. **heard**: "
        "random folds, the voice was trained on. "
        "-: not run. *Linear*: logistic regression on functionals, 88 of eGeMAPS or 6,373 of "
        "ComParE. *And prosody*: a small LSTM reads it frame by frame. *Small DS-LSTM*: 64 units, "
        "front ends of 8 channels (`--settings small`). *Whole system, large*: as released, "
        f"DS-LSTM and MFCC LSTM. Rows: {names}. {epochs} epochs, {seeds} seeds, no epoch chosen on "
        "the test. What a new voice needs: [Voices it has not heard](book/unheard_voices.ipynb); "
        f"all rows: [{CORPORA[corpus]}, measured]({PAGES[corpus]})."
    )


def _range(values: Iterable[int]) -> str:
    values = list(values)
    low, high = min(values, default=0), max(values, default=0)
    return str(low) if low == high else f"{low} to {high}"


def surprise_scores(found: dict[tuple[str, str], Score] | None = None) -> dict[str, Score]:
    """Protocol -> score of the row and corpus of :data:`SURPRISE`, shared speakers first."""
    corpus, model = SURPRISE
    found = scores(folders(corpus)) if found is None else found
    return {protocol: found[model, protocol] for protocol in reversed(PROTOCOLS)}


def surprise(found: dict[str, Score]) -> str:
    """The strongest result in words, Markdown.

    >>> print(surprise({"random": Score(95.1, 93, 97), "loso": Score(38.8, 34, 44)}))
    **The same network, the same recordings: unweighted accuracy (UA) 95.1 % where the
    speakers of the test were heard in training, 38.8 % where they were not.** Guessing
    gives 25 %.
    <BLANKLINE>
    """
    return (
        "**The same network, the same recordings: "
        f"unweighted accuracy (UA) {found['random'].ua:.1f} % where the\n"
        f"speakers of the test were heard in training, {found['loso'].ua:.1f} % where they were "
        "not.** Guessing\ngives 25 %.\n"
    )


def fill(text: str, markdown: str, name: str = "emodb") -> str:
    """*text* with *markdown* between the comments of that name.

    >>> fill("a\\n<!-- table:emodb -->\\nold\\n<!-- /table:emodb -->\\n", "new\\n")
    'a\\n<!-- table:emodb -->\\nnew\\n<!-- /table:emodb -->\\n'
    """
    block = rf"(<!-- table:{name} -->\n).*?(<!-- /table:{name} -->)"
    return re.sub(block, lambda match: match[1] + markdown + match[2], text, flags=re.DOTALL)


def folders(corpus: str) -> list[Path]:
    """The records of a corpus, one folder a protocol, with a dev set where there are such."""
    found = page_folders(RESULTS, corpus)
    return [f for f in found if f.name.removeprefix(f"{corpus}-").split("-")[0] in PROTOCOLS]


def filled(text: str) -> str:
    """*text* with all that can be made from the records anew."""
    for corpus in CORPORA:
        if f"<!-- table:{corpus} -->" in text and folders(corpus):
            text = fill(text, table(RESULTS, corpus), corpus)
    if "<!-- table:surprise -->" in text and folders(SURPRISE[0]):
        text = fill(text, surprise(surprise_scores()), "surprise")
    for name, folder in (("model", SHIPPED), ("enrolled", SHIPPED_ENROLLED)):
        if f"<!-- table:{name} -->" in text:
            text = fill(text, model(folder), name)
    return text


def model(folder: Path) -> str:
    """A sentence or two on a model that comes with the package, as ``ser predict`` prints them."""
    import textwrap

    told = describe_shipped(folder).removeprefix("Model: ")
    told = textwrap.wrap(f"{told[0].upper()}{told[1:]}", 100, break_on_hyphens=False)
    return "\n".join(told) + "\n"


def main() -> int:
    """Write both files anew; 0."""
    for name in PLACES:
        path = ROOT / name
        path.write_text(filled(path.read_text("utf-8")), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
