"""Recordings of one's own in a CSV file: what is accepted, and what the errors say."""

from __future__ import annotations

import pytest
import trees

from ser.corpora import load_corpus
from ser.corpora.check import check
from ser.corpora.emotion_names import word_of
from ser.errors import CorpusError


def write(folder, content, name="mine.csv", encoding="utf-8"):
    return trees.text(folder / name, content, encoding)


@pytest.fixture
def folder(tmp_path):
    return trees.files(tmp_path / "my clips", "a.wav", "sub/ä b.wav", seconds=1.0)


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_separators(folder, mark):
    rows = ["path,emotion,speaker,gender,text", "a.wav,joy,anna,F,hello", "sub/ä b.wav,ANG,ben,m,"]
    corpus = load_corpus("manifest", write(folder, "\n".join(rows).replace(",", mark)))
    assert list(corpus.table.emotion) == ["happy", "angry"]
    assert list(corpus.table.utterance) == ["a", "sub/ä b"]
    assert list(corpus.table.gender) == ["female", "male"]
    assert list(corpus.table.seconds) == [1.0, 1.0]
    assert not corpus.table.segment.any()
    assert corpus.problems == ()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_what_spreadsheets_write(folder, encoding):
    file = write(folder, "Path;Emotion;Speaker\r\nsub/ä b.wav;sad;jörg\r\n", encoding=encoding)
    corpus = load_corpus("manifest", file)
    assert list(corpus.table.speaker) == ["jörg"]
    assert len(corpus.problems) == (encoding == "cp1252")


def test_backslashes_and_absolute_paths(folder):
    file = write(folder, f"path,emotion,speaker\nsub\\ä b.wav,sad,x\n{folder / 'a.wav'},neu,x\n")
    corpus = load_corpus("manifest", file)
    assert len(corpus) == 2 and corpus.problems == ()
    assert list(corpus.table.utterance) == ["a", "sub/ä b"]


def test_segments(folder):
    file = write(
        folder,
        "path,emotion,speaker,start,seconds\na.wav,sad,x,0.25,0.5\na.wav,angry,x,0.75,\n"
        'a.wav,happy,x,,"0,25"\n',
    )
    corpus = load_corpus("manifest", file)
    assert corpus.table.segment.all()
    assert corpus.table.utterance.is_unique
    assert sorted(zip(corpus.table.start, corpus.table.seconds, strict=True)) == [
        (0.0, 0.25),
        (0.25, 0.5),
        (0.75, 0.25),
    ]


def test_segments_beyond_the_end(folder):
    file = write(folder, "path,emotion,speaker,start,seconds\na.wav,sad,x,0.5,3\na.wav,sad,x,7,1\n")
    corpus = load_corpus("manifest", file)
    assert len([p for p in corpus.problems if p.startswith("segment: a.wav")]) == 2
    assert list(corpus.table.seconds.fillna(-1)) == [0.5, -1]


def test_missing_column_is_named(folder):
    file = write(folder, "path,emotion,voice\na.wav,sad,x\n")
    with pytest.raises(CorpusError, match=r"mine\.csv has no column 'speaker'.*'voice'"):
        load_corpus("manifest", file)


def test_label_nobody_knows(folder):
    file = write(folder, "path,emotion,speaker\na.wav,sad,x\nsub/ä b.wav,grumpy,x\n")
    with pytest.raises(CorpusError, match=r"line 3: nobody knows.*'grumpy'.*angry, anger, ang"):
        load_corpus("manifest", file)


def test_other_emotions_are_listed_but_not_used(folder):
    file = write(folder, "path,emotion,speaker\na.wav,sad,x\nsub/ä b.wav,Fear,x\n")
    corpus = load_corpus("manifest", file)
    assert (len(corpus.table), len(corpus.everything)) == (1, 2)


def test_missing_file_is_a_problem(folder):
    file = write(folder, "path,emotion,speaker\na.wav,sad,x\ngone.wav,angry,x\n")
    corpus = load_corpus("manifest", file)
    assert (len(corpus.table), len(corpus.everything)) == (1, 2)
    assert corpus.problems == ("missing: gone.wav (angry) is listed but not there",)


def test_duplicates_and_contradictions(folder):
    file = write(folder, "path,emotion,speaker\na.wav,sad,x\n./a.wav,sad,x\na.wav,angry,x\n")
    corpus = load_corpus("manifest", file)
    assert len(corpus.everything) == 1
    assert [p.partition(":")[0] for p in corpus.problems] == ["duplicate row", "contradiction"]


