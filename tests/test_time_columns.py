"""Tables with times, however they are called: the right span of the file, or an error."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
import trees

from ser.cli import main
from ser.corpora import load_corpus
from ser.corpora.check import check
from ser.corpora.time_columns import time_columns
from ser.errors import CorpusError

RATE = 16000


@pytest.fixture
def folder(tmp_path):
    """A recording of 4 s whose second k is a tone of its own, and one of 1 s."""
    time = np.arange(RATE) / RATE
    parts = [0.3 * np.sin(2 * np.pi * 200 * (k + 1) * time) for k in range(4)]
    soundfile.write(tmp_path / "talk.wav", np.concatenate(parts), RATE)
    soundfile.write(tmp_path / "short.wav", parts[0], RATE)
    return tmp_path


def read(folder, header: str, *rows: str):
    text = "\n".join([f"{header},emotion,speaker", *(f"{row},sad,anna" for row in rows)])
    return load_corpus("manifest", trees.text(folder / "mine.csv", text))


def spans(corpus) -> list[tuple[float, float]]:
    table = corpus.table.sort_values(["start", "seconds"])
    return [(round(a, 6), round(b, 6)) for a, b in zip(table.start, table.seconds, strict=True)]


@pytest.mark.parametrize(
    "header",
    [
        *("start,end", "start,stop", "start_time,end_time", "begin,end", "onset,offset"),
        *("Start,End", "startTime,endTime", "start (s),end (s)", "start_sec,end_sec", "tmin,tmax"),
        *("from,to", "xmin,xmax", "segment_start,segment_end", "begin_time,stop_time"),
        *("start_s,finish_s", "t0,t1", "start_seconds,end_seconds", "start_at,end_at"),
    ],
)
def test_a1_start_and_end(folder, header):
    corpus = read(folder, f"file,{header}", "talk.wav,0.5,2", "talk.wav,2,3.25")
    assert spans(corpus) == [(0.5, 1.5), (2, 1.25)]
    assert corpus.table.segment.all() and corpus.problems == ()


@pytest.mark.parametrize(
    "header",
    [
        *("start,seconds", "offset,duration", "start,duration", "onset,duration", "begin,dur"),
        *("start_time,length", "offset_s,duration_s", "start,segment_duration"),
    ],
)
def test_a1_start_and_length(folder, header):
    corpus = read(folder, f"path,{header}", "talk.wav,0.5,1.5", "talk.wav,2,1.25")
    assert spans(corpus) == [(0.5, 1.5), (2, 1.25)]


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("start_ms,end_ms", "500,2000"),
        ("start (ms),stop (ms)", "500,2000"),
        ("offset_ms,duration_ms", "500,1500"),
        ("start_milliseconds,end_milliseconds", "500,2000"),
        ("startMs,endMs", "500.0,2000.0"),
        ("start_us,end_us", "500000,2000000"),
        ("start_ns,end_ns", "500000000,2000000000"),
        ("start,end", "500 ms,2s"),
    ],
)
def test_a1_other_units(folder, header, row):
    assert spans(read(folder, f"file,{header}", f"talk.wav,{row}")) == [(0.5, 1.5)]


@pytest.mark.parametrize(
    ("start", "end", "span"),
    [
        ("0 days 00:00:00.500000", "0 days 00:00:02", (0.5, 1.5)),
        ("0 days", "0 days 00:00:01.500000", (0, 1.5)),
        ("P0DT0H0M0.5S", "P0DT0H0M2S", (0.5, 1.5)),
        ("PT0.5S", "PT2S", (0.5, 1.5)),
        ("00:00:01.5", "0:00:02.5", (1.5, 1)),
        ('"00:00:01,5"', '"00:00:02,5"', (1.5, 1)),
        ('"0,5"', '"2,0"', (0.5, 1.5)),
        ("0 days 00:00:00.500000", "", (0.5, 3.5)),
        ("0.5", "NaT", (0.5, 3.5)),
        ("0.5", "nan", (0.5, 3.5)),
        ("", "1.5", (0, 1.5)),
        ("NaT", "1.5", (0, 1.5)),
    ],
)
def test_a1_audformats_timedeltas(folder, start, end, span):
    corpus = read(folder, "file,start,end", f"talk.wav,{start},{end}")
    assert spans(corpus) == [span] and corpus.table.segment.all()


def test_a1_the_samples_are_those_of_the_row(folder):
    """Not only the table: what a run hears is the second second, a tone of 400 Hz."""
    from ser.audio import load_audio

    row = read(folder, "file,start,end", "talk.wav,1,2").table.iloc[0]
    wave = load_audio(row.path, start=row.start, seconds=row.seconds)
    assert len(wave) == RATE and np.abs(np.fft.rfft(wave)).argmax() == 400


@pytest.mark.parametrize(
    "row", ["talk.wav,0,", "talk.wav,0 days,NaT", "talk.wav,,", "talk.wav,0,NaN"]
)
def test_a1_a_start_of_0_and_no_end_is_the_whole_file(folder, row):
    corpus = read(folder, "file,start,end", row)
    assert corpus.table[["utterance", "start", "seconds", "segment"]].values.tolist() == [
        ["talk", 0, 4, False]
    ]


def test_a1_audformats_own_table(folder):
    audformat = pytest.importorskip("audformat")
    import pandas as pd

    index = audformat.segmented_index(
        ["talk.wav", "talk.wav", "short.wav"], ["0.5s", "2s", 0], ["2s", "3.25s", pd.NaT]
    )
    frame = pd.DataFrame({"emotion": ["anger", "sadness", "happiness"], "speaker": 3}, index=index)
    frame.to_csv(folder / "db.emotion.csv")
    table = load_corpus("manifest", folder / "db.emotion.csv").table
    assert table[["utterance", "emotion", "start", "seconds"]].values.tolist() == [
        ["short", "happy", 0, 1],
        ["talk#0.500+1.500", "angry", 0.5, 1.5],
        ["talk#2.000+1.250", "sad", 2, 1.25],
    ]


@pytest.mark.parametrize(
    "name",
    [
        *("path", "file", "filename", "file_name", "filepath", "file_path", "wav", "audio"),
        *("wav_path", "audio_path", "audio_file", "audio_filepath", "wavfile", "File"),
    ],
)
def test_a1_the_path_under_other_names(folder, name):
    assert len(read(folder, name, "talk.wav")) == 1


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        ("file,audio", "talk.wav,talk.wav", "'file' and 'audio'; call the right one 'path'"),
        ("file,file", "talk.wav,talk.wav", "two columns 'file'"),
        ("recording,speech", "talk.wav,1", "no column 'path'"),
        ("path,timestamp", "talk.wav,1", "'timestamp' speaks of time.*start.*end"),
        ("path,vad_start,vad_end", "talk.wav,1,2", "'vad_start' speaks of time"),
        ("path,time", "talk.wav,1", "'time' speaks of time"),
        ("path,start_frame,end_frame", "talk.wav,1,2", "'start_frame' speaks of time"),
        ("path,num_frames", "talk.wav,16000", "'num_frames' speaks of time"),
        ("path,Beginn,Ende", "talk.wav,1,2", "'beginn' speaks of time"),
        ("path,offset", "talk.wav,1", "'offset' may be where a row begins or where it ends"),
        ("path,start,offset", "talk.wav,1,2", "'offset' may be where"),
        ("path,a,b", "talk.wav,0 days 00:00:01,2", "line 2: the column 'a' holds the time"),
        ("path,start,end", "talk.wav,2,1", "line 2: 'end' is 1 s, not after its start, 2 s"),
        ("path,start,end", "talk.wav,2,2", "line 2: 'end' is 2 s, not after its start"),
        ("path,start,stop", "talk.wav,-1,2", "line 2: 'start' is '-1', not a number of seconds"),
        ("path,start,end", "talk.wav,-1 days +23:59:59,2", "line 2: 'start' is '-1 days"),
        ("path,start,end", "talk.wav,soon,2", "line 2: 'start' is 'soon'"),
        ("path,start,end", "talk.wav,1:30,2", "line 2: 'start' is '1:30'"),
        ("path,start,end", "talk.wav,1,inf", "line 2: 'end' is 'inf'"),
        ("path,start,end", "talk.wav,1 000,2 000", "line 2: 'start' is '1 000'"),
        ("path,start_ms,end_ms", 'talk.wav,"1,500","2,500"', "line 2: 'start_ms' is '1,500'"),
        ("path,start,end", "talk.wav,500000000,2000000000", "no recording lasts.*end_ns"),
        ("path,start,end,duration", "talk.wav,1,2,3", "line 2: 'end' and 'duration' contradict"),
        ("path,end,seconds", "talk.wav,2,1", "line 2: 'end' and 'seconds' contradict"),
        ("path,start,start_time,end", "talk.wav,1,2,3", "'start' and 'start_time' contradict"),
        ("path,start,start_ms,end", "talk.wav,1,500,3", "'start' and 'start_ms' contradict"),
        ("path,start,duration", "talk.wav,1,0", "line 2: 'duration' is 0"),
        ("path,duration", "talk.wav,2", r"mine.csv line 2: the length is 2 s.*talk.wav lasts 4.00"),
        ("path,file_duration", "talk.wav,2", "line 2: the length is 2 s"),
        (
            "path,start,end",
            "talk.wav,1000,2000",
            r"1 of 1 rows end far beyond.*mine.csv line 2.*start_ms",
        ),
    ],
)
def test_a1_what_is_not_understood_or_cannot_be_is_an_error(folder, header, row, message, capsys):
    with pytest.raises(CorpusError, match=message):
        read(folder, header, row)
    assert main(["check", "manifest", "--root", str(folder / "mine.csv")]) == 1
    assert "ERROR (layout)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("path,duration", "talk.wav,4"),
        ("path,duration", "talk.wav,4.03"),
        ("path,duration_ms", "talk.wav,4000"),
        ("path,length", "talk.wav,4.0"),
        ("path,file_duration", "talk.wav,0 days 00:00:04"),
        ("path,audio_length_s,sample_rate,text_length", "talk.wav,4,16000,23"),
        ("path,start,end,duration", "talk.wav,,,"),
    ],
)
def test_a1_a_length_beside_whole_files_changes_nothing(folder, header, row):
    corpus = read(folder, header, row)
    assert corpus.table[["utterance", "start", "seconds", "segment"]].values.tolist() == [
        ["talk", 0, 4, False]
    ]


def test_a1_columns_that_agree_are_no_contradiction(folder):
    header = "path,start,end,duration,start_ms,file_duration"
    assert spans(read(folder, header, "talk.wav,1,3,2.0,1000,4")) == [(1, 2)]
    assert spans(read(folder, "path,seconds", "talk.wav,1.5")) == [(0, 1.5)]
    assert spans(read(folder, "path,end", "talk.wav,1.5")) == [(0, 1.5)]


def test_a1_beyond_the_end_is_named_with_file_and_line(folder):
    corpus = read(
        folder, "file,start,end", "talk.wav,0,1", "short.wav,0.5,1.5", "short.wav,1.5,2.5"
    )
    assert corpus.problems == (
        "segment: short.wav: ends at 1.50 s, the file at 1.00 s; cut (mine.csv line 3)",
        "segment: short.wav: starts at 1.50 s, the file ends at 1.00 s (mine.csv line 4)",
    )
    report = check("manifest", folder / "mine.csv")
    assert not report["ok"]
    (found,) = [p for p in report["problems"] if p["kind"] == "segment"]
    assert len(found["files"]) == 2


@pytest.mark.parametrize(
    "name",
    [
        *("room", "text", "startled", "gender", "intensity", "trend", "sentiment", "sample_rate"),
        *("text_length", "speaking_rate", "date", "second_emotion", "microphone", "frame_rate"),
        *("sample", "friend", "beginner", "language", "context", "rating", "arousal", "dominance"),
    ],
)
def test_a1_columns_that_do_not_speak_of_time_are_kept(folder, name):
    assert time_columns(["path", name]) == []
    if name not in ("text", "gender"):
        assert list(read(folder, f"path,{name}", "talk.wav,x").table[name]) == ["x"]


def test_a1_one_file_under_two_names_is_listed_once(folder):
    """A link, ``./`` or another case: two rows of one file, and they contradict each other."""
    (folder / "link.wav").symlink_to(folder / "talk.wav")
    rows = ["talk.wav,0,1", "./talk.wav,0,1", "link.wav,0,1", "TALK.wav,0,1"]
    corpus = read(folder, "file,start,end", *rows)
    assert len(corpus.everything) == 1
    assert [p.partition(":")[0] for p in corpus.problems] == ["duplicate row"] * 3
