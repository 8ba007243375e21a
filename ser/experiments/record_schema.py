"""What the record of a run says, each fact a field, and whether a record can be believed.

A record is a dict of this form in memory, and a row of ``records.parquet`` in a folder of runs
(:mod:`ser.experiments.record_table`). Book: chapter "Ablations".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ser.corpora.base import EMOTIONS

_Setting = bool | int | float | str | list[int | float | str] | None


class Facts(BaseModel):
    """A part of a record: its fields are of the kinds that they say, and there may be others."""

    model_config = ConfigDict(strict=True, extra="allow", protected_namespaces=())


class CorpusFacts(Facts):
    """A corpus as the run saw it."""

    name: str
    content_hash: str = Field(description="of the tested and trained utterances' sound and labels")
    utterances: int = 0
    missing: list[str] | None = Field(None, description="what of the whole corpus is not there")


class ProtocolFacts(Facts):
    """The fold: who trains, who chooses the epoch, who is tested."""

    name: str
    fold: str
    folds: int = Field(description="of the whole split")
    outer: str | None = Field(None, description="of an inner fold: whose training side it divides")
    hash: str | None = Field(None, description="of the fold's utterances on each side")
    train: int | None = Field(None, description="utterances trained on")
    dev: int | None = Field(None, description="utterances held out to choose an epoch")
    test: int | None = Field(None, description="utterances tested")
    dev_share: float | None = Field(None, description="of the training side asked to be held out")
    dev_speakers: list[str] | None = None
    test_speakers: list[str] | None = None
    leak: dict[str, int] | None = Field(None, description="what training and test share, counted")
    leak_told: str | None = None
    also: list[CorpusFacts] | None = Field(
        None, description="other corpora, trained on in every fold and never tested"
    )
    enrolled: list[str] | None = Field(
        None, description="neutral utterances that normalise the tested speakers; not tested"
    )


class TestFacts(Facts):
    """The tested utterances, in the order of the logits."""

    utterances: list[str]
    speakers: list[str]
    labels: list[int] = Field(description="true classes, places in the record's emotions")
    genders: list[str | None] | None = None
    texts: list[str | None] | None = None


class Selection(Facts):
    """The epoch that a rule chose, and its logits (utterances x classes)."""

    epoch: int
    logits: list[list[float]]


class EpochFacts(Facts):
    """An epoch of the training; UA and WA are fractions of 1."""

    epoch: int
    lr: float | None = None
    loss: float | None = None
    train_ua: float | None = None
    test_ua: float | None = None
    test_wa: float | None = None
    dev_ua: float | None = None
    dev_wa: float | None = None


class TuningFacts(Facts):
    """How a baseline's settings were chosen (:func:`ser.experiments.baselines.tune`)."""

    inner: str
    chosen: dict[str, float | str | None]
    scores: list[dict[str, float | str | None]]


class ChoiceFacts(Facts):
    """Which option a fold chose, on its training side (:func:`ser.experiments.choice.choose`)."""

    inner: str = Field(description="what the inner folds were")
    chosen: str
    row: str = Field(description="of the chosen option")
    source: str = Field(description="fingerprint of the run that was tested")
    scores: list[dict[str, float | str]] = Field(description="option and inner UA of each")


class RunRecord(Facts):
    """The facts of one run."""

    schema_: int = Field(alias="schema")
    id: str = Field(description="corpus/protocol/preset/row/fold/seed")
    fingerprint: str = Field(description="of everything that decides the result")
    study: str = Field("", description="what the run was made for, `ser run --study`")
    command: str | None = None
    options: dict[str, str] = Field({}, description="of the command, as given")
    package: dict[str, str | None] = Field({}, description="version and commit")
    versions: dict[str, str] = {}
    corpus: CorpusFacts
    test_corpus: CorpusFacts | None = Field(None, description="of protocol cross")
    protocol: ProtocolFacts
    emotions: list[str] | None = Field(
        None, description="the classes, in the order of logits; None: angry, happy, neutral, sad"
    )
    preset: str | None
    model: str = Field(description="the row of the table")
    transductive: bool = Field(False, description="normalised by speaker, the tested ones too")
    normaliser: str = Field("", description="who normalises, a rule of ser.normalise; '': unknown")
    seed: int
    device: str | None = None
    threads: int | None = None
    config: dict[str, _Setting] | None = Field(None, description="settings of the training")
    parameters: int | None = None
    test: TestFacts
    history: list[EpochFacts | None] = []
    dev_labels: list[int] = []
    selection: dict[Literal["last", "dev", "test"] | str, Selection | None]
    fused_from: list[str] | None = Field(None, description="ids of the branches' runs")
    tuning: TuningFacts | None = None
    choice: ChoiceFacts | None = None
    wall_seconds: float | None = None


