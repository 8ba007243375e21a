"""The built-in corpus: sentences spoken by Praat's synthesiser, acted with known prosody.

Ten voices, four emotions, twelve sentences: 480 utterances, made on first use in about a
quarter of a minute on two cores, written in IEMOCAP's own layout and read by the IEMOCAP
reader. How each utterance was meant to be spoken (F0, range, rate, level, tilt, jitter) is in
the table, so that for once the cause of a label is known (book: chapter "Corpora").

It teaches mechanics and known causes. It says nothing about people: the emotions here are six
numbers that we chose, with an overlap that we chose
(:mod:`ser.corpora.synthetic.script` says how).
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pandas as pd

from ser.corpora.base import Corpus
from ser.corpora.emotion_set import FOUR, EmotionSet
from ser.corpora.registry import CORPORA
from ser.corpora.synthetic.build import NAME, find, make
from ser.corpora.synthetic.script import FACTORS, VERSION
from ser.errors import CorpusError
from ser.paths import data_dir

__all__ = ["CITATION", "FACTORS", "make", "read"]

CITATION = (
    f"Synthetic corpus of ser-book, version {VERSION}: sentences spoken by espeak-ng in Praat "
    "(P. Boersma, D. Weenink) through Parselmouth (Y. Jadoul, B. Thompson, B. de Boer: "
    "Introducing Parselmouth, Journal of Phonetics 71, 2018, 1-15)."
)
"""How the corpus is cited; it holds its version."""


def read(root: str | os.PathLike | None = None, chosen: EmotionSet = FOUR) -> Corpus:
    """Read the corpus; make it first where there is none.

    Args:
        root: its folder; ``None``: ``data_dir() / "synthetic"``. Where the folder is absent or
            empty, the default corpus (480 utterances) is made there.
        chosen: the emotions wanted, of the four that are acted and excited.

    Returns:
        The corpus. Its table has the IEMOCAP reader's columns and after them those of
        ``factors.csv``: ``take``, ``intensity``, ``f0_hz``, ``f0_range_semitones``, ``rate``,
        ``level_db``, ``tilt_db``, ``jitter_percent``
        (units: :data:`ser.corpora.synthetic.script.FACTORS`).

    Raises:
        CorpusError: the folder holds something else, or the corpus cannot be made.

    Example:
        >>> read().table[["emotion", "f0_hz", "rate"]]      # doctest: +SKIP
    """
    from ser.corpora import iemocap

    root = Path(os.path.abspath(Path(root).expanduser() if root else data_dir() / NAME))
    marker = find(root)
    if marker is None:
        make(root)
        marker = find(root) or {}
    whole = iemocap.read(root, CORPORA[NAME], chosen)
    factors = _read_factors(root)
    altered = []
    listed = len(whole.everything)
    if not listed == len(factors) == marker.get("utterances"):
        altered.append(
            f"{marker.get('utterances')} utterances were made, {listed} have labels and "
            f"{len(factors)} have factors; remove {root} to have it made anew"
        )
    if marker.get("version") != VERSION:
        altered.append(
            f"made by version {marker.get('version')} of the synthesis, this is "
            f"{VERSION}, and numbers differ; remove {root} to have it made anew"
        )
    return replace(
        whole,
        name=NAME,
        root=root,
        table=_with_factors(whole.table, factors),
        everything=_with_factors(whole.everything, factors),
        citation=CITATION,
        problems=(*whole.problems, *(f"altered: {text}" for text in altered)),
        reader_problems=whole.reader_problems | ({"altered": altered} if altered else {}),
    )


def _read_factors(root: Path) -> pd.DataFrame:
    file = root / "factors.csv"
    try:
        frame = pd.read_csv(file, encoding="utf-8").set_index("utterance")
        return frame[["take", "intensity", *FACTORS]]
    except (OSError, ValueError, KeyError) as error:
        raise CorpusError(
            f"{file} cannot be read ({error}); remove {root} to have the corpus made anew"
        ) from error


def _with_factors(table: pd.DataFrame, factors: pd.DataFrame) -> pd.DataFrame:
    turn = table.utterance.str.rsplit("/", n=1).str[-1]
    extra = factors.reindex(turn).reset_index(drop=True)
    return pd.concat([table.reset_index(drop=True), extra], axis=1)
