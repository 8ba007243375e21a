"""The IEMOCAP reader on made-up trees: talkers, labels, levels, what must not be read."""

from __future__ import annotations

import math
import shutil

import pytest
import trees

from ser.corpora import load_corpus
from ser.errors import CorpusError

TURNS = {
    "Ses01F_impro01_F000": "neu",
    "Ses01F_impro01_M001": "exc",
    "Ses01M_script01_1b_F002": "hap",
    "Ses02M_script01_1_M003": "ang",
    "Ses02F_impro05a_F004": "sad",
    "Ses02F_impro05a_M005": "xxx",
    "Ses05F_script03_2_F006": "fru",
}


@pytest.fixture
def root(tmp_path):
    return trees.iemocap(
        tmp_path / "IEMOCAP_full_release", TURNS, {"Ses01F_impro01_F000": "Excuse me."}
    )


def row(corpus, name):
    return corpus.everything.set_index("utterance").loc[name]


def test_talker_is_the_last_letter_group_not_who_wore_the_markers(root):
    corpus = load_corpus("iemocap", root)
    talker = row(corpus, "Ses01F_impro01_M001")
    assert (talker.speaker, talker.gender, talker.session) == ("Ses01M", "male", "Ses01")
    talker = row(corpus, "Ses01M_script01_1b_F002")
    assert (talker.speaker, talker.gender) == ("Ses01F", "female")


def test_excited_counts_as_happy_and_others_are_listed_only(root):
    corpus = load_corpus("iemocap", root)
    assert corpus.table.emotion.value_counts().to_dict() == {
        "happy": 2,
        "neutral": 1,
        "angry": 1,
        "sad": 1,
    }
    assert len(corpus.everything) == len(TURNS)
    assert row(corpus, "Ses02F_impro05a_M005").emotion == ""
    assert row(corpus, "Ses01F_impro01_M001").label == "exc"
    assert corpus.problems == ()


def test_columns_of_the_label_file(root):
    first = row(load_corpus("iemocap", root), "Ses01F_impro01_F000")
    assert (first.valence, first.activation, first.dominance) == (2.5, 2.5, 2.5)
    assert (first.start, round(first.seconds, 4), first.segment) == (6.2901, 0.1, False)
    assert (first.dialog, first.improvised, first.script) == ("Ses01F_impro01", True, "")
    assert first.raters == 2
    assert first.rater_labels == "Neutral | Neutral;Frustration"
    assert first.self_labels == "Anger"
    assert first.text == "Excuse me."


def test_a_turn_whose_times_are_swapped_is_as_long_as_its_file(root):
    file = root / "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"
    told = file.read_text().replace("[6.2901 - 6.3901]", "[6.3901 - 6.2901]", 1)
    assert "[6.3901" in told
    file.write_text(told)
    corpus = load_corpus("iemocap", root)
    assert corpus.problems == ()
    assert round(row(corpus, "Ses01F_impro01_F000").seconds, 4) == 0.1


def test_scripted_turns_without_transcription_carry_their_scene_as_text(root):
    corpus = load_corpus("iemocap", root)
    assert row(corpus, "Ses01M_script01_1b_F002").text == "script01_1"
    assert row(corpus, "Ses02M_script01_1_M003").text == "script01_1"
    assert row(corpus, "Ses02F_impro05a_F004").text == ""
    assert not row(corpus, "Ses02M_script01_1_M003").improvised


def test_subfolders_of_emoevaluation_are_not_read(root):
    evaluation = root / "Session1" / "dialog" / "EmoEvaluation"
    for sub in ("Attribute", "Categorical", "Self-evaluation"):
        trees.text(evaluation / sub / "x.txt", trees.turn("Ses01F_impro01_F099", "ang"))
    corpus = load_corpus("iemocap", root)
    assert len(corpus.everything) == len(TURNS)
    assert corpus.problems == ()


@pytest.mark.parametrize("where", ["..", ".", "Session1"])
def test_root_may_be_the_release_its_parent_or_one_session(root, where):
    corpus = load_corpus("iemocap", root / where)
    assert len(corpus.everything) == (3 if where == "Session1" else len(TURNS))


def test_resource_forks_of_a_mac_are_passed_over(root):
    junk = root / "Session1" / "dialog" / "EmoEvaluation" / "._Ses01F_impro01.txt"
    junk.write_bytes(b"\x00\x05\x16\x07" * 20)
    shutil.copytree(root / "Session1", root / "__MACOSX" / "Session1")
    corpus = load_corpus("iemocap", root)
    assert corpus.problems == ()


