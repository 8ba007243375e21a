"""Names that lost their case (``unzip -L``, an old stick, a CD) are read as if they had not."""

from __future__ import annotations

from pathlib import Path

import pytest
import trees

from ser.corpora import load_corpus

NAMES = {
    "emodb": ("wav/03a01Fa.wav", "wav/08b10Wa.wav", "wav/16a05Tb.wav"),
    "ravdess": ("Actor_01/03-01-05-01-02-01-01.wav",),
    "cremad": ("AudioWAV/1001_IEO_ANG_HI.wav", "AudioWAV/1002_DFA_SAD_XX.wav"),
    "urdu": ("Angry/SM1_F10_A010.wav", "Sad/SF2_F1_S001.wav"),
    "tess": ("OAF_angry/OAF_back_angry.wav",),
    "savee": ("AudioData/DC/sa01.wav", "JE_n07.wav"),
}


@pytest.mark.parametrize("case", [str.lower, str.upper])
@pytest.mark.parametrize("corpus", NAMES)
def test_named_corpora_in_another_case(tmp_path, corpus, case):
    trees.files(tmp_path / "as shipped", *NAMES[corpus])
    trees.files(tmp_path / "other", *map(case, NAMES[corpus]))
    want, got = (load_corpus(corpus, tmp_path / where) for where in ("as shipped", "other"))
    columns = ["utterance", "emotion", "speaker", "gender", "text", "label"]
    assert got.everything[columns].equals(want.everything[columns])
    assert got.problems == want.problems


@pytest.mark.parametrize("case", [str.lower, str.upper])
def test_nemo_in_another_case(tmp_path, case):
    root = trees.nemo(tmp_path, "EB0_anger_1", "MM1_sadness_2")
    for file in (*(root / "samples").iterdir(), root / "samples", root / "data.tsv"):
        file.rename(file.with_name(case(file.name)))
    corpus = load_corpus("nemo", root)
    assert list(corpus.table.utterance) == ["EB0_anger_1", "MM1_sadness_2"]
    assert list(corpus.table.speaker) == ["EB0", "MM1"] and corpus.problems == ()


@pytest.mark.parametrize("case", [str.lower, str.upper])
def test_iemocap_in_another_case(tmp_path, case):
    names = ["Ses01F_impro01_F000", "Ses01F_impro01_M000"]
    root = trees.iemocap(tmp_path, dict.fromkeys(names, "ang"), dict.fromkeys(names, "Hello."))
    for path in sorted(root.rglob("*"), key=lambda path: -len(path.parts)):
        path.rename(path.with_name(case(path.name)))
    corpus = load_corpus("iemocap", root)
    assert list(corpus.table.utterance) == names and corpus.problems == ()
    assert set(corpus.table.text) == {"Hello."}


def test_one_clip_in_two_cases_is_one_clip(tmp_path):
    trees.files(tmp_path, "wav/03a01Fa.wav", "wav/08a01Na.wav")
    twin = tmp_path / "wav" / "03A01FA.wav"
    if twin.exists():
        pytest.skip("this file system does not tell case apart")
    twin.write_bytes((tmp_path / "wav" / "03a01Fa.wav").read_bytes())
    corpus = load_corpus("emodb", tmp_path)
    assert list(corpus.table.utterance) == ["03a01Fa", "08a01Na"] and len(corpus.copies) == 1


@pytest.mark.parametrize("listed", ["wav/A.WAV", "WAV/a.wav", "Wav/A.wav"])
def test_a_table_that_differs_from_the_disk_in_case_only(tmp_path, listed):
    trees.files(tmp_path, "wav/a.wav")
    if (tmp_path / listed).exists():
        pytest.skip("this file system does not tell case apart")
    table = trees.text(tmp_path / "t.csv", f"path,emotion,speaker\n{listed},angry,1\n")
    corpus = load_corpus("manifest", table)
    assert [Path(path) for path in corpus.table.path] == [tmp_path / "wav" / "a.wav"]
    assert corpus.problems == ("note: 1 files are there under names in another case than listed",)


def test_a_table_with_two_files_that_fit_but_for_their_case(tmp_path):
    trees.files(tmp_path, "a.WAV", "b.wav")
    trees.files(tmp_path, "A.wav")
    if len(list(tmp_path.iterdir())) < 3:
        pytest.skip("this file system does not tell case apart")
    table = trees.text(tmp_path / "t.csv", "path,emotion,speaker\na.wav,angry,1\nb.wav,sad,1\n")
    assert [p for p in load_corpus("manifest", table).problems if p.startswith("missing: a.wav")]
