"""Runs become rows: the folds of a seed are pooled, so that every utterance is tested once."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from ser.corpora.base import EMOTIONS
from ser.corpora.emotion_set import set_name
from ser.errors import RecordError
from ser.experiments.record_table import selection_order
from ser.experiments.records import normaliser_of
from ser.marks import mark_of
from ser.metrics import Interval, bootstrap_interval, confusion, row_percent
from ser.metrics.scores import count_recalls, count_ua, count_wa
from ser.report.record import Record

ORDER: tuple[str, ...] = (
    "majority",
    "level-lr",
    "duration-lr",
    "egemaps-lr",
    "egemaps-svm",
    "compare-lr",
    "ssl-lr",
    "mfcc-lstm",
    "cnn-lstm-s1",
    "cnn-lstm-s2",
    "cnn-lstm-pair",
    "mfcc+cnn-lstm-s1",
    "mfcc+cnn-lstm-pair",
    "concat-lstm",
    "ds-lstm",
    "dual",
)
"""The rows as the table shows them; a variant stands after the row it varies."""

# What may differ between the runs of a row without making it another experiment.
FREE = {
    *("seed", "seeds", "fold", "device", "threads", "workers", "engine", "jobs", "out", "root"),
    *("cache", "work", "progress", "model", "models", "branches", "test_root", "resume", "name"),
}


def row_order(model: str) -> tuple[int, str]:
    """Key that sorts rows as the paper's table does, unknown names last, by name.

    Example:
        >>> sorted(["dual-no-y", "zebra", "dual", "majority"], key=row_order)
        ['majority', 'dual', 'dual-no-y', 'zebra']
    """
    fits = [i for i, name in enumerate(ORDER) if re.fullmatch(re.escape(name) + r"(\W.*)?", model)]
    if model in ORDER:
        return ORDER.index(model), ""
    return (fits[-1] if fits else len(ORDER)), model


@dataclass(frozen=True)
class Row:
    """One line of the table: a group of runs under one selection.

    Attributes:
        corpus, test_corpus, protocol, preset, model, selection: what it is
            (``test_corpus`` and ``preset`` may be ``""``; ``model`` has the tags behind it).
        seeds: training seeds that count.
        folds, folds_total: folds finished, and folds of the split.
        utterances, speakers, labels: (n,) the pooled test set, sorted by utterance.
        logits: (seeds, n, classes).
        records: the runs that count.
        base: the row's name without tags.
        tags: what sets its runs apart from the row's usual ones (:mod:`ser.report.variants`).
        notes: what the reader should know about the row.
        emotions: the classes, in the order of logits.
    """

    corpus: str
    test_corpus: str
    protocol: str
    preset: str
    model: str
    selection: str
    seeds: tuple[int, ...]
    folds: int
    folds_total: int
    utterances: np.ndarray = field(repr=False)
    speakers: np.ndarray = field(repr=False)
    labels: np.ndarray = field(repr=False)
    logits: np.ndarray = field(repr=False)
    records: tuple[Record, ...] = field(repr=False)
    base: str
    tags: Mapping[str, str]
    notes: tuple[str, ...] = ()
    emotions: tuple[str, ...] = EMOTIONS

    @property
    def block(self) -> tuple[str, ...]:
        """(corpus, test corpus, protocol): rows of a block can stand side by side.

        Behind them the set of emotions, in words, where it is not the usual four.
        """
        asked = set_name(self.emotions)
        return self.corpus, self.test_corpus, self.protocol, *([asked] if asked else [])

    @property
    def transductive(self) -> bool:
        """Whether its features were normalised by speaker, whatever the row is called."""
        return any(record.data["transductive"] for record in self.records)

    @property
    def normaliser(self) -> str:
        """Who normalises its features, a rule of :mod:`ser.normalise`; of old records, as known."""
        return normaliser_of(self.records[0].data)

    @property
    def rules(self) -> str:
        """Rules that say what was known of a speaker tested, as :func:`mark_of` takes them."""
        return "speaker" if self.transductive else self.normaliser

    @property
    def label(self) -> str:
        """The model as tables and figures show it, marked where speakers normalise themselves.

        ``(T)`` if transductive, ``(E 3)`` if by three neutral recordings, ``(R)`` if by what was
        heard before.
        """
        mark = mark_of(self.rules)
        return f"{self.model} {mark}" if mark else self.model

    @property
    def name(self) -> str:
        """For messages: model, selection and where."""
        other = f" -> {self.test_corpus}" if self.test_corpus else ""
        asked = f", {set_name(self.emotions)}" if set_name(self.emotions) else ""
        return f"{self.label} ({self.selection}; {self.corpus}{other}, {self.protocol}{asked})"

    @property
    def test_chosen(self) -> bool:
        """True if the epoch was chosen on the test fold, as the paper did."""
        return self.selection == "test"

    @property
    def predictions(self) -> np.ndarray:
        """(seeds, n) answered classes."""
        return self.logits.argmax(-1)

    @property
    def confusions(self) -> np.ndarray:
        """(seeds, classes, classes) counts."""
        classes = len(self.emotions)
        return np.stack([confusion(self.labels, p, classes) for p in self.predictions])

    @property
    def confusion(self) -> np.ndarray:
        """(classes, classes) counts, rows true, summed over seeds."""
        return self.confusions.sum(0)

    @property
    def confusion_percent(self) -> np.ndarray:
        """(classes, classes) rows of the confusion in percent; NaN where the class is absent."""
        return row_percent(self.confusion)

    @property
    def recalls(self) -> np.ndarray:
        """(classes,) recall of each class, mean over seeds; NaN where the class is absent."""
        return count_recalls(self.confusion)

    @property
    def wa(self) -> np.ndarray:
        """(seeds,) WA on the pool of each seed."""
        return count_wa(self.confusions)

    @property
    def ua(self) -> np.ndarray:
        """(seeds,) UA on the pool of each seed."""
        return count_ua(self.confusions)

    def interval(self, metric: str = "ua", resamples: int = 2000) -> Interval:
        """95 % interval over speakers, all seeds together."""
        return bootstrap_interval(
            *(self.labels, self.predictions, self.speakers, metric, resamples),
            classes=len(self.emotions),
        )


def pool_records(records: Iterable[Record]) -> list[Row]:
    """Group the records and pool the folds of each seed.

    A row counts the seeds that have finished the same, largest set of folds; what is left out
    or missing is noted.

    Raises:
        RecordError: runs of one row made on different corpora or different splits.
    """
    groups: dict[tuple, list[Record]] = defaultdict(list)
    for record in records:
        groups[record.group].append(record)
    rows = []
    for runs in groups.values():
        _same_material(runs)
        for selection in {s for r in runs for s in r.logits}:
            rows.append(_pool([r for r in runs if selection in r.logits], selection))

    def order(row: Row) -> tuple:
        return (*row.block, row.preset, row_order(row.model), selection_order(row.selection))

    return sorted(rows, key=order)


def _same_material(runs: list[Record]) -> None:
    """RecordError where two runs of a row were made on different data or splits."""
    first = runs[0]
    splits: dict[str, Record] = {}
    owners: dict[tuple[int, str], Record] = {}
    for run in runs:
        other = splits.setdefault(run.fold, run)
        protocol, before = run.data["protocol"], other.data["protocol"]
        if run.content != first.content:
            _apart(first, run, f"the content of corpus {run.corpus!r} differs")
        if int(protocol["folds"]) != int(first.data["protocol"]["folds"]):
            _apart(first, run, "the number of folds differs")
        if protocol.get("hash") != before.get("hash"):
            _apart(other, run, f"fold {run.fold!r} is split differently")
        for name in run.data["test"]["utterances"]:
            owner = owners.setdefault((run.seed, name), run)
            if owner is not run:
                _apart(owner, run, f"both tested {name!r}")


def _apart(first: Record, second: Record, why: str) -> None:
    raise RecordError(
        f"{first.source} and {second.source} do not belong in one row: {why}. Report the folders "
        "one at a time, or delete the older record and run its command again"
    )


def _pool(runs: list[Record], selection: str) -> Row:
    by_seed: dict[int, dict[str, Record]] = defaultdict(dict)
    for run in runs:
        by_seed[run.seed][run.fold] = run
    total = int(runs[0].data["protocol"]["folds"])
    most = max(len(folds) for folds in by_seed.values())
    lead = min(seed for seed, folds in by_seed.items() if len(folds) == most)
    seeds = [s for s in sorted(by_seed) if by_seed[s].keys() == by_seed[lead].keys()]
    notes = [] if most == total else [f"{most} of {total} folds; the rest has not been run"]
    for seed in sorted(set(by_seed) - set(seeds)):
        notes.append(f"seed {seed} has {len(by_seed[seed])} of {total} folds and is left out")
    used = [list(by_seed[seed].values()) for seed in seeds]
    notes += _settings(runs)

    pools = [_one_seed(folds, selection) for folds in used]
    for pool in pools[1:]:
        if any(not np.array_equal(a, b) for a, b in zip(pool[:3], pools[0][:3], strict=True)):
            _apart(used[0][0], used[1][0], "their seeds tested different utterances")
    _, test_corpus, protocol, preset, model = runs[0].group
    return Row(
        corpus=runs[0].corpus,
        test_corpus=test_corpus,
        protocol=protocol,
        preset=preset,
        model=model,
        selection=selection,
        seeds=tuple(seeds),
        folds=most,
        folds_total=total,
        utterances=pools[0][0],
        speakers=pools[0][1],
        labels=pools[0][2],
        logits=np.stack([pool[3] for pool in pools]),
        records=tuple(r for folds in used for r in folds),
        base=runs[0].data["model"],
        tags=runs[0].tags,
        notes=tuple(notes),
        emotions=runs[0].emotions,
    )


def _one_seed(folds: list[Record], selection: str) -> tuple[np.ndarray, ...]:
    utterances = np.concatenate([np.asarray(r.data["test"]["utterances"], str) for r in folds])
    speakers = np.concatenate([np.asarray(r.data["test"]["speakers"], str) for r in folds])
    labels = np.concatenate([r.labels for r in folds])
    logits = np.concatenate([r.logits[selection] for r in folds])
    order = np.argsort(utterances, kind="stable")
    return utterances[order], speakers[order], labels[order], logits[order]


def _settings(runs: list[Record]) -> list[str]:
    """A note where runs of a row were trained with different settings."""
    notes = []
    configs = [r.data.get("config") or {} for r in runs]
    for name in sorted({k for c in configs for k in c} - FREE):
        values = sorted({str(c.get(name)) for c in configs})
        if len(values) > 1:
            notes.append(f"its runs differ in {name}: {', '.join(values)}")
    return notes
