"""Several files with one clip's name: the owners' is taken, others told, or nothing guessed."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import trees

from ser.corpora import copies, load_corpus, read_corpus
from ser.corpora.check import check
from ser.corpora.originals import Original, Originals, file_digest
from ser.errors import CorpusError

CLIPS = ("03a01Wa", "03a02Fa", "08a01Na", "08a02Ta")


def owners(monkeypatch, *files: Path) -> None:
    """Make *files* the owners' own."""
    clips = tuple(Original(f.name, f.stat().st_size, file_digest(f)) for f in files)
    known = Originals(clips)
    monkeypatch.setattr(copies, "originals", lambda name: known if name != "tess" else None)


def emodb(root: Path, *folders: str, **how) -> Path:
    for folder in folders:
        trees.files(root / folder, *(f"{name}.wav" for name in CLIPS), **how)
    return root


def taken(root: Path, name: str = "emodb") -> set[str]:
    corpus = load_corpus(name, root)
    return {Path(path).relative_to(root).parts[0] for path in corpus.everything.path}


def kinds(report: dict) -> dict[str, dict]:
    return {p["kind"]: p for p in report["problems"]}


@pytest.mark.parametrize("other", ["a16k", "augmented", "z16k", "deep/a/b"])
def test_the_owners_file_wins_wherever_it_lies(tmp_path, monkeypatch, other):
    emodb(tmp_path, "speech")
    emodb(tmp_path, other, rate=8000)
    owners(monkeypatch, *(tmp_path / "speech").iterdir())
    assert taken(tmp_path) == {"speech"}
    assert not [p for p in load_corpus("emodb", tmp_path).problems if "nested copy" in p]


def test_the_owners_file_wins_even_in_a_folder_named_for_another_signal(tmp_path, monkeypatch):
    emodb(tmp_path, "noisy", "wav")
    owners(monkeypatch, *(tmp_path / "noisy").iterdir())
    assert taken(tmp_path) == {"noisy"}


def test_a_file_of_the_owners_size_with_other_bytes_is_not_theirs(tmp_path, monkeypatch):
    emodb(tmp_path, "a", "b")  # equal lengths, so equal sizes
    owners(monkeypatch, *(tmp_path / "b").iterdir())
    assert taken(tmp_path) == {"b"}
    told = kinds(check("emodb", tmp_path))["other version"]
    assert told["severity"] == "warning" and told["count"] == 4
    assert "the owners' were taken" in told["message"]


@pytest.mark.parametrize(
    "folder",
    ["laryngo", "LARYNGO", "egg", "wav_egg", "augmented", "AugmentedData", "aug-2", "noisy_10dB",
     "denoised"],
)  # fmt: skip
def test_folders_of_other_signals_are_passed_over_and_told(tmp_path, folder):
    emodb(tmp_path, folder, "wav")
    assert taken(tmp_path) == {"wav"}
    told = kinds(check("emodb", tmp_path))["other signal"]
    assert told["severity"] == "note" and told["count"] == 4
    assert f"{folder}/ were passed over" in told["message"]
    assert str(tmp_path / folder) in told["message"]


@pytest.mark.parametrize("folder", ["wav", "clean", "Audio_Speech_Actors_01-24", "16k", "samples"])
def test_usual_names_are_not_passed_over(tmp_path, folder):
    assert taken(emodb(tmp_path / "noise", folder)) == {folder}


def test_a_clip_that_lies_in_such_a_folder_only_is_left_out_and_told(tmp_path):
    emodb(tmp_path, "wav", "augmented")
    (tmp_path / "wav" / "03a01Wa.wav").rename(tmp_path / "augmented" / "03a01Wa.wav")
    corpus = load_corpus("emodb", tmp_path)
    assert list(corpus.everything.utterance) == ["03a02Fa", "08a01Na", "08a02Ta"]
    told = kinds(check("emodb", tmp_path))["other signal"]
    assert told["severity"] == "warning" and "1 of them are all there is" in told["message"]


def test_laryngograms_alone_are_no_corpus_unless_asked_for(tmp_path):
    emodb(tmp_path, "laryngo")
    with pytest.raises(CorpusError, match="laryngo/ were passed over"):
        load_corpus("emodb", tmp_path)
    corpus = load_corpus("emodb", tmp_path / "laryngo")
    assert len(corpus) == 4
    assert [p for p in corpus.problems if p.startswith("other signal")]


