"""Features learnt from much speech, on a network of wav2vec's kind that is small and random."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch
import torchaudio
from chapters.what_came_after import TINY
from small_corpora import make_corpus

from ser.audio import load_audio
from ser.cli import main
from ser.errors import CorpusError, FeatureError, RecordError
from ser.experiments import RunConfig, run
from ser.features.learnt import learnt, pipelines, weights_digest, weights_file
from ser.report import load_records

NAME = "TINY_BASE"


@pytest.fixture
def bundle(tmp_path, monkeypatch):
    """A pipeline of two layers of eight numbers, its weights where torch.hub looks for them."""
    params = TINY | {"encoder_embed_dim": 8, "encoder_num_layers": 2}
    made = torchaudio.pipelines.Wav2Vec2Bundle("tiny.pth", params, 16000, False, "Wav2Vec2")
    monkeypatch.setattr(torchaudio.pipelines, NAME, made, raising=False)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", no_download)
    torch.manual_seed(1)
    weights_file(NAME).parent.mkdir(parents=True)
    torch.save(torchaudio.models.wav2vec2_model(**params).state_dict(), weights_file(NAME))
    return made


def no_download(*_, **__):
    raise AssertionError("a download was begun")


@pytest.fixture
def config(tiny_root, tmp_path) -> RunConfig:
    return RunConfig(
        root=str(tiny_root),
        models=("ssl-lr",),
        protocol="loso",
        ssl=NAME,
        jobs=1,
        threads=1,
        progress=False,
        out=tmp_path / "out",
        cache=str(tmp_path / "cache"),
    )


def test_an_utterance_is_the_mean_over_layers_and_time_and_is_cached(bundle, tmp_path, monkeypatch):
    corpus = make_corpus(tmp_path / "sounds")
    found = learnt(corpus, tmp_path / "cache", progress=False, model=NAME)
    assert found.values.shape == (12, 8) and found.values.dtype == np.float32
    network = bundle.get_model(dl_kwargs={"weights_only": True})
    for row in (3, 11):
        wave = torch.from_numpy(load_audio(found.table.path[row]))[None]
        with torch.no_grad():
            layers, _ = network.extract_features(wave)
        assert len(layers) == 2
        by_hand = sum(layer[0].mean(0) for layer in layers) / 2
        assert np.allclose(found.values[row], by_hand, atol=1e-5)
    monkeypatch.setattr(type(bundle), "get_model", no_download)
    again = learnt(corpus, tmp_path / "cache", progress=False, model=NAME)
    assert np.array_equal(again.values, found.values)


def test_it_is_run_recorded_and_reported_with_its_weights(bundle, config, capsys):
    records = run(config)
    assert len(records) == 4 and {r["config"]["ssl"] for r in records} == {NAME}
    assert {r["config"]["ssl_weights"] for r in records} == {weights_digest(NAME)}
    assert records[0]["tuning"]["inner"] == "3 folds by speaker"
    assert records[0]["parameters"] == 4 * 8 + 4
    assert [r.data["model"] for r in load_records([config.out])] == ["ssl-lr"] * 4
    assert main(["report", str(config.out)]) == 0
    assert "ssl-lr" in capsys.readouterr().out


def test_other_weights_are_another_run(bundle, config):
    run(config)
    torch.save({k: v * 2 for k, v in torch.load(weights_file(NAME)).items()}, weights_file(NAME))
    with pytest.raises(RecordError, match="other settings"):
        run(config)


def test_weights_that_are_not_there_are_named_and_never_downloaded(bundle, config):
    weights_file(NAME).unlink()
    with pytest.raises(FeatureError) as error:
        run(config)
    told = str(error.value)
    assert str(weights_file(NAME)) in told and "https://download.pytorch.org" in told
    assert f"torchaudio.pipelines.{NAME}.get_model()" in told and "SHA-256" in told


def test_a_file_that_is_none_of_weights_is_not_unpickled(bundle, config, tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "opened"), "w"))

    torch.save({"a": Evil()}, weights_file(NAME))
    with pytest.raises(FeatureError, match=f"not the weights of {NAME}"):
        run(config)
    assert not (tmp_path / "opened").exists()


def test_short_sounds_have_a_vector_and_padding_of_others_no_part(bundle, tmp_path):
    corpus = make_corpus(tmp_path / "sounds")
    whole = learnt(corpus, tmp_path / "a", progress=False, model=NAME).values
    alone = replace(corpus, table=corpus.table.iloc[[1]].reset_index(drop=True))
    alone = learnt(alone, tmp_path / "b", progress=False, model=NAME).values
    assert np.array_equal(alone[0], whole[1]) and np.isfinite(whole).all()


def test_names_and_files_are_torchaudios():
    assert {"WAV2VEC2_BASE", "HUBERT_BASE", "WAVLM_BASE"} <= set(pipelines())
    assert not any("ASR" in name for name in pipelines())
    with pytest.raises(FeatureError, match="WAV2VEC2_BASE"):
        weights_file("WAV2VEC")


def test_digest_is_of_the_whole_file(bundle):
    assert weights_digest(NAME) == hashlib.sha256(weights_file(NAME).read_bytes()).hexdigest()


def test_a_pack_has_no_sound_and_all_rows_leave_it_out(bundle, config, tmp_path):
    from ser.cli.run import _models

    assert "ssl-lr" not in _models("all") and "egemaps-lr" in _models("all")
    pack = tmp_path / "pack"
    command = ["features", "--root", config.root, "--out", str(pack), "--cache", config.cache]
    assert main(command) == 0
    with pytest.raises(CorpusError, match="no sound"):
        run(replace(config, features=str(pack)))
