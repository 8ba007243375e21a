"""Readers of corpora whose file names say everything, each with the traps of its corpus."""

from __future__ import annotations

import math
import shutil

import pytest
import trees

from ser.corpora import load_corpus


def listed(corpus):
    return corpus.everything.set_index("utterance")


def kinds(corpus):
    return {problem.partition(":")[0] for problem in corpus.problems}


# EmoDB -----------------------------------------------------------------------------------------


def test_emodb_genders_do_not_alternate(tmp_path):
    speakers = ["03", "08", "09", "10", "11", "12", "13", "14", "15", "16"]
    trees.files(tmp_path, *(f"wav/{speaker}a01Wa.wav" for speaker in speakers))
    table = load_corpus("emodb", tmp_path).table
    genders = dict(zip(table.speaker, table.gender, strict=True))
    assert sorted(s for s in genders if genders[s] == "male") == ["03", "10", "11", "12", "15"]
    assert sorted(s for s in genders if genders[s] == "female") == ["08", "09", "13", "14", "16"]


def test_emodb_letters_are_german(tmp_path):
    trees.files(tmp_path, *(f"wav/03b10{letter}b.wav" for letter in "WLEAFTN"))
    corpus = load_corpus("emodb", tmp_path)
    emotions = dict(zip(corpus.everything.label, corpus.everything.emotion, strict=True))
    assert emotions == {
        "W": "angry",
        "F": "happy",
        "T": "sad",
        "N": "neutral",
        "L": "bored",
        "E": "disgusted",
        "A": "fearful",
    }
    assert set(corpus.everything.text) == {"b10"}
    assert len(corpus.table) == 4


@pytest.mark.parametrize("below, root", [("wav", ""), ("wav", "wav"), ("emodb/wav", ""), ("", "")])
def test_emodb_root_may_be_the_folder_its_parent_or_wav(tmp_path, below, root):
    trees.files(tmp_path / below, "03a01Wa.wav", "08a02Tc.wav")
    corpus = load_corpus("emodb", tmp_path / root)
    assert list(corpus.table.utterance) == ["03a01Wa", "08a02Tc"]
    assert corpus.problems == ()


def test_emodb_unknown_names_and_other_folders(tmp_path):
    trees.files(tmp_path, "wav/03a01Wa.wav", "wav/03a01Xa.wav", "wav/99a01Wa.wav", "demo/x.wav")
    corpus = load_corpus("emodb", tmp_path)
    assert len(corpus.everything) == 1
    unknown = [p for p in corpus.problems if p.startswith("unknown name")]
    assert any("03a01Xa" in p for p in unknown) and any("99a01Wa" in p for p in unknown)
    assert [p for p in corpus.problems if p.startswith("note: 1 audio files in other folders")]


def test_emodb_upper_case_endings_and_flac(tmp_path):
    trees.files(tmp_path, "wav/03a01Wa.WAV", "wav/03a01Fa.flac")
    assert len(load_corpus("emodb", tmp_path)) == 2


def test_empty_and_text_files_stay_listed_with_a_problem(tmp_path):
    trees.files(tmp_path, "03a01Wa.wav")
    (tmp_path / "03a01Fa.wav").write_bytes(b"")
    (tmp_path / "03a01Na.wav").write_text("this is text")
    corpus = load_corpus("emodb", tmp_path)
    assert len(corpus.table) == 3
    assert listed(corpus).seconds.isna().to_dict() == {
        "03a01Fa": True,
        "03a01Na": True,
        "03a01Wa": False,
    }
    assert [p for p in corpus.problems if p.startswith("empty") and "03a01Fa" in p]
    assert [p for p in corpus.problems if p.startswith("unreadable") and "03a01Na" in p]


def test_many_problems_of_a_kind_are_counted(tmp_path):
    trees.files(tmp_path, "03a01Wa.wav", *(f"unknown{i:02d}.wav" for i in range(25)))
    problems = load_corpus("emodb", tmp_path).problems
    assert len(problems) == 11
    assert problems[-1] == "unknown name: and 15 more (25 in all)"


# RAVDESS ---------------------------------------------------------------------------------------

RAVDESS = [
    f"Actor_{a:02d}/03-01-{e:02d}-01-02-01-{a:02d}.wav" for a in (1, 12) for e in range(1, 9)
]


def test_ravdess_names(tmp_path):
    corpus = load_corpus("ravdess", trees.files(tmp_path, *RAVDESS))
    assert (len(corpus.everything), len(corpus.table)) == (16, 8)
    genders = dict(zip(corpus.table.speaker, corpus.table.gender, strict=True))
    assert genders == {"01": "male", "12": "female"}
    assert listed(corpus).emotion["03-01-02-01-02-01-01"] == "calm"
    assert listed(corpus).label["03-01-02-01-02-01-01"] == "calm"
    assert listed(corpus).emotion["03-01-05-01-02-01-12"] == "angry"
    assert set(corpus.table.text) == {"02"}
    assert corpus.problems == ()


