"""What a telephone does to the answers of the shipped model, on every utterance of a corpus.

The chapter "The listening lab" reads the record that this command writes::

    python -m chapters.lab.telephone emodb --root FOLDER --out FILE
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ser import load_corpus, predict
from ser.corpora import CORPORA, EMOTIONS
from ser.loading import SavedModel, load_model
from ser.metrics import ua
from ser.paths import atomic_write

from chapters.shared.channels import telephone
from chapters.shared.utterances import wave_of

__all__ = ["moved", "told"]


def moved(waves: Sequence[np.ndarray], labels: Sequence[int], model: SavedModel) -> dict[str, Any]:
    """Answers as recorded and through :func:`chapters.shared.channels.telephone`.

    Args:
        waves: at 16 kHz.
        labels: index of each one's emotion in ``EMOTIONS``.
        model: who answers.

    Returns:
        ``changed``, the share of answers that another took the place of; for ``recorded`` and
        ``telephone`` the UA, the mean of the largest probability and the share of each answer.
    """
    p = {
        name: np.array([list(predict(change(w), model).probabilities.values()) for w in waves])
        for name, change in (("recorded", lambda w: w), ("telephone", telephone))
    }
    said = {name: values.argmax(1) for name, values in p.items()}
    found: dict[str, Any] = {"changed": float(np.mean(said["recorded"] != said["telephone"]))}
    for name, answers in said.items():
        shares = np.bincount(answers, minlength=len(EMOTIONS)) / len(answers)
        found[name] = {
            "ua": float(ua(np.asarray(labels), answers)),
            "sure": float(p[name].max(1).mean()),
            "answers": dict(zip(EMOTIONS, shares.round(4).tolist(), strict=True)),
        }
    return found


def told(record: dict[str, Any]) -> str:
    """A record in a sentence.

    Example:
        >>> told({"corpus": "emodb", "utterances": 9, "changed": 0.4,
        ...     "recorded": {"ua": 0.9, "answers": {"sad": 0.5, "angry": 0.5}},
        ...     "telephone": {"ua": 0.5, "answers": {"sad": 0.9, "angry": 0.1}}})[:66]
        'Through a telephone (300 to 3400 Hz) 40 % of its answers to the 9 '
    """
    far = record["telephone"]
    title = CORPORA[record["corpus"]].title.split(":")[0]
    most = max(far["answers"], key=far["answers"].get)
    return (
        f"Through a telephone (300 to 3400 Hz) {100 * record['changed']:.0f} % of its answers to "
        f"the {record['utterances']} utterances of {title} change, and "
        f"{100 * far['answers'][most]:.0f} % of them are then {most}, after "
        f"{100 * record['recorded']['answers'][most]:.0f} %; it was trained on these utterances as "
        "they were recorded."
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Measure a corpus and write the record."""
    parser = argparse.ArgumentParser(prog="python -m chapters.lab.telephone", description=__doc__)
    parser.add_argument("corpus")
    parser.add_argument("--root", help="the corpus's folder")
    parser.add_argument("--out", type=Path, help="where the record goes (JSON)")
    args = parser.parse_args(argv)
    data = load_corpus(args.corpus, args.root)
    waves = [wave_of(row) for row in data.table.itertuples()]
    labels = [EMOTIONS.index(e) for e in data.table.emotion]
    record = {
        "command": f"python -m chapters.lab.telephone {args.corpus} --root FOLDER --out FILE",
        "corpus": args.corpus,
        "utterances": len(waves),
        "speakers": int(data.table.speaker.nunique()),
        **moved(waves, labels, load_model(device="cpu")),
    }
    text = json.dumps(record, indent=1)
    print(text)
    if args.out:
        with atomic_write(args.out, "w") as stream:
            stream.write(text + "\n")


if __name__ == "__main__":
    main()
