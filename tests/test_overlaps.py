"""Rows of one recording that overlap in time: told by check and run, never split by speaker."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest
import soundfile
import trees

from ser.cli import main
from ser.corpora import load_corpus
from ser.corpora.check import check
from ser.corpora.overlaps import Spans, across, overlapping_rows
from ser.errors import ProtocolError
from ser.features.compute import audio_keys
from ser.protocols import find_leaks, split

EMOTIONS = ("angry", "happy", "neutral", "sad")


def noise(path, seconds: float, seed: int = 0):
    wave = 0.1 * np.random.default_rng(seed).standard_normal(round(16000 * seconds))
    soundfile.write(path, wave, 16000)


def table(folder, rows: list[str]):
    text = "\n".join(["path,start,end,emotion,speaker", *rows])
    return load_corpus("manifest", trees.text(folder / "mine.csv", text))


def problem(folder):
    report = check("manifest", folder / "mine.csv")
    return next((p for p in report["problems"] if p["kind"] == "overlapping rows"), None)


@pytest.fixture
def windows(tmp_path):
    """Windows of 3 s every second of one recording of 42 s, speakers in turn."""
    noise(tmp_path / "talk.wav", 42)
    rows = [f"talk.wav,{s},{s + 3},{EMOTIONS[s // 10]},0{s % 2 + 1}" for s in range(40)]
    table(tmp_path, rows)
    return tmp_path


def test_a2_check_counts_rows_and_shared_seconds(windows, capsys):
    found = problem(windows)
    assert found["severity"] == "error" and found["count"] == 40
    # From second 1 to 41 every moment lies in two windows or more.
    assert "40 rows, 40.0 s of sound in more than one" in found["message"]
    assert "under different labels and speakers" in found["message"]
    assert main(["check", "manifest", "--root", str(windows)]) == 1
    assert "overlapping rows" in capsys.readouterr().out


def test_a2_rows_that_only_touch_do_not_overlap(tmp_path):
    noise(tmp_path / "talk.wav", 8)
    table(tmp_path, ["talk.wav,0,2.001,sad,a", "talk.wav,2,4,sad,b", "talk.wav,4,,angry,b"])
    assert problem(tmp_path) is None


def test_a2_a_whole_file_and_a_part_of_it(tmp_path):
    noise(tmp_path / "talk.wav", 8)
    table(tmp_path, ["talk.wav,,,sad,a", "talk.wav,2,4.5,sad,a"])
    assert "2 rows, 2.5 s of sound in more than one;" in problem(tmp_path)["message"]


def test_a2_files_of_identical_content_are_one_recording(tmp_path):
    noise(tmp_path / "talk.wav", 8)
    shutil.copy(tmp_path / "talk.wav", tmp_path / "copy.wav")
    noise(tmp_path / "other.wav", 8, seed=1)
    rows = ["talk.wav,0,2,sad,a", "copy.wav,1.5,3,sad,b", "other.wav,0,3,sad,b"]
    corpus = table(tmp_path, rows)
    found = problem(tmp_path)
    assert "2 rows, 0.5 s" in found["message"]
    assert found["files"] == ["copy#1.500+1.500", "talk#0.000+2.000"]
    keys = audio_keys(corpus.table)
    leak = find_leaks(corpus.table[:1], corpus.table[1:], keys[:1], keys[1:])
    assert leak.overlaps == (("copy#1.500+1.500", "talk#0.000+2.000"),)
    assert leak.seconds == pytest.approx(0.5)


def test_a2_rows_of_the_same_span_are_told_as_identical_recordings(tmp_path):
    noise(tmp_path / "talk.wav", 4)
    shutil.copy(tmp_path / "talk.wav", tmp_path / "copy.wav")
    corpus = table(tmp_path, ["talk.wav,0,2,sad,a", "copy.wav,0,2,sad,a"])
    assert problem(tmp_path) is None
    keys = audio_keys(corpus.table)
    leak = find_leaks(corpus.table[:1], corpus.table[1:], keys[:1], keys[1:])
    assert leak.counts() == {"speakers": 1, "texts": 0, "sessions": 0, "audio": 1}


def test_a2_random_splits_tell_it_as_a_leak(windows):
    corpus = load_corpus("manifest", windows)
    for keys in (None, audio_keys(corpus.table)):
        for fold in split(corpus, "random", folds=2, audio=keys):
            train, test = corpus.table.iloc[fold.train], corpus.table.iloc[fold.test]
            sounds = (
                [None, None]
                if keys is None
                else [[keys[i] for i in s] for s in (fold.train, fold.test)]
            )
            leak = find_leaks(train, test, *sounds)
            # The same, counted second by second.
            seconds = np.zeros((2, 42), dtype=bool)
            for side, rows in enumerate((train, test)):
                for start in rows.start.astype(int):
                    seconds[side, start : start + 3] = True
            shared = [
                r.utterance for r in test.itertuples() if seconds[0][int(r.start) :][:3].any()
            ]
            assert [b for _, b in leak.overlaps] == shared
            assert leak.seconds == pytest.approx(seconds.all(axis=0).sum())
            assert leak.counts()["overlaps"] == len(shared)
            assert f"s of sound in {len(shared)} test rows that overlap" in str(leak)


def test_a2_splits_by_speaker_refuse_or_keep_them_together(windows):
    corpus = load_corpus("manifest", windows)
    with pytest.raises(ProtocolError, match="speakers 01, 02 have rows of the same sound"):
        split(corpus, "loso")
    with pytest.raises(ProtocolError, match="the corpus has 1, counting those who share sound"):
        split(corpus, "speakers", folds=2)


def test_a2_identical_recordings_of_two_speakers_are_one_sound_too(tmp_path):
    for number in range(8):
        noise(tmp_path / f"{number}.wav", 0.5, seed=number % 7)
    rows = [f"{n}.wav,,,{EMOTIONS[n % 4]},{'ab'[n // 4]}" for n in range(8)]
    corpus = table(tmp_path, rows)
    with pytest.raises(ProtocolError, match="speakers a, b have rows of the same sound"):
        split(corpus, "loso", audio=audio_keys(corpus.table))


def conversation(shared: bool = True) -> pd.DataFrame:
    """Six people in three recordings of two; in the first both speak at once for a second."""
    rows = [
        {
            "utterance": f"{who}{emotion}{take}",
            "path": f"/none/{who // 2}.wav",
            "emotion": emotion,
            "speaker": f"S{who}",
            "session": f"Ses{who // 2}",
            "text": "",
            "start": (40.0 * (who % 2) + 10.0 * take + 2.0 * number),
            "seconds": 2.0,
            "segment": True,
        }
        for who in range(6)
        for take in range(4)
        for number, emotion in enumerate(EMOTIONS)
    ]
    frame = pd.DataFrame(rows)
    if shared:
        frame.loc[frame.speaker == "S1", "start"] -= 3.0
    return frame


def test_a2_speakers_who_share_sound_stay_on_one_side():
    frame = conversation()
    for fold in split(frame, "speakers", folds=3, dev=0.3):
        sides = [set(frame.speaker.iloc[part]) for part in (fold.train, fold.dev, fold.test)]
        assert sum({"S0", "S1"} <= side for side in sides) == 1
        assert not find_leaks(frame.iloc[fold.train], frame.iloc[fold.dev]).overlaps
    with pytest.raises(ProtocolError, match=r"speakers S0, S1 .*protocol 'speakers' keeps"):
        split(frame, "loso")
    assert len(split(frame, "sessions")) == 3, "both are of one session"
    assert len(split(conversation(shared=False), "loso")) == 6


def test_a2_sessions_that_share_sound_are_refused():
    frame = conversation()
    frame["session"] = frame.speaker
    with pytest.raises(ProtocolError, match="sessions S0, S1 have rows of the same sound"):
        split(frame, "sessions")


def test_a2_a_dev_set_shares_no_sound_with_what_is_trained_on(tmp_path):
    frame = conversation(shared=False)
    frame["seconds"] = np.where(frame.index % 4 == 3, 2.0, 3.0)  # chains of four rows
    for fold in split(frame, "random", folds=2, dev=0.25):
        assert len(fold.dev)
        leak = find_leaks(frame.iloc[fold.train], frame.iloc[fold.dev])
        assert leak.overlaps == () and leak.seconds == 0


def test_a2_a_run_writes_it_into_its_records_and_its_report(windows, tmp_path, capsys):
    out = tmp_path / "out"
    command = f"run --corpus manifest --root {windows} --protocol random --folds 2 --model majority"
    command += f" --jobs 1 --quiet --out {out} --cache {tmp_path / 'cache'}"
    code = main(command.split())
    text = " ".join(capsys.readouterr().out.split())
    assert code == 0
    assert "rows that overlap in time" in text and "s of sound in them" in text


@pytest.mark.parametrize("seed", range(5))
def test_a2_groups_and_seconds_against_counting(seed):
    """Whole hundredths of a second, counted one by one."""
    rng = np.random.default_rng(seed)
    recording = rng.integers(0, 3, 30)
    start = rng.integers(0, 500, 30)
    end = start + rng.integers(5, 60, 30)
    rows = Spans(recording, start / 100, end / 100)
    cover = np.zeros((3, 600), dtype=int)
    for r, a, b in zip(recording, start, end, strict=True):
        cover[r, a:b] += 1
    assert rows.shared_seconds() == pytest.approx((cover > 1).sum() / 100)
    share = np.minimum(end[:, None], end) - np.maximum(start[:, None], start) > 1
    share &= recording[:, None] == recording
    reach = share | np.eye(30, dtype=bool)
    for _ in range(5):
        reach = reach @ reach
    groups = rows.groups()
    assert ((groups[:, None] == groups) == reach).all()
    pairs, seconds = across(rows[:15], rows[15:])
    assert [b for _, b in pairs] == np.flatnonzero(share[15:, :15].any(axis=1)).tolist()
    assert seconds >= 0


def test_whole_files_of_the_same_bytes_are_copies_whatever_length_a_label_file_gives_them():
    rows = {"utterance": ["a", "b"], "emotion": "sad", "label": "sad", "speaker": ["x", "y"]}
    table = pd.DataFrame(rows | {"start": 0.0, "seconds": [2.0, 2.3], "segment": False})
    assert overlapping_rows(table, ["hash", "hash"]) is None
    assert (
        overlapping_rows(table.assign(segment=True, start=[0.0, 1.0]), ["hash", "hash"]) is not None
    )
