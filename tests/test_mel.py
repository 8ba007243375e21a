"""``mel_pair`` against librosa, its presets, its floor, and the release's squash.

Tolerances against librosa in float64 on samples of the 16-bit scale: 0.002 dB in bands within 60 dB
of the frame's loudest (measured 0.0008 on 137 clips of EmoDB and nEMO), 0.1 dB in the others
(measured 0.02 on speech, 0.03 on a chirp), where single precision is the limit.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ser.errors import FeatureError
from ser.features import (
    PRESETS,
    Preset,
    get_preset,
    mel_filterbank,
    mel_pair,
    squash,
)
from ser.features.presets import nearest_index

TOLERANCE, TOLERANCE_BELOW_60_DB = 0.002, 0.1


def sounds() -> dict[str, np.ndarray]:
    random = np.random.default_rng(3)
    time = np.arange(24000) / 16000
    noise = random.normal(0, 0.1, 24000)
    return {
        "noise": noise.astype(np.float32),
        "faint noise": (noise * 1e-2).astype(np.float32),
        "chirp in noise": (
            0.5 * np.sin(2 * np.pi * (50 * time + 2500 * time**2)) + 0.01 * noise
        ).astype(np.float32),
        "noise, then silence": np.where(time < 0.75, noise, 0.0).astype(np.float32),
    }


def librosa_decibels(wave: np.ndarray, n_fft: int) -> np.ndarray:
    librosa = pytest.importorskip("librosa")
    power = librosa.feature.melspectrogram(
        y=wave.astype(np.float64) * 32768,
        sr=16000,
        n_fft=n_fft,
        hop_length=n_fft // 2,
        n_mels=n_fft // 4,
    )
    return librosa.power_to_db(power, ref=1.0, amin=1e-10, top_db=None)


def agree(wave: np.ndarray, preset: str) -> None:
    for ours, n_fft in zip(mel_pair(wave, preset), PRESETS[preset].n_fft, strict=True):
        theirs = librosa_decibels(wave, n_fft)
        assert ours.shape == theirs.shape
        error = np.abs(ours.numpy() - theirs)
        near = theirs > theirs.max(axis=0) - 60
        assert error[near].max() < TOLERANCE
        assert error.max() < TOLERANCE_BELOW_60_DB
        assert np.array_equal(ours.numpy() == -100, theirs == -100)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", sounds())
def test_equal_to_librosa_on_made_sounds(name, preset):
    agree(sounds()[name], preset)


@pytest.mark.parametrize("preset", PRESETS)
def test_equal_to_librosa_on_emodb(shared, preset):
    from ser.audio import load_audio

    for path in sorted((shared / "data" / "emodb" / "wav").glob("*.wav"))[::80]:
        agree(load_audio(path), preset)


@pytest.mark.filterwarnings("ignore:n_fft=")
@pytest.mark.parametrize("samples", [1, 255, 256, 257, 800, 16000, 16383, 16384])
def test_equal_to_librosa_at_any_length(samples):
    agree(sounds()["noise"][:samples], "release")


@pytest.mark.filterwarnings("ignore:Empty filters")
def test_filterbank_is_librosas():
    librosa = pytest.importorskip("librosa")
    for n_fft, n_mels, rate in ((256, 64, 16000), (512, 128, 16000), (1024, 256, 44100)):
        theirs = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=n_mels, dtype=np.float64)
        assert np.allclose(mel_filterbank(n_fft, n_mels, rate), theirs, atol=1e-9)


def test_no_dead_band_at_16_khz():
    """At 44.1 kHz a quarter of the window is too many bands: everything is resampled first."""
    for preset in PRESETS.values():
        for n_fft, n_mels in zip(preset.n_fft, preset.n_mels, strict=True):
            assert (mel_filterbank(n_fft, n_mels).sum(axis=1) > 0).all()
    assert (mel_filterbank(512, 128, 44100).sum(axis=1) == 0).sum() == 11
    assert (mel_filterbank(1024, 256, 44100).sum(axis=1) == 0).sum() == 21


def test_presets():
    release, paper = PRESETS["release"], PRESETS["paper"]
    assert (release.n_fft, release.hop_length, release.n_mels) == (
        (512, 1024),
        (256, 512),
        (128, 256),
    )
    assert (paper.n_fft, paper.hop_length, paper.n_mels) == ((256, 512), (128, 256), (64, 128))
    assert release.frames == (230, 120) and paper.frames is None
    assert get_preset("paper") is get_preset(paper) is paper
    with pytest.raises(FeatureError, match=r"unknown preset 'papre'.*release, paper"):
        get_preset("papre")


def test_shapes_and_true_lengths():
    for name, expected in (("release", ((128, 94), (256, 47))), ("paper", ((64, 188), (128, 94)))):
        pair = mel_pair(sounds()["noise"], name)
        assert (tuple(pair.s1.shape), tuple(pair.s2.shape)) == expected
        assert pair.s1.dtype == torch.float32 and pair.s1.is_contiguous()


def test_silence_is_minus_100_db():
    for name in PRESETS:
        for spectrogram in mel_pair(np.zeros(16000, dtype=np.float32), name):
            assert (spectrogram == -100).all()


def test_50_ms_and_60_seconds():
    assert mel_pair(sounds()["noise"][:800]).s2.shape == (256, 2)
    long = mel_pair(np.tile(sounds()["noise"], 40))
    assert long.s1.shape == (128, 3751) and torch.isfinite(long.s1).all()


def test_twice_the_level_is_6_db():
    quiet, loud = mel_pair(sounds()["noise"]).s1, mel_pair(sounds()["noise"] * 2).s1
    assert torch.allclose(loud - quiet, torch.tensor(20 * np.log10(2.0)).float(), atol=1e-3)


def test_waveforms_it_cannot_take():
    with pytest.raises(FeatureError, match="0 samples"):
        mel_pair(np.zeros(0))
    with pytest.raises(FeatureError, match="one channel"):
        mel_pair(np.zeros((16000, 2)))
    with pytest.raises(FeatureError, match="unknown preset"):
        mel_pair(np.zeros(16000), "both")


# the squash


def test_squash_is_torchs_nearest_interpolation():
    for size in (120, 230):
        for length in (*range(1, 700), 1500, 3751):
            row = torch.arange(length, dtype=torch.float32)
            theirs = torch.nn.functional.interpolate(row[None, None], size=size, mode="nearest")
            assert np.array_equal(nearest_index(length, size), theirs[0, 0].numpy())


def test_squash_of_array_and_tensor_agree():
    preset, random = PRESETS["release"], np.random.default_rng(0)
    for length in (90, 400):
        pair = random.normal(size=(128, length)), random.normal(size=(256, length // 2))
        arrays = preset.squash(*pair)
        tensors = preset.squash(*map(torch.from_numpy, pair))
        assert arrays[0].shape == (128, 230) and arrays[1].shape == (256, 120)
        for array, tensor in zip(arrays, tensors, strict=True):
            assert torch.equal(torch.from_numpy(array), tensor)


def test_paper_preset_keeps_time():
    s1, s2 = np.zeros((64, 77)), np.zeros((128, 39))
    assert PRESETS["paper"].squash(s1, s2) == (s1, s2)


def test_no_frames_cannot_be_squashed():
    with pytest.raises(FeatureError, match="0 frames"):
        squash(np.zeros((128, 0)), 230)


def test_a_preset_of_ones_own():
    pair = mel_pair(sounds()["noise"], Preset("mine", (400, 800)))
    assert pair.s1.shape == (100, 121) and pair.s2.shape == (200, 61)
