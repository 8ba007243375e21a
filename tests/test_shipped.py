"""The model that comes with the package: it answers at once, and says how good it is."""

from __future__ import annotations

import json
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import ROOT

import ser
from ser import loading
from ser.cli import build_parser, main
from ser.errors import ModelError
from ser.loading import SHIPPED, describe_shipped, load_model
from ser.prediction import predict
from ser.saved_models import read_description
from tools import ship


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "me.wav"
    soundfile.write(path, np.random.default_rng(0).normal(scale=0.05, size=40000), 16000)
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


def test_it_is_small_and_needs_no_pickle():
    files = list(SHIPPED.iterdir())
    assert {f.suffix for f in files} == {".json", ".md", ".safetensors"}
    assert sum(f.stat().st_size for f in files) < 2_000_000
    model = load_model()
    assert model.normalise == "train" and set(model.branches) == {"mfcc-lstm", "ds-lstm"}
    assert len(model.trained_on["speakers"]) == 10


def test_it_goes_with_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    package = Path(ser.__file__).parent
    kept = {p for glob in project["tool"]["setuptools"]["package-data"]["ser"] for p in
            package.glob(glob)}  # fmt: skip
    assert set(SHIPPED.iterdir()) <= kept


@pytest.mark.parametrize("name", ["model.json", "ds-lstm.safetensors"])
def test_a_damaged_one_is_told(name, tmp_path, monkeypatch, recording, capsys):
    shutil.copytree(SHIPPED, tmp_path / "model")
    data = bytearray((tmp_path / "model" / name).read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "model" / name).write_bytes(data)
    monkeypatch.setattr(loading, "SHIPPED", tmp_path / "model")
    with pytest.raises(ModelError, match="install the package again"):
        load_model()
    assert main(["predict", str(recording)]) == 2
    assert "install the package again" in capsys.readouterr().err


def test_help_names_it_and_how_good_it_is():
    command = build_parser("predict")._subparsers._group_actions[0].choices["predict"]
    told = " ".join(command.format_help().split())
    assert describe_shipped() in told and "CARD.md" in told


def test_its_scores_and_its_card_are_those_of_the_records():
    body = read_description(SHIPPED)
    told = body["trained_on"]
    for name, value in ship.facts(ship.UNSEEN, ship.OTHER).items():
        assert told[name] == value
    size = sum(f.stat().st_size for f in SHIPPED.glob("*.safetensors"))
    card = (SHIPPED / "CARD.md").read_text("utf-8")
    assert card == ship.card(body, ship.UNSEEN, ship.OTHER, size)
    assert told["unseen"]["low"] < told["unseen"]["ua"] < told["unseen"]["high"]


def test_it_is_the_network_that_the_record_tested(shared):
    from ser import load_corpus
    from ser.report import make_report

    row = make_report([str(ship.OTHER)]).row(ship.MODEL)
    table = load_corpus("nemo", shared / "data" / "nemo").table.set_index("utterance")
    model = load_model()
    for number in (0, len(row.labels) // 2):
        answer = predict(table.path[row.utterances[number]], model)
        logits = row.logits[0][number]
        wanted = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
        assert np.allclose(list(answer.probabilities.values()), wanted, atol=1e-3)
