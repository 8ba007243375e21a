"""The nEMO reader on made-up trees."""

from __future__ import annotations

import shutil

import pytest
import trees

from ser.corpora import load_corpus
from ser.errors import CorpusError

CLIPS = ("EB0_anger_1", "EB0_sadness_2", "WR0_happiness_1", "WR0_neutral_2", "WR0_fear_3")


def test_rows_and_padded_speaker_ids(tmp_path):
    corpus = load_corpus("nemo", trees.nemo(tmp_path, *CLIPS))
    assert (len(corpus.everything), len(corpus.table)) == (5, 4)
    first = corpus.table.set_index("utterance").loc["EB0_anger_1"]
    assert (first.speaker, first.gender, first.emotion) == ("EB0", "female", "angry")
    assert (first.text, first.label) == ("Zdanie 1, „żółć”.", "anger")
    assert corpus.problems == ()


def test_flac_where_the_list_says_wav(tmp_path):
    corpus = load_corpus("nemo", trees.nemo(tmp_path, *CLIPS, ending=".flac"))
    assert len(corpus.table) == 4
    assert corpus.table.path.str.endswith(".flac").all()
    assert corpus.problems == ()


@pytest.mark.parametrize("where", ["..", ".", "samples"])
def test_root_may_be_the_folder_its_parent_or_samples(tmp_path, where):
    root = trees.nemo(tmp_path / "nEMO", *CLIPS)
    assert len(load_corpus("nemo", root / where).table) == 4


def test_missing_clip_of_the_four_is_a_problem_of_the_others_a_note(tmp_path):
    root = trees.nemo(tmp_path, *CLIPS)
    (root / "samples/EB0_anger_1.wav").unlink()
    (root / "samples/WR0_fear_3.wav").unlink()
    corpus = load_corpus("nemo", root)
    assert (len(corpus.everything), len(corpus.table)) == (5, 3)
    assert corpus.everything.seconds.isna().sum() == 2
    assert corpus.problems == (
        "missing: samples/EB0_anger_1.wav (angry) is listed but not there",
        "note: 1 utterances of other emotions have no audio here: fear 1",
    )


def test_audio_that_is_not_listed_and_names_that_do_not_fit(tmp_path):
    root = trees.nemo(tmp_path, *CLIPS)
    trees.files(root, "samples/EB0_anger_99.wav", "samples/noise.wav")
    problems = load_corpus("nemo", root).problems
    assert [p for p in problems if p.startswith("not listed") and "EB0_anger_99" in p]
    assert [p for p in problems if p.startswith("unknown name") and "noise" in p]


def test_list_and_name_that_disagree(tmp_path):
    root = trees.nemo(tmp_path, *CLIPS)
    listing = root / "data.tsv"
    listing.write_text(listing.read_text("utf-8").replace("\tsadness\t", "\tanger\t"), "utf-8")
    problems = load_corpus("nemo", root).problems
    assert [p for p in problems if p.startswith("contradiction") and "EB0_sadness_2" in p]


def test_unknown_emotion_in_the_list_is_left_out_and_told(tmp_path):
    root = trees.nemo(tmp_path, *CLIPS, "EB0_ennui_7")
    corpus = load_corpus("nemo", root)
    assert len(corpus.everything) == 5
    assert [p for p in corpus.problems if p.startswith("unknown name") and "ennui" in p]


def test_nested_copy_is_not_doubled(tmp_path):
    root = trees.nemo(tmp_path / "nEMO", *CLIPS)
    shutil.copytree(root, tmp_path / "copy")
    shutil.move(tmp_path / "copy", root / "nEMO")
    corpus = load_corpus("nemo", root)
    assert len(corpus.everything) == 5
    assert [p for p in corpus.problems if p.startswith("nested copy: 5 files")]


def test_byte_order_mark_and_crlf(tmp_path):
    root = trees.nemo(tmp_path, *CLIPS)
    listing = root / "data.tsv"
    content = listing.read_bytes().replace(b"\n", b"\r\n")
    listing.write_bytes(b"\xef\xbb\xbf" + content)
    corpus = load_corpus("nemo", root)
    assert len(corpus.table) == 4 and set(corpus.everything.age) == {"27"}


def test_no_list_is_an_error(tmp_path):
    trees.files(tmp_path, "samples/EB0_anger_1.wav")
    with pytest.raises(CorpusError, match=r"no data\.tsv.*1 audio files, such as samples/EB0"):
        load_corpus("nemo", tmp_path)


def test_list_without_a_column_is_an_error_that_names_it(tmp_path):
    root = trees.nemo(tmp_path, *CLIPS)
    listing = root / "data.tsv"
    listing.write_text(listing.read_text("utf-8").replace("speaker_id", "voice"), "utf-8")
    with pytest.raises(CorpusError, match=r"no column speaker_id.*voice"):
        load_corpus("nemo", root)


def test_a_list_that_is_empty_is_an_error_that_names_it(tmp_path):
    root = trees.nemo(tmp_path, *CLIPS)
    (root / "data.tsv").write_text("")
    with pytest.raises(CorpusError, match=r"data\.tsv is no table"):
        load_corpus("nemo", root)


def test_a_row_that_is_cut_is_told(tmp_path):
    root = trees.nemo(tmp_path, *CLIPS)
    listing = root / "data.tsv"
    listing.write_text(listing.read_text("utf-8") + "EB0_anger_1.wav\n\n", "utf-8")
    assert [p for p in load_corpus("nemo", root).problems if "line 7: 'EB0_anger_1.wav'" in p]
