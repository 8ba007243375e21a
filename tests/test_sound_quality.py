"""What a recording sounds like: clean speech is told nothing, what is spoiled is named."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile
import soxr

from ser import load_audio, load_corpus
from ser.cli import main
from ser.corpora.check import check
from ser.loading import load_model
from ser.prediction import predict
from ser.sound_quality import EFFECTS, Channels, listen
from ser.streaming import predict_stream

DRAW = np.random.default_rng(0)


def narrow(rate):
    return lambda wave: soxr.resample(soxr.resample(wave, 16000, rate), rate, 16000)


def noise(samples, colour=0.0):
    """White (0), pink (1) or brown (2), at -20 dB."""
    spectrum = np.fft.rfft(np.random.default_rng(samples).normal(size=samples))
    made = np.fft.irfft(spectrum / np.arange(1, len(spectrum) + 1) ** (colour / 2), samples)
    return 0.1 * made / made.std()


def with_noise(decibels, colour=0.0):
    gain = 10 ** (1 - decibels / 20)
    return lambda wave: wave + gain * wave.std() * noise(len(wave), colour)


def humming(hertz):
    return lambda wave: wave + 0.05 * np.sin(2 * np.pi * hertz * np.arange(len(wave)) / 16000)


def bang(wave):
    wave = 0.05 * wave / np.abs(wave).max()
    wave[6000:6400] += 0.9 * np.exp(-np.arange(400) / 100) * DRAW.choice([-1, 1], 400)
    return wave


def padded(wave):
    return np.concatenate([np.zeros(2 * len(wave)), wave, np.zeros(2 * len(wave))])


SPOILED = {
    "telephone, 8 kHz": ("band", narrow(8000)),
    "11 kHz": ("band", narrow(11025)),
    "DC offset": ("offset", lambda wave: wave + 0.05),
    "a soft sound's DC offset": ("offset", lambda wave: 0.1 * wave + 0.005),
    "white noise, 5 dB above the voice": ("no voice", with_noise(-5)),
    "pink noise, 5 dB below": ("noise", with_noise(5, 1.0)),
    "white noise alone": ("no voice", lambda wave: noise(len(wave))),
    "pink noise alone": ("no voice", lambda wave: noise(len(wave), 1.0)),
    "brown noise alone": ("no voice", lambda wave: noise(len(wave), 2.0)),
    "hum of 50 Hz": ("hum", humming(50)),
    "hum of 60 Hz": ("hum", humming(60)),
    "clipped": ("clipped", lambda wave: np.clip(8 * wave / np.abs(wave).max(), -1, 1)),
    "clipped, then made softer": ("clipped", lambda wave: np.clip(wave, -0.02, 0.02)),
    "one bang": ("bang", bang),
    "mostly silence": ("pauses", padded),
    "a drop-out": ("gap", lambda wave: np.insert(wave, len(wave) // 2, np.zeros(5000))),
    "silence as A-law has it": ("silence", lambda wave: np.full(len(wave), 8 / 32768)),
    "A-law's idle noise": ("silence", lambda wave: DRAW.choice([-8, 8], len(wave)) / 32768),
    "digital silence": ("silence", np.zeros_like),
}


@pytest.fixture(scope="module")
def voices(tiny_root):
    return [load_audio(path) for path in load_corpus("synthetic", tiny_root).table.path[::6]]


@pytest.fixture(scope="module")
def model(kept):
    return kept("mfcc-lstm")


def test_clean_speech_is_told_nothing(tiny_root):
    for path in load_corpus("synthetic", tiny_root).table.path:
        assert listen(load_audio(path)) == {}, path


@pytest.mark.parametrize(("corpus", "step", "count"), [("emodb", 1, 339), ("nemo", 25, 124)])
def test_clean_corpora_are_told_nothing(shared, corpus, step, count):
    paths = load_corpus(corpus, shared / "data" / corpus).table.path[::step]
    told = {}
    for path in paths:
        channels = Channels()
        told[path] = listen(load_audio(path, heed=channels.add)) | channels.heard()
    assert len(told) == count and {p: t for p, t in told.items() if t} == {}


@pytest.mark.parametrize("name", SPOILED)
def test_what_is_spoiled_is_named(voices, name):
    kind, spoil = SPOILED[name]
    for voice in voices:
        told = listen(spoil(voice.astype(np.float64)).astype(np.float32))
        assert kind in told, (name, told)
        assert set(told) <= set(EFFECTS)


@pytest.mark.parametrize("samples", [0, 1, 2, 511, 512, 8000, 8192, 8193, 48001])
def test_any_sound_at_all_can_be_listened_to(samples):
    for wave in (
        np.zeros(samples), np.ones(samples), np.arange(samples) / 48001, np.eye(1, samples)[0],
        np.eye(1, samples, samples - 1)[0], 100 * DRAW.normal(size=samples),
        1e-3 * np.eye(1, samples, samples // 2)[0], np.sin(np.arange(samples)),
    ):  # fmt: skip
        for part in (False, True):
            assert set(listen(wave.astype(np.float32), part)) <= set(EFFECTS)


def test_a_dc_offset_is_told_and_changes_no_answer(voices, model):
    model = load_model(model, "cpu")
    for voice in voices:
        clean, answer = predict(voice, model), predict(voice + np.float32(0.2), model)
        assert any("a DC offset of +0.2" in w and "takes it away" in w for w in answer.warnings)
        assert answer.probabilities == pytest.approx(clean.probabilities, abs=5e-3)


def stereo(voice, kind):
    silent = np.full_like(voice, 8 / 32768)
    sides = {"cancelling": (voice, -0.9 * voice), "one side": (silent, voice)}
    return np.stack(sides[kind], axis=1)


@pytest.mark.parametrize("kind", ["cancelling", "one side"])
@pytest.mark.parametrize("rate", [16000, 44100])
def test_channels_that_cancel_or_are_empty_are_told(voices, model, tmp_path, capsys, kind, rate):
    path = tmp_path / "ä.wav"
    soundfile.write(path, stereo(soxr.resample(voices[0], 16000, rate), kind), rate)
    assert any(EFFECTS[kind] in w for w in predict(path, model).warnings)
    (answer, *_) = predict_stream(path, model, 1.0, 1.0)
    assert any(EFFECTS[kind] in w for w in answer.prediction.warnings)
    args = ["predict", str(path), "--checkpoint", str(model)]
    assert main(args) == 0 and f": {EFFECTS[kind]}" in capsys.readouterr().out
    assert main([*args, "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)["predictions"]
    assert any(EFFECTS[kind] in w for w in told["warnings"])
    assert main([*args, "--stream", "--window", "1"]) == 0
    out, err = capsys.readouterr()
    assert "2 channels" in out and err.count(EFFECTS[kind]) == 1


@pytest.mark.parametrize("kind", ["cancelling", "one side"])
@pytest.mark.parametrize("offsets", [(0.2, 0.2), (0.3, 0.0), (-0.1, 0.25)])
def test_an_offset_hides_neither_channels_that_cancel_nor_empty_ones(voices, kind, offsets):
    channels = Channels()
    for block in np.array_split(stereo(0.5 * voices[0], kind) + np.float32(offsets), 3):
        channels.add(block)
    assert list(channels.heard()) == [kind]


def test_channels_of_an_offset_alone_and_two_alike_with_one_are_no_fault(voices):
    alike = np.stack([voices[0], voices[0]], axis=1) * 0.5
    for block in (np.full((4000, 2), 0.3, np.float32), alike + np.float32([0.2, -0.2]), alike[:0]):
        channels = Channels()
        channels.add(block)
        assert channels.heard() == {}


def test_two_different_microphones_are_no_fault():
    channels = Channels()
    channels.add(DRAW.normal(size=(16000, 2)).astype(np.float32))
    channels.add(DRAW.normal(size=(16000, 2)).astype(np.float32) * [1.0, 0.2])
    assert channels.heard() == {}


def test_a_stream_says_where_there_is_no_voice(voices, model):
    voice = np.resize(voices[0], 48000)
    sound = np.concatenate([voice, 0.05 * DRAW.normal(size=48000), voice]).astype(np.float32)
    answers = list(predict_stream([sound], model, 3.0, 3.0))
    voiceless = [EFFECTS["no voice"] in " ".join(a.prediction.warnings) for a in answers]
    assert voiceless == [False, True, False]
    assert "(nothing in it repeats as a voice does)" in answers[1].to_text()


def test_ser_check_tells_what_predict_tells(voices, tmp_path, capsys):
    rows = ["path,emotion,speaker"]
    clips = {name: spoil(voices[0].astype(np.float64)) for name, (_, spoil) in SPOILED.items()}
    for kind in ("cancelling", "one side"):
        clips[kind] = stereo(voices[0], kind)
    for number, (name, wave) in enumerate(clips.items()):
        subtype = "ALAW" if "A-law has" in name else "FLOAT"
        soundfile.write(tmp_path / f"{number}.wav", wave, 16000, subtype=subtype)
        rows.append(
            f"{number}.wav,{('angry', 'happy', 'neutral', 'sad')[number % 4]},s{number % 3}"
        )
    (tmp_path / "m.csv").write_text("\n".join(rows))
    report = check("manifest", tmp_path / "m.csv")
    told = {p["kind"]: p for p in report["problems"]}
    assert set(EFFECTS) - {"silence"} <= set(told)
    silent = [list(clips).index(n) for n, (kind, _) in SPOILED.items() if kind == "silence"]
    assert told["silent"]["severity"] == "error" and not report["ok"]
    assert told["silent"]["files"] == [f"{n}.wav" for n in silent]
    assert EFFECTS["band"] in told["band"]["message"] and "0.wav" in told["band"]["files"]
    assert main(["check", "manifest", "--root", str(tmp_path / "m.csv")]) == 1
    assert "almost nothing above" in capsys.readouterr().out


def test_sound_that_is_lost_in_the_middle_is_told(voices):
    whole = np.concatenate([voices[0], voices[1]])
    assert "gap" not in listen(whole)
    lost = whole.copy()
    lost[len(whole) // 2 : len(whole) // 2 + 5000] = 0
    assert listen(lost)["gap"].startswith("nothing at all for 0.31 s")
    assert "gap" not in listen(np.pad(whole, 5000))  # silence before and behind is no loss


def test_a_tone_is_no_hum_and_a_full_band_no_telephone():
    time = np.arange(32000) / 16000
    assert "hum" not in listen(0.2 * np.sin(2 * np.pi * 440 * time))
    assert "hum" in listen(0.2 * np.sin(2 * np.pi * 440 * time) + 0.1 * np.sin(100 * np.pi * time))
