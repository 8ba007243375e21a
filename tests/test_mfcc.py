"""``mfcc39`` against openSMILE run with book/chapters/mfcc/MFCC12_E_D_A.conf, and its own promises.

Tolerance: 5e-3 on all 39 columns, whose values reach about 110 (both sides compute in float32).
Measured: at most SPEECH on 137 clips of EmoDB and nEMO and 0.0001 on noise. Most bands of a pure
chirp hold rounding errors only: there openSMILE and ours differ by up to 0.0065, ours and the
formulas in float64 by 0.0020; the chirp is held to 1e-2 of openSMILE, and to 5e-3 of the formulas.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from chapters.mfcc.toolkits import CONFIGURATION

from ser.errors import FeatureError
from ser.features import mfcc39
from ser.features.mfcc import EMPHASIS, FRAME, HOP, N_FFT, cepstral_matrix, htk_filterbank
from ser.features.presets import INT16_SCALE

TOLERANCE = 5e-3


@pytest.fixture(scope="module")
def smile():
    opensmile = pytest.importorskip("opensmile")
    return opensmile.Smile(feature_set=str(CONFIGURATION), feature_level="lld")


def integers(wave: np.ndarray) -> np.ndarray:
    """Rounded to 16 bits: the opensmile package takes nothing else."""
    return (np.round(np.clip(wave, -1, 32767 / 32768) * 32768) / 32768).astype(np.float32)


def sounds() -> dict[str, np.ndarray]:
    random = np.random.default_rng(7)
    time = np.arange(24000) / 16000
    chirp = 0.7 * np.sin(2 * np.pi * (50 * time + 2500 * time**2))
    speechlike = np.sin(2 * np.pi * 120 * time) * np.sin(2 * np.pi * 3 * time) ** 2
    half_silent = np.where(time < 0.75, random.normal(0, 0.1, 24000), 0.0)
    return {
        "noise": integers(random.normal(0, 0.1, 24000)),
        "faint noise": integers(random.normal(0, 1e-4, 24000)),
        "full scale noise": integers(random.uniform(-1, 1, 24000)),
        "chirp": integers(chirp),
        "pulses": integers(0.3 * speechlike + 0.5 * (np.arange(24000) % 133 == 0)),
        "noise, then silence": integers(half_silent),
        "silence": np.zeros(24000, dtype=np.float32),
    }


@pytest.mark.parametrize("name", sounds())
def test_equal_to_opensmile_on_made_sounds(smile, name):
    wave = sounds()[name]
    theirs = smile.process_signal(wave, 16000).to_numpy()
    ours = mfcc39(wave).numpy()
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() < (2 * TOLERANCE if name == "chirp" else TOLERANCE)


@pytest.mark.parametrize("name", sounds())
def test_equal_to_the_formulas_in_double_precision(name):
    samples = sounds()[name].astype(np.float64) * INT16_SCALE
    starts = np.arange(0, len(samples) - FRAME + 1, HOP)
    frames = samples[starts[:, None] + np.arange(FRAME)]
    emphasised = frames - EMPHASIS * np.hstack([frames[:, :1], frames[:, :-1]])
    window = 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(FRAME) / (FRAME - 1))
    power = np.abs(np.fft.rfft(emphasised * window, N_FFT)) ** 2
    bands = np.log(np.maximum(power @ htk_filterbank().T, 1.0))
    exact = bands @ cepstral_matrix().T
    assert np.abs(mfcc39(sounds()[name]).numpy()[:, :12] - exact).max() < TOLERANCE


@pytest.mark.parametrize("samples", [880, 881, 1039, 1040, 1041, 16000, 16159, 16160])
def test_equal_to_opensmile_at_any_length(smile, samples):
    wave = sounds()["noise"][:samples]
    theirs = smile.process_signal(wave, 16000).to_numpy()
    ours = mfcc39(wave).numpy()
    assert ours.shape == theirs.shape == (1 + (samples - 400) // 160, 39)
    assert np.abs(ours - theirs).max() < TOLERANCE


def test_equal_to_opensmile_on_emodb(smile, shared):
    from ser.audio import load_audio

    for path in sorted((shared / "data" / "emodb" / "wav").glob("*.wav"))[::48]:
        wave = load_audio(path)
        theirs = smile.process_signal(wave, 16000).to_numpy()
        assert np.abs(mfcc39(wave).numpy() - theirs).max() < TOLERANCE, path.name


def test_columns_are_cepstra_energy_deltas_accelerations(smile):
    names = list(smile.feature_names)
    assert names[0] == "pcm_fftMag_mfcc[1]" and names[12] == "pcm_LOGenergy"
    assert names[25] == "pcm_LOGenergy_de" and names[38] == "pcm_LOGenergy_de_de"


def test_energy_is_of_the_unwindowed_frame_in_16_bit_units():
    wave = sounds()["noise"]
    frame = wave[160:560].astype(np.float64) * 32768
    assert mfcc39(wave)[1, 12].item() == pytest.approx(np.log(np.sum(frame**2)), abs=1e-5)


def test_level_moves_the_energy_and_no_cepstrum():
    wave = sounds()["full scale noise"]
    loud, soft = mfcc39(wave), mfcc39(wave * 0.5)
    assert torch.allclose(loud[:, :12], soft[:, :12], atol=1e-3)
    assert torch.allclose(loud[:, 12] - soft[:, 12], torch.tensor(2 * np.log(2.0)).float())


def test_deltas_of_a_straight_line_are_its_slope():
    """Energy that grows by the same amount each frame: delta constant, acceleration 0."""
    wave = sounds()["full scale noise"][:160].repeat(1)
    wave = np.tile(wave, 100) * np.exp(np.repeat(np.arange(100), 160) * 0.02 - 3)
    middle = mfcc39(wave.astype(np.float32))[10:-10]
    assert torch.allclose(middle[:, 25], torch.tensor(0.04), atol=1e-4)
    assert torch.allclose(middle[:, 38], torch.tensor(0.0), atol=1e-4)


def test_silence_is_zero():
    assert not mfcc39(np.zeros(16000, dtype=np.float32)).any()


def test_one_frame():
    features = mfcc39(sounds()["noise"][:400])
    assert features.shape == (1, 39)
    assert not features[:, 13:].any()  # nothing moves


def test_60_seconds():
    wave = np.tile(sounds()["noise"], 40)
    features = mfcc39(wave)
    assert features.shape == (1 + (960000 - 400) // 160, 39) and torch.isfinite(features).all()


def test_tensor_and_double_input():
    wave = sounds()["noise"]
    assert torch.equal(mfcc39(torch.from_numpy(wave)), mfcc39(wave.astype(np.float64)))
    assert mfcc39(wave).dtype == torch.float32


@pytest.mark.parametrize(
    ("wave", "words"),
    [
        (np.zeros(399), "399 samples"),
        (np.zeros((2, 16000)), "one channel"),
        (np.zeros(0), "0 samples"),
    ],
)
def test_waveforms_it_cannot_take(wave, words):
    with pytest.raises(FeatureError, match=words):
        mfcc39(wave)


def test_filters_and_cosines():
    bank = htk_filterbank()
    inside = bank[:, 3:230].sum(0)
    assert np.allclose(inside, 1.0), "neighbouring triangles add up to 1"
    assert not bank[:, 0].any()
    lifter = 1 + 11 * np.sin(np.pi * np.arange(1, 13) / 22)
    rows = cepstral_matrix() / lifter[:, None]
    assert np.allclose(rows @ rows.T, np.eye(12)), "orthonormal before the lifter"
