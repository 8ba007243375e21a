"""Write the README's tables and the strongest result anew: ``python -m tools.readme``.

What is made stands between two comments that name it, as ``table:emodb``; nothing in it is typed by
hand. The strongest result stands on the welcome page too.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from chapters.shared.study_folders import page_folders

from ser.normalise import MARK
from tools.execute import ROOT

CORPORA = {"emodb": "EmoDB", "nemo": "nEMO"}
SPOKEN = {"emodb": "German", "nemo": "Polish"}
ROWS = {
    "egemaps-lr": "88 numbers an utterance (eGeMAPS), logistic regression",
    "mfcc-lstm": "LSTM over MFCCs",
    "cnn-lstm-pair": "two spectrograms, an LSTM each",
    "ds-lstm": "two spectrograms, one DS-LSTM",
    "dual": "the whole system: `mfcc-lstm` and `ds-lstm`",
    "dual+": "`dual`, each speaker's recordings brought to one scale",
}
"""The rows that are shown, and what each is; the pages of results have all."""

PAGES = {"emodb": "book/results_emodb.ipynb", "nemo": "book/results_nemo.ipynb"}
PROTOCOLS = ("loso", "random")
SURPRISE = ("nemo", "dual")
PLACES = ("README.md", "book/welcome.md")


@dataclass(frozen=True)
class Score:
    """UA and its 95 % interval over speakers, in percent; who normalised, as a mark."""

    ua: float
    low: float
    high: float
    mark: str = ""

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
        (row.model, row.protocol): Score(
            100 * row.ua, 100 * row.ua_low, 100 * row.ua_high, MARK if row.transductive else ""
        )
        for row in table[table.selection == "last"].itertuples()
    }


def table(folders: list[Path], corpus: str) -> str:
    """UA of :data:`ROWS`, speakers that were not heard in training first."""
    found = scores(folders)
    lines = [["row", "speakers never heard: UA (95 % interval)", "speakers shared: UA"]]
    lines.append([":--", "--:", "--:"])
    for model, told in ROWS.items():
        unseen, shared = (found.get((model, p)) for p in PROTOCOLS)
        if unseen is None:
            continue
        first = f"**{unseen.ua:.1f}** ({unseen.low:.0f}&nbsp;to&nbsp;{unseen.high:.0f})"
        name = f"`{model}` {unseen.mark}".rstrip()
        lines.append([f"{name}: {told}", first, f"{shared.ua:.1f}" if shared else "-"])
    text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"{text}\n\n{_caption(folders, corpus)}\n"


def _caption(folders: list[Path], corpus: str) -> str:
    from ser.report import make_report

    frame = make_report([str(folder) for folder in folders]).table
    frame = frame[frame.model.isin(ROWS) & (frame.selection == "last")]
    epochs = _range(frame.epochs.dropna().astype(int))
    plus = (
        f" {MARK} has heard all recordings of a test speaker, though no label, before it answers; "
        "this setting was chosen on EmoDB."
    ) * bool(frame.transductive.any())
    return (
        f"{CORPORA[corpus]}: {_range(frame.n)} acted {SPOKEN[corpus]} utterances of "
        f"{_range(frame.speakers)} speakers, four emotions; percent, guessing gives 25. UA is the "
        "mean of the four emotions' recalls. First column: every speaker is left out once. Second: "
        f"random folds (-: not run). {epochs} epochs, {_range(frame.seeds)} seeds, no epoch "
        f"chosen on the test; intervals resample speakers.{plus} All rows and both kinds of "
        f"accuracy: [{CORPORA[corpus]}, measured]({PAGES[corpus]})."
    )


def _range(values) -> str:
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
    found = page_folders(ROOT / "book" / "results", corpus)
    return [f for f in found if f.name.removeprefix(f"{corpus}-").split("-")[0] in PROTOCOLS]


def filled(text: str) -> str:
    """*text* with all that can be made from the records anew."""
    for corpus in CORPORA:
        if f"<!-- table:{corpus} -->" in text and (found := folders(corpus)):
            text = fill(text, table(found, corpus), corpus)
    if "<!-- table:surprise -->" in text and folders(SURPRISE[0]):
        text = fill(text, surprise(surprise_scores()), "surprise")
    if "<!-- table:model -->" in text:
        text = fill(text, model(), "model")
    return text


def model() -> str:
    """One line on the model that comes with the package, as ``ser predict`` prints it."""
    import textwrap

    from ser.prediction import describe_shipped

    told = describe_shipped().removeprefix("Model: ")
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
