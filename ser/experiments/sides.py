"""From corpus names to the two sides of a grid: tables, features, content hashes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ser.errors import CorpusError
from ser.experiments.baselines import BASELINES, INPUTS
from ser.experiments.config import RunConfig
from ser.experiments.side import Side

log = logging.getLogger(__name__)


def load_sides(config: RunConfig, rows: set[str]) -> tuple[Side, Side]:
    """Training corpus and test corpus (the same object but for ``cross``) with their features.

    Only what *rows* need is computed: no eGeMAPS or level without a row that asks for it, other
    speeds only where a network trains with them, and of the training corpus.
    """
    inputs = {INPUTS[row] for row in rows if row in INPUTS}
    speeds = {s for row in rows - set(BASELINES) for s in config.training(row).speed}
    side = _side(config, config.corpus, config.root, config.features, inputs, sorted(speeds))
    if config.protocol != "cross":
        return side, side
    test_name = config.test_corpus or ""
    return side, _side(config, test_name, config.test_root, config.test_features, inputs)


def _side(
    config: RunConfig,
    name: str,
    root: str | None,
    pack: str | None,
    inputs: set[str],
    speeds: Sequence[float] = (),
) -> Side:
    from ser.features import extract, load_pack
    from ser.features.floors import log_seconds

    functionals = level = None
    others = {}
    if pack is not None:
        features = load_pack(Path(pack))
        if features.preset.name != config.preset:
            raise CorpusError(
                f"{pack}: made with preset {features.preset.name!r}, but --preset "
                f"{config.preset!r} is asked for"
            )
        if "egemaps" in inputs:
            raise CorpusError(
                f"{pack}: a feature pack holds no eGeMAPS; run the egemaps rows from the corpus"
            )
        if "level" in inputs:
            raise CorpusError(
                f"{pack}: a feature pack holds no sound; run the row level-lr from the corpus"
            )
        if speeds:
            raise CorpusError(
                f"{pack}: a feature pack holds no sound to play faster or slower; use --speed "
                "with the corpus itself"
            )
        name = features.corpus["name"]
        licence = features.corpus.get("licence", "")
    else:
        from ser.corpora import load_corpus

        corpus = load_corpus(name, root)
        for problem in corpus.problems[:5]:
            log.info("%s: %s", name, problem)
        if len(corpus.problems) > 5:
            more = len(corpus.problems) - 5
            log.info("%s: and %d more problems; see 'ser check %s'", name, more, name)
        if len(corpus.table) == 0:
            raise CorpusError(f"{name}: no utterances of the four classes under {corpus.root}")
        features = extract(
            corpus,
            preset=config.preset,
            cache=config.cache,
            progress=config.progress,
            skip_bad=config.skip_bad,
        )
        licence = corpus.licence
        for speed in speeds:
            others[speed] = extract(
                replace(corpus, table=features.table),
                preset=config.preset,
                cache=config.cache,
                progress=config.progress,
                speed=speed,
            )
        if "level" in inputs:
            from ser.features.floors import levels

            level = levels(features.table, cache=config.cache, progress=config.progress)
        if "egemaps" in inputs:
            from ser.features.egemaps import egemaps as functionals_of

            functionals = functionals_of(
                features.table, cache=config.cache, progress=config.progress
            )
    return Side(
        name=name,
        table=features.table,
        features=features,
        content_hash=features.content_hash,
        licence=licence,
        egemaps=functionals,
        level=level,
        duration=log_seconds(features.samples) if "duration" in inputs else None,
        speeds=others,
    )
