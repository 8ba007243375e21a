"""Many runs: rows x folds x seeds, each done once, finished after any interruption.

A record on disk is the sign that a run is done. The same command skips what is done, takes up
what was under way from its checkpoint, and fuses branches into fused rows without training them
again (a fused row equals its branches trained apart; see :mod:`ser.training.loop`).
"""

from __future__ import annotations

import contextlib
import functools
import logging
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ser.corpora.problems import many
from ser.devices import resolve_device
from ser.enrolment import enrol, without_enrolled
from ser.errors import FULL, ProtocolError, RecordError, SerError, TrainingError, shortage
from ser.experiments.baselines import BASELINES
from ser.experiments.config import RunConfig
from ser.experiments.corpus_inputs import CorpusInputs
from ser.experiments.execution import execute
from ser.experiments.fold_run import FoldRun
from ser.experiments.grid_inputs import check_speakers, load_inputs
from ser.experiments.mixing import with_others
from ser.experiments.processes import KEPT, LIGHTER, imap_unordered
from ser.experiments.progress import GridProgress
from ser.experiments.record_folder import fold_records, locked
from ser.experiments.record_table import FILE, RecordFile, write_table
from ser.experiments.records import fingerprint, fuse_probabilities, fuse_records
from ser.normalise import enrolled_by
from ser.protocols import Fold, find_leaks, inner_split, split
from ser.rows import get_row
from ser.saved_models import ANEW, DESCRIPTION, fuse_models
from ser.threads import cores

log = logging.getLogger(__name__)

Stored = dict[tuple[str, str], dict]
"""(row, name of the run) -> record: what a folder has."""


def run(config: RunConfig) -> list[dict]:
    """Do every run of *config* that is not done yet; return the records of the rows asked for.

    Args:
        config: the grid. With ``config.out`` None everything is kept in memory only.

    Returns:
        One record (dict, see :mod:`ser.experiments.record_schema`) for each row, fold and seed, in
        that order.

    Raises:
        RecordError: ``out`` holds runs of other settings, or another process writes there.
        TrainingError: a run diverged, or had too little memory; the other runs are done first.
            Or a full disk or a worker that was killed has ended the grid. What was done is kept.

    Example:
        >>> from ser import RunConfig, run
        >>> records = run(RunConfig(models=("majority",), protocol="loso"))  # doctest: +SKIP
    """
    if config.out is None:
        with tempfile.TemporaryDirectory(prefix="ser-") as folder:
            return run(replace(config, out=Path(folder), keep_models=False))
    out = config.out
    with locked(out):
        try:
            return _run(config, fold_records(out))
        finally:  # what fails to be folded stays as it is, and the next command tries again
            with contextlib.suppress(OSError, SerError):
                fold_records(out)


def plan(
    config: RunConfig, corpus: CorpusInputs, test: CorpusInputs
) -> tuple[list[FoldRun], list[FoldRun]]:
    """The runs of a grid: those that train (or fit), and those that fuse their records."""
    own = corpus.own or len(corpus.table)
    table, keys = corpus.table.iloc[:own], corpus.keys[:own]
    given = {
        "seed": config.split_seed,
        "audio": keys,
        "distinct_speakers": config.distinct_speakers,
    }
    other = test.table if config.protocol == "cross" else None
    try:
        folds = split(
            table, config.protocol, config.folds, dev=config.dev_share, test=other, **given
        )
    except ProtocolError as error:
        raise ProtocolError(corpus.completed(str(error))) from None
    folds = [fold for fold in folds if not config.only or fold.name in config.only]
    if config.inner:
        folds = [part for f in folds for part in inner_split(f, table, config.inner, **given)]
    folds = [with_others(fold, corpus) for fold in folds]
    device = _device(config)
    fused, trained = _rows(config)
    fold_runs: dict[str, list[FoldRun]] = {"trained": [], "fused": []}
    check_speakers(config, trained, folds, corpus, test)
    sides = {
        rule: _divided(rule, folds, config, corpus, test)
        for rule in {config.training(row).normalise for row in [*trained, *fused]}
    }
    for kind, rows in (("trained", trained), ("fused", fused)):
        for row in rows:
            train = config.training(row)
            divided, drawn, leaks = sides[train.normalise]
            for seed in config.seeds if _learns(row) else config.seeds[:1]:
                for fold, leak in zip(divided, leaks, strict=True):
                    fold_runs[kind].append(
                        FoldRun(
                            config=config,
                            row=row,
                            fold=fold,
                            seed=seed,
                            leak=leak,
                            train=train,
                            device=device,
                            enrolled=drawn[0],
                            test_enrolled=drawn[1],
                            emotions=corpus.emotions,
                            own=get_row(row) if get_row(row).own is not None else None,
                        )
                    )
    return fold_runs["trained"], fold_runs["fused"]