def test_ravdess_nested_copy_is_not_doubled(tmp_path):
    root = trees.files(tmp_path / "RAVDESS", *RAVDESS)
    shutil.copytree(root, tmp_path / "inner")
    shutil.move(tmp_path / "inner", root / "audio_speech_actors_01-24")
    corpus = load_corpus("ravdess", root)
    assert len(corpus.everything) == 16
    assert corpus.table.utterance.is_unique and corpus.table.path.is_unique
    assert not corpus.table.path.str.contains("audio_speech").any()
    assert corpus.problems == (
        "nested copy: 16 files below audio_speech_actors_01-24 and as many below . are the same, "
        "byte for byte; each clip was taken once (a recursive search counts it twice and leaks it "
        "into the test side)",
    )


@pytest.mark.parametrize(
    "between", ["", "Audio_Speech_Actors_01-24", "a/Audio_Speech_Actors_01-24"]
)
def test_ravdess_actors_directly_or_below(tmp_path, between):
    trees.files(tmp_path / between, *RAVDESS)
    assert len(load_corpus("ravdess", tmp_path).everything) == 16


def test_ravdess_song_and_video_sound_are_left_out(tmp_path):
    trees.files(
        tmp_path, *RAVDESS, "Actor_01/03-02-05-01-02-01-01.wav", "Actor_01/01-01-05-01-02-01-01.wav"
    )
    corpus = load_corpus("ravdess", tmp_path)
    assert len(corpus.everything) == 16
    assert kinds(corpus) == {"note"} and len(corpus.problems) == 2


def test_ravdess_stereo_and_filler_chunk(tmp_path):
    trees.tone(tmp_path / "Actor_01/03-01-05-01-01-01-01.wav", rate=48000, channels=2)
    trees.filler_wav(tmp_path / "Actor_01/03-01-04-01-01-01-01.wav")
    corpus = load_corpus("ravdess", tmp_path)
    assert list(corpus.table.seconds) == pytest.approx([0.1, 0.1])
    assert corpus.problems == ()


def test_ravdess_codes_out_of_range_are_unknown_names(tmp_path):
    trees.files(
        tmp_path, *RAVDESS, "Actor_01/03-01-09-01-02-01-01.wav", "Actor_01/03-01-05-01-02-01-25.wav"
    )
    corpus = load_corpus("ravdess", tmp_path)
    assert len(corpus.everything) == 16
    assert len([p for p in corpus.problems if p.startswith("unknown name")]) == 2


# CREMA-D ---------------------------------------------------------------------------------------

CREMAD = [
    f"AudioWAV/1001_IEO_{emotion}_{level}.wav"
    for emotion, level in zip(
        ["ANG", "DIS", "FEA", "HAP", "NEU", "SAD"],
        ["HI", "LO", "MD", "HI", "XX", "LO"],
        strict=True,
    )
]


def test_cremad_names_and_demographics(tmp_path):
    trees.files(tmp_path, *CREMAD, "AudioWAV/1002_IEO_SAD_LO.wav")
    trees.text(
        tmp_path / "VideoDemographics.csv",
        "ActorID,Age,Sex,Race,Ethnicity\n1001,51,Male,Caucasian,Not Hispanic\n"
        "1002,21,Female,Caucasian,Not Hispanic\n",
    )
    corpus = load_corpus("cremad", tmp_path)
    assert (len(corpus.everything), len(corpus.table)) == (7, 5)
    assert dict(zip(corpus.table.speaker, corpus.table.gender, strict=True)) == {
        "1001": "male",
        "1002": "female",
    }
    assert listed(corpus).level["1001_IEO_ANG_HI"] == "high"
    assert listed(corpus).level["1001_IEO_NEU_XX"] == ""
    assert corpus.problems == ()
    genders = load_corpus("cremad", tmp_path / "AudioWAV").table.gender
    assert list(genders) == list(corpus.table.gender)


def test_cremad_without_demographics_knows_no_gender(tmp_path):
    corpus = load_corpus("cremad", trees.files(tmp_path, *CREMAD))
    assert set(corpus.table.gender) == {""}
    assert kinds(corpus) == {"note"}


def test_cremad_clone_that_was_not_pulled(tmp_path):
    for name in CREMAD:
        trees.text(tmp_path / name, trees.POINTER)
    corpus = load_corpus("cremad", tmp_path)
    assert len(corpus.table) == 4
    assert all(math.isnan(seconds) for seconds in corpus.everything.seconds)
    told = [p for p in corpus.problems if p.startswith("git-lfs pointer")]
    assert len(told) == 1 and "6 files" in told[0] and "git lfs pull" in told[0]