def check_record(record: Mapping[str, Any]) -> None:
    """Look whether *record* is of this form and its parts fit together.

    UA and WA in the history have to follow from the logits of the epochs that were chosen.

    Raises:
        ValueError: they do not; the message names the part.

    Example:
        >>> check_record({"schema": 5})
        Traceback (most recent call last):
        ...
        ValueError: 'corpus' is missing
    """
    try:
        RunRecord.model_validate(record)
    except ValidationError as error:
        first = min(error.errors(include_url=False), key=lambda e: [str(p) for p in e["loc"]])
        name = ".".join(map(str, first["loc"]))
        if first["type"] == "missing":
            raise ValueError(f"{name!r} is missing") from None
        raise ValueError(f"{name!r} is {first['input']!r:.40}: {first['msg']}") from None
    test, labels = record["test"], record["test"]["labels"]
    if not labels:
        raise ValueError("it has no test utterances")
    classes = len(record.get("emotions") or EMOTIONS)
    if len(set(record.get("emotions") or EMOTIONS)) < classes:
        raise ValueError("an emotion is named twice")
    if min(labels) < 0 or max(labels) >= classes:
        raise ValueError(f"labels outside 0..{classes - 1}")
    for name in ("utterances", "speakers", "genders", "texts"):
        if test.get(name) is not None and len(test[name]) != len(labels):
            raise ValueError(f"{len(test[name])} {name} for {len(labels)} labels")
    if len(set(test["utterances"])) < len(labels):
        raise ValueError("an utterance is in it twice")
    chosen = {name: part for name, part in record["selection"].items() if part}
    if not chosen:
        raise ValueError("it has no selection")
    for name, part in chosen.items():
        values = np.array(part["logits"], dtype=float)
        if values.shape != (len(labels), classes):
            raise ValueError(
                f"logits of {name!r} have shape {values.shape}, not {(len(labels), classes)}"
            )
        if not np.isfinite(values).all():
            raise ValueError(f"logits of {name!r} contain NaN or infinity")
        _check_scores(record, name, part["epoch"], values)


def _check_scores(record: Mapping[str, Any], rule: str, epoch: int, values: np.ndarray) -> None:
    """Whether UA and WA of the chosen epoch follow from its logits.

    Logits are kept rounded, and those of a fused row come from float16: utterances whose first
    two answers are closer than that may count as right or as wrong.
    """
    entries = {entry.get("epoch"): entry for entry in record.get("history") or () if entry}
    if not entries:
        return
    entry = entries.get(epoch)
    if entry is None:
        raise ValueError(f"{rule!r} chose epoch {epoch!r}, not one of its history")
    labels = np.asarray(record["test"]["labels"])
    counts = np.bincount(labels)
    own = np.arange(len(labels)), labels
    truth = values[own]
    values[own] = -np.inf
    lead = truth - values.max(1)
    stated = [entry.get("test_ua"), entry.get("test_wa")]
    slack = 2e-5 + (np.abs(truth).max() * 2**-9 if record.get("fused_from") else 0)
    low, high = (_scores(lead > margin, labels, counts) for margin in (slack, -slack))
    ends = zip(stated, low, high, strict=True)
    if not all(value is None or a - 1e-5 <= value <= b + 1e-5 for value, a, b in ends):
        raise ValueError(
            f"UA and WA of epoch {epoch} are {stated} in its history, and "
            f"{[round(float(score), 6) for score in high]} by its logits"
        )


def _scores(right: np.ndarray, labels: np.ndarray, counts: np.ndarray) -> list[float]:
    """UA and WA of answers that are *right*."""
    found = np.bincount(labels[right], minlength=len(counts))
    present = counts > 0
    return [(found[present] / counts[present]).sum() / present.sum(), right.sum() / len(right)]


def given_options(words: Sequence[str]) -> dict[str, str]:
    """The options of a command, in the order in which they were given.

    Args:
        words: of the command, as a shell has taken it apart.

    Returns:
        Name -> value; ``""`` for an option without one, several values, also of an option that is
        given again, joined by a blank.

    Example:
        >>> given_options(["run", "--model", "dual", "--seeds=3", "--quiet"])
        {'--model': 'dual', '--seeds': '3', '--quiet': ''}
        >>> given_options(["run", "--also", "nemo=a", "--also", "tess=b"])
        {'--also': 'nemo=a tess=b'}
    """
    options: dict[str, str] = {}
    name = ""
    for word in words:
        value = word
        if word.startswith("--"):
            name, _, value = word.partition("=")
        if name:
            options[name] = f"{options.get(name, '')} {value}".strip()
    return options