def test_the_owners_own_clips_may_lie_in_a_folder_of_any_name(tmp_path, monkeypatch):
    emodb(tmp_path / "augmented", "wav")
    warned = [p for p in load_corpus("emodb", tmp_path / "augmented").problems if "other sig" in p]
    monkeypatch.setattr("ser.corpora.readers._original", lambda *_: True)
    trusted = [p for p in load_corpus("emodb", tmp_path / "augmented").problems if "other sig" in p]
    assert len(warned) == 1 and trusted == []


def test_where_nothing_decides_run_refuses_and_check_says_what_differs(tmp_path):
    emodb(tmp_path / "my data", "16k", seconds=0.2)
    emodb(tmp_path / "my data", "48k", seconds=0.2, rate=48000)
    root = tmp_path / "my data"
    with pytest.raises(CorpusError) as caught:
        load_corpus("emodb", root)
    text = str(caught.value)
    assert "48k/03a01Wa.wav and 16k/03a01Wa.wav: 48000 Hz, 0.200 s, SHA-256" in text
    assert "the other 16000 Hz, 0.200 s" in text
    assert f"`--root '{root}/48k'` or `--root '{root}/16k'`" in text
    assert f"ser check emodb --root '{root}'" in text
    assert "remove" not in text and "delete" not in text and "copy of" not in text
    report = check("emodb", root)
    told = kinds(report)["conflicting copies"]
    assert not report["ok"] and told["severity"] == "error" and told["count"] == 4
    assert told["files"][3].startswith("48k/08a02Ta.wav and 16k/08a02Ta.wav: 48000 Hz")
    assert len(load_corpus("emodb", root / "48k")) == 4


def test_equal_size_is_no_proof_of_a_copy(tmp_path):
    emodb(tmp_path, "a", "b")
    with pytest.raises(CorpusError, match="nothing says which is right"):
        load_corpus("emodb", tmp_path)


def test_equal_bytes_are_one_clip(tmp_path):
    emodb(tmp_path, "wav")
    shutil.copytree(tmp_path / "wav", tmp_path / "b" / "wav")
    corpus = load_corpus("emodb", tmp_path)
    assert len(corpus) == 4 and {c.how for c in corpus.copies} == {"same bytes"}
    told = kinds(check("emodb", tmp_path))["nested copy"]
    assert told["count"] == 4 and "remove" not in told["message"]


def test_equal_samples_in_other_bytes_are_one_clip(tmp_path):
    emodb(tmp_path, "wav")
    (tmp_path / "flac").mkdir()
    for file in (tmp_path / "wav").iterdir():
        samples, rate = soundfile.read(file, dtype="int16")
        soundfile.write(tmp_path / "flac" / f"{file.stem}.flac", samples, rate)
    assert taken(tmp_path) == {"wav"}
    assert kinds(check("emodb", tmp_path))["same sound"]["severity"] == "note"


def test_flac_with_another_sound_than_the_wav_is_not_decided(tmp_path):
    trees.files(tmp_path, "03a01Wa.flac", "deep/wav/03a01Wa.wav")
    with pytest.raises(CorpusError, match="or move it out of"):
        load_corpus("emodb", tmp_path)


def test_lossy_files_go_after_the_wav_of_their_length(tmp_path):
    emodb(tmp_path, "AudioWAV", seconds=0.5)
    (tmp_path / "AudioMP3").mkdir()
    for file in (tmp_path / "AudioWAV").iterdir():
        samples, rate = soundfile.read(file)
        soundfile.write(tmp_path / "AudioMP3" / f"{file.stem}.mp3", samples, rate)
    assert taken(tmp_path) == {"AudioWAV"}
    assert kinds(check("emodb", tmp_path))["other format"]["severity"] == "note"
    soundfile.write(tmp_path / "AudioMP3" / "03a01Wa.mp3", np.tile(samples, 3), rate)
    with pytest.raises(CorpusError, match=r"1\.\d+ s; the other 0\.500 s"):
        load_corpus("emodb", tmp_path)


def test_what_can_be_read_goes_before_what_cannot(tmp_path):
    emodb(tmp_path, "a", "b")
    for file in (tmp_path / "a").iterdir():
        file.write_bytes(file.read_bytes()[:300] if "W" in file.name else b"")
    assert taken(tmp_path) == {"b"}
    assert kinds(check("emodb", tmp_path))["unusable copy"]["count"] == 4


