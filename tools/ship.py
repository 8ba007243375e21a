"""Make the models that come with ``ser`` from runs' networks and records.

One run leaves one speaker out at a time and says how networks of these settings do on voices that
they have not heard; another trains the network itself on all speakers and tests it on another
language. Nothing in the card or the description is typed by hand but its words. Type
``python -m tools.ship`` after both runs; ``--enrolled`` after those of the model that is told a
voice by three neutral recordings.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ser.corpora import CORPORA
from ser.corpora.base import EMOTIONS
from ser.loading import SHIPPED, SHIPPED_ENROLLED
from ser.paths import atomic_write, sealed
from ser.report import make_report
from ser.saved_models import DESCRIPTION, read_description
from tools.execute import ROOT

MODEL = "dual"


@dataclass(frozen=True)
class Model:
    """One of the two: its folder, the records that tell how good it is, words of its card."""

    to: Path
    unseen: Path
    other: Path
    words: dict[str, str]


PLAIN = Model(
    SHIPPED,
    ROOT / "book" / "results" / "emodb-small-loso",
    ROOT / "book" / "results" / "cross-emodb-small-nemo",
    {
        "heading": "The model that comes with `ser`",
        "asked": "`ser predict me.wav` asks it where no `--checkpoint` is given, and so does "
        '`ser.predict("me.wav")`.',
        "given": "",
        "misled": "Level is one of its cues, so the volume knob,\n  a telephone, noise and another "
        "language move its answers, often while it stays as sure.",
        "beside": "those of {speakers} actors",
        "ship": "python -m tools.ship",
    },
)
ENROLLED = Model(
    SHIPPED_ENROLLED,
    ROOT / "book" / "results" / "emodb-small-enrol3-loso",
    ROOT / "book" / "results" / "cross-emodb-small-enrol3-nemo",
    {
        "heading": "The model that comes with `ser` and is told a voice",
        "asked": "`ser predict me.wav --neutral calm1.wav calm2.wav calm3.wav` asks it where no\n"
        '`--checkpoint` is given, and so does `ser.predict("me.wav", neutral=[...])`. Three calm '
        "recordings\nof the one who speaks give the mean and the deviation by which all that it "
        "hears is normalised;\nin training every speaker had three, which were used for nothing "
        "else.",
        "given": ", three neutral utterances of each given",
        "misled": "Calm recordings from another room or microphone\n  than the one asked about, or "
        "that are not calm, move its answers, often while it stays as sure.",
        "beside": "its own calm recordings, by what {speakers} actors taught it",
        "ship": "python -m tools.ship --enrolled",
    },
)

CARD = Path(__file__).with_name("model_card.md")
"""The card with its numbers left open."""


def facts(which: Model) -> dict[str, dict[str, Any]]:
    """What the description holds beside what the run wrote: scores with their protocol."""
    rows = {}
    for name, folder in (("unseen", which.unseen), ("other_language", which.other)):
        report = make_report([str(folder)])
        line = report.table[report.table.model == MODEL].iloc[0]
        corpus = CORPORA[line.test_corpus or line.corpus]
        rows[name] = {
            "model": MODEL, "protocol": line.protocol, "selection": line.selection,
            "seeds": int(line.seeds), "utterances": int(line.n), "speakers": int(line.speakers),
            "ua": round(line.ua, 4), "low": round(line.ua_low, 4), "high": round(line.ua_high, 4),
            "corpus": corpus.title, "language": corpus.language,
        }  # fmt: skip
    return rows


def card(body: dict[str, Any], which: Model, size: int) -> str:
    """The model's card, Markdown.

    Args:
        body: the description, with :func:`facts` in it.
        which: whose card.
        size: bytes of the weights.
    """
    import numpy as np

    from ser.metrics import ua

    told = body["trained_on"]
    here, there = told["unseen"], told["other_language"]
    row = make_report([str(which.unseen)]).row(MODEL)
    away = make_report([str(which.other)]).row(MODEL)
    by_speaker = [
        ua(row.labels[mine], row.predictions[0][mine])
        for mine in (row.speakers == s for s in sorted(set(row.speakers)))
    ]
    percent = row.confusion_percent.copy()
    np.fill_diagonal(percent, -1)
    true, found = np.unravel_index(np.argmax(percent), percent.shape)
    answers = away.confusion.sum(0) / away.confusion.sum()
    most = int(answers.argmax())
    true, found, mixed = EMOTIONS[true], EMOTIONS[found], percent[true, found]
    corpus, elsewhere = CORPORA[told["corpus"]], CORPORA[told["tested_on"]]
    seeds = f"{here['seeds']} seed{'' if here['seeds'] == 1 else 's'}"
    return CARD.read_text("utf-8").format(
        model=MODEL, hidden=body["hidden"],
        channels=" and ".join(map(str, body["options"]["channels"])),
        parameters=row.records[0].data["parameters"], size=size / 1e6,
        emotions=", ".join(EMOTIONS), utterances=told["utterances"], title=corpus.title,
        citation=corpus.citation, speakers=len(told["speakers"]), language=corpus.language,
        licence=corpus.licence, ua=100 * here["ua"], low=100 * here["low"], high=100 * here["high"],
        other_language=there["language"], other_title=elsewhere.title, other_ua=100 * there["ua"],
        other_low=100 * there["low"], other_high=100 * there["high"],
        rest=len(told["speakers"]) - 1, seeds=seeds, n=here["utterances"],
        other_n=there["utterances"], other_speakers=there["speakers"],
        title_short=corpus.title.split(":")[0], other_short=elsewhere.title.split(":")[0],
        recalls="\n".join(
            f"| {e} | {100 * a:.0f} | {100 * b:.0f} |"
            for e, a, b in zip(EMOTIONS, row.recalls, away.recalls, strict=True)
        ),
        confused=f"Of the *{true}* utterances of new speakers {mixed:.0f} % are called *{found}*.",
        shortest=told["seconds"][0], longest=told["seconds"][1],
        worst=100 * min(by_speaker), best=100 * max(by_speaker), share=100 * answers[most],
        most=EMOTIONS[most], true=100 * float(np.mean(away.labels == most)),
        unseen_command=row.records[0].data["command"],
        other_command=away.records[0].data["command"],
        **which.words | {"beside": which.words["beside"].format(speakers=len(told["speakers"]))},
    )  # fmt: skip


def ship(model: Path, which: Model = PLAIN) -> None:
    """Write a model's folder: weights as the run left them, description and card."""
    body = read_description(model)
    source = Path(body.pop("folder"))
    told = body["trained_on"] | facts(which)
    for gone in ("test_wa", "fold"):
        told.pop(gone, None)
    corpus = CORPORA[told["corpus"]]
    told |= {"fold": "all", "test_ua": None, "title": corpus.title, "language": corpus.language}
    told["citation"] = corpus.citation
    body["trained_on"] = told
    which.to.mkdir(parents=True, exist_ok=True)
    for branch in body["branches"]:
        shutil.copyfile(source / f"{branch}.safetensors", which.to / f"{branch}.safetensors")
    write(body, which)


def write(body: dict[str, Any], which: Model) -> None:
    """The description and the card beside weights that are there."""
    size = sum((which.to / f"{b}.safetensors").stat().st_size for b in body["branches"])
    with atomic_write(which.to / DESCRIPTION, "w") as stream:
        stream.write(sealed(body, indent=1))
    with atomic_write(which.to / "CARD.md", "w") as stream:
        stream.write(card(body, which, size))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.ship", description=__doc__)
    parser.add_argument("model", nargs="?", type=Path, help="a run's model (below the records of "
        f"its test on another corpus, {PLAIN.other.name})")  # fmt: skip
    parser.add_argument("--enrolled", action="store_true", help="the model that is told a voice")
    args = parser.parse_args()
    which = ENROLLED if args.enrolled else PLAIN
    ship(args.model or which.other / "models" / MODEL, which)
    print(json.dumps(read_description(which.to)["trained_on"]["unseen"], indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
