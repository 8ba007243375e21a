"""Choosing among options on training speakers alone, nested: what the whole procedure is worth.

Whoever tries ten settings and reports the best one's test score has chosen on the test. Here each
fold chooses for itself: its training speakers are divided into a few inner folds, every option is
trained and tested within them, the one with the highest inner UA is trained on the whole training
side, and only this one answers for the speakers left out (Varma and Simon, "Bias in error
estimation when using cross-validation for model selection", BMC Bioinformatics 7:91, 2006). With K
options and J inner folds a fold costs K x J + 1 trainings, or fewer: a branch that several options
average is trained once. It is what :func:`ser.experiments.baselines.tune` does for a baseline's C,
for anything that ``ser run`` can be told.
Book: chapter "What lifts it, honestly".
"""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from ser.errors import ProtocolError, RecordError
from ser.experiments.config import RunConfig
from ser.experiments.grid import run
from ser.experiments.record_folder import fold_records, locked, name_of, record_path
from ser.experiments.record_table import FILE, emotions_of, write_table
from ser.experiments.records import fingerprint
from ser.metrics import ua
from ser.normalise import enrolled_by
from ser.rows import get_row

CHOSEN = "chosen"
"""The row of the records that :func:`choose` leaves."""
PROTOCOLS: tuple[str, ...] = ("speakers", "loso", "sessions", "cross")
"""Protocols that test other speakers, so that inner folds by speaker ask the same question."""

log = logging.getLogger(__name__)


def choose(options: Mapping[str, RunConfig], inner: int = 3) -> list[dict]:
    """Choose in each fold among *options*, on inner folds of its training side; test the choice.

    Inner trainings are done with the first seed, and all seeds share the choice. What is done is
    kept under ``out/work/choice``; the same call takes up where it was interrupted.

    Args:
        options: name -> a run of one row each; alike in corpus, protocol, seeds and ``out``.
        inner: inner folds of a training side, by speaker; as many as it has speakers where those
            are fewer. For ``cross`` the training corpus has these folds.

    Returns:
        A record for each fold and seed, of row ``chosen``; ``choice`` holds the inner UA of every
        option and which was chosen. Of equals the first of *options* is.

    Raises:
        ProtocolError: fewer than two options or inner folds, two options that are alike, a protocol
            that tests speakers heard in training, or options that may know more of a test speaker
            than others.
        RecordError, TrainingError: as :func:`ser.experiments.grid.run`.

    Example:
        >>> choose({"small": small, "functionals": functionals}, inner=3)    # doctest: +SKIP
    """
    first, rule = _check(options, inner)
    out = Path(first.out)
    with locked(out):
        stored = {key: r for key, r in fold_records(out).items() if key[0] == CHOSEN}
        settings = _settings(options, inner)
        for record in stored.values():
            if any(record["config"].get(k) != v for k, v in settings.items()):
                raise RecordError(
                    f"{out}: a choice among other options is here; choose another --out, or delete "
                    f"the old records ({out / FILE})"
                )
        places = _places(options)
        scores: dict[str, dict[str, dict]] = {}
        for name, config in options.items():
            scores[name] = _inner_scores(config, name, places[name], inner)
            if len(scores) == 1:
                _tell_fewer(scores[name], inner)
        folds = list(next(iter(scores.values())))
        picked = {fold: max(options, key=lambda name: scores[name][fold]["ua"]) for fold in folds}
        answers: dict[str, list[dict]] = {}
        for name, config in options.items():
            if own := tuple(fold for fold in folds if picked[fold] == name):
                log.info("%s was chosen in %d of %d folds", name, len(own), len(folds))
                place = _place(config, "tested", places[name])
                answers[name] = run(replace(config, only=own, out=place))
        found = []
        for fold in folds:
            told = [{"option": name, **scores[name][fold]} for name in options]
            for seed in first.seeds:
                source = _of(answers[picked[fold]], fold, seed)
                record = _record(source, seed, picked[fold], told, settings, rule)
                key = CHOSEN, name_of(record)
                if key not in stored:
                    write_table(record_path(out, *key), [record])
                found.append(stored.get(key, record))
                _keep_model(options[picked[fold]], places[picked[fold]], source, out, key[1])
        fold_records(out)
    return found


def _check(options: Mapping[str, RunConfig], inner: int) -> tuple[RunConfig, str]:
    """The first option, and whose numbers all of them are normalised by: '' if inductive."""
    if len(options) < 2:
        raise ProtocolError("nothing to choose from: name two options or more")
    if inner < 2:
        raise ProtocolError(f"{inner} inner folds: give 2 or more")
    first = next(iter(options.values()))
    if first.out is None:
        raise ProtocolError("a choice is kept in a folder: give out (--out)")
    if first.protocol not in PROTOCOLS:
        raise ProtocolError(
            f"protocol {first.protocol!r} tests speakers who are heard in training, and a choice "
            f"on other speakers is not about them: use {', '.join(PROTOCOLS)}"
        )
    for name, config in options.items():
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.+-]*", name):
            raise ProtocolError(f"{name!r}: name an option by letters, digits and _ . + -")
        if len(config.models) != 1:
            raise ProtocolError(f"{name}: an option is one row, not {', '.join(config.models)}")
        if config.select != ("last",):
            raise ProtocolError(f"{name}: no epoch is chosen beside the option: --select last")
    seen: dict[str, RunConfig] = {}
    for name, config in options.items():
        if same := next((other for other, given in seen.items() if given == config), None):
            raise ProtocolError(f"{same} and {name} are the same option: leave one out")
        seen[name] = config
    rules: dict[str, list[str]] = {}
    for name, config in options.items():
        rows = {*config.models, *get_row(config.models[0]).branches}
        for rule in {_knows(config.training(row).normalise) for row in rows}:
            rules.setdefault(rule, []).append(name)
    if len(rules) > 1:
        told = "; ".join(f"{rule or 'inductive'}: {', '.join(who)}" for rule, who in rules.items())
        raise ProtocolError(
            "the options may know different things of a test speaker, so their scores cannot be "
            f"set against each other ({told}): choose within each rule, in a run of its own"
        )
    return first, next(iter(rules))