def test_crlf_latin1_and_missing_dominance(tmp_path):
    root = trees.iemocap(tmp_path, {"Ses01F_impro01_F000": "neu"})
    file = root / "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"
    block = trees.turn("Ses01F_impro01_F000", "ang", levels="2.5, 3.0").replace(
        "(a (free) comment)", "(blasé)"
    )
    file.write_bytes(("% header\n\n" + block).replace("\n", "\r\n").encode("latin-1"))
    first = row(load_corpus("iemocap", root), "Ses01F_impro01_F000")
    assert first.emotion == "angry"
    assert (first.valence, first.activation) == (2.5, 3.0)
    assert math.isnan(first.dominance)
    assert first.raters == 2


def test_names_that_do_not_fit_are_problems_not_crashes(root):
    file = root / "Session1/dialog/EmoEvaluation/odd.txt"
    trees.text(file, trees.turn("Ses09F_impro01_F000") + "[broken line\n")
    corpus = load_corpus("iemocap", root)
    assert len(corpus.everything) == len(TURNS)
    assert [p for p in corpus.problems if p.startswith("unknown name") and "Ses09F" in p]
    assert [p for p in corpus.problems if p.startswith("unknown name") and "broken" in p]


def test_raters_of_a_broken_turn_are_not_given_to_the_one_before(root):
    file = root / "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"
    trees.text(file, trees.turn("Ses01F_impro01_F000") + trees.turn("Ses01F_impro01_X001"))
    corpus = load_corpus("iemocap", root)
    assert row(corpus, "Ses01F_impro01_F000").raters == 2


def test_unknown_label_is_listed_and_told(root):
    file = root / "Session1/dialog/EmoEvaluation/Ses01F_impro02.txt"
    trees.text(file, trees.turn("Ses01F_impro02_F000", "joy"))
    trees.tone(root / "Session1/sentences/wav/Ses01F_impro02/Ses01F_impro02_F000.wav")
    corpus = load_corpus("iemocap", root)
    assert row(corpus, "Ses01F_impro02_F000").emotion == ""
    assert [p for p in corpus.problems if p.startswith("unknown label") and "'joy'" in p]


def test_a_labelled_turn_without_audio_is_missing(root):
    (root / "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav").unlink()
    corpus = load_corpus("iemocap", root)
    assert "Ses01F_impro01_F000" not in set(corpus.table.utterance)
    assert "Ses01F_impro01_F000" in set(corpus.everything.utterance)
    assert [p for p in corpus.problems if p.startswith("missing") and "Ses01F_impro01_F000" in p]


def test_audio_without_a_label_is_told(root):
    trees.tone(root / "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F777.wav")
    corpus = load_corpus("iemocap", root)
    assert [p for p in corpus.problems if p.startswith("not listed") and "F777" in p]


def test_a_nested_copy_is_read_once(root):
    shutil.copytree(root, root / "IEMOCAP_full_release")
    corpus = load_corpus("iemocap", root)
    assert len(corpus.everything) == len(TURNS)
    assert not corpus.table.path.str.contains("IEMOCAP_full_release/IEMOCAP_full_release").any()
    assert [p for p in corpus.problems if p.startswith("nested copy")]


def test_flac_in_place_of_wav(tmp_path):
    root = trees.iemocap(tmp_path, {"Ses01F_impro01_F000": "neu"}, audio=False)
    trees.tone(root / "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.FLAC")
    assert load_corpus("iemocap", root).table.path[0].endswith(".FLAC")


def test_unreadable_audio_stays_listed_without_a_duration(root):
    path = root / "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav"
    path.write_text("not audio")
    corpus = load_corpus("iemocap", root)
    assert math.isnan(corpus.table.set_index("utterance").seconds["Ses01F_impro01_F000"])
    assert [p for p in corpus.problems if p.startswith("unreadable")]


def test_labels_without_any_audio_are_an_error(tmp_path):
    root = trees.iemocap(tmp_path, TURNS, audio=False)
    with pytest.raises(CorpusError, match=r"none is angry.*missing: Session1/sentences/wav"):
        load_corpus("iemocap", root)


def test_audio_without_label_files_is_an_error(tmp_path):
    trees.tone(tmp_path / "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav")
    with pytest.raises(CorpusError, match=r"no dialog/EmoEvaluation.*usc\.edu"):
        load_corpus("iemocap", tmp_path)
