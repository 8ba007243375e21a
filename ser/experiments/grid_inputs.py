"""What the runs of a grid are given: the corpus and the test corpus, tables and features."""

from __future__ import annotations

import functools
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ser.corpora.base import Corpus
from ser.corpora.emotion_set import counted, ordered
from ser.errors import CorpusError, ProtocolError
from ser.experiments.baselines import BASELINES, INPUTS
from ser.experiments.config import RunConfig
from ser.experiments.corpus_inputs import CorpusInputs
from ser.experiments.mixing import also_of, joined
from ser.normalise import one_class_speakers
from ser.protocols import Fold
from ser.rows import get_row

log = logging.getLogger(__name__)


def shortest(corpus: CorpusInputs, test: CorpusInputs) -> str:
    """Which utterances a network found too short, and what to do with them."""
    found = {}
    for part in (corpus, test):
        seconds = np.asarray(part.samples) / 16000
        found |= dict(zip(part.table.utterance, seconds, strict=True))
    three = sorted(found.items(), key=lambda item: item[1])[:3]
    named = ", ".join(f"{name} ({seconds:.2f} s)" for name, seconds in three)
    return (
        f"the shortest utterances are {named}: leave such out of the corpus, or squash all to one "
        "length (--frames fixed)"
    )


def load_inputs(config: RunConfig, rows: set[str]) -> tuple[CorpusInputs, CorpusInputs]:
    """Training corpus and test corpus (the same object but for ``cross``) with their features.

    Only what *rows* need is computed: no MFCCs or spectrograms without a network, no eGeMAPS or
    level without a row that asks for it, other speeds only where a network trains with them, and
    of the training corpus.
    """
    inputs = {INPUTS[row] for row in rows if row in INPUTS}
    networks = rows - set(BASELINES)
    branches = {branch for row in networks for branch in get_row(row).branches}
    prosody = any("prosody" in get_row(branch).needs for branch in branches)
    speeds = sorted({s for row in networks for s in config.training(row).speed})

    def read(name: str, root: str | None, pack: str | None, speeds: Sequence[float]):
        if pack is not None:
            return _from_pack(config, pack, inputs, speeds, prosody)
        return _from_corpus(config, name, root, inputs, bool(networks), speeds, prosody)

    corpus = read(config.corpus, config.root, config.features, speeds)
    others = [read(name, root, None, speeds) for name, root in also_of(config.also)]
    if config.protocol != "cross":
        corpus = joined(corpus, others) if others else corpus
        return corpus, corpus
    test = read(config.test_corpus or "", config.test_root, config.test_features, ())
    _same_emotions(corpus, test)
    return joined(corpus, others, test) if others else corpus, test


def _same_emotions(corpus: CorpusInputs, test: CorpusInputs) -> None:
    """ProtocolError where a network of the one could not answer about the other."""
    if corpus.emotions == test.emotions:
        return
    shared = [e for e in corpus.emotions if e in test.emotions]
    alone = [
        f"{part.name} alone has {', '.join(sorted(only))}"
        for part, only in ((corpus, {*corpus.emotions} - {*shared}),
                           (test, {*test.emotions} - {*shared}))
        if only
    ]  # fmt: skip
    way_out = f"--emotions {','.join(shared)}" if len(shared) > 1 else "other corpora"
    raise ProtocolError(
        f"protocol 'cross' asks both corpora for the same emotions in the same order: "
        f"{'; '.join(alone) or 'the order differs'}. What both have: {way_out}"
    )


def check_speakers(
    config: RunConfig,
    rows: Sequence[str],
    folds: Sequence[Fold],
    corpus: CorpusInputs,
    test: CorpusInputs,
) -> None:
    """Refuse to normalise by speaker where speakers are heard in one class only.

    Raises:
        ProtocolError: with the count of such speakers, unless *config* allows them.
    """
    named = [r for r in rows if config.training(r).normalise == "speaker" and r != "majority"]
    if not named or config.allow_one_class_speakers:
        return
    alone: dict[str, set[str]] = {}
    for fold in folds:
        before = np.concatenate([fold.train, fold.dev])
        for part, source, chosen in (("training", corpus, before), ("test", test, fold.test)):
            table = source.table.iloc[chosen]
            alone.setdefault(part, set()).update(one_class_speakers(table.emotion, table.speaker))
    names = sorted(set().union(*alone.values()))
    if names:
        everyone = {*corpus.table.speaker.astype(str), *test.table.speaker.astype(str)}
        some = ", ".join(names[:4]) + f" and {len(names) - 4} more" * (len(names) > 4)
        where = " or ".join(part for part, found in alone.items() if found)
        raise ProtocolError(
            f"{', '.join(named)}: features are to be normalised by speaker, but {len(names)} of "
            f"{len(everyone)} speakers are heard in one class only on the {where} side of a fold "
            f"({some}): that takes away what tells their class from others, and scores fall, even "
            "below chance. Use rows without it (no plus, no --normalise speaker), or say "
            "--allow-one-class-speakers to run it all the same"
        )


