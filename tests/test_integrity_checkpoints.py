"""No damaged checkpoint is half loaded: each kind of damage, by seed."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from damage import COUNT, damages
from test_training import CONFIG, Net, points, weights

from ser.training import checkpoint as checkpoints
from ser.training import load_checkpoint, train


@pytest.fixture(scope="module")
def half(tmp_path_factory):
    """A checkpoint after two epochs, of a run with an average of its weights."""
    path = tmp_path_factory.mktemp("half") / "c.safetensors"

    class Stop(Exception):
        pass

    def stop(entry):
        if entry["epoch"] == 2:
            raise Stop

    with pytest.raises(Stop):
        train(Net(), CONFIG, points(50), points(9, 1), checkpoint=path, fingerprint="one",
              on_epoch=stop)  # fmt: skip
    return path.read_bytes()


def loaded(path):
    net = Net()
    optimiser = torch.optim.Adam(net.parameters(), lr=CONFIG.lr)
    progress = load_checkpoint(path, "one", net, optimiser)
    states = optimiser.state_dict()["state"]
    return progress, weights(net), {i: [v.tolist() for v in s.values()] for i, s in states.items()}


def test_a_damaged_checkpoint_is_not_half_loaded(half, tmp_path, caplog):
    path = tmp_path / "c"
    path.write_bytes(half)
    progress, before, _ = loaded(path)
    assert len(progress.history) == 2 and before != weights(Net())
    for data in damages(half, COUNT):
        path.write_bytes(data)
        caplog.clear()
        progress, now, states = loaded(path)
        if data != half:
            assert progress is None and now == weights(Net()) and not states
            assert str(path) in caplog.text and "starts from the beginning" in caplog.text
            assert not path.exists()


def rebuilt(half, how):
    """The checkpoint with other tensors or header, and a digest that fits."""
    from safetensors.torch import load, save

    header = json.loads(half[8 : 8 + int.from_bytes(half[:8], "little")])["__metadata__"]
    tensors = load(half)
    how(tensors, header)
    data = save(tensors, metadata=header | {"digest": checkpoints.BLANK})
    place, digest = checkpoints._digest(data, checkpoints.BLANK)
    return data[:place] + digest.encode() + data[place + len(digest) :]


def renamed(old, new):
    return lambda tensors, _: tensors.update({new: tensors.pop(old)})


def set_to(name, change):
    return lambda tensors, _: tensors.update({name: change(tensors[name])})


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (renamed("optimiser/0/exp_avg", "optimiser/0/exp_average"), "of weight 0' is"),
        (renamed("optimiser/0/exp_avg", "optimiser/9/exp_avg"), "some of them unknown"),
        (renamed("optimiser/0/exp_avg", "optimiser/first/exp_avg"), "first"),
        (lambda t, _: t.pop("optimiser/1/step"), "lacks 'step'"),
        (set_to("optimiser/0/exp_avg", lambda v: v.reshape(-1)), "exp_avg of weight 0"),
        (set_to("optimiser/0/exp_avg_sq", lambda v: v.double()), "float64"),
        (set_to("optimiser/0/step", lambda v: torch.zeros(3)), "not a number"),
        (lambda t, _: [t.pop(k) for k in list(t) if k.startswith("optimiser")], "of 0 weights"),
        (lambda t, _: t.update({"model/more": torch.zeros(1)}), "'more' is unknown"),
        (lambda t, _: t.pop(next(k for k in t if k.startswith("model/"))), "is missing"),
        (lambda t, _: t.pop("test_logits"), "lacks 'test_logits'"),
        (set_to("test_logits", lambda v: v[:1].clone()), "after 2 epochs"),
        (lambda _, h: h.pop("history"), "lacks 'history'"),
        (lambda _, h: h.update(history="[]"), "its history"),
        (lambda _, h: h.update(history='[{"epoch": 2}, {"epoch": 1}]'), "its history"),
        (lambda _, h: h.update(history='{"a'), "not a whole checkpoint"),
        (lambda _, h: h.pop("fingerprint"), "lacks 'fingerprint'"),
    ],
)
def test_a_checkpoint_with_a_misnamed_moment_or_other_parts_is_not_half_loaded(
    half, tmp_path, caplog, how, said
):
    path = tmp_path / "c"
    path.write_bytes(rebuilt(half, lambda *_: None))
    assert loaded(path)[0] is not None
    path.write_bytes(rebuilt(half, how))
    progress, now, states = loaded(path)
    assert progress is None and now == weights(Net()) and not states
    assert said in caplog.text and not path.exists()


def test_training_after_a_damaged_checkpoint_truly_starts_from_zero(half, tmp_path):
    never = train(Net(), CONFIG, points(50), points(9, 1))
    for number, data in enumerate(damages(half, 6, seed=1)):
        path = tmp_path / str(number)
        path.write_bytes(data)
        again = train(Net(), CONFIG, points(50), points(9, 1), checkpoint=path, fingerprint="one")
        assert again.resumed == 0 and again.history == never.history
        assert weights(again.model) == weights(never.model)
        assert np.array_equal(again.test_logits, never.test_logits)
