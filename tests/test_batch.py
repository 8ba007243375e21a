"""Batches: padding, fixed frames, order, devices, bad requests."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ser.batch import Batch, Dataset
from ser.errors import FeatureError
from ser.features.presets import PRESETS, Preset


class FakeFeatures:
    """Three utterances; every value says whose it is and where it stands."""

    def __init__(self, preset: Preset = PRESETS["release"]):
        self.preset = preset
        self.frames = [(20, 12, 6), (55, 33, 17), (31, 400, 210)]
        self.asked: list[tuple[str, int]] = []

    def mfcc(self, i):
        self.asked.append(("mfcc", i))
        return self._array(i, 0, 39).T

    def mel(self, i):
        self.asked.append(("mel", i))
        return tuple(self._array(i, k + 1, n) for k, n in enumerate(self.preset.n_mels))

    def _array(self, i, k, bands):
        time = np.arange(self.frames[i][k], dtype=np.float32)
        return np.tile(1000 * (i + 1) + time, (bands, 1))


def test_fixed_frames():
    batch = Dataset(FakeFeatures(), [2, 0], [3, 1]).batch()
    assert batch.s1.shape == (2, 128, 230) and batch.s2.shape == (2, 256, 120)
    assert batch.s1_lengths is None and batch.s2_lengths is None
    assert batch.mfcc.shape == (2, 31, 39) and batch.mfcc_lengths.tolist() == [31, 20]
    assert batch.labels.tolist() == [3, 1] and batch.labels.dtype == torch.int64
    assert (batch.mfcc[1, 20:] == 0).all() and batch.mfcc[1, 19, 0] == 1019
    source = torch.arange(400.0)[None, None] + 3000
    expected = torch.nn.functional.interpolate(source, size=230, mode="nearest")[0, 0]
    assert torch.equal(batch.s1[0, 7], expected)


def test_true_lengths():
    batch = Dataset(FakeFeatures(), [0, 1, 2], [0, 1, 2], frames="true").batch()
    assert batch.s1.shape == (3, 128, 400) and batch.s1_lengths.tolist() == [12, 33, 400]
    assert batch.s2.shape == (3, 256, 210) and batch.s2_lengths.tolist() == [6, 17, 210]
    assert (batch.s1[0, :, 12:] == 0).all() and batch.s1[1, 0, 32] == 2032


def test_only_what_is_needed():
    features = FakeFeatures()
    batch = Dataset(features, [1], [0], needs={"s2"}).batch()
    assert batch.mfcc is None and batch.s1 is None and batch.s2.shape == (1, 256, 120)
    assert features.asked == [("mel", 1)]
    batch = Dataset(features, [1], needs={"mfcc"}, frames="fixed").batch()
    assert batch.s1 is None and batch.labels is None and len(batch) == 1


def test_dataset_counts_by_position_and_trims():
    data = Dataset(FakeFeatures(), [2, 0, 1], [2, 0, 1], frames="true")
    assert len(data) == 3
    batch = data.batch(np.array([1]))
    assert batch.mfcc.shape[1] == 20 and batch.s1.shape[2] == 12 and batch.labels.tolist() == [0]
    both = data.batch(torch.tensor([2, 1]))
    assert both.labels.tolist() == [1, 0] and both.mfcc.shape[1] == 55
    assert data.batch(slice(0, 2)).labels.tolist() == [2, 0]
    assert data.batch().labels.tolist() == [2, 0, 1] and data.batch([0]).s1.shape[2] == 400


def test_features_are_read_once():
    features = FakeFeatures()
    data = Dataset(features, [0, 1], [0, 1])
    asked = list(features.asked)
    data.batch([0])
    data.batch([0, 1])
    assert features.asked == asked and len(asked) == 4


def test_batches_own_their_memory():
    data = Dataset(FakeFeatures(), [0, 1], [0, 1])
    batch = data.batch([0])
    batch.s1.zero_()
    assert data.batch([0]).s1.abs().sum() > 0


def test_empty_dataset():
    data = Dataset(FakeFeatures(), [], [], needs={"mfcc", "s1"})
    assert len(data) == 0 and len(data.batch([])) == 0


def test_to_moves_all_but_lengths():
    batch = Dataset(FakeFeatures(), [0, 1], [0, 1], frames="true").batch().to("meta")
    assert {batch.mfcc.device.type, batch.s1.device.type, batch.labels.device.type} == {"meta"}
    assert batch.s1_lengths.device.type == "cpu"
    assert len(Batch()) == 0


def test_long_clip_costs_only_itself():
    """Ragged storage: one long utterance does not pad the others."""
    data = Dataset(FakeFeatures(), [0, 1, 2], needs={"s1"}, frames="true")
    assert sum(t.numel() for t in data._data.values()) == 128 * (12 + 33 + 400 + 1)


def test_bad_requests():
    features = FakeFeatures()
    with pytest.raises(FeatureError, match="s3"):
        Dataset(features, [0], [0], needs={"s3"})
    with pytest.raises(FeatureError, match="'fixed' or 'true'"):
        Dataset(features, [0], [0], frames="long")
    with pytest.raises(FeatureError, match="2 labels for 1"):
        Dataset(features, [0], [0, 1])
    with pytest.raises(FeatureError, match=r"'paper'.*frames='true'"):
        Dataset(FakeFeatures(PRESETS["paper"]), [0], [0], frames="fixed")
