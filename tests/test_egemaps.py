"""eGeMAPS: openSMILE's own values, cached, finite for silence, short and overloaded sounds."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import soundfile as sf
from small_corpora import make_corpus

from ser.corpora.base import Corpus, make_table
from ser.errors import FeatureError
from ser.features.egemaps import compare, egemaps, egemaps_names


def test_egemaps_are_opensmiles_and_cached(tmp_path, monkeypatch):
    opensmile = pytest.importorskip("opensmile")
    corpus = make_corpus(tmp_path / "few", 4)
    values = egemaps(corpus, tmp_path / "c", progress=False).values
    assert values.shape == (4, 88) and values.dtype == np.float32 and np.isfinite(values).all()
    smile = opensmile.Smile(
        feature_set=opensmile.FeatureSet.eGeMAPSv02,
        feature_level=opensmile.FeatureLevel.Functionals,
    )
    wave = sf.read(corpus.table.path[2], dtype="float32")[0]
    assert np.array_equal(values[2], smile.process_signal(wave, 16000).to_numpy()[0])
    assert egemaps_names()[0].startswith("F0semitone") and len(egemaps_names()) == 88
    monkeypatch.setattr("ser.features.egemaps._functionals", None)
    assert np.array_equal(egemaps(corpus, tmp_path / "c", progress=False).values, values)


def test_compare_are_opensmiles_and_cached(tmp_path, monkeypatch):
    opensmile = pytest.importorskip("opensmile")
    corpus = make_corpus(tmp_path / "few", 2)
    values = compare(corpus, tmp_path / "c", progress=False).values
    assert values.shape == (2, 6373) and np.isfinite(values).all()
    smile = opensmile.Smile(
        feature_set=opensmile.FeatureSet.ComParE_2016,
        feature_level=opensmile.FeatureLevel.Functionals,
    )
    wave = sf.read(corpus.table.path[1], dtype="float32")[0]
    assert np.array_equal(values[1], smile.process_signal(wave, 16000).to_numpy()[0])
    monkeypatch.setattr("ser.features.egemaps._functionals", None)
    assert np.array_equal(compare(corpus, tmp_path / "c", progress=False).values, values)


def test_egemaps_of_silence_short_and_full_scale_sounds(tmp_path):
    pytest.importorskip("opensmile")
    rows, time_ = [], np.arange(16000) / 16000
    sounds = {
        "silence": np.zeros(16000),
        "50 ms": np.random.default_rng(0).normal(0, 0.1, 800),
        "loud": 1.2 * np.sin(2 * np.pi * 150 * time_),
    }
    for name, sound in sounds.items():
        sf.write(tmp_path / f"{name}.wav", sound, 16000, subtype="FLOAT")
        rows.append({"utterance": name, "path": str(tmp_path / f"{name}.wav")})
    table = make_table([{**row, "emotion": "sad", "speaker": "1"} for row in rows])
    values = egemaps(
        Corpus("made", tmp_path, table, table, "", ""), tmp_path / "c", progress=False
    ).values
    assert np.isfinite(values).all()
    by_name = {row.utterance: values[i] for i, row in enumerate(table.itertuples())}
    silence = dict(zip(egemaps_names(), by_name["silence"], strict=True))
    assert silence["equivalentSoundLevel_dBp"] == -120
    assert silence["F0semitoneFrom27.5Hz_sma3nz_amean"] == 0
    assert silence["jitterLocal_sma3nz_amean"] == 0
    clipped = by_name["loud"]
    pitch = 27.5 * 2 ** (clipped[0] / 12)
    assert pitch == pytest.approx(150, rel=0.03), "samples over full scale do not wrap round"


def test_egemaps_without_opensmile(tmp_path, monkeypatch):
    corpus = make_corpus(tmp_path / "few", 2)
    monkeypatch.setitem(sys.modules, "opensmile", None)
    with pytest.raises(FeatureError, match=r"ser-book\[egemaps\]"):
        egemaps(corpus, tmp_path / "c", progress=False)
