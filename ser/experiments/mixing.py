"""Other corpora beside the tested one: their utterances join the training side of every fold.

Never are they on the dev or test side. Labels are shared; speakers, sessions and utterances are
told apart by the corpus's name before theirs (``nemo/03``), so that every rule of
:mod:`ser.normalise` and balanced batches take them for people of their own. Book: chapter
"The recipe in full".
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ser.errors import CorpusError, ProtocolError
from ser.experiments.corpus_inputs import CorpusInputs
from ser.leaks import find_leaks
from ser.protocols import Fold, sides_digest

if TYPE_CHECKING:
    from ser.features import Features

log = logging.getLogger(__name__)


def also_of(given: Sequence[str]) -> list[tuple[str, str | None]]:
    """Names and folders of ``--also NAME=FOLDER``; without ``=`` it lies where corpora lie.

    Raises:
        CorpusError: no name, or one corpus twice.

    Example:
        >>> also_of(["nemo=data/nemo", "emodb"])
        [('nemo', 'data/nemo'), ('emodb', None)]
    """
    found = [(name.strip(), root or None) for name, _, root in (g.partition("=") for g in given)]
    names = [name for name, _ in found]
    if not all(names):
        raise CorpusError("--also takes a corpus and its folder: --also nemo=data/nemo")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise CorpusError(f"--also names {', '.join(twice)} twice; each corpus joins once")
    return found


class Joined:
    """Features of several corpora, row after row, as :class:`ser.batch.Dataset` reads them."""

    def __init__(self, parts: Sequence[Features]) -> None:
        self.rows = [(part, row) for part in parts for row in range(len(part.keys))]
        self.preset = parts[0].preset

    def mfcc(self, i: int) -> np.ndarray:
        """MFCCs of row *i*."""
        part, row = self.rows[i]
        return part.mfcc(row)

    def mel(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """S1 and S2 of row *i*."""
        part, row = self.rows[i]
        return part.mel(row)

    def prosody(self, i: int) -> np.ndarray:
        """Descriptors of row *i*."""
        part, row = self.rows[i]
        return part.prosody(row)


def joined(corpus: CorpusInputs, others: Sequence[CorpusInputs], test: CorpusInputs | None = None
           ) -> CorpusInputs:  # fmt: skip
    """*corpus* with the rows of *others* behind its own; ``also`` says which are there.

    Args:
        corpus: whose rows are divided into folds.
        others: of the emotions that it has; what else they have is left out.
        test: the corpus that is tested, where it is another one.

    Raises:
        ProtocolError: the same sound in two of them, or nothing that could join.
    """
    names = [corpus.name, *([test.name] if test is not None else [])]
    known = [corpus] if test is None else [corpus, test]
    wanted, kept = set(corpus.table.emotion), []
    for other in others:
        for part in [*known, *kept]:
            _refuse_copies(other, part)
        rows = np.flatnonzero(other.table.emotion.isin(wanted).to_numpy())
        if not len(rows):
            raise ProtocolError(
                f"--also {other.name}: none of its utterances has an emotion of {corpus.name}'s "
                f"({', '.join(sorted(wanted))})"
            )
        if left := len(other.table) - len(rows):
            log.info("%s: %d utterances of other emotions do not join", other.name, left)
        prefix = other.name if other.name not in names else f"{other.name} (also)"
        names.append(prefix)
        kept.append(_named(other, rows, prefix))
    every = [corpus, *kept]
    return replace(
        corpus,
        table=pd.concat([part.table for part in every], ignore_index=True),
        keys=[key for part in every for key in part.keys],
        own=len(corpus.table),
        also=[part.describe() for part in kept],
        samples=np.concatenate([part.samples for part in every]),
        values={k: np.concatenate([part.values[k] for part in every]) for k in corpus.values},
        features=corpus.features and Joined([part.features for part in every]),
        speeds={s: Joined([part.speeds[s] for part in every]) for s in corpus.speeds},
    )


def _refuse_copies(other: CorpusInputs, part: CorpusInputs) -> None:
    leak = find_leaks(other.table, part.table, other.keys, part.keys, same_corpus=False)
    if leak.audio or leak.overlaps:
        pairs = [*leak.audio, *leak.overlaps]
        raise ProtocolError(
            f"--also {other.name}: {len(pairs)} of its recordings are in {part.name} too "
            f"({pairs[0][0]} = {pairs[0][1]}): what is tested would be trained on. Leave out the "
            "one or the other"
        )


def _named(other: CorpusInputs, rows: np.ndarray, prefix: str) -> CorpusInputs:
    """*rows* of a corpus, who and what is in it told apart by its name."""
    table = other.table.iloc[rows].copy()
    for column in ("utterance", "speaker", "session"):
        told = table[column].astype(str)
        table[column] = told.where(told == "", prefix + "/" + told)
    return replace(
        other,
        table=table,
        keys=[other.keys[i] for i in rows],
        samples=other.samples[rows],
        values={kind: values[rows] for kind, values in other.values.items()},
        features=other.features and other.features.subset(rows),
        speeds={speed: features.subset(rows) for speed, features in other.speeds.items()},
    )


def with_others(fold: Fold, corpus: CorpusInputs) -> Fold:
    """*fold* of a corpus's own rows, trained on those of the others too; its hash says so."""
    if not corpus.also:
        return fold
    extra = np.arange(corpus.own, len(corpus.table))
    names = corpus.table.utterance.to_numpy()
    digest = sides_digest(fold.protocol, fold.name, [[fold.hash], names[extra]])
    return replace(fold, train=np.concatenate([fold.train, extra]), hash=digest)
