"""Measure the gates of the networks that a run left: ``python -m tools.gates --help``.

The networks of a finished ``ser run`` lie under its ``models``; its records say which utterances
each of them was tested on. The gates are measured on these alone, so no network is asked about an
utterance, or a speaker, that it was trained on (under a protocol of unseen speakers).
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ser.errors import ModelError, RecordError, SerError
from ser.paths import atomic_write

if TYPE_CHECKING:
    from ser.batch import Dataset
    from ser.features.table import Features
    from ser.nn.branches import DSBranch
    from ser.report import Record

BATCH = 64
"""Utterances at a time; the numbers do not depend on it."""

DRAWS = 50
"""Batches of 32 that an untrained network hears, for its norms to know their mean to 0.5 %."""

EPILOG = """example, from the corpus to the figure of the chapter "Ablations":
  ser run --corpus emodb --root EMODB --model ds-lstm --protocol speakers \\
    --seeds 1 --epochs 15 --batch-size 32 --out results/gates
  python -m tools.gates --corpus emodb --root EMODB --models results/gates \\
    --out book/results/gates/emodb.json

What is written, for each utterance and layer, as means over steps and hidden units: the gates f,
iT, o, iF as they act (after the gate norm, where the row has one) and before it (the sigmoid), the
share of gate values outside 0..1, and the size of what each door adds, |iT*gT| and |iF*gF|.

With --untrained the same is measured on the networks as they were drawn, before the first step of
training: what is there already was not learnt. Only their norms' means and variances are taken,
from the utterances outside the test side.