def _learns(row: str) -> bool:
    """Whether the result depends on the seed: not that of a baseline, nor of several together."""
    return not set(get_row(row).branches) <= set(BASELINES)


def _divided(
    rule: str, folds: Sequence[Fold], config: RunConfig, corpus: CorpusInputs, test: CorpusInputs
) -> tuple[list[Fold], tuple[dict, dict], list[dict]]:
    """The folds under a rule of normalisation, who is enrolled in corpus and test, the leaks."""
    drawn: tuple[dict, dict] = ({}, {})
    if count := enrolled_by(rule):
        own = enrol(corpus.table, count, config.split_seed)
        drawn = own, own if test is corpus else enrol(test.table, count, config.split_seed)
        sounds = {
            side.keys[i]
            for side, voices in zip((corpus, test), drawn, strict=True)
            for rows in voices.values()
            for i in rows
        }
        folds = [without_enrolled(fold, sounds, corpus, test) for fold in folds]
    return list(folds), drawn, [_leak(f, corpus, test, config.distinct_speakers) for f in folds]


def _device(config: RunConfig) -> str:
    """Where networks run; baselines need no PyTorch to know that they run on the processor."""
    networks = set(_rows(config)[1]) - set(BASELINES)
    return resolve_device(config.device if networks or config.device != "auto" else "cpu")


def _rows(config: RunConfig) -> tuple[list[str], list[str]]:
    """Rows to fuse, and rows to train: what was asked for and the branches of fused rows."""
    fused = [m for m in config.models if get_row(m).kind == "fused" and not config.joint]
    trained = [m for m in config.models if m not in fused]
    for row in fused:
        trained += [b for b in get_row(row).branches if b not in trained]
    return fused, trained


def _leak(fold, corpus: CorpusInputs, test: CorpusInputs, distinct_speakers: bool) -> dict:
    before = [*fold.train, *fold.dev]
    same = test is corpus
    leak = find_leaks(
        corpus.table.iloc[before],
        test.table.iloc[fold.test],
        [corpus.keys[i] for i in before],
        [test.keys[i] for i in fold.test],
        same_corpus=same,
        distinct_speakers=distinct_speakers,
    )
    return leak.counts() | {"told": str(leak)}


