"""One run of a grid, from features to a record on disk."""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from ser.errors import FeatureError, TrainingError
from ser.experiments.baselines import BASELINES, INPUTS, baseline_logits, tune
from ser.experiments.corpus_inputs import CorpusInputs
from ser.experiments.fold_run import FoldRun
from ser.experiments.grid_inputs import shortest
from ser.experiments.progress import RunNotes
from ser.experiments.record_table import SCHEMA, write_table
from ser.experiments.records import fingerprint, provenance, select
from ser.features.utterance_values import normalised_values
from ser.rows import ROWS
from ser.saved_models import save_model

if TYPE_CHECKING:
    from ser.batch import Dataset
    from ser.normalise import Scale


def execute(fold_run: FoldRun, corpus: CorpusInputs, test: CorpusInputs) -> dict:
    """Do *fold_run*, write its record (and network), and return the record.

    Raises:
        TrainingError: the run cannot go on (names the run and the way out).
    """
    started, config = time.monotonic(), fold_run.config
    if fold_run.own is not None:  # a worker process does not know it yet
        ROWS[fold_run.row] = fold_run.own
    rows = test.table.iloc[fold_run.fold.test]
    labels = test.labels[fold_run.fold.test].tolist()
    base = {
        "schema": SCHEMA,
        "id": fold_run.run_id(corpus),
        "fingerprint": fingerprint(fold_run.settings(corpus, test)),
        "study": config.study,
        "command": config.command,
        "options": config.options,
        **provenance(),
        "corpus": corpus.describe(),
        "test_corpus": test.describe() if config.protocol == "cross" else None,
        "protocol": {
            "name": fold_run.fold.protocol,
            "fold": fold_run.fold.name,
            "folds": fold_run.fold.folds,
            **({"outer": fold_run.fold.outer} if fold_run.fold.outer else {}),
            "hash": fold_run.fold.hash,
            "train": len(fold_run.fold.train),
            "dev": len(fold_run.fold.dev),
            "dev_share": config.dev_share,
            "dev_speakers": sorted(set(corpus.table.speaker.iloc[fold_run.fold.dev])),
            "test_speakers": sorted(set(rows.speaker)),
            "test": len(fold_run.fold.test),
            **({"also": corpus.also} if corpus.also else {}),
            **_enrolled(fold_run, test),
            "leak": {k: v for k, v in fold_run.leak.items() if k != "told"},
            "leak_told": fold_run.leak["told"],
        },
        **fold_run.classes,
        "preset": config.preset,
        "model": fold_run.row,
        "normaliser": fold_run.normaliser,
        "seed": fold_run.seed,
        "device": fold_run.device,
        "threads": fold_run.threads,
        "config": fold_run.train.as_dict() | {"joint": config.joint} | fold_run.unusual,
        "test": {
            "utterances": rows.utterance.tolist(),
            "speakers": rows.speaker.tolist(),
            "genders": rows.gender.tolist(),
            "texts": rows.text.tolist(),
            "labels": labels,
        },
    }
    notes = RunNotes(fold_run)
    try:
        if fold_run.row in BASELINES:
            record = base | _baseline(fold_run, corpus, test)
        else:
            record = base | _network(fold_run, corpus, test, notes)
    except TrainingError as error:
        raise TrainingError(f"{base['id']}: {corpus.completed(str(error))}") from error
    except FeatureError as error:
        raise FeatureError(f"{base['id']}: {error}; {shortest(corpus, test)}") from error
    if corpus.also:
        record["config"] = record["config"] | {"also": [part["name"] for part in corpus.also]}
    record["transductive"] = record["config"].get("normalise") == "speaker"
    record["wall_seconds"] = round(time.monotonic() - started, 3)
    write_table(fold_run.record, [record])
    fold_run.checkpoint.unlink(missing_ok=True)
    return record


def _enrolled(fold_run: FoldRun, test: CorpusInputs) -> dict:
    """Utterances that normalise the tested speakers, where some do."""
    who = set(test.table.speaker.iloc[fold_run.fold.test].astype(str))
    rows = [i for speaker, some in fold_run.test_enrolled.items() if speaker in who for i in some]
    return {"enrolled": test.table.utterance.iloc[rows].tolist()} if rows else {}


def _baseline(fold_run: FoldRun, corpus: CorpusInputs, test: CorpusInputs) -> dict:
    fold = fold_run.fold
    train = fold.train if fold_run.leave_dev else np.concatenate([fold.train, fold.dev])
    speakers = corpus.table.speaker.iloc[train].tolist()
    if fold.protocol == "random":  # who is tested is heard in training: the inner folds too
        speakers = [""] * len(train)
    recipe, given = fold_run.recipe, [None, None]
    if name := INPUTS.get(fold_run.row):
        mean = corpus.values[name][fold.train].mean(0)
        given = [
            normalised_values(
                source.values[name],
                recipe.get("normalise", "none"),
                rows,
                source.table.speaker.tolist(),
                mean=mean,
                names=source.table.utterance.tolist(),
                enrolled=drawn,
                seed=fold_run.config.split_seed,
            )
            for source, rows, drawn in (
                (corpus, train, fold_run.enrolled),
                (test, fold.test, fold_run.test_enrolled),
            )
        ]
    labels, tuning = fold_run.training_labels(corpus)[train], {}
    clip = {"clip_z": recipe["clip_z"]} if "clip_z" in recipe else {}
    if fold_run.tuning != "fixed":
        way = {"seed": fold_run.seed, "threads": fold_run.threads, "tuning": fold_run.tuning}
        tuning = tune(fold_run.row, given[0], labels, speakers, **way, **clip)
    logits, parameters = baseline_logits(
        fold_run.row,
        given[0],
        labels,
        given[1],
        len(fold.test),
        fold_run.seed,
        classes=len(fold_run.emotions),
        **clip | tuning.get("chosen", {}),
    )
    return {
        "device": "cpu",
        "parameters": parameters,
        "config": recipe
        | fold_run.unusual
        | ({"ssl_weights": corpus.ssl_weights} if "ssl" in fold_run.unusual else {})
        | ({"tuning": fold_run.tuning} if tuning else {}),
        **({"tuning": tuning} if tuning else {}),
        "history": [],
        "dev_labels": [],
        "selection": select([{"epoch": 0}], logits[None], ("last",)),
    }


