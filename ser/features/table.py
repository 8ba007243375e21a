"""Features of a corpus: its table and, row by row, their arrays."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from ser.corpora.base import EMOTIONS
from ser.corpora.emotion_set import Emotions, emotion_set
from ser.errors import FeatureError
from ser.features.cache import FeatureStore
from ser.features.presets import Preset


def content_hash(table: pd.DataFrame, keys: Sequence[str]) -> str:
    """What a corpus is, in one number: sha256 over (utterance, emotion, speaker, key) of each row.

    Example:
        >>> frame = pd.DataFrame({"utterance": ["a"], "emotion": ["sad"], "speaker": ["1"]})
        >>> content_hash(frame, ["key"])[:8]
        '25c8787b'
    """
    digest = hashlib.sha256()
    rows = zip(table.utterance, table.emotion, table.speaker, keys, strict=True)
    for row in rows:
        digest.update(json.dumps([str(value) for value in row], ensure_ascii=True).encode() + b"\n")
    return digest.hexdigest()


@dataclass
class Features:
    """MFCCs, mel-spectrograms and, if wanted, prosody of every row, at their true lengths.

    Attributes:
        table: the utterances, columns as in :mod:`ser.corpora.base`; ``len(features)`` rows.
        keys: content hash of each row's audio: sha256 of the file's bytes, and for a segment
            ``@start+seconds``. Equal keys mean equal audio.
        preset: the spectrograms' settings.
        store: where the arrays are.
        corpus: name, licence and citation of the corpus, its emotions where not the usual four.
        report: what :func:`ser.features.extract` did (counts, seconds, folder of the cache).
        prosody_store: where the descriptors of :mod:`ser.features.prosody` are; None: not computed.

    Example:
        >>> from ser import load_corpus
        >>> from ser.features import extract
        >>> features = extract(load_corpus("synthetic"))         # doctest: +SKIP
        >>> features.mfcc(0).shape                               # doctest: +SKIP
        (192, 39)
    """

    table: pd.DataFrame
    keys: list[str]
    preset: Preset
    store: FeatureStore
    corpus: dict[str, str] = field(default_factory=dict)
    report: dict = field(default_factory=dict)
    prosody_store: FeatureStore | None = None

    def __post_init__(self) -> None:
        if len(self.keys) != len(self.table):
            raise FeatureError(f"{len(self.keys)} keys for {len(self.table)} utterances")
        entries = [self.store.entries[key] for key in self.keys]
        lengths = [(mfcc[0], s1[1], s2[1]) for mfcc, s1, s2 in (e.shapes for e in entries)]
        self.lengths = np.array(lengths, dtype=np.int64).reshape(-1, 3)
        self.samples = np.array([entry.samples for entry in entries], dtype=np.int64)
        self.content_hash = content_hash(self.table, self.keys)

    def __len__(self) -> int:
        return len(self.keys)

    def __repr__(self) -> str:
        hours = self.samples.sum() / 16000 / 3600
        name = self.corpus.get("name", "")
        return f"Features({name!r}, {len(self)} utterances, {hours:.2f} h, {self.preset.name!r})"

    def mfcc(self, i: int) -> np.ndarray:
        """MFCC12_E_D_A of row *i*: float32 (frames, 39)."""
        return self.store.read(self.keys[i])[0]

    def mel(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """S1 and S2 of row *i* in dB: float32 (n_mels1, T1), (n_mels2, T2)."""
        return tuple(self.store.read(self.keys[i])[1:])

    def prosody(self, i: int) -> np.ndarray:
        """The 25 descriptors of row *i*: float32 (rows, 25), NaN without a voice.

        Raises:
            FeatureError: they were not computed.
        """
        if self.prosody_store is None:
            raise FeatureError(
                "these features have no prosody: extract(..., prosody=True), or make the pack anew "
                "with `ser features --prosody --out`"
            )
        return self.prosody_store.read(self.keys[i])[0]

    @property
    def emotions(self) -> tuple[str, ...]:
        """The classes, in the order of logits."""
        return tuple(self.corpus.get("emotions", EMOTIONS))

    def chosen(self, emotions: Emotions) -> Features:
        """Those of a set of emotions; None: as they are.

        Raises:
            CorpusError: the set names an emotion that these have not.
        """
        if emotions is None:
            return self
        wanted, whose = emotion_set(emotions), self.corpus.get("name", "features")
        wanted.check_merged(self.table.emotion, whose)
        words = self.table.emotion.map(wanted.counts_as)
        counts = words.value_counts().to_dict()
        classes = wanted.classes(counts, counts, whose)
        part = self.subset(np.flatnonzero(words.isin(classes)).tolist())
        table = part.table.assign(emotion=words[words.isin(classes)].to_numpy())
        corpus = self.corpus | {"emotions": list(classes)}
        return replace(part, table=table, corpus=corpus)

    def subset(self, rows: Sequence[int]) -> Features:
        """The features of some rows, in the order given."""
        rows = [int(i) for i in rows]
        table = self.table.iloc[rows].reset_index(drop=True)
        keys = [self.keys[i] for i in rows]
        return Features(
            table, keys, self.preset, self.store, self.corpus, prosody_store=self.prosody_store
        )