def _tell_fewer(folds: Mapping[str, dict], inner: int) -> None:
    counts = sorted({told["folds"] for told in folds.values()})
    if counts[0] < inner:
        log.info(
            "note: %s inner folds instead of %d: a training side has no more speakers",
            " to ".join(map(str, dict.fromkeys((counts[0], counts[-1])))),
            inner,
        )


def _settings(options: Mapping[str, RunConfig], inner: int) -> dict:
    return {"among": list(options), "inner": inner}


def _knows(rule: str) -> str:
    """What of a speaker a rule uses beside the utterance itself; '': nothing."""
    return rule if rule in ("speaker", "running") or enrolled_by(rule) else ""


def _places(options: Mapping[str, RunConfig]) -> dict[str, str]:
    """The folder of each option's runs: options that differ by their rows alone share the first
    one's, so that a branch that several of them average is trained once."""
    found: dict[str, str] = {}
    for name, config in options.items():
        alike = (n for n in found if replace(options[n], models=config.models) == config)
        found[name] = next(alike, name)
    return found


def _place(config: RunConfig, kind: str, name: str) -> Path:
    return Path(config.out) / "work" / "choice" / kind / name


def _inner_scores(config: RunConfig, name: str, folder: str, inner: int) -> dict[str, dict]:
    """Outer fold -> UA of an option on the inner folds together, and how many there were."""
    place = _place(config, "inner", folder)
    own = replace(config, inner=inner, seeds=config.seeds[:1], keep_models=False, out=place)
    if config.protocol == "cross":
        other = {"test_corpus": None, "test_root": None, "test_features": None}
        own = replace(own, inner=0, protocol="speakers", folds=inner, **other)
    log.info("option %s, inner folds", name)
    parts: dict[str, list[dict]] = {}
    for record in run(own):
        outer = "all" if config.protocol == "cross" else record["protocol"].get("outer")
        if outer is None:
            raise RecordError(
                f"{place}: an inner run of an earlier version, which does not say whose training "
                f"side it divided; delete {place.parent} and run the same command again"
            )
        parts.setdefault(outer, []).append(record)
    return {
        outer: {
            "ua": round(
                float(
                    ua(
                        np.concatenate([r["test"]["labels"] for r in records]),
                        np.concatenate(
                            [np.argmax(r["selection"]["last"]["logits"], 1) for r in records]
                        ),
                        len(emotions_of(records[0])),
                    )
                ),
                6,
            ),
            "folds": len(records),
            "seconds": round(sum(r["wall_seconds"] for r in records), 3),
        }
        for outer, records in parts.items()
    }


def _of(records: Iterable[dict], fold: str, seed: int) -> dict:
    """The record of a fold and seed; a baseline has the first seed's alone."""
    here = [r for r in records if r["protocol"]["fold"] == fold]
    return next((r for r in here if r["seed"] == seed), here[0])


def _record(
    source: dict, seed: int, name: str, scores: list[dict], settings: dict, rule: str
) -> dict:
    """The chosen option's record as one of row ``chosen``, with the choice beside."""
    kept = {k: v for k, v in source.items() if k not in ("epoch_logits", "branches", "tuning")}
    choice = {
        "inner": f"{scores[0]['folds']} inner folds by speaker",
        "chosen": name,
        "row": source["model"],
        "source": source["fingerprint"],
        "scores": [{k: s[k] for k in ("option", "ua")} for s in scores],
    }
    return kept | {
        "id": "/".join([*source["id"].split("/")[:3], CHOSEN, source["protocol"]["fold"],
                        f"seed{seed}"]),
        "fingerprint": fingerprint({"choice": choice, **settings}),
        "model": CHOSEN,
        "seed": seed,
        "config": settings | ({"normalise": rule} if rule else {}),
        "normaliser": rule or "train",
        "parameters": None,
        "history": [],
        "dev_labels": [],
        "choice": choice,
        "wall_seconds": round(source["wall_seconds"] + sum(s["seconds"] for s in scores), 3),
    }  # fmt: skip


def _keep_model(config: RunConfig, folder: str, source: dict, out: Path, run_name: str) -> None:
    """The chosen option's network, where one was kept, as that of row ``chosen``."""
    made = _place(config, "tested", folder) / "models" / source["model"] / name_of(source)
    if config.keep_models and made.is_dir():
        shutil.copytree(made, out / "models" / CHOSEN / run_name, dirs_exist_ok=True)