def _network(fold_run: FoldRun, corpus: CorpusInputs, test: CorpusInputs, notes: RunNotes) -> dict:
    import torch

    from ser.models import build_model
    from ser.nn import tune_allocator
    from ser.training.loop import train

    tune_allocator()
    previous = torch.get_num_threads()
    torch.set_num_threads(fold_run.threads)
    try:
        model = build_model(
            fold_run.row,
            preset=fold_run.config.preset,
            classes=len(fold_run.emotions),
            hidden=fold_run.train.hidden,
            seed=fold_run.seed,
            **fold_run.train.model_options,
        )
        sides, scale = _datasets(fold_run, corpus, test, model.needs)
        outcome = train(
            model,
            fold_run.train,
            sides["data"],
            sides.get("test"),
            sides.get("dev"),
            seed=fold_run.seed,
            device=fold_run.device,
            checkpoint=fold_run.checkpoint,
            fingerprint=fingerprint(fold_run.settings(corpus, test)),
            on_epoch=notes,
            scale=scale,
        )
    finally:
        torch.set_num_threads(previous)
    last = outcome.test_logits[-1]
    if not np.isfinite(outcome.test_logits).all():
        raise TrainingError(
            "its answers to test utterances are not finite; look for broken audio with "
            "`ser check`, or use a smaller --lr or --clip 1. Finished runs are kept."
        )
    result = {
        "parameters": sum(p.numel() for p in outcome.model.parameters()),
        "history": outcome.history,
        "dev_labels": fold_run.training_labels(corpus)[fold_run.fold.dev].tolist(),
        "selection": select(outcome.history, outcome.test_logits, fold_run.config.select, last),
        "epoch_logits": {
            "test": outcome.test_logits,
            "dev": outcome.dev_logits,
        },
    }
    if fold_run.config.keep_models:
        told = _trained_on(fold_run, corpus, test, outcome.history[-1])
        save_model(fold_run.model_folder, outcome.model, fold_run.model_settings, told, scale)
    return result


def _trained_on(
    fold_run: FoldRun, corpus: CorpusInputs, test: CorpusInputs, last: dict
) -> dict[str, Any]:
    """The story of a training, for those who use its network."""
    rows = corpus.table.iloc[fold_run.fold.train]
    return {
        "corpus": corpus.name,
        "licence": corpus.licence,
        "content_hash": corpus.content_hash,
        **({"also": corpus.also} if corpus.also else {}),
        "utterances": len(rows),
        "speakers": sorted(set(rows.speaker)),
        "seconds": [round(float(rows.seconds.min()), 3), round(float(rows.seconds.max()), 3)],
        "protocol": fold_run.fold.protocol,
        "fold": fold_run.fold.name,
        "tested_on": test.name,
        "seed": fold_run.seed,
        "epochs": last["epoch"],
        "test_ua": last["test_ua"],
        "test_wa": last["test_wa"],
    }


def _datasets(
    fold_run: FoldRun, corpus: CorpusInputs, test: CorpusInputs, needs: frozenset[str]
) -> tuple[dict[str, Dataset], Scale | None]:
    """Training, dev and test side as the network is to see them, and the training side's scale,
    where a rule needs it."""
    from ser.batch import Dataset
    from ser.normalise import measure, normalised
    from ser.training.voices import Voices

    rule, scale, sides = fold_run.train.normalise, None, {}
    if rule in ("train", "running"):
        scale = measure(corpus.features, fold_run.fold.train, needs)
    told = fold_run.training_labels(corpus)
    true = test.labels
    for name, source, labels, rows, drawn in (
        ("data", corpus, told, fold_run.fold.train, fold_run.enrolled),
        ("dev", corpus, told, fold_run.fold.dev, fold_run.enrolled),
        ("test", test, true, fold_run.fold.test, fold_run.test_enrolled),
    ):
        if len(rows):
            given = {
                "rows": rows,
                "speakers": source.table.speaker.iloc[rows].tolist(),
                "names": source.table.utterance.iloc[rows].tolist(),
                "scale": scale,
                "enrolled": drawn,
                "seed": fold_run.config.split_seed,
                "clip_z": fold_run.train.clip_z,
            }
            seen = functools.partial(normalised, rule=rule, needs=needs, **given)
            common = {"needs": needs, "frames": fold_run.frames, "device": fold_run.device}
            if name != "data":
                sides[name] = Dataset(seen(source.features), rows, labels[rows], **common)
                continue
            common |= {"speakers": given["speakers"]}
            sources = [source.features, *(source.speeds[s] for s in fold_run.train.speed)]
            if fold_run.train.voices:
                common |= {"factors": fold_run.train.factors, "grow": rule != "utterance"}
                sides[name] = Voices(sources, rows, labels[rows], normalise=seen, **common)
            else:
                first, *faster = map(seen, sources)
                sides[name] = Dataset(first, rows, labels[rows], versions=faster, **common)
    return sides, scale