def test_two_files_of_one_name_stay_two_utterances(folder):
    trees.tone(folder / "a.flac")
    file = write(folder, "path,emotion,speaker\na.wav,sad,x\na.flac,angry,x\n")
    assert list(load_corpus("manifest", file).table.utterance) == ["a.flac", "a.wav"]


@pytest.mark.parametrize(
    "content, message",
    [
        ("", "no column 'path'"),
        ("path,emotion,speaker\n\n", "lists no utterance"),
        ("path,emotion,speaker\na.wav,sad,\n", "line 2: the column 'speaker' is empty"),
        ("path,emotion,speaker,text\na.wav,sad,x,well, well\n", "line 2 has 5 cells, .* 4"),
        ("path,emotion,speaker\n,sad,x\n", "line 2: the column 'path' is empty"),
        ("path,emotion,speaker\na.wav,,x\n", "line 2: nobody knows the emotion ''"),
        ("path,emotion,speaker,start\na.wav,sad,x,soon\n", "'start' is 'soon'"),
        ("path,emotion,speaker,seconds\na.wav,sad,x,-1\n", "'seconds' is '-1'"),
        ("path,emotion,speaker,seconds\na.wav,sad,x,0\n", "'seconds' is 0"),
        ("path,emotion,speaker\na.wav,fear,x\n", "none is angry"),
        ("path,emotion,speaker\ngone.wav,sad,x\n", "none is angry.*missing: gone.wav"),
    ],
)
def test_bad_manifests_say_what_is_wrong(folder, content, message):
    with pytest.raises(CorpusError, match=message):
        load_corpus("manifest", write(folder, content))


def test_a_sound_file_is_no_manifest(folder):
    with pytest.raises(CorpusError, match=r"is not a text file|no column"):
        load_corpus("manifest", folder / "a.wav")


def test_a_folder_with_one_csv_file_will_do(folder):
    write(folder, "path,emotion,speaker\na.wav,sad,x\n")
    assert len(load_corpus("manifest", folder)) == 1
    write(folder, "path,emotion,speaker\na.wav,sad,x\n", "other.csv")
    with pytest.raises(CorpusError, match="holds 2 CSV files"):
        load_corpus("manifest", folder)


def test_columns_of_ones_own_are_kept(folder):
    file = write(folder, "path,emotion,speaker,room,label\na.wav,sad,x,kitchen,zzz\n")
    table = load_corpus("manifest", file).table
    assert (table.room[0], table.label[0]) == ("kitchen", "sad")


@pytest.mark.parametrize(
    "said, meant",
    [
        ("anger", "angry"),
        ("Happiness", "happy"),
        ("exc", "excited"),
        ("NEU", "neutral"),
        ("sadness", "sad"),
        ("frustration", "frustrated"),
        ("xxx", ""),
        ("saad", None),
    ],
)
def test_aliases(said, meant):
    assert word_of(said) == meant


def test_a_quote_that_is_never_closed_is_named(tmp_path):
    """It would swallow the rows after it without a word."""
    rows = ["path,emotion,speaker,text", 'a.wav,angry,s1,"I told you so', "b.wav,sad,s2,no"]
    (tmp_path / "m.csv").write_text("\n".join(rows))
    with pytest.raises(CorpusError, match=r"m\.csv"):
        load_corpus("manifest", tmp_path / "m.csv")


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_excels_line_that_tells_the_delimiter(folder, mark):
    rows = f"sep={mark}\npath,emotion,speaker,text\na.wav,joy,anna,so\n".replace(",", mark)
    corpus = load_corpus("manifest", write(folder, rows))
    assert corpus.table[["emotion", "speaker", "text"]].values.tolist() == [["happy", "anna", "so"]]
    with pytest.raises(CorpusError, match="line 3: nobody knows the emotion"):
        load_corpus("manifest", write(folder, rows.replace("joy", "glum")))


def test_names_of_speakers_that_may_be_one_are_told(folder):
    rows = "path,emotion,speaker\na.wav,joy,Anna B\nsub/ä b.wav,joy,anna-b\n"
    corpus = load_corpus("manifest", write(folder, rows))
    assert corpus.problems == ("speakers alike: Anna B = anna-b?",)
    (found,) = [p for p in check("manifest", folder)["problems"] if p["kind"] == "speakers alike"]
    assert found["severity"] == "warning" and "Anna B = anna-b?" in found["files"]
    assert sorted(corpus.table.speaker) == ["Anna B", "anna-b"], "told, not changed"