def test_cremad_mp3_folder_is_no_second_copy(tmp_path):
    trees.files(tmp_path, *CREMAD)
    for name in CREMAD:
        trees.text(tmp_path / name.replace("AudioWAV", "AudioMP3").replace(".wav", ".mp3"), "mp3")
    corpus = load_corpus("cremad", tmp_path)
    assert corpus.everything.path.str.endswith(".wav").all()
    assert kinds(corpus) == {"note"}


# URDU ------------------------------------------------------------------------------------------


def test_urdu_speakers_are_in_the_names(tmp_path):
    trees.files(
        tmp_path,
        "Angry/SM1_F10_A010.wav",
        "Happy/SF11_F2_H002.wav",
        "Neutral/SM1_F1_N001.wav",
        "Sad/SM27_F3_S103.wav",
        rate=44100,
    )
    corpus = load_corpus("urdu", tmp_path)
    assert sorted(set(corpus.table.speaker)) == ["SF11", "SM1", "SM27"]
    assert listed(corpus).gender["SF11_F2_H002"] == "female"
    assert list(listed(corpus).emotion) == ["happy", "angry", "neutral", "sad"]
    assert corpus.problems == ()
    assert len(load_corpus("urdu", tmp_path / "Angry")) == 1


def test_urdu_folder_and_name_that_disagree(tmp_path):
    trees.files(tmp_path, "Angry/SM1_F10_A010.wav", "Angry/SM1_F10_H010.wav")
    corpus = load_corpus("urdu", tmp_path)
    assert kinds(corpus) == {"contradiction"}
    assert listed(corpus).emotion["SM1_F10_H010"] == "happy"


# TESS ------------------------------------------------------------------------------------------


def test_tess_flat_and_in_folders(tmp_path):
    labels = ["angry", "disgust", "fear", "happy", "neutral", "ps", "sad"]
    names = [f"OAF_back_{label}.wav" for label in labels]
    flat = load_corpus("tess", trees.files(tmp_path / "flat", *names, rate=24414))
    trees.files(tmp_path / "deep", *(f"OAF_{name[9:-4]}/{name}" for name in names))
    deep = load_corpus("tess", tmp_path / "deep")
    for corpus in (flat, deep):
        assert (len(corpus.everything), len(corpus.table)) == (7, 4)
        assert listed(corpus).emotion["OAF_back_ps"] == "surprised"
        assert set(corpus.everything.text) == {"back"}
        assert set(corpus.everything.gender) == {"female"}
        assert corpus.problems == ()


def test_tess_the_misnamed_file_and_the_96_khz_file(tmp_path):
    trees.tone(tmp_path / "OA_bite_neutral.wav", rate=24414)
    trees.tone(tmp_path / "YAF_germ_angry.wav", rate=96000)
    corpus = load_corpus("tess", tmp_path)
    assert list(corpus.table.utterance) == ["OAF_bite_neutral", "YAF_germ_angry"]
    assert list(corpus.table.speaker) == ["OAF", "YAF"]
    assert list(corpus.table.seconds) == pytest.approx([0.1, 0.1], abs=1e-3)


# SAVEE -----------------------------------------------------------------------------------------


def test_savee_sa_and_su_come_before_the_single_letters(tmp_path):
    names = ["a01", "d01", "f01", "h01", "n30", "sa01", "su01"]
    trees.files(tmp_path, *(f"AudioData/DC/{name}.wav" for name in names), rate=44100)
    corpus = load_corpus("savee", tmp_path)
    emotions = dict(zip(corpus.everything.label, corpus.everything.emotion, strict=True))
    assert emotions == {
        "a": "angry",
        "d": "disgusted",
        "f": "fearful",
        "h": "happy",
        "n": "neutral",
        "sa": "sad",
        "su": "surprised",
    }
    assert set(corpus.table.gender) == {"male"}
    assert corpus.problems == ()


def test_savee_layouts_name_the_same_utterances(tmp_path):
    trees.files(tmp_path / "a", "AudioData/DC/a01.wav", "AudioData/JE/a01.wav")
    trees.files(tmp_path / "b", "DC_a01.wav", "JE_a01.wav")
    for root in ("a", "a/AudioData", "b"):
        corpus = load_corpus("savee", tmp_path / root)
        assert list(corpus.table.utterance) == ["DC_a01", "JE_a01"]
        assert list(corpus.table.speaker) == ["DC", "JE"]
    assert len(load_corpus("savee", tmp_path / "a/AudioData/DC")) == 1


def test_savee_both_layouts_in_one_tree_are_one_copy(tmp_path):
    trees.files(tmp_path, "AudioData/DC/a01.wav")
    shutil.copy(tmp_path / "AudioData/DC/a01.wav", tmp_path / "DC_a01.wav")
    corpus = load_corpus("savee", tmp_path)
    assert len(corpus) == 1
    assert kinds(corpus) == {"nested copy"}
