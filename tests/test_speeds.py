"""Training utterances at other speeds: their features, which one an epoch takes, who may ask."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from ser.batch import Dataset
from ser.errors import CorpusError, FeatureError
from ser.experiments import RunConfig, run
from ser.experiments.grid_inputs import load_inputs
from ser.features import extract, mel_pair, mfcc39, save_pack
from ser.features.speed import change_speed
from ser.training import TrainConfig
from ser.training.augment import Augmenter


def source(value: float) -> SimpleNamespace:
    return SimpleNamespace(mfcc=lambda i: np.full((5 + i, 39), 10 * value + i, np.float32),
                           preset=None)  # fmt: skip


def test_an_epoch_is_as_long_and_each_utterance_comes_in_one_version():
    rows = np.arange(6)
    data = Dataset(source(0), rows, rows % 4, {"mfcc"}, "true", versions=[source(1), source(2)])
    assert len(data) == 6 and data.versions == 3
    seen = set()
    for epoch in range(1, 30):
        batch = Augmenter(TrainConfig(), 0, epoch).pick(data, rows)
        assert batch.labels.tolist() == (rows % 4).tolist()
        assert batch.mfcc_lengths.tolist() == (5 + rows).tolist()
        first = batch.mfcc[:, 0, 0].numpy()
        assert (first % 10 == rows).all()
        seen |= set(zip(rows.tolist(), (first // 10).astype(int).tolist(), strict=True))
    assert seen == {(i, v) for i in range(6) for v in range(3)}
    assert (data.batch(rows).mfcc[:, 0, 0].numpy() == rows).all()


def test_features_at_another_speed_are_those_of_resampled_sound_and_are_kept(tiny_root, tmp_path):
    import soxr

    from ser.audio import load_audio
    from ser.corpora import load_corpus

    corpus = load_corpus("synthetic", tiny_root)
    corpus = replace(corpus, table=corpus.table[:3])
    plain = extract(corpus, cache=tmp_path, progress=False)
    slow = extract(corpus, cache=tmp_path, progress=False, speed=0.9)
    assert slow.report["computed"] == 3 and slow.report["folder"] != plain.report["folder"]
    wave = load_audio(corpus.table.path.iloc[1])
    wanted = soxr.resample(wave, 14400, 16000, quality="HQ")
    assert abs(len(wanted) - len(wave) / 0.9) <= 1
    np.testing.assert_allclose(slow.mfcc(1), mfcc39(wanted).numpy(), atol=1e-3)
    np.testing.assert_allclose(slow.mel(1)[0], mel_pair(wanted).s1.numpy(), atol=1e-3)
    again = extract(corpus, cache=tmp_path, progress=False, speed=0.9)
    assert again.report["computed"] == 0
    assert extract(corpus, cache=tmp_path, progress=False).report["computed"] == 0


def test_a_tone_played_faster_is_higher_and_shorter():
    tone = np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000).astype(np.float32)
    fast = change_speed(tone, 1.25)
    assert len(fast) == 12800
    assert np.argmax(np.abs(np.fft.rfft(fast))) * 16000 / len(fast) == pytest.approx(1250, abs=2)
    assert len(change_speed(np.ones(410, np.float32), 1.5)) == 400
    with pytest.raises(FeatureError, match=r"0\.5 to 2"):
        change_speed(tone, 3)


def test_speed_needs_the_sound_and_only_rows_that_train_with_it(tiny_root, tmp_path):
    from ser.corpora import load_corpus

    settings = TrainConfig(epochs=1, batch_size=16, hidden=8, speed=(1.1,))
    config = RunConfig(root=str(tiny_root), models=("mfcc-lstm",), protocol="random", folds=2,
                       train=settings, cache=str(tmp_path), progress=False)  # fmt: skip
    features = extract(load_corpus("synthetic", tiny_root), cache=tmp_path, progress=False)
    save_pack(features, tmp_path / "pack")
    with pytest.raises(CorpusError, match="no sound to play faster"):
        run(replace(config, features=str(tmp_path / "pack"), root=None))
    corpus, _ = load_inputs(config, {"mfcc-lstm"})
    assert list(corpus.speeds) == [1.1] and corpus.speeds[1.1].keys == corpus.features.keys
    assert not load_inputs(config, {"majority"})[0].speeds
