"""Packs: features that travel without audio and are read without sound libraries."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import textwrap

import pytest
import soundfile
from small_corpora import get, make_corpus, same, shards

from ser.cli import main
from ser.errors import FeatureError
from ser.features import PRESETS, load_pack, save_pack
from ser.paths import sealed


@pytest.fixture
def corpus(tmp_path):
    return make_corpus(tmp_path / "Körper und Stimme")


def test_pack_holds_everything(corpus, tmp_path):
    features = get(corpus, tmp_path / "c")
    folder = save_pack(features, tmp_path / "ein Päckchen")
    shutil.rmtree(tmp_path / "c")
    shutil.rmtree(corpus.root)
    pack = load_pack(folder)
    assert pack.content_hash == features.content_hash and pack.keys == features.keys
    assert pack.corpus == {"name": "made", "licence": "made up, free", "citation": "nobody"}
    assert pack.preset == PRESETS["release"] and pack.mel(3)[0].shape[0] == 128
    assert pack.table.drop(columns="path").equals(corpus.table.drop(columns="path"))
    assert pack.table.speaker.tolist()[:3] == ["00", "01", "02"], "no numbers made of names"
    assert set(pack.table.text) == {"NA"}, "no missing values made of words"
    assert str(tmp_path) not in (folder / "meta.json").read_text(encoding="utf-8")


def test_pack_has_the_same_bits(corpus, tmp_path):
    features = get(corpus, tmp_path / "c", preset="paper")
    pack = load_pack(save_pack(features, tmp_path / "p"))
    assert same(pack, features) and pack.preset == PRESETS["paper"]
    assert (pack.lengths == features.lengths).all() and (pack.samples == features.samples).all()


def test_pack_is_read_without_sound_libraries(corpus, tmp_path):
    folder = save_pack(get(corpus, tmp_path / "c"), tmp_path / "p")
    code = f"""
        import sys
        class Absent:
            def find_spec(self, name, path=None, target=None):
                if name.split(".")[0] in {{"soundfile", "librosa", "soxr", "opensmile",
                                           "parselmouth", "torchaudio"}}:
                    raise ImportError(name + " is not installed")
        sys.meta_path.insert(0, Absent())
        from ser.features import load_pack
        features = load_pack({str(folder)!r})
        print(len(features), features.mfcc(1).shape[1], features.mel(1)[1].shape[0])
    """
    answer = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    assert answer.stdout.split() == ["12", "39", "256"]


def test_pack_written_twice_is_not_doubled(corpus, tmp_path):
    features = get(corpus, tmp_path / "c")
    save_pack(features, tmp_path / "p")
    save_pack(features, tmp_path / "p")
    assert len(shards(tmp_path / "p")) == 1 and same(load_pack(tmp_path / "p"), features)


def test_a_pack_is_not_written_over_by_another(corpus, tmp_path):
    """Its shards go by audio: those of another preset would be taken for the new ones."""
    release, paper = (get(corpus, tmp_path / p, preset=p) for p in ("release", "paper"))
    folder = save_pack(release, tmp_path / "p")
    before = {p.name: p.read_bytes() for p in folder.glob("*.*")}
    with pytest.raises(FeatureError, match="pack of made, preset release; name a new folder"):
        save_pack(paper, folder)
    assert {p.name: p.read_bytes() for p in folder.glob("*.*")} == before
    assert same(load_pack(folder), release)
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    meta["preset"] |= {"name": "paper", "n_fft": [256, 512], "frames": None}
    (folder / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
    with pytest.raises(FeatureError, match=r"meta\.json: .*digest differs.* copy the pack again"):
        load_pack(folder)
    (folder / "meta.json").write_text(sealed(meta), encoding="utf-8")
    with pytest.raises(FeatureError, match="this version of ser makes other features"):
        load_pack(folder)


def test_a_pack_whose_writing_was_interrupted_is_completed(corpus, tmp_path):
    release, paper = (get(corpus, tmp_path / p, preset=p) for p in ("release", "paper"))
    folder = save_pack(release, tmp_path / "p")
    before = shards(folder)
    (folder / "meta.json").unlink()
    with pytest.raises(FeatureError, match="not a pack"):
        load_pack(folder)
    assert same(load_pack(save_pack(release, folder)), release) and shards(folder) == before
    (folder / "meta.json").unlink()
    assert same(load_pack(save_pack(paper, folder)), paper)


@pytest.mark.parametrize(
    "files",
    [{"meta.json": '{"my": "precious"}', "table.csv": "a,b"}, {"table.csv": "a,b"},
     {"meta.json": "[1"}, {"meta.json": "[1]"}, {"notes.txt": "mine"}],
)  # fmt: skip
def test_files_of_others_are_left_alone(corpus, tmp_path, files):
    folder = tmp_path / "mine"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    with pytest.raises(FeatureError, match="is not empty and not a pack"):
        save_pack(get(corpus, tmp_path / "c"), folder)
    assert {p.name: p.read_text(encoding="utf-8") for p in folder.iterdir()} == files


def test_pack_of_damaged_or_foreign_folders(corpus, tmp_path):
    with pytest.raises(
        FeatureError, match=r"not a pack.* \(meta.json is missing\); name the folder"
    ):
        load_pack(tmp_path / "nothing")
    features = get(corpus, tmp_path / "c")
    with pytest.raises(FeatureError, match="not a pack"):
        save_pack(features, corpus.root)
    folder = save_pack(features, tmp_path / "p")
    table = folder / "meta.json"
    text = table.read_text(encoding="utf-8")
    table.write_text(text.replace("angry", "happy"), encoding="utf-8")
    with pytest.raises(FeatureError, match="digest differs"):
        load_pack(folder)
    table.write_text(text, encoding="utf-8")
    for path in shards(folder):
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(FeatureError, match="12 of 12 utterances"):
        load_pack(folder)


def test_a_pack_of_another_version_of_features_is_neither_read_nor_filled(corpus, tmp_path):
    features = get(corpus, tmp_path / "c")
    folder = save_pack(features, tmp_path / "pack")
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    other = meta | {"parameters": meta["parameters"] | {"version": 2}}
    (folder / "meta.json").write_text(sealed(other), encoding="utf-8")
    with pytest.raises(FeatureError, match=r"this version of ser makes other features.* anew"):
        load_pack(folder)
    with pytest.raises(FeatureError, match=r"another version of ser; name a new folder"):
        save_pack(features, folder)
    (folder / "meta.json").write_text(sealed(meta | {"format": 2}), encoding="utf-8")
    with pytest.raises(FeatureError, match=r"a pack of format 2, of another version of ser; make"):
        load_pack(folder)
    with pytest.raises(FeatureError, match=r"preset release, of another version of ser; name"):
        save_pack(features, folder)


def test_two_corpora_of_one_name_do_not_share_a_pack(corpus, tmp_path):
    first = get(corpus, tmp_path / "c")
    folder = save_pack(first, tmp_path / "pack")
    stranger = make_corpus(tmp_path / "other")
    for path in stranger.root.glob("*.wav"):
        soundfile.write(path, 0.01 + 0.5 * soundfile.read(path)[0], 16000)
    other = get(stranger, tmp_path / "c")
    assert not set(first.keys) & set(other.keys)
    with pytest.raises(FeatureError, match=r"pack of other recordings \(11, none of them"):
        save_pack(other, folder)
    assert same(load_pack(folder), first)


def test_a_sentence_may_hold_any_line_ending(corpus, tmp_path):
    features = get(corpus, tmp_path / "c")
    said = ["one\rtwo", "one\ntwo", "one\r\ntwo", 'a "b", c']
    features.table["text"] = (said * 3)[: len(features)]
    pack = load_pack(save_pack(features, tmp_path / "pack"))
    assert pack.table.text.tolist() == features.table.text.tolist()


def test_the_folder_is_looked_at_before_anything_is_computed(corpus, tmp_path, capsys, monkeypatch):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    monkeypatch.setattr("ser.features.extract", lambda *_, **__: pytest.fail("computed"))
    monkeypatch.setattr("ser.corpora.load_corpus", lambda *_: corpus)
    assert main(["features", "--out", str(tmp_path / "mine")]) == 2
    assert "is not empty and not a pack" in capsys.readouterr().err
