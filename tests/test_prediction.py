"""From a trained network on disk to an answer about a recording."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from ser.cli import main
from ser.corpora.base import EMOTIONS
from ser.errors import AudioError, ModelError
from ser.experiments import stored_records
from ser.loading import FEW
from ser.prediction import load_model, predict


@pytest.fixture(scope="module")
def trained(kept):
    return kept("dual")


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "meine Stimme ä.wav"
    noise = np.random.default_rng(0).normal(scale=0.1, size=(44100 * 2, 2))
    soundfile.write(path, noise, 44100)
    return path


def test_a_saved_model_answers_as_it_did_in_training(trained, tiny_root):
    from ser.corpora import load_corpus

    record = stored_records(trained.parents[2])["dual", trained.name]
    model = load_model(trained)
    table = load_corpus("synthetic", tiny_root).table.set_index("utterance")
    for number in (0, 7):
        path = table.path[record["test"]["utterances"][number]]
        answer = predict(path, model)
        logits = np.array(record["selection"]["last"]["logits"][number])
        wanted = np.exp(logits) / np.exp(logits).sum()
        assert np.allclose([answer.probabilities[e] for e in EMOTIONS], wanted, atol=2e-3)
        assert set(answer.branches) == {"mfcc-lstm", "ds-lstm"}


def test_any_format_and_samples_too(trained, recording):
    answer = predict(recording, trained)
    assert sum(answer.probabilities.values()) == pytest.approx(1, abs=1e-5)
    assert answer.emotion == max(answer.probabilities, key=answer.probabilities.get)
    assert answer.seconds == pytest.approx(2, abs=0.01)
    samples = predict(np.zeros(16000, dtype=np.float32), trained)
    assert any("digital silence" in w for w in samples.warnings)


def test_length_and_level_unlike_the_training_are_noted(trained, tmp_path):
    path = tmp_path / "long.wav"
    soundfile.write(path, np.random.default_rng(0).normal(scale=1e-4, size=16000 * 30), 16000)
    notes = " ".join(predict(path, trained).warnings)
    assert "30.0 s long" in notes
    assert "quiet" in notes


def test_too_short_is_told(trained, tmp_path):
    path = tmp_path / "short.wav"
    soundfile.write(path, np.ones(80) * 0.1, 16000)
    with pytest.raises(AudioError, match=r"short\.wav"):
        predict(path, trained)


def test_the_command_says_what_it_was_trained_on(trained, recording, capsys):
    assert main(["predict", str(recording), "--checkpoint", str(trained)]) == 0
    text = capsys.readouterr().out
    assert "angry" in text and "mfcc-lstm says" in text
    assert "trained on 24 utterances of synthetic" in text
    assert "says nothing about people" in text


def test_one_bad_file_does_not_stop_the_others(trained, recording, tmp_path, capsys):
    args = ["predict", str(tmp_path / "none.wav"), str(recording), "--json"]
    assert main([*args, "--checkpoint", str(trained)]) == 2
    body = json.loads(capsys.readouterr().out)
    assert [p["path"] for p in body["predictions"]] == [str(recording)]
    assert "none.wav" in body["failed"][0]["error"]
    assert body["trained_on"]["corpus"] == "synthetic"


def test_a_terminal_that_lacks_a_letter_loses_no_answer(trained, recording, tmp_path):
    path = tmp_path / "zażółć.wav"
    path.write_bytes(recording.read_bytes())
    done = subprocess.run(
        [sys.executable, "-m", "ser", "predict", str(path), "--checkpoint", trained],
        env=os.environ | {"PYTHONIOENCODING": "cp1252"},
        capture_output=True,
        check=True,
    )
    assert rb"za\u017c\xf3\u0142\u0107.wav" in done.stdout.replace(b"\xf3", rb"\xf3")


def test_several_models_must_be_told_apart(trained):
    with pytest.raises(ModelError, match="6 models here"):
        load_model(trained.parents[2])
    assert load_model(trained / "model.json").row == "dual"


def test_ser_log_says_that_a_few_recordings_take_the_equations(trained, caplog):
    with caplog.at_level(logging.INFO, "ser.nn.fast"):
        load_model(trained, recordings=FEW + 1)
        assert not caplog.records
        load_model(trained, recordings=FEW)
    assert caplog.messages == [f"every layer: the equations ({FEW} or fewer recordings)"]


def test_no_model_says_where_models_come_from(tmp_path):
    with pytest.raises(ModelError, match="ser run"):
        load_model(tmp_path)


@pytest.mark.parametrize("damage", ["weights", "description", "missing", "classes", "escape"])
def test_a_damaged_or_tampered_model_is_refused(trained, tmp_path, damage):
    copy = tmp_path / "copy"
    shutil.copytree(trained, copy)
    weights, description = copy / "mfcc-lstm.safetensors", copy / "model.json"
    body = json.loads(description.read_text(encoding="utf-8"))
    if damage == "weights":
        data = bytearray(weights.read_bytes())
        data[-1] ^= 1
        weights.write_bytes(data)
    elif damage == "description":
        description.write_text("{")
    elif damage == "missing":
        weights.unlink()
    elif damage == "classes":
        description.write_text(json.dumps(body | {"emotions": ["a", "b", "c", "d"]}))
    else:
        body["branches"] = {"../../etc/passwd": "0"}
        description.write_text(json.dumps(body))
    with pytest.raises(ModelError):
        load_model(copy)
