"""Makes record files as runs leave them, for the tests of what reads them."""

from __future__ import annotations

import contextlib
import hashlib
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ser.experiments.record_folder import (
    fold_records,
    locked,
    name_of,
    record_path,
    stored_records,
)
from ser.experiments.record_schema import given_options
from ser.experiments.record_table import RecordFile, write_table

CLASSES = 4


def corpus_rows(speakers: int = 5, each: int = 16, seed: int = 0) -> dict[str, list]:
    """A test table: utterance, speaker, gender, text, label; *each* utterances a speaker."""
    rng = np.random.default_rng(seed)
    rows: dict[str, list] = {
        k: [] for k in ("utterances", "speakers", "genders", "texts", "labels")
    }
    for s in range(speakers):
        for i in range(each):
            rows["utterances"].append(f"wav/S{s:02d}_{i:03d}")
            rows["speakers"].append(f"S{s:02d}")
            rows["genders"].append("female" if s % 2 else "male")
            rows["texts"].append(f"t{i % 5}")
            rows["labels"].append(int(rng.integers(CLASSES)) if i >= CLASSES else i)
    return rows


def make_logits(labels: list[int], skill: float, seed: int) -> list[list[float]]:
    """Random logits that point to the truth with strength *skill*."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(len(labels), CLASSES))
    logits[np.arange(len(labels)), labels] += skill
    return np.round(logits, 4).tolist()


def state_scores(entry: dict, labels, logits, side: str = "test") -> None:
    """Put into an epoch's *entry* of the history what its logits score."""
    right = np.argmax(logits, 1) == labels
    entry[f"{side}_wa"] = float(right.mean())
    recalls = [right[np.equal(labels, c)].mean() for c in set(labels)]
    entry[f"{side}_ua"] = float(np.mean(recalls))


def restated(data: dict) -> dict:
    """*data* with the scores of each chosen epoch as its logits have them."""
    history = [dict(entry) for entry in data["history"]]
    for chosen in filter(None, data["selection"].values()):
        for entry in history:
            if entry["epoch"] == chosen["epoch"]:
                state_scores(entry, data["test"]["labels"], chosen["logits"])
    return data | {"history": history}


def record(
    model: str = "ds-lstm",
    fold: str = "S00",
    seed: int = 0,
    *,
    corpus: str = "emodb",
    protocol: str = "loso",
    preset: str | None = "release",
    rows: dict[str, list] | None = None,
    skill: float = 1.5,
    selections: tuple[str, ...] = ("last", "test"),
    epochs: int = 3,
    folds: int | None = None,
    content_hash: str = "c" * 64,
    split_hash: str | None = None,
    test_corpus: str | None = None,
    study: str = "",
    dev: int = 0,
) -> dict:
    """One record; the test side are the utterances of speaker *fold*."""
    rows = rows or corpus_rows()
    everyone = sorted(set(rows["speakers"]))
    mine = [i for i, s in enumerate(rows["speakers"]) if s == fold] or range(len(rows["labels"]))
    test = {key: [values[i] for i in mine] for key, values in rows.items()}
    number = int(hashlib.sha256(f"{model}{fold}{seed}".encode()).hexdigest()[:8], 16)
    selection = {
        name: {
            "epoch": max(1, epochs - {"last": 0, "test": 1, "dev": 2}[name]),
            "logits": make_logits(test["labels"], skill + 0.4 * (name == "test"), number + extra),
        }
        for extra, name in enumerate(selections)
    }
    history = [
        {
            "epoch": e + 1,
            "lr": 0.001,
            "loss": 1.4 / (e + 1),
            "train_ua": 0.4 + 0.5 * e / max(1, epochs),
            "test_ua": 0.4 + 0.1 * e / max(1, epochs),
            "test_wa": 0.4 + 0.1 * e / max(1, epochs),
            "dev_ua": None,
        }
        for e in range(epochs)
    ]
    baseline = model == "majority" or model.startswith("egemaps")
    fold_hash = split_hash or hashlib.sha256(f"{protocol}{fold}".encode()).hexdigest()
    data = {
        "schema": 5,
        "id": f"{corpus}/{protocol}/{preset}/{model}/{fold}/seed{seed}",
        "fingerprint": hashlib.sha256(f"{model}{fold}{seed}".encode()).hexdigest(),
        "study": study,
        "command": "ser run --corpus emodb",
        "options": {"--corpus": "emodb"},
        "package": {"version": "0.1.0", "commit": "0" * 40},
        "corpus": {"name": corpus, "content_hash": content_hash, "utterances": len(rows["labels"])},
        "test_corpus": test_corpus
        and {"name": test_corpus, "content_hash": "d" * 64, "utterances": len(test["labels"])},
        "protocol": {
            "name": protocol,
            "fold": fold,
            "folds": folds or len(everyone),
            "hash": fold_hash,
            "dev": dev,
            "dev_speakers": [],
            "test_speakers": sorted(set(test["speakers"])),
            "leak": {"speakers": 0, "texts": 5, "sessions": 0, "audio": 0},
            "leak_told": "shared between training and test: 5 texts",
        },
        "preset": preset,
        "model": model,
        "transductive": False,
        "seed": seed,
        "device": "cpu",
        "threads": 1,
        "versions": {"python": "3.11", "torch": "2.11.0"},
        "wall_seconds": 1.5,
        "parameters": None if baseline else 3_220_000,
        "config": {"epochs": epochs, "batch_size": 32, "seed": seed},
        "history": [] if baseline else history,
        "test": test,
        "selection": {"last": selection["last"]} if baseline else selection,
    }
    return restated(data)


def write(out: Path, data: dict) -> Path:
    """Write a record where a run writes it; whole ones with scores that fit their logits."""
    with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError):
        data = restated(data)
    path = record_path(out, data["model"], name_of(data))
    rewrite(path, data)
    return path


def read(path: Path) -> dict:
    """The record of a run's file."""
    (data,) = RecordFile(path).whole()
    return data


def rewrite(path: Path, data: dict) -> None:
    """Put *data* there, with what follows from its command and settings."""
    command = data.get("command") or ""
    try:
        words = shlex.split(command)
    except ValueError:
        words = command.split()
    known = {
        "options": given_options(words),
        "transductive": data["config"].get("normalise") == "speaker",
    }
    write_table(path, [data | known])


def make_results(
    out: Path,
    models: dict[str, float] | None = None,
    speakers: int = 5,
    each: int = 16,
    seeds: int = 1,
    **options,
) -> Path:
    """A finished grid: every model (name -> skill), one fold a speaker, every seed."""
    rows = corpus_rows(speakers, each)
    for model, skill in (models or {"mfcc-lstm": 0.8, "ds-lstm": 1.2, "dual": 2.0}).items():
        for fold in sorted(set(rows["speakers"])):
            for seed in range(seeds):
                write(out, record(model, fold, seed, rows=rows, skill=skill, **options))
    return out


def folded(out: Path) -> Path:
    """The same records in the folder's one file, as a finished command leaves them; that file."""
    with locked(out):
        fold_records(out)
    return out / "records.parquet"


def edit_file(out: Path, edit: Callable[[dict], dict | None]) -> None:
    """Write the folder's one file anew with records as *edit* returns them; None: left out."""
    found = [edit(record) for record in stored_records(out).values()]
    write_table(out / "records.parquet", [record for record in found if record])