def test_a_doubled_ravdess_tree_one_of_which_is_resampled(tmp_path, monkeypatch):
    names = [f"Actor_{a:02}/03-01-{e:02}-01-01-01-{a:02}.wav" for a in (1, 2) for e in (1, 3, 4, 5)]
    trees.files(tmp_path, *names, rate=16000)
    inner = trees.files(tmp_path / "audio_speech_actors_01-24", *names, rate=48000)
    owners(monkeypatch, *inner.rglob("*.wav"))
    assert taken(tmp_path, "ravdess") == {"audio_speech_actors_01-24"}
    monkeypatch.undo()
    with pytest.raises(CorpusError, match=r"inner folder, `--root \S+actors_01-24`, or"):
        load_corpus("ravdess", tmp_path)


def test_tess_nested_in_itself_as_it_goes_round(tmp_path):
    name = "TESS Toronto emotional speech set data"
    trees.files(tmp_path / name, "OAF_angry/OAF_back_angry.wav", "YAF_sad/YAF_back_sad.wav")
    shutil.copytree(tmp_path / name, tmp_path / name / name)
    corpus = load_corpus("tess", tmp_path)
    assert len(corpus) == 2 and len(corpus.copies) == 2
    trees.tone(tmp_path / name / name / "OAF_angry" / "OAF_back_angry.wav", rate=8000)
    with pytest.raises(CorpusError, match="8000 Hz"):
        load_corpus("tess", tmp_path)


def test_two_nemo_trees_and_two_lists(tmp_path):
    trees.nemo(tmp_path / "a", "EB0_anger_1", "EB0_sadness_2")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert len(load_corpus("nemo", tmp_path)) == 2
    trees.tone(tmp_path / "b" / "samples" / "EB0_anger_1.wav", rate=24000)
    with pytest.raises(CorpusError, match="24000 Hz"):
        load_corpus("nemo", tmp_path)
    trees.tone(tmp_path / "b" / "16k" / "EB0_anger_1.wav")
    assert len(load_corpus("nemo", tmp_path / "b" / "16k")) == 1
    listing = tmp_path / "b" / "data.tsv"
    listing.write_text(listing.read_text("utf-8").replace("\tanger\t", "\tsadness\t"), "utf-8")
    told = [p for p in read_corpus("nemo", tmp_path).problems if p.startswith("contradiction")]
    assert told == ["contradiction: b/data.tsv differs from a/data.tsv, which was read"]


def test_two_iemocap_trees_that_differ(tmp_path):
    turns = {"Ses01F_impro01_F000": "neu", "Ses01F_impro01_M000": "ang"}
    trees.iemocap(tmp_path / "a", turns)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert len(load_corpus("iemocap", tmp_path)) == 2
    trees.iemocap(tmp_path / "b", turns | {"Ses01F_impro01_M000": "sad"})
    with pytest.raises(CorpusError, match="differ, and nothing says which is right"):
        load_corpus("iemocap", tmp_path)
    told = [p for p in read_corpus("iemocap", tmp_path).problems if p.startswith("contradiction")]
    assert len(told) == 1 and "M000 is sad in b/Session1" in told[0]


def test_trees_of_nemo_and_iemocap_in_a_folder_of_another_signal(tmp_path):
    trees.nemo(tmp_path / "noisy", "EB0_anger_1")
    trees.iemocap(tmp_path / "noisy", {"Ses01F_impro01_F000": "neu"})
    for name in ("nemo", "iemocap"):
        with pytest.raises(CorpusError, match="noisy/ were passed over"):
            load_corpus(name, tmp_path)
        assert len(load_corpus(name, tmp_path / "noisy")) == 1


def test_a_table_of_ones_own_may_lie_in_any_folder(tmp_path):
    trees.files(tmp_path / "noise", "aug/a.wav")
    table = trees.text(tmp_path / "noise" / "t.csv", "path,emotion,speaker\naug/a.wav,sad,1\n")
    assert load_corpus("manifest", table).problems == ()


def test_bytes_are_compared_only_where_a_clip_has_several_files(tmp_path, monkeypatch):
    emodb(tmp_path, "wav")
    monkeypatch.setattr(copies, "file_digest", lambda path: pytest.fail(f"{path} was read"))
    assert len(load_corpus("emodb", tmp_path)) == 4
