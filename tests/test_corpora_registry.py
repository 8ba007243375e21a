"""Names, numbers and first errors of all corpora; the real clips where they are at hand."""

from __future__ import annotations

import os
import re

import pytest
import trees

from ser.corpora import COLUMNS, CORPORA, EMOTIONS, corpus_info, load_corpus
from ser.corpora.emotion_names import FAMILIES
from ser.corpora.scan import walk
from ser.errors import CorpusError

FOLDERS = sorted(set(CORPORA) - {"synthetic", "manifest"})


def test_all_ten_are_there():
    assert list(CORPORA) == [
        "synthetic",
        "iemocap",
        "emodb",
        "nemo",
        "ravdess",
        "cremad",
        "urdu",
        "tess",
        "savee",
        "manifest",
    ]
    for name, info in CORPORA.items():
        assert info.name == name and info.title and info.licence and info.citation and info.get


@pytest.mark.parametrize(
    "name, total, four, speakers",
    [
        ("iemocap", 10039, 5531, 10),
        ("emodb", 535, 339, 10),
        ("nemo", 4481, 3076, 9),
        ("ravdess", 1440, 672, 24),
        ("cremad", 7442, 4900, 91),
        ("urdu", 400, 400, 29),
        ("tess", 2800, 1600, 2),
        ("savee", 480, 300, 4),
    ],
)
def test_expected_numbers_add_up(name, total, four, speakers):
    info = CORPORA[name]
    assert (info.total, info.four_class, info.speakers) == (total, four, speakers)
    assert sum(info.labels.values()) == total


def test_file_names_fill_columns_that_are_there():
    for name, info in CORPORA.items():
        if not info.file_names:
            continue
        groups = set(re.compile(info.file_names["pattern"]).groupindex)
        maps = info.file_names.get("maps", {})
        assert {values["of"] for values in maps.values()} <= groups, name


def test_every_label_has_a_word_and_the_four_are_among_them():
    for name, info in CORPORA.items():
        assert info.words.keys() == info.labels.keys(), name
        assert set(info.words.values()) <= {*FAMILIES, ""}, name
        assert name == "manifest" or set(EMOTIONS) <= set(info.words.values()), name


def test_unknown_corpus_lists_the_known_ones():
    with pytest.raises(CorpusError, match=r"unknown corpus 'emodbb'; known: synthetic.*'emodb'"):
        load_corpus("emodbb", "/")
    assert corpus_info("CREMA-D").name == "cremad"


@pytest.mark.parametrize("name", FOLDERS)
def test_a_directory_that_is_not_there(name, tmp_path):
    with pytest.raises(CorpusError, match=r"nowhere is not there\. Looked for") as error:
        load_corpus(name, tmp_path / "nowhere")
    assert CORPORA[name].get in str(error.value)


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_with_something_else(name, tmp_path):
    trees.files(tmp_path, "holiday/beach.wav")
    with pytest.raises(CorpusError, match=r"found holiday/ \(1 audio files, such as holiday/beach"):
        load_corpus(name, tmp_path)


@pytest.mark.parametrize("name", FOLDERS)
def test_an_empty_folder(name, tmp_path):
    with pytest.raises(CorpusError, match="found an empty folder"):
        load_corpus(name, tmp_path)


def test_an_archive_is_to_be_unpacked(tmp_path):
    (tmp_path / "download.zip").write_bytes(b"PK")
    with pytest.raises(CorpusError, match="is an archive: unpack it first"):
        load_corpus("emodb", tmp_path / "download.zip")


def test_no_root_and_nothing_in_the_data_folder():
    with pytest.raises(CorpusError, match=r"no folder .*SER_DATA"):
        load_corpus("savee")
    with pytest.raises(CorpusError, match="needs a root"):
        load_corpus("manifest")


def test_no_root_reads_the_data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SER_DATA", str(tmp_path))
    trees.files(tmp_path, "emodb/wav/03a01Wa.wav")
    assert len(load_corpus("emodb")) == 1


def test_standard_columns_come_first_and_paths_are_absolute(tmp_path, monkeypatch):
    trees.files(tmp_path, "wav/03a01Wa.wav")
    monkeypatch.chdir(tmp_path)
    table = load_corpus("emodb", "wav").table
    assert tuple(table.columns[: len(COLUMNS)]) == COLUMNS
    assert table.path[0] == str(tmp_path / "wav" / "03a01Wa.wav")


def test_names_do_not_depend_on_where_the_corpus_lies(tmp_path):
    trees.files(tmp_path, "a b/ü/wav/03a01Wa.wav", "a b/ü/wav/03a01Fa.wav")
    inside = load_corpus("emodb", tmp_path / "a b/ü/wav").table
    outside = load_corpus("emodb", tmp_path).table
    assert list(inside.utterance) == list(outside.utterance)


def test_walk_passes_over_hidden_files_and_resource_forks(tmp_path):
    trees.files(tmp_path, "a.wav", "__MACOSX/a.wav", ".hidden/a.wav")
    trees.text(tmp_path / "._a.wav", "fork")
    assert walk(tmp_path) == [tmp_path / "a.wav"]


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_walk_follows_links_once(tmp_path):
    trees.files(tmp_path, "real/a.wav")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/link").symlink_to(tmp_path / "real", target_is_directory=True)
    (tmp_path / "real/loop").symlink_to(tmp_path / "tree", target_is_directory=True)
    assert walk(tmp_path / "tree") == [tmp_path / "tree/link/a.wav"]


# Real speech -----------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["emodb", "emodb/wav", "."])
def test_the_real_emodb(shared, where):
    corpus = load_corpus("emodb", shared / "data" / where)
    assert len(corpus) == 339
    assert corpus.table.label.value_counts().to_dict() == {"W": 127, "N": 79, "F": 71, "T": 62}
    assert corpus.table.emotion.value_counts().to_dict() == CORPORA["emodb"].by_emotion
    assert corpus.table.speaker.nunique() == 10 and corpus.table.text.nunique() == 10
    assert corpus.table.seconds.between(0.5, 10).all()
    assert not [p for p in corpus.problems if not p.startswith("note")]


def test_the_real_nemo(shared):
    corpus = load_corpus("nemo", shared / "data" / "nemo")
    assert (len(corpus.table), len(corpus.everything)) == (3076, 4481)
    assert corpus.table.emotion.value_counts().to_dict() == CORPORA["nemo"].by_emotion
    assert corpus.everything.label.value_counts().to_dict() == CORPORA["nemo"].labels
    assert corpus.table.speaker.nunique() == 9
    assert not corpus.everything.speaker.str.contains(" ").any()
    assert set(corpus.table.gender) == {"female", "male"}
    assert corpus.problems == (
        "note: 1405 utterances of other emotions have no audio here: fear 736, surprised 669",
    )