def _from_pack(
    config: RunConfig, pack: str, inputs: set[str], speeds: Sequence[float], prosody: bool
) -> CorpusInputs:
    from ser.features import load_pack
    from ser.features.utterance_values import log_seconds

    features = load_pack(Path(pack)).chosen(config.emotions)
    if features.preset.name != config.preset:
        raise CorpusError(
            f"{pack}: made with preset {features.preset.name!r}, but --preset "
            f"{config.preset!r} is asked for"
        )
    if {"egemaps", "compare"} & inputs:
        raise CorpusError(
            f"{pack}: a feature pack holds no functionals (eGeMAPS, ComParE); run rows that read "
            "them from the corpus"
        )
    if {"level", "ssl"} & inputs:
        raise CorpusError(
            f"{pack}: a feature pack holds no sound; run level-lr and ssl-lr from the corpus"
        )
    if prosody and features.prosody_store is None:
        raise CorpusError(
            f"{pack}: this pack holds no prosody; make it anew with `ser features --prosody --out`"
        )
    if speeds:
        raise CorpusError(
            f"{pack}: a feature pack holds no sound to play faster or slower; use --speed "
            "with the corpus itself"
        )
    return CorpusInputs(
        name=features.corpus["name"],
        table=features.table,
        keys=features.keys,
        samples=features.samples,
        content_hash=features.content_hash,
        features=features,
        values={"duration": log_seconds(features.samples)},
        licence=features.corpus.get("licence", ""),
        emotions=features.emotions,
    )


def _from_corpus(
    config: RunConfig,
    name: str,
    root: str | None,
    inputs: set[str],
    networks: bool,
    speeds: Sequence[float],
    prosody: bool,
) -> CorpusInputs:
    from ser.corpora import load_corpus
    from ser.corpora.completeness import completeness
    from ser.features.egemaps import compare, egemaps, installed
    from ser.features.learnt import learnt, weights_digest
    from ser.features.table import content_hash
    from ser.features.utterance_values import levels, log_seconds

    given = {"cache": config.cache, "progress": config.progress}
    corpus = load_corpus(name, root, config.emotions)
    _tell_left_out(corpus)
    for problem in corpus.problems[:5]:
        log.info("%s: %s", name, problem)
    if len(corpus.problems) > 5:
        more = len(corpus.problems) - 5
        log.info("%s: and %d more problems; see `%s`", name, more, corpus.check_command)
    if len(corpus.table) == 0:
        raise CorpusError(f"{name}: no utterances of {corpus.class_words} under {corpus.root}")
    functionals = {"egemaps": egemaps, "compare": compare}
    for kind in functionals.keys() & inputs:
        if networks and not config.skip_bad and not installed():
            # All from the cache, or the error now, not after long work.
            functionals[kind](corpus, config.cache, progress=False)
    digest = weights_digest(config.ssl) if "ssl" in inputs else ""  # or the error, now
    sound = features = None  # sound: which utterances can be read, and how long they are
    others, values = {}, {}
    if networks:
        from ser.features import extract

        given["prosody"] = prosody
        sound = features = extract(corpus, config.preset, skip_bad=config.skip_bad, **given)
        corpus = replace(corpus, table=sound.table)
        others = {s: extract(corpus, config.preset, speed=s, **given) for s in speeds}
        del given["prosody"]
    described = functools.partial(learnt, model=config.ssl)
    for kind, read in (functionals | {"ssl": described, "level": levels}).items():
        if kind in inputs or (kind == "level" and sound is None):
            found = read(corpus, skip_bad=config.skip_bad, **given)
            values[kind] = found.values
            sound = sound or found
            corpus = replace(corpus, table=sound.table)
    return CorpusInputs(
        name=name,
        table=sound.table,
        keys=sound.keys,
        samples=sound.samples,
        content_hash=content_hash(sound.table, sound.keys),
        features=features,
        licence=corpus.licence,
        values=values | {"duration": log_seconds(sound.samples)},
        ssl_weights=digest,
        speeds=others,
        whole=completeness(corpus),
        check=corpus.check_command,
        emotions=corpus.emotions,
    )


def _tell_left_out(corpus: Corpus) -> None:
    """What the set that was asked for takes of a corpus, and what it leaves out."""
    if corpus.asked:
        left = Counter(corpus.everything.emotion[~corpus.wanted])
        more = f"; left out: {counted({w: left[w] for w in ordered(left)})}" if any(left) else ""
        here = corpus.table.emotion.value_counts()
        log.info("%s: %s%s", corpus.name, counted({e: here[e] for e in corpus.emotions}), more)