chapters.ablations.gate_means.load_gates reads the file, gates_by_emotion makes the table with
intervals."""


def runs(folder: Path, row: str) -> list[tuple[Record, Path]]:
    """Each record of *row* with the folder of its network.

    Raises:
        RecordError: no records, none of this row, or a grid that is not finished.
        ModelError: a network that was not kept.
    """
    from ser.report import load_records

    records = load_records(folder)
    found = [r for r in records if r.data["model"] == row]
    if not found:
        there = ", ".join(sorted({r.data["model"] for r in records}))
        raise RecordError(
            f"{folder}: no row {row} here, only {there}; 'ser run --model {row}' trains it"
        )
    if len({r.group for r in found}) > 1 or found[0].test_corpus:
        raise RecordError(f"{folder}: runs of one corpus, protocol and preset, please")
    for seed in sorted({r.seed for r in found}):
        have = [r for r in found if r.seed == seed]
        total = int(have[0].data["protocol"]["folds"])
        if len(have) < total:
            raise RecordError(
                f"{folder}: {len(have)} of {total} folds of seed {seed} are done; give the same "
                "'ser run' command again, which does the rest"
            )
    pairs = [(r, folder / "models" / row / r.name) for r in found]
    for _, place in pairs:
        if not (place / "model.json").is_file():
            raise ModelError(
                f"{place}: no trained network was kept. Give the 'ser run' command again without "
                "--no-models, and with a new folder for --out"
            )
    return pairs


def drawn(place: Path, row: str, seed: int, data: Dataset) -> DSBranch:
    """The network as it was before training, with norms that have heard *data*."""
    import torch

    from ser.models import build_model
    from ser.saved_models import read_description

    body = read_description(place)
    options = {"preset": body["preset"], "hidden": body["hidden"], **body["options"]}
    network = build_model(row, seed=seed, **options).parts[0].train()
    order = np.random.default_rng(seed)
    with torch.no_grad():
        for _ in range(DRAWS):
            network(data.batch(order.permutation(len(data))[:32].tolist()))
    return network.eval()


def measure(
    record: Record, place: Path, row: str, features: Features, untrained: bool = False
) -> np.ndarray:
    """The gates (n, layers, 14) on the test utterances of one run, in the record's order.

    With *untrained*, of the network as it was drawn.

    Raises:
        ModelError: the network does not fit, has one door only, or does not answer as its record
            says.
        RecordError: an utterance of the record is not in the corpus.
    """
    import torch
    from chapters.ablations.gate_means import gate_means

    from ser.batch import Dataset
    from ser.loading import load_model
    from ser.normalise import normalised

    model = load_model(place, "cpu")
    network, test = model.branches[row], record.data["test"]
    position = {name: i for i, name in enumerate(features.table.utterance)}
    try:
        heard = [position[name] for name in test["utterances"]]
    except KeyError as error:
        raise RecordError(f"{record.source}: {error} is not in this corpus") from None

    def side(rows: list[int]) -> Dataset:
        speakers = features.table.speaker.iloc[rows]
        rule, scale = model.normalise, model.scales.get(row)
        seen = normalised(features, rule, network.needs, rows, speakers, scale, clip_z=model.clip_z)
        return Dataset(seen, rows, needs=network.needs, frames=model.frames)

    data = side(heard)
    if untrained:
        others = sorted(set(range(len(features))) - set(heard))
        network = drawn(place, row, record.seed, side(others))
    logits, values = [], []
    for start in range(0, len(data), BATCH):
        batch = data.batch(slice(start, start + BATCH))
        with torch.no_grad():
            logits.append(network(batch).double().numpy())
        try:
            values.append(gate_means(network, batch).values())
        except ValueError as error:
            raise ModelError(f"{place}: {error}") from None
    said = record.logits["last"]
    same = np.allclose(np.concatenate(logits), said, atol=0.02 * max(1.0, np.abs(said).max()))
    if not same and not untrained:
        raise ModelError(
            f"{place}: this network does not answer as {record.source} says; they are of different "
            "runs, or the features are computed otherwise than they were"
        )
    return np.concatenate(values)


def plain(command: str) -> str:
    """A command without the folders of one machine: an absolute path is cut to its last part.

    >>> plain("ser run --root /data/emodb --out results/a")
    'ser run --root emodb --out results/a'
    """
    words = [Path(w).name if Path(w).is_absolute() else w for w in shlex.split(command)]
    return shlex.join(words)


def make(
    corpus: str, root: str | None, folder: Path, row: str, command: str, untrained: bool = False
) -> dict[str, Any]:
    """The whole record, to be written as JSON; for what it raises see the parts above."""
    from chapters.ablations.gate_means import gate_record

    from ser.corpora import load_corpus
    from ser.experiments.records import provenance
    from ser.features import extract
    from ser.rows import get_row

    if get_row(row).branches != (row,) or not row.startswith("ds-lstm"):
        raise ModelError(f"{row} is no row with a DS-LSTM of its own; there is ds-lstm")
    pairs = runs(folder, row)
    first = pairs[0][0]
    if first.corpus != corpus:
        raise RecordError(f"{folder}: trained on {first.corpus}, not on {corpus}")
    features = extract(load_corpus(corpus, root), preset=first.data["preset"], progress=False)
    if features.content_hash != first.content[0]:
        raise RecordError(
            f"{folder}: trained on other files of {corpus} than those under --root; name the "
            "folder that the run had"
        )
    emotion = dict(zip(features.table.utterance, features.table.emotion, strict=True))
    values, keys = [], {k: [] for k in ("utterance", "emotion", "speaker", "fold", "seed")}
    for record, place in pairs:
        names = record.data["test"]["utterances"]
        values.append(measure(record, place, row, features, untrained))
        keys["utterance"] += names
        keys["emotion"] += [emotion[name] for name in names]
        keys["speaker"] += record.data["test"]["speakers"]
        keys["fold"] += [record.fold] * len(names)
        keys["seed"] += [record.seed] * len(names)
    about = {
        "row": row,
        "untrained": untrained,
        "norms": {k: v for k, v in get_row(row).options.items() if k != "y_candidate"},
        "corpus": first.data["corpus"],
        "protocol": {k: first.data["protocol"][k] for k in ("name", "folds")},
        "preset": first.data["preset"],
        "epoch": "last",
        "training": {
            "commands": sorted({plain(r.data["command"]) for r, _ in pairs}),
            "config": first.data["config"],
            "package": first.data["package"],
            "versions": first.data["versions"],
        },
        "command": plain(command),
        **provenance(),
    }
    return gate_record(np.concatenate(values), keys, about)


def summary(path: Path) -> str:
    """A few lines for people: what each door lets in, by layer and emotion."""
    from chapters.ablations.gate_means import INFLOWS, SHARE, gates_by_emotion, load_gates

    table = gates_by_emotion(load_gates(path).table, ["iT", "iF", *INFLOWS, SHARE])
    return table["mean"].unstack("quantity").round(4).to_string()


def main(arguments: list[str] | None = None) -> int:
    """Write the record; 0, or 2 where it cannot be made."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.gates",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--corpus", required=True, help="name of the corpus, see 'ser corpora'")
    parser.add_argument("--root", help="its folder; default: the usual place")
    parser.add_argument(
        "--models", required=True, type=Path, help="folder that 'ser run --out' wrote"
    )
    parser.add_argument(
        "--row", default="ds-lstm", help="the row whose cell is looked into (default: ds-lstm)"
    )
    parser.add_argument(
        "--untrained", action="store_true", help="measure the networks as they were drawn"
    )
    parser.add_argument("--out", required=True, type=Path, help="the JSON file to write")
    args = parser.parse_args(arguments)
    words = sys.argv[1:] if arguments is None else arguments
    try:
        command = shlex.join(["python", "-m", "tools.gates", *words])
        record = make(args.corpus, args.root, args.models, args.row, command, args.untrained)
        with atomic_write(args.out, "w") as stream:
            json.dump(record, stream, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            stream.write("\n")
        sys.stdout.write(f"{summary(args.out)}\n{args.out}: {len(record['labels'])} utterances\n")
    except SerError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