def _run(config: RunConfig, stored: Stored) -> list[dict]:
    trained_rows = _rows(config)[1]
    corpus, test = load_inputs(config, set(trained_rows))
    trained, fused = plan(config, corpus, test)
    device = _device(config)
    jobs, threads = _jobs(config, trained, device)
    done = {t.record: finished_record(t, corpus, test, stored) for t in [*trained, *fused]}
    left = [t for t in trained if done[t.record] is None]
    found = len(trained) - len(left)
    log.info(
        "%s, protocol %s: %s, %d done before; %d at a time, %s each, on %s",
        corpus.name,
        config.protocol,
        many(len(trained), "run"),
        found,
        jobs,
        many(threads, "thread"),
        device,
    )
    learning = any(fold_run.row not in BASELINES for fold_run in left)
    large = config.train.batch_size > max(32, len(corpus.table) // 8)
    if large and learning:
        log.info(
            "hint: batches of %d are large for %s; --batch-size 32 learns more from a small corpus",
            config.train.batch_size,
            many(len(corpus.table), "utterance"),
        )
    if learning:
        _tell_slow_precision(config.train.precision, device)
    _tell_unkept(config, [t for t in [*trained, *fused] if done[t.record] is not None])
    failures = _train(left, corpus, test, config, jobs, threads, found)
    records = []
    for fold_run in trained:
        if done[fold_run.record] is None and fold_run.record.exists():
            (record,) = RecordFile(fold_run.record).whole()
            done[fold_run.record] = stored[fold_run.row, fold_run.name] = record
        if done[fold_run.record] is not None:
            records.append(done[fold_run.record])
    for fold_run in fused:
        record = done[fold_run.record] or _fuse(fold_run, corpus, test, stored)
        if record is not None:
            records.append(record)
    if failures:
        raise failures[0]
    order = {m: i for i, m in enumerate(config.models)}
    wanted = [r for r in records if r["model"] in order]
    return sorted(wanted, key=lambda r: order[r["model"]])


def _tell_slow_precision(precision: str, device: str) -> None:
    from ser.nn.precision import in_software

    if in_software(precision, device):
        log.info(
            "hint: this processor has no instructions for %s; torch computes it in software, many "
            "times slower than float32 (leave --precision out)",
            precision,
        )


def _tell_unkept(config: RunConfig, finished: Sequence[FoldRun]) -> None:
    """Runs that are done but left no network, where networks are wanted."""
    if not config.keep_models:
        return
    nets = [t for t in finished if t.row not in BASELINES and get_row(t.row).fusion == "logits"]
    lost = [t for t in nets if not (t.model_folder / DESCRIPTION).exists()]
    if lost:
        log.info(
            "note: %s done before left no trained network (%s); to have one, %s",
            many(len(lost), "run"),
            f"the first: {lost[0].row}/{lost[0].name}",
            ANEW,
        )


def _jobs(config: RunConfig, fold_runs: Sequence[FoldRun], device: str) -> tuple[int, int]:
    """Runs at a time and threads each; from the whole grid, so that a resume changes no bit.

    Baselines without tuning take less time than a process takes to start.
    """
    available = cores()
    long = [r for r in fold_runs if r.row not in BASELINES or r.tuning != "fixed"]
    jobs = config.jobs or (min(available, max(1, len(long))) if device == "cpu" else 1)
    return jobs, config.threads or max(1, available // jobs)


def finished_record(
    fold_run: FoldRun, corpus: CorpusInputs, test: CorpusInputs, stored: Stored
) -> dict | None:
    """The record of a finished run; None where it is still to do.

    Raises:
        RecordError: in its place is one of other settings or another corpus.
    """
    record = stored.get((fold_run.row, fold_run.name))
    settings, out = fold_run.settings(corpus, test), fold_run.config.out
    if record is not None and record["fingerprint"] != fingerprint(settings):
        raise RecordError(
            f"{out}: a run with other settings or another corpus ({record['id']}) is "
            f"here; choose another --out, or delete the old records ({out / FILE})"
        )
    return record


def _train(
    fold_runs: Sequence[FoldRun],
    corpus: CorpusInputs,
    test: CorpusInputs,
    config: RunConfig,
    jobs: int,
    threads: int,
    found: int,
) -> list[SerError]:
    """Execute *fold_runs*; return the errors of those that could not go on.

    *found* runs were done before.

    Raises:
        TrainingError: none can go on: a worker was ended from outside, or the disk is full.
    """
    call = functools.partial(_execute, corpus=corpus, test=None if test is corpus else test)
    failures: list[SerError] = []
    with GridProgress(config.out / "work", fold_runs, found, jobs, config.progress) as monitor:
        for fold_run, record, error in imap_unordered(
            call,
            [replace(t, threads=threads) for t in fold_runs],
            jobs=jobs,
            threads=threads,
        ):
            monitor.done(fold_run, record)
            if error is not None:
                failures.append(error)
                log.error("%s", error)
    return failures


def _execute(
    fold_run: FoldRun, corpus: CorpusInputs, test: CorpusInputs | None
) -> tuple[FoldRun, dict | None, SerError | None]:
    """What a worker does: an error of one run must not end the others."""
    try:
        return fold_run, execute(fold_run, corpus, corpus if test is None else test), None
    except SerError as error:
        return fold_run, None, error
    except (MemoryError, RuntimeError, OSError) as error:
        lacking = shortage(error)
        if not lacking:
            raise
        full = isinstance(error, OSError) and error.errno in FULL
        way_out = "" if full else f", or give {LIGHTER}"
        told = TrainingError(f"{fold_run.run_id(corpus)}: {lacking}{way_out}. {KEPT}")
        if full:  # nothing else could be kept either
            raise told from error
        return fold_run, None, told


def _fuse(
    fold_run: FoldRun, corpus: CorpusInputs, test: CorpusInputs, stored: Stored
) -> dict | None:
    """Write the record (and network) of a fused row from its branches'.

    A baseline does not depend on the seed, and was fitted once, under the first.
    """
    config, row, parts = fold_run.config, get_row(fold_run.row), []
    for branch in row.branches:
        name = fold_run.name
        if branch in BASELINES:
            name = replace(fold_run, seed=config.seeds[0]).name
        parts.append(stored.get((branch, name)))
    if not all(parts):
        return None
    together = fuse_records if row.fusion == "logits" else fuse_probabilities
    record = together(fold_run.row, parts, fold_run.settings(corpus, test))
    record |= {
        "command": config.command,
        "options": config.options,
        "study": config.study,
    }
    if config.keep_models and row.fusion == "logits":
        branches = get_row(fold_run.row).branches
        last = record["history"][-1]
        fuse_models(
            fold_run.model_folder,
            {b: config.out / "models" / b / fold_run.name for b in branches},
            fold_run.model_settings,
            {"test_ua": last["test_ua"], "test_wa": last["test_wa"]},
        )
    write_table(fold_run.record, [record])
    return record
