"""``ser export``: the ONNX file gives the logits of ``ser predict``, or there is no file."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

import ser.export
from ser.batch import Dataset
from ser.cli import main
from ser.errors import ModelError
from ser.export import Exported, clips, export_model, to_onnx
from ser.features.mel import log_mel
from ser.features.presets import get_preset
from ser.loading import SavedModel
from ser.models import build_model
from ser.nn.exported import squashed, standardised
from ser.normalise import measure, normalised
from ser.prediction import branch_logits, predict
from ser.recording import wave_features

onnxruntime = pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")

TRAINED_ON = {"corpus": "synthetic", "utterances": 1, "speakers": ["a"], "seconds": [1.0, 2.0]}


def made(row, preset="release", frames="fixed", normalise="none", **options) -> SavedModel:
    """A small network of a row, its statistics and scales as training leaves them."""
    network = build_model(row, preset, hidden=6, channels=(8, 4), seed=0, **options)
    waves = [wave for wave in clips(6000).values() if len(wave) < 40_000]
    features, rows, parts, scales = wave_features(waves, preset), range(len(waves)), {}, {}
    for name, part in zip(network.names, network.parts, strict=True):
        parts[name], scales[name] = part, measure(features, rows, part.needs)
        seen = normalised(features, normalise, part.needs, scale=scales[name])
        batch = Dataset(seen, rows, needs=part.needs, frames=frames).batch()
        with torch.no_grad():
            for _ in range(12 if part.needs & {"s1", "s2"} else 0):  # moves the batch norms
                part.train()(batch)
        part.eval()
    return SavedModel(row, preset, frames, parts, TRAINED_ON, "cpu", normalise, scales)


def weights(model):
    return [((row, k), v) for row, p in model.branches.items() for k, v in p.state_dict().items()]


def test_squash_and_normalise_are_what_training_sees():
    preset = get_preset("release")
    for frames in [*range(1, 60), 119, 120, 121, 229, 230, 231, 900]:
        pair = torch.rand(3, frames), torch.rand(2, frames)
        for size, table, wanted in zip(preset.frames, pair, preset.squash(*pair), strict=True):
            assert torch.equal(squashed(table.T, size).T, wanted)
    table = torch.randn(50, 39) * 20 - 100
    table[:, 3] = -100.0
    one = type("One", (), {"mfcc": lambda self, i: table.numpy()})()
    scale = [torch.from_numpy(values) for values in measure(one, [0], {"mfcc"})["mfcc"]]
    wanted = (table - scale[0]) / scale[1]
    torch.testing.assert_close(standardised(table), wanted, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(standardised(table, scale), wanted)


@pytest.mark.parametrize(
    "row, settings",
    [
        ("mfcc-lstm", {"normalise": "utterance"}),
        ("dual", {"normalise": "train"}),
        ("dual-equations", {"preset": "paper", "frames": "true", "pooling": "attention"}),
        ("ds-lstm-no-y-candidate", {"frames": "true", "max_steps": 9}),
        ("mfcc+cnn-lstm-pair", {"preset": "paper", "frames": "true", "normalise": "utterance"}),
        ("concat-lstm", {"layers": 1}),
    ],
)
def test_onnxruntime_gives_the_logits_of_predict(row, settings, tmp_path):
    model = made(row, **settings)
    before = {k: v.clone() for k, v in weights(model)}
    path = tmp_path / "folder" / "model.onnx"
    assert export_model(model, path) <= ser.export.TOLERANCE
    assert [p.name for p in path.parent.iterdir()] == ["model.onnx"]  # one file, no data beside it
    assert all(torch.equal(v, before[k]) for k, v in weights(model))

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [i.name for i in session.get_inputs()] == ["waveform"]
    assert session.get_inputs()[0].shape == ["samples"]
    assert [o.name for o in session.get_outputs()] == ["logits", *model.branches]
    told = session.get_modelmeta().custom_metadata_map
    assert json.loads(told["emotions"]) == ["angry", "happy", "neutral", "sad"]
    shortest = int(told["fewest_samples"])
    random = np.random.default_rng(1)
    for count in [shortest, *random.integers(shortest, 60_000, 6)]:  # lengths nobody checked
        wave = random.uniform(-0.3, 0.3, count).astype(np.float32)
        logits, *branches = session.run(None, {"waveform": wave})
        for name, found in zip(model.branches, branches, strict=True):
            with torch.no_grad():
                wanted = branch_logits(wave, model, name, "").numpy()
            assert np.abs(found - wanted).max() < ser.export.TOLERANCE
        assert np.allclose(logits, np.mean(branches, axis=0), atol=1e-6)


def test_the_command_exports_what_a_run_left(kept, tiny_root, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trained = kept("dual")
    assert main(["export", str(trained), "--out", "m.onnx"]) == 0
    told = capsys.readouterr().out
    assert "m.onnx" in told and "checked" in told and "synthetic" in told
    text = (tmp_path / "m.onnx").read_bytes()
    assert str(tmp_path).encode() not in text and b"site-packages" not in text
    onnx.checker.check_model(onnx.load("m.onnx"), full_check=True)
    session = onnxruntime.InferenceSession("m.onnx", providers=["CPUExecutionProvider"])
    clip = next(tiny_root.rglob("*.wav"))
    from ser.audio import load_audio

    wave = load_audio(clip)[:50_000]
    logits = session.run(["logits"], {"waveform": wave})[0]
    wanted = list(predict(wave, trained).probabilities.values())
    assert np.allclose(np.exp(logits) / np.exp(logits).sum(), wanted, atol=1e-4)


def test_a_file_that_differs_is_not_written(tmp_path, monkeypatch):
    model, path = made("cnn-lstm-s1"), tmp_path / "m.onnx"
    path.write_bytes(b"before")

    def loud(*given):
        return log_mel(*given).clamp(min=-90)  # heard in digital silence alone

    monkeypatch.setattr("ser.export.log_mel", loud)
    with pytest.raises(ModelError, match=r"cnn-lstm-s1: for .*silence.* nothing was written"):
        export_model(model, path)
    assert path.read_bytes() == b"before" and len(list(tmp_path.iterdir())) == 1


def test_a_length_that_was_fixed_fails(tmp_path, monkeypatch):
    whole = Exported.forward
    monkeypatch.setattr(Exported, "forward", lambda self, x: whole(self, x[: int(x.shape[0])]))
    with pytest.raises(ModelError, match="samples"):
        to_onnx(made("mfcc-lstm"), 400)
    monkeypatch.setattr(Exported, "forward", lambda self, x: whole(self, torch.zeros(9000)))
    with pytest.raises(ModelError, match="nothing was written"):
        export_model(made("mfcc-lstm"), tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_exported_says_so(tmp_path, monkeypatch):
    for rule in ("speaker", "running", "enrol:2"):
        model = replace(made("mfcc-lstm"), normalise=rule)
        with pytest.raises(ModelError, match=rf"normalised by {rule}, .*--normalise"):
            export_model(model, tmp_path / "m.onnx")
    (tmp_path / "egemaps-lr").mkdir()
    with pytest.raises(ModelError, match="egemaps-lr is a baseline, no network"):
        export_model(tmp_path, tmp_path / "m.onnx")
    with pytest.raises(ModelError, match="no trained model here"):
        export_model(tmp_path / "egemaps", tmp_path / "m.onnx")
    with pytest.raises(ModelError, match=r"is a folder; name the file to write: .*model\.onnx"):
        export_model(made("mfcc-lstm"), tmp_path)

    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ModelError, match=r"onnxscript.*pip install 'ser-book\[export\]'"):
        export_model(made("mfcc-lstm"), tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()
