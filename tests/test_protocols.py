"""Splits: who is where, for tables of all sorts, and what the sides share."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ser.corpora.base import EMOTIONS
from ser.errors import ProtocolError
from ser.protocols import find_leaks, split


def corpus_table(speakers: int = 6, texts: int = 3, sessions: int = 3) -> pd.DataFrame:
    rows = [
        {
            "utterance": f"s{s}t{t}{e}",
            "emotion": e,
            "speaker": f"S{s}",
            "session": f"Ses{s % sessions}",
            "text": f"Sentence {t}.",
        }
        for s in range(speakers)
        for t in range(texts)
        for e in EMOTIONS
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize("protocol", ["random", "speakers", "loso", "sessions"])
def test_every_utterance_is_tested_once_and_never_trained_on_in_its_fold(protocol):
    table = corpus_table()
    folds = split(table, protocol, folds=3, dev=0.25)
    tested = np.sort(np.concatenate([f.test for f in folds]))
    assert tested.tolist() == list(range(len(table)))
    for fold in folds:
        sides = np.concatenate([fold.train, fold.dev, fold.test])
        assert sorted(sides.tolist()) == list(range(len(table)))
        assert len(fold.dev) > 0
        assert fold.folds == len(folds)


@pytest.mark.parametrize("protocol", ["speakers", "loso", "sessions"])
def test_no_speaker_on_two_sides(protocol):
    table = corpus_table()
    for fold in split(table, protocol, folds=3, dev=0.2):
        sides = [set(table.speaker.iloc[part]) for part in (fold.train, fold.dev, fold.test)]
        assert not sides[0] & sides[2]
        assert not sides[1] & sides[2]
        assert not sides[0] & sides[1]


def test_random_folds_are_stratified_and_share_speakers():
    table = corpus_table()
    for fold in split(table, "random", folds=3):
        counts = table.emotion.iloc[fold.test].value_counts()
        assert counts.max() - counts.min() <= 1
        assert set(table.speaker.iloc[fold.train]) & set(table.speaker.iloc[fold.test])


def test_the_same_seed_gives_the_same_split_and_another_seed_another():
    table = corpus_table()
    hashes = [[f.hash for f in split(table, "random", 3, seed)] for seed in (0, 0, 1)]
    assert hashes[0] == hashes[1]
    assert hashes[0] != hashes[2]


def test_row_order_of_the_table_does_not_change_the_hash_of_a_speaker_fold():
    table = corpus_table()
    shuffled = table.sample(frac=1, random_state=3).reset_index(drop=True)
    assert [f.hash for f in split(table, "loso")] == [f.hash for f in split(shuffled, "loso")]


def test_cross_trains_on_all_of_one_and_tests_on_all_of_the_other():
    one, other = corpus_table(4), corpus_table(5)
    (fold,) = split(one, "cross", test=other)
    assert len(fold.train) == len(one)
    assert len(fold.test) == len(other)


def test_dev_by_speakers_has_every_class_where_speakers_allow():
    table = corpus_table()
    # one speaker acted a single emotion: no dev set for four classes
    table = table[(table.speaker != "S5") | (table.emotion == "angry")].reset_index(drop=True)
    for fold in split(table, "loso", dev=0.2):
        assert set(table.emotion.iloc[fold.dev]) == set(EMOTIONS)


@pytest.mark.parametrize(
    ("change", "protocol", "message"),
    [
        (lambda t: t.assign(speaker="A"), "loso", "at least two speakers"),
        (lambda t: t.assign(speaker=""), "speakers", "needs a speaker for every"),
        (lambda t: t.assign(session=""), "sessions", "at least two sessions"),
        (lambda t: t.assign(speaker="A"), "speakers", "need 5 speakers.*only protocol 'random'"),
        (lambda t: t.assign(speaker="A"), "loso", "two speakers.*Try 'random'"),
        (lambda t: t.iloc[:0], "random", "no utterances"),
        (lambda t: t.iloc[:4], "random", "stratified folds need"),
        (lambda t: t, "leave-one-out", "unknown protocol"),
        (lambda t: t, "cross", "go together"),
    ],
)
def test_a_split_that_cannot_be_made_says_why(change, protocol, message):
    with pytest.raises(ProtocolError, match=message):
        split(change(corpus_table()), protocol)


def test_a_fold_that_leaves_a_class_untrained_is_refused():
    table = corpus_table(3)
    table = table[(table.emotion != "sad") | (table.speaker == "S0")].reset_index(drop=True)
    with pytest.raises(ProtocolError, match="leaves no sad"):
        split(table, "loso")


def test_leaks_are_named():
    table = corpus_table(2, texts=2)
    left, right = table.iloc[:8], table.iloc[8:]
    sounds = [f"sound{i}" for i in range(8)]
    leak = find_leaks(left, right, sounds, ["sound3", *[f"other{i}" for i in range(7)]])
    assert leak.speakers == ()
    assert leak.texts == ("sentence 0", "sentence 1")
    assert leak.audio == ((left.utterance.iloc[3], right.utterance.iloc[0]),)
    assert leak.counts() == {"speakers": 0, "texts": 2, "sessions": 0, "audio": 1}
    assert "identical recordings" in str(leak)


def test_two_corpora_share_no_speakers_even_if_codes_agree():
    table = corpus_table(2)
    leak = find_leaks(table, table, same_corpus=False)
    assert leak.speakers == () and leak.sessions == ()
    assert len(leak.texts) == 3


def test_unknown_texts_and_sessions_are_no_leak():
    table = corpus_table(2).assign(text="", session="")
    leak = find_leaks(table.iloc[:12], table.iloc[12:])
    assert str(leak) == "shared between training and test: nothing"
