"""Frame-level prosody: openSMILE's own numbers, its traps, cache and packs."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from small_corpora import make_corpus

from ser.errors import FeatureError
from ser.features import load_pack, prosody25, save_pack
from ser.features.extract import extract
from ser.features.prosody import F0, JITTER, SHIMMER, VOICED, masked

RATE = 16000


def voice(seconds: float = 1.0, pitch: float = 150.0, level: float = 0.02) -> np.ndarray:
    """A buzz: harmonics of a pitch that fall by their number."""
    time = np.arange(round(seconds * RATE)) / RATE
    found = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, 20))
    return (level * found).astype(np.float32)


def noise(seconds: float = 1.0, level: float = 0.02, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, level, round(seconds * RATE)).astype(np.float32)


def rows_of(samples: int) -> int:
    """As the module says it."""
    return 2 + (max(samples, 960) - 960) // 160


class _Never:
    def __call__(self, *given, **more):
        raise AssertionError("computed though it is in the cache")


@pytest.fixture(scope="module")
def smile():
    opensmile = pytest.importorskip("opensmile")
    return opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, "LowLevelDescriptors")


@pytest.mark.parametrize("samples", [0, 400, 959, 960, 1119, 1120, 16000, 16159, 16160])
def test_rows_are_counted_before_they_are_computed(samples):
    pytest.importorskip("opensmile")
    assert prosody25(noise(samples / RATE)).shape == (rows_of(samples), 25)


def test_a_second_has_96_rows_and_its_last_hundredths_are_in_none(smile):
    wave = noise(1.0)
    longer = np.concatenate([wave, voice(0.009, level=0.3)])
    assert prosody25(wave).shape == (96, 25)
    assert prosody25(longer).shape == (96, 25), "9 ms more make no row"
    assert np.array_equal(prosody25(wave), prosody25(longer), equal_nan=True), "nor are they heard"


def test_the_numbers_are_opensmiles_own(smile):
    for wave in (np.concatenate([noise(0.3), voice(0.5), noise(0.2)]), voice(0.3, 300)):
        theirs = smile.process_signal(wave, RATE).to_numpy()
        assert np.array_equal(masked(theirs), prosody25(wave), equal_nan=True)
    names = list(smile.feature_names)
    assert len(names) == 25
    assert names[F0].startswith("F0semitone")
    assert names[JITTER].startswith("jitter")
    assert names[SHIMMER].startswith("shimmer")
    assert all(name.endswith("_sma3nz") for name in names[VOICED])
    assert not any(name.endswith("_sma3nz") for name in names[: VOICED.start])


def test_without_a_voice_opensmile_writes_0_into_pitch_and_a_plain_number_into_a_formant(smile):
    theirs = smile.process_signal(noise(), RATE)
    assert (theirs["F0semitoneFrom27.5Hz_sma3nz"] == 0).all()
    assert (theirs["HNRdBACF_sma3nz"] == 0).all()
    assert (theirs["F1frequency_sma3nz"] > 100).all(), "a formant of nothing"
    ours = prosody25(noise())
    assert np.isnan(ours[:, VOICED]).all() and np.isfinite(ours[:, : VOICED.start]).all()


def test_pitch_is_in_semitones_and_sees_a_voice_before_loudness_does(smile):
    silence = np.zeros(RATE // 2, np.float32) + noise(0.5, 1e-4)
    rows = prosody25(np.concatenate([silence, voice(0.5)]))
    pitch, loud = rows[:, F0], rows[:, 0]
    assert 27.5 * 2 ** (np.nanmedian(pitch) / 12) == pytest.approx(150, rel=0.02)
    first = int(np.flatnonzero(~np.isnan(pitch))[0])
    risen = int(np.flatnonzero(loud > loud[:30].max() + 0.5 * loud[-20:].mean())[0])
    assert 2 <= risen - first <= 5, "20 to 50 ms"
    assert np.isfinite(rows[first + 10, VOICED]).all()


def test_silence_clipping_and_shape_are_told():
    pytest.importorskip("opensmile")
    assert np.isfinite(prosody25(np.zeros(RATE, np.float32))[:, : VOICED.start]).all()
    loud = prosody25(50 * voice(0.5, 150))
    assert 27.5 * 2 ** (np.nanmedian(loud[:, F0]) / 12) == pytest.approx(150, rel=0.03)
    with pytest.raises(FeatureError, match="one waveform"):
        prosody25(np.zeros((2, 100)))


def test_without_opensmile_the_way_out_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "opensmile", None)
    with pytest.raises(FeatureError, match=r"ser-book\[egemaps\]"):
        prosody25(np.zeros(RATE))


def test_cached_as_the_others_and_carried_in_a_pack(tmp_path, monkeypatch):
    pytest.importorskip("opensmile")
    corpus = make_corpus(tmp_path / "few", 4)
    plain = extract(corpus, cache=tmp_path / "c", progress=False)
    with pytest.raises(FeatureError, match="prosody=True"):
        plain.prosody(0)
    features = extract(corpus, cache=tmp_path / "c", progress=False, prosody=True)
    assert features.content_hash == plain.content_hash and features.report["computed"] == 3
    first = [features.prosody(i) for i in range(4)]
    assert [len(rows) for rows in first] == [rows_of(n) for n in features.samples]
    monkeypatch.setattr(sys.modules["ser.features.extract"], "prosody_of", _Never())
    again = extract(corpus, cache=tmp_path / "c", progress=False, prosody=True)
    assert again.report["computed"] == 0
    pack = load_pack(save_pack(again, tmp_path / "pack"))
    assert load_pack(save_pack(plain, tmp_path / "plain")).prosody_store is None
    for i, rows in enumerate(first):
        assert np.array_equal(again.prosody(i), rows, equal_nan=True)
        assert np.array_equal(pack.subset([i]).prosody(0), rows, equal_nan=True)
    for shard in pack.prosody_store.folder.glob("*.safetensors"):
        data = bytearray(shard.read_bytes())
        data[-3] ^= 0x40
        shard.write_bytes(bytes(data))
    with pytest.raises(FeatureError, match="missing or damaged"):
        load_pack(tmp_path / "pack")
    before = (tmp_path / "plain" / "meta.json").read_text()
    assert "prosody" not in before


def test_another_speed_has_another_pitch_and_a_folder_of_its_own(tmp_path):
    pytest.importorskip("opensmile")
    import soundfile as sf

    corpus = make_corpus(tmp_path / "few", 2)
    sf.write(corpus.table.path[1], voice(0.6, 200), RATE)
    options = {"cache": tmp_path / "c", "progress": False, "prosody": True}
    slow, plain = extract(corpus, speed=0.8, **options), extract(corpus, **options)
    ratio = np.nanmedian(plain.prosody(1)[:, F0]) - np.nanmedian(slow.prosody(1)[:, F0])
    assert ratio == pytest.approx(12 * np.log2(1 / 0.8), abs=0.3)
