"""No damaged model answers: each kind of damage, by seed."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from damage import COUNT, damages

from ser.cli import main
from ser.errors import ModelError
from ser.paths import sealed
from ser.saved_models import KINDS, save_model


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A kept network, small enough to be damaged many times."""
    from ser.models import build_model

    folder = tmp_path_factory.mktemp("model")
    network = build_model("mfcc-lstm", hidden=2)
    settings = {
        "row": "mfcc-lstm", "preset": "release", "frames": "fixed", "hidden": 2,
        "normalise": "none", "options": {},
    }  # fmt: skip
    trained_on = {
        "corpus": "made", "licence": "free", "content_hash": "0", "utterances": 6,
        "speakers": ["Ada", "Bo"], "seconds": [0.5, 2.0], "protocol": "random", "fold": "1",
        "tested_on": "made", "seed": 0, "epochs": 3, "test_ua": 0.5, "test_wa": 0.25,
    }  # fmt: skip
    scale = {"mfcc": (np.zeros(39, np.float32), np.ones(39, np.float32))}
    save_model(folder / "m", network, settings, trained_on, scale)
    return folder / "m"


def network_of(folder):
    from ser.loading import load_model

    model = load_model(folder, "cpu")
    (network,) = model.branches.values()
    numbers = {k: v.tolist() for k, v in network.state_dict().items()}
    return numbers, model.trained_on, model.preset, model.frames, model.normalise


@pytest.mark.parametrize("name", ["model.json", "mfcc-lstm.safetensors"])
def test_a_damaged_model_never_answers(model, tmp_path, name):
    right = network_of(model)
    shutil.copytree(model, tmp_path / "m")
    path, refused = tmp_path / "m" / name, 0
    for data in damages((model / name).read_bytes(), COUNT):
        path.write_bytes(data)
        try:
            assert network_of(tmp_path / "m") == right
        except ModelError as error:
            refused += 1
            assert str(tmp_path / "m") in str(error)
            assert "copy the whole folder" in str(error) or "update the package" in str(error)
    assert refused > 0.9 * COUNT


@pytest.mark.parametrize("key", [k for k in KINDS if k not in ("normalise", "options", "clip_z")])
def test_a_description_that_lacks_a_key_is_told(model, tmp_path, key, capsys):
    shutil.copytree(model, tmp_path / "m")
    path = tmp_path / "m" / "model.json"
    holder, _, last = key.rpartition(".")
    for version in (1, 2):
        body = json.loads(path.read_text("utf-8")) | {"format": version}
        (body[holder] if holder else body).pop(last, None)
        del body["digest"]
        path.write_text(sealed(body) if version == 2 else json.dumps(body), "utf-8")
        with pytest.raises(ModelError, match=rf"model\.json.*it lacks '{key}'.*copy the whole"):
            network_of(tmp_path / "m")
        shutil.copy(model / "model.json", path)
    body = json.loads(path.read_text("utf-8"))
    other = 7 if dict in KINDS[key] else {"un": "known"}
    (body[holder] if holder else body)[last] = other
    path.write_text(sealed(body), "utf-8")
    with pytest.raises(ModelError, match=rf"model\.json.*{key} is .*copy the whole"):
        network_of(tmp_path / "m")
    assert main(["predict", "me.wav", "--checkpoint", str(tmp_path / "m")]) == 2
    assert "model.json" in capsys.readouterr().err


@pytest.mark.parametrize(
    "how",
    [
        lambda t: t.update(more=torch.zeros(1)),
        lambda t: t.pop("linear.weight"),
        lambda t: t.update({"linear.weight": torch.zeros(3, 3)}),
    ],
)
def test_weights_of_other_names_or_shapes_are_told(model, tmp_path, how):
    import hashlib

    from safetensors.torch import load, save

    shutil.copytree(model, tmp_path / "m")
    path = tmp_path / "m" / "mfcc-lstm.safetensors"
    tensors = load(path.read_bytes())
    assert "linear.weight" in tensors
    how(tensors)
    path.write_bytes(save(tensors))
    body = json.loads((tmp_path / "m" / "model.json").read_text("utf-8"))
    body["branches"]["mfcc-lstm"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (tmp_path / "m" / "model.json").write_text(sealed(body), "utf-8")
    with pytest.raises(ModelError, match=r"weights of mfcc-lstm do not fit .*copy the whole"):
        network_of(tmp_path / "m")
