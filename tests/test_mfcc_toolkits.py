"""MFCC settings against the libraries they are of, and speech made again from its envelope."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from chapters.mfcc.envelope import smooth_spectrum, speak
from chapters.mfcc.toolkits import (
    CONFIGURATION,
    LIBROSA,
    OPENSMILE,
    TORCHAUDIO,
    MFCCSettings,
    cepstra,
    cosines,
    filter_bank,
    lifter,
    log_bands,
)
from chapters.shared.prosody import level

from ser.errors import FeatureError
from ser.features import mfcc39
from ser.features.mfcc import cepstral_matrix, htk_filterbank


@pytest.fixture(scope="module")
def wave() -> np.ndarray:
    """Pulses at a gliding F0 through a resonance, with a hiss: 1.2 s on the 16-bit grid."""
    random = np.random.default_rng(3)
    time = np.arange(19200) / 16000
    phase = np.cumsum(110 + 60 * time) / 16000
    pulses = (np.diff(np.floor(phase), prepend=0) > 0).astype(float)
    ring = np.exp(-np.arange(400) / 60) * np.sin(2 * np.pi * 700 * np.arange(400) / 16000)
    sound = np.convolve(pulses, ring)[:19200] + 0.003 * random.normal(size=19200)
    return np.round(0.3 * sound / np.abs(sound).max() * 32768) / 32768


def test_opensmiles_mfccs_are_the_packages(wave):
    assert np.abs(cepstra(wave)[:, 1:] - mfcc39(wave).numpy()[:, :12]).max() < 5e-3


def test_opensmiles_mfccs_are_opensmiles(wave):
    opensmile = pytest.importorskip("opensmile")
    smile = opensmile.Smile(feature_set=str(CONFIGURATION), feature_level="lld")
    theirs = smile.process_signal(wave, 16000).to_numpy()[:, :12]
    assert np.abs(cepstra(wave)[:, 1:] - theirs).max() < 5e-3


def test_librosas_mfccs_are_librosas(wave):
    librosa = pytest.importorskip("librosa")
    theirs = librosa.feature.mfcc(y=wave, sr=16000, n_mfcc=13).T
    ours = cepstra(wave, LIBROSA)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() < 1e-2
    assert np.allclose(
        filter_bank(LIBROSA), librosa.filters.mel(sr=16000, n_fft=2048, n_mels=128), atol=1e-6
    )


def test_torchaudios_mfccs_are_torchaudios(wave):
    torchaudio = pytest.importorskip("torchaudio")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        transform = torchaudio.transforms.MFCC(16000, n_mfcc=13)
    theirs = transform(torch.tensor(wave, dtype=torch.float32)).numpy().T
    ours = cepstra(wave, TORCHAUDIO)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() < 1e-2
    assert any("all zero" in str(w.message) for w in said)
    assert (filter_bank(TORCHAUDIO).sum(1) == 0).any()


def test_kaldis_way_needs_five_arguments(wave):
    kaldi = pytest.importorskip("torchaudio.compliance.kaldi")
    theirs = kaldi.mfcc(
        32768 * torch.tensor(wave, dtype=torch.float32)[None],
        num_mel_bins=26,
        low_freq=0,
        window_type="hamming",
        dither=0.0,
        remove_dc_offset=False,
    ).numpy()
    assert np.abs(cepstra(wave)[:, 1:] - theirs[:, 1:]).max() < 5e-3


def test_pieces_are_the_packages():
    assert np.allclose(filter_bank(OPENSMILE), htk_filterbank(), atol=1e-9)
    assert np.allclose(cosines(26, 13)[1:] * lifter(13)[1:, None], cepstral_matrix())


def test_linear_differences_are_linear(wave):
    plain = cepstra(wave)
    in_db = cepstra(wave, replace(OPENSMILE, log="dB"))
    assert np.allclose(in_db, plain * 10 / np.log(10))
    assert np.allclose(cepstra(wave, replace(OPENSMILE, lifter=0)) * lifter(13), plain)


@pytest.mark.parametrize(
    "settings",
    [{"centre": "left"}, {"window": "flat"}, {"mel": "bark"}, {"triangles": "log"}, {"log": "log"}],
)
def test_unknown_settings(settings):
    with pytest.raises(FeatureError, match="is one of"):
        MFCCSettings(**settings)


def test_what_cannot_be_computed(wave):
    with pytest.raises(FeatureError, match="shorter than the frame"):
        MFCCSettings(n_fft=256)
    with pytest.raises(FeatureError, match="at least one frame"):
        log_bands(wave[:399])
    with pytest.raises(FeatureError, match="mirrored"):
        log_bands(wave[:200], TORCHAUDIO)
    with pytest.raises(FeatureError, match="26 bands"):
        cepstra(wave, count=27)


def test_one_cepstrum_is_flat_and_all_follow_the_bands():
    power = np.exp(np.random.default_rng(0).normal(size=(3, 257)))
    assert np.allclose(np.ptp(np.log(smooth_spectrum(power, 1)), axis=1), 0)
    tilted = np.exp(-np.linspace(0, 5, 257))[None]
    rough = np.abs(np.log(smooth_spectrum(tilted, 2) / tilted)).mean()
    fine = np.abs(np.log(smooth_spectrum(tilted, 26) / tilted)).mean()
    assert fine < rough < 1.0


def test_made_again_about_as_strong_with_the_pitch_it_is_given(wave):
    parselmouth = pytest.importorskip("parselmouth")
    assert parselmouth
    from chapters.shared.prosody import f0_track

    times = np.arange(120) / 100
    again = speak(wave, 13, (times, np.full(120, 200.0)))
    assert again.shape == wave.shape
    assert np.nanmedian(f0_track(again)[1]) == pytest.approx(200, rel=0.02)
    assert abs(level(again) - level(wave)) < 4
    whisper = speak(wave, 13)
    assert np.array_equal(whisper, speak(wave, 13)) and abs(level(whisper) - level(wave)) < 4
    assert np.isfinite(speak(np.zeros(700), 13)).all()


@pytest.mark.parametrize("bad", [np.zeros(0), np.zeros((2, 9))])
def test_not_a_wave(bad):
    with pytest.raises(FeatureError, match="one row of samples"):
        speak(bad)
    with pytest.raises(FeatureError, match=r"\(frames, 257\)"):
        smooth_spectrum(bad)
    with pytest.raises(FeatureError, match="26 bands"):
        smooth_spectrum(np.ones((1, 257)), 0)
