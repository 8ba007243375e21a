"""The models that come with the package: they answer at once, and say how good they are."""

from __future__ import annotations

import json
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from conftest import ROOT

import ser
from ser import loading
from ser.cli import build_parser, main
from ser.errors import ModelError
from ser.loading import SHIPPED, SHIPPED_ENROLLED, describe_shipped, load_model
from ser.prediction import predict
from ser.saved_models import read_description
from tools import ship

BOTH = pytest.mark.parametrize("which", [ship.PLAIN, ship.ENROLLED], ids=["plain", "enrolled"])


@pytest.fixture
def recording(tmp_path):
    return _noise(tmp_path / "me.wav", 0)


@pytest.fixture
def calm(tmp_path):
    return [str(_noise(tmp_path / f"calm{k}.wav", k)) for k in (1, 2, 3)]


def _noise(path, seed):
    soundfile.write(path, np.random.default_rng(seed).normal(scale=0.05, size=40000), 16000)
    return path


def test_no_checkpoint_means_the_models_own(recording, capsys):
    assert main(["predict", str(recording)]) == 0
    told = capsys.readouterr().out
    assert told.splitlines()[-1] == describe_shipped()
    assert "mfcc-lstm says" in told and "ds-lstm says" in told
    assert ser.predict(recording) == predict(recording, SHIPPED)
    assert main(["predict", str(recording), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["trained_on"]
    assert told["corpus"] == "emodb" and told["unseen"]["protocol"] == "loso"


def test_calm_recordings_mean_the_one_that_is_told_a_voice(recording, calm, capsys):
    assert main(["predict", str(recording), "--neutral", *calm]) == 0
    told = capsys.readouterr()
    assert told.out.splitlines()[-1] == describe_shipped(SHIPPED_ENROLLED)
    assert "3 neutral recordings of each given" in told.out and not told.err
    answer = ser.predict(recording, neutral=calm)
    assert answer == predict(recording, SHIPPED_ENROLLED, calm) != ser.predict(recording)
    assert main(["predict", str(recording), "--stream", "--neutral", *calm]) == 0
    assert describe_shipped(SHIPPED_ENROLLED) in capsys.readouterr().err
    assert main(["predict", str(recording), "--checkpoint", str(SHIPPED_ENROLLED)]) == 2
    assert "give 3 of the one who speaks" in capsys.readouterr().err
    assert main(["predict", str(recording), "--checkpoint", str(SHIPPED), "--neutral", *calm]) == 2
    assert "one that has comes with ser" in capsys.readouterr().err


def test_what_is_odd_about_calm_recordings_is_said_with_the_answer(recording, calm, capsys):
    wave = {path: soundfile.read(path)[0] for path in (*calm, str(recording))}
    plain = ser.predict(recording, neutral=calm).warnings
    for path in calm[:2]:
        soundfile.write(path, soxr.resample(wave[path], 16000, 7600), 7600)
    told = set(ser.predict(recording, neutral=calm).warnings) - set(plain)
    (telephone,) = told
    assert telephone.startswith("neutral calm1.wav, calm2.wav: almost nothing above 3.")
    assert telephone.endswith("the whole voice is measured by it")
    assert main(["predict", str(recording), "--json", "--neutral", *calm[:2]]) == 0
    told = json.loads(capsys.readouterr().out)["predictions"][0]["warnings"]
    assert telephone in told
    assert "2 neutral recordings: in training there were 3 of each speaker" in told
    assert main(["predict", str(recording), "--stream", "--neutral", *calm]) == 0
    told = capsys.readouterr()
    assert told.err.count(telephone) == 1 and "calm1.wav" not in told.out


@pytest.mark.parametrize(
    ("asked", "calmer", "told"), [(1, 0.03, "30 dB louder"), (0.03, 1, "30 dB softer"), (1, 1, "")]
)
def test_another_level_than_that_of_the_calm_recordings_is_told(
    recording, calm, asked, calmer, told
):
    me, *waves = [soundfile.read(path, dtype="float32")[0] for path in (recording, *calm)]
    answer = ser.predict(np.float32(asked) * me, neutral=[np.float32(calmer) * w for w in waves])
    found = [w.partition(" than")[0] for w in answer.warnings if "than the neutral" in w]
    assert found == [told] * bool(told)


def test_an_offset_of_the_microphone_is_no_part_of_a_voice(recording, calm):
    waves = [soundfile.read(path, dtype="float32")[0] for path in (*calm, recording)]
    *plain, asked = [w - w.mean() for w in waves]
    answers = [
        ser.predict(asked + np.float32(level), neutral=[w + np.float32(level) for w in plain])
        for level in (0, 0.03)
    ]
    one, moved = (list(a.probabilities.values()) for a in answers)
    assert any("offset" in note for note in answers[1].warnings)
    assert np.allclose(one, moved, atol=1e-4)


@BOTH
def test_it_is_small_and_needs_no_pickle(which):
    files = list(which.to.iterdir())
    assert {f.suffix for f in files} == {".json", ".md", ".safetensors"}
    assert sum(f.stat().st_size for f in files) < 2_000_000
    model = load_model(enrolled=which is ship.ENROLLED)
    assert model.normalise == ("train" if which is ship.PLAIN else "enrol:3")
    assert set(model.branches) == {"mfcc-lstm", "ds-lstm"}
    assert len(model.trained_on["speakers"]) == 10


@BOTH
def test_it_goes_with_the_package(which):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    package = Path(ser.__file__).parent
    kept = {p for glob in project["tool"]["setuptools"]["package-data"]["ser"] for p in
            package.glob(glob)}  # fmt: skip
    assert set(which.to.iterdir()) <= kept


@BOTH
@pytest.mark.parametrize("name", ["model.json", "ds-lstm.safetensors"])
def test_a_damaged_one_is_told(which, name, tmp_path, monkeypatch, recording, calm, capsys):
    shutil.copytree(which.to, tmp_path / "model")
    data = bytearray((tmp_path / "model" / name).read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "model" / name).write_bytes(data)
    enrolled = which is ship.ENROLLED
    monkeypatch.setattr(loading, "SHIPPED_ENROLLED" if enrolled else "SHIPPED", tmp_path / "model")
    with pytest.raises(ModelError, match="install the package again"):
        load_model(enrolled=enrolled)
    assert main(["predict", str(recording), *(["--neutral", *calm] if enrolled else [])]) == 2
    assert "install the package again" in capsys.readouterr().err


def test_help_names_them_and_how_good_they_are():
    command = build_parser("predict")._subparsers._group_actions[0].choices["predict"]
    told = " ".join(command.format_help().split())
    assert describe_shipped() in told and "CARD.md" in told
    assert describe_shipped(SHIPPED_ENROLLED) in told


@BOTH
def test_its_scores_and_its_card_are_those_of_the_records(which):
    body = read_description(which.to)
    told = body["trained_on"]
    for name, value in ship.facts(which).items():
        assert told[name] == value
    size = sum(f.stat().st_size for f in which.to.glob("*.safetensors"))
    card = (which.to / "CARD.md").read_text("utf-8")
    assert card == ship.card(body, which, size)
    assert told["unseen"]["low"] < told["unseen"]["ua"] < told["unseen"]["high"]


@BOTH
def test_it_is_the_network_that_the_record_tested(which, shared):
    from ser import load_corpus
    from ser.enrolment import enrol
    from ser.report import make_report

    row = make_report([str(which.other)]).row(ship.MODEL)
    table = load_corpus("nemo", shared / "data" / "nemo").table
    paths, speakers = (table.set_index("utterance")[c] for c in ("path", "speaker"))
    calm = enrol(table, 3) if which is ship.ENROLLED else {}
    for number in (0, len(row.labels) // 2):
        name = row.utterances[number]
        neutral = [table.path[k] for k in calm.get(speakers[name], ())]
        answer = predict(paths[name], neutral=neutral)
        logits = row.logits[0][number]
        wanted = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
        assert np.allclose(list(answer.probabilities.values()), wanted, atol=1e-3)
