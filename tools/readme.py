"""Write the README's tables anew from the records: ``python -m tools.readme``.

The table of a corpus stands between two comments that name it, as ``table:emodb``; nothing in it is
typed by hand.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from chapters.shared.study_folders import page_folders, study_folders

from tools.execute import ROOT

CORPORA = {"emodb": "EmoDB", "nemo": "nEMO"}
MATTER = ("mfcc-lstm", "cnn-lstm-pair", "ds-lstm", "dual")
"""The rows that the project is about: shown, whatever they were run under."""

TITLES = {"loso": "unseen speakers (leave one out)", "random": "random folds (speakers shared)"}


def table(folders: list[Path]) -> str:
    """WA and UA, last and test-chosen epoch: rows of every protocol, of our recipe, or that matter.

    A row by our recipe brings the same row without it, whatever that was run under.
    """
    from ser.normalise import MARK
    from ser.report import make_report, row_order

    report = make_report([str(folder) for folder in folders])
    protocols = [p for p in TITLES if p in set(report.table.protocol)]
    asked = report.table.groupby("model").protocol.transform("nunique")
    plus = {m for m in report.table.model if m.endswith("+")}
    pairs = plus | {m.removesuffix("+") for m in plus}
    kept = report.table.model.isin(pairs | set(MATTER))
    frame = report.table[(asked == len(protocols)) | kept]
    head, rule = ["row", "seeds"], [":--", "--:"]
    for protocol in protocols:
        title = TITLES[protocol]
        head += [f"{title}: WA / UA", "95 % interval of UA", "WA / UA, test-chosen *"]
        rule += ["--:"] * 3
    lines = [head, rule]
    for model in sorted(frame.model.unique(), key=row_order):
        seeds = [frame[(frame.model == model) & (frame.protocol == p)].seeds for p in protocols]
        mark = f" {MARK}" * bool(frame[frame.model == model].transductive.any())
        line = [f"`{model}`{mark}", ", ".join(_range(part) if len(part) else "-" for part in seeds)]
        for protocol in protocols:
            here = frame[(frame.model == model) & (frame.protocol == protocol)]
            rows = {row.selection: row for row in here.itertuples()}
            last, chosen = rows.get("last"), rows.get("test")
            line.append(_pair(last))
            line.append(f"{100 * last.ua_low:.1f} to {100 * last.ua_high:.1f}" if last else "")
            line.append(_pair(chosen))
        lines.append(line)
    text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"{text}\n\n{_caption(frame, _held_out(report))}\n"


def _held_out(report) -> dict[str, bool]:
    """Protocol -> whether the networks had some of the training side held out as a dev set."""
    from chapters.shared.result_tables import held_out

    held: dict[str, bool] = {}
    for row in report.rows:
        if row.records[0].data.get("history"):
            held[row.protocol] = held.get(row.protocol, True) and held_out(row)
    return held


def _pair(row) -> str:
    return f"{100 * row.wa:.1f} / {100 * row.ua:.1f}" if row is not None else ""


def _caption(frame, held: dict[str, bool]) -> str:
    seeds = _range(frame.seeds)
    epochs = _range(frame.epochs.dropna().astype(int))
    n, speakers = _range(frame.n), _range(frame.speakers)
    words = {
        "loso": "whole speakers where one is left out",
        "random": "utterances where folds are random",
    }
    told = ", ".join(words[p] for p in TITLES if held.get(p))
    dev = (
        f" The networks had some of their training side held out as a dev set ({told}). "
        "Functionals choose no epoch and were trained on all of it."
    ) * bool(told)
    if len({held.get(p, False) for p in frame.protocol.unique()}) > 1:
        dev += " Under the other protocol they held out nothing: do not subtract their columns."
    tuned = (
        " C and class weights of functionals were chosen in each fold, on inner folds of its "
        "training side."
    ) * bool((frame.tuning == "nested").any())
    return (
        f"{CORPORA[frame.corpus.iloc[0]]}, four classes, {n} utterances, {speakers} speakers; "
        f"{seeds} training seed(s), {epochs} epochs; in percent.{dev}{tuned} "
        f"Every utterance is tested once, folds pooled.{_recipe(frame)} "
        "Intervals resample speakers. The first pair of each protocol is the last epoch's, fixed "
        "before training.\n\\* The epoch was chosen on the test fold, as the paper did: it shows "
        "what that does, and is no estimate of what you would get."
    )


def _recipe(frame) -> str:
    """What the mark and a plus behind a row's name stand for, where there are such."""
    from ser.normalise import TRANSDUCTIVE
    from ser.rows import PLUS

    mark = f" {TRANSDUCTIVE}, few where folds are random." * bool(frame.transductive.any())
    if not frame.model.str.endswith("+").any():
        return mark
    told = ", ".join(f"`--{key} {value}`" for key, value in PLUS.items())
    return (
        f"{mark} A plus: trained by our recipe ({told}). It was chosen on EmoDB's dev speakers, "
        "who are test speakers of other folds: on EmoDB the plus is flattered, on nEMO not."
    )


def _range(values) -> str:
    low, high = min(values, default=0), max(values, default=0)
    return str(low) if low == high else f"{low} to {high}"


def answers(results: Path) -> str:
    """What the study's records answer to the questions that the project was set."""
    from chapters.ablations.verdicts import main_answers
    from chapters.shared.study_questions import questions

    from ser.report import make_report

    text = main_answers(questions(make_report(study_folders(results))))
    for name, title in CORPORA.items():
        text = re.sub(rf"\b{name}:", f"{title}:", text)
    return f"{text}\n"


def fill(readme: str, markdown: str, corpus: str = "emodb") -> str:
    """*readme* with *markdown* between the comments of a corpus.

    >>> fill("a\\n<!-- table:emodb -->\\nold\\n<!-- /table:emodb -->\\n", "new\\n")
    'a\\n<!-- table:emodb -->\\nnew\\n<!-- /table:emodb -->\\n'
    """
    block = rf"(<!-- table:{corpus} -->\n).*?(<!-- /table:{corpus} -->)"
    return re.sub(block, lambda match: match[1] + markdown + match[2], readme, flags=re.DOTALL)


def folders(corpus: str) -> list[Path]:
    """The records of a corpus, one folder a protocol, with a dev set where there are such."""
    found = page_folders(ROOT / "book" / "results", corpus)
    return [f for f in found if f.name.removeprefix(f"{corpus}-").split("-")[0] in TITLES]


def main() -> int:
    """Write the tables of all corpora that have records; 0."""
    readme = ROOT / "README.md"
    text = readme.read_text("utf-8")
    for corpus in CORPORA:
        if found := folders(corpus):
            text = fill(text, table(found), corpus)
    results = ROOT / "book" / "results"
    if study_folders(results):
        text = fill(text, answers(results), "answers")
    readme.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
