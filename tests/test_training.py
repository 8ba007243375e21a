"""The training loop on a small network: same bits, resume, divergence, last batches."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from ser.errors import TrainingError
from ser.training import TrainConfig, batches, epoch_batches, epoch_order, logits_of, train
from ser.training.checkpoint import load_checkpoint


@dataclass
class Points:
    x: torch.Tensor
    labels: torch.Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, indices: np.ndarray) -> Points:
        index = torch.as_tensor(indices)
        return Points(self.x[index], self.labels[index])


class Net(torch.nn.Module):
    def __init__(self, seed: int = 0, dropout: float = 0.3) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.net = torch.nn.Sequential(
            torch.nn.Linear(6, 16),
            torch.nn.BatchNorm1d(16),
            torch.nn.Tanh(),
            torch.nn.Dropout(dropout),
            torch.nn.Linear(16, 4),
        )

    def forward(self, batch: Points) -> torch.Tensor:
        return self.net(batch.x)


class Pair(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.parts = torch.nn.ModuleDict({"a": Net(1, 0.0), "b": Net(2, 0.0)}).double()

    def branches(self, batch: Points) -> dict[str, torch.Tensor]:
        return {k: net(batch) for k, net in self.parts.items()}

    def forward(self, batch: Points) -> torch.Tensor:
        return sum(self.branches(batch).values()) / 2


def points(n: int, seed: int = 0) -> Points:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 6, generator=generator)
    return Points(x, (x[:, 0] > 0).long() * 2 + (x[:, 1] > 0).long())


CONFIG = TrainConfig(epochs=6, batch_size=8, lr=0.01, milestones=(2, 4))


def weights(model: torch.nn.Module) -> bytes:
    return b"".join(v.numpy().tobytes() for v in model.state_dict().values())


def test_it_learns_and_writes_its_history():
    outcome = train(
        Net(), TrainConfig(epochs=25, batch_size=8, lr=0.02), points(120), points(60, 1)
    )
    assert outcome.history[-1]["test_ua"] > 0.8
    assert outcome.history[-1]["loss"] < outcome.history[0]["loss"]
    assert outcome.test_logits.shape == (25, 60, 4)
    assert outcome.history[0]["dev_ua"] is None


def test_same_seed_same_bits_other_seed_other_bits():
    runs = [train(Net(), CONFIG, points(50), points(9, 1), seed=s) for s in (3, 3, 4)]
    assert weights(runs[0].model) == weights(runs[1].model)
    assert runs[0].history == runs[1].history
    assert weights(runs[0].model) != weights(runs[2].model)


@pytest.mark.parametrize("optimiser", ["adam", "adamw", "sgd"])
def test_a_run_stopped_after_any_epoch_ends_with_the_same_bits(tmp_path, optimiser):
    config = TrainConfig(
        epochs=5, batch_size=8, lr=0.01, milestones=(2,), optimiser=optimiser, weight_decay=0.01
    )
    whole = train(Net(), config, points(50), points(9, 1), points(7, 2))

    class Stop(Exception):
        pass

    for stop in range(1, 5):
        path = tmp_path / f"{stop}.safetensors"

        def stopper(entry, stop=stop):
            if entry["epoch"] == stop:
                raise Stop

        options = {"checkpoint": path, "fingerprint": "one"}
        with pytest.raises(Stop):
            train(
                Net(), config, points(50), points(9, 1), points(7, 2), on_epoch=stopper, **options
            )
        resumed = train(Net(5), config, points(50), points(9, 1), points(7, 2), **options)
        assert resumed.resumed == stop
        assert weights(resumed.model) == weights(whole.model)
        assert resumed.history == whole.history
        assert np.array_equal(resumed.test_logits, whole.test_logits)
        assert np.array_equal(resumed.dev_logits, whole.dev_logits)


def test_kill_minus_nine_costs_at_most_one_epoch(tmp_path):
    script = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
import os, signal
from pathlib import Path
from test_training import *
torch.set_num_threads({torch.get_num_threads()})
def kill(entry):
    if entry["epoch"] == 3:
        os.kill(os.getpid(), signal.SIGKILL)
train(Net(), CONFIG, points(50), points(9, 1), checkpoint=Path({str(tmp_path / "c")!r}),
      fingerprint="one", on_epoch=kill)
"""
    if not hasattr(signal, "SIGKILL"):
        pytest.skip("no SIGKILL on this system")
    ended = subprocess.run([sys.executable, "-c", script], env=os.environ, capture_output=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    resumed = train(
        Net(), CONFIG, points(50), points(9, 1), checkpoint=tmp_path / "c", fingerprint="one"
    )
    assert resumed.resumed == 3
    assert weights(resumed.model) == weights(train(Net(), CONFIG, points(50), points(9, 1)).model)


@pytest.mark.parametrize("damage", ["truncated", "garbage", "empty", "another"])
def test_a_checkpoint_that_does_not_serve_is_not_used(tmp_path, damage):
    path = tmp_path / "c"
    train(Net(), CONFIG, points(50), checkpoint=path, fingerprint="one")
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-40])
    elif damage != "another":
        path.write_bytes(b"garbage" if damage == "garbage" else b"")
    net = Net()
    optimiser = torch.optim.Adam(net.parameters())
    wanted = "two" if damage == "another" else "one"
    assert load_checkpoint(path, wanted, net, optimiser) is None
    again = train(Net(), CONFIG, points(50), checkpoint=path, fingerprint=wanted)
    assert again.resumed == 0


def test_nan_is_told_with_the_way_out():
    data = points(40)
    data.x[7, 2] = math.nan
    with pytest.raises(TrainingError, match=r"loss is nan in epoch 1, step \d.*--lr"):
        train(Net(), CONFIG, data)


def test_a_run_that_learns_nothing_is_told(caplog):
    data = points(40)
    train(Net(), TrainConfig(epochs=1, batch_size=8, lr=30.0, optimiser="sgd"), data)
    assert "worse than guessing" in caplog.text


def test_one_utterance_cannot_be_trained_on():
    with pytest.raises(TrainingError, match="at least two"):
        train(Net(), CONFIG, points(1))


def test_a_last_batch_of_one_joins_the_one_before():
    for n in range(2, 30):
        sizes = [len(b) for b in batches(np.arange(n), 4)]
        assert sum(sizes) == n
        assert min(sizes) > 1
    train(Net(), CONFIG, points(41))


def test_order_depends_on_seed_and_epoch_alone():
    assert np.array_equal(epoch_order(20, 1, 2), epoch_order(20, 1, 2))
    assert not np.array_equal(epoch_order(20, 1, 2), epoch_order(20, 1, 3))
    assert not np.array_equal(epoch_order(20, 1, 2), epoch_order(20, 2, 2))


class Lengths:
    """So many utterances, of these lengths."""

    def __init__(self, lengths: np.ndarray | None) -> None:
        self.lengths = lengths

    def __len__(self) -> int:
        return 500


def test_similar_batches_save_padding_and_lose_nobody():
    lengths = np.random.default_rng(0).lognormal(6, 0.6, 500).astype(int)
    costs = {}
    for kind in ("shuffled", "similar"):
        epochs = [epoch_batches(Lengths(lengths), 32, 0, epoch, kind) for epoch in (1, 2)]
        for parts in epochs:
            assert sorted(np.concatenate(parts)) == list(range(500))
            assert [len(p) for p in sorted(parts, key=len)] == [20, *[32] * 15]
        assert epochs[0][0].tolist() != epochs[1][0].tolist()
        costs[kind] = sum(int(lengths[p].max()) for p in epochs[0])
    assert costs["similar"] < 0.5 * costs["shuffled"]
    same, other = (epoch_batches(Lengths(lengths), 32, s, 1, "similar") for s in (0, 1))
    assert all(map(np.array_equal, same, epoch_batches(Lengths(lengths), 32, 0, 1, "similar")))
    assert {frozenset(p) for p in same} != {frozenset(p) for p in other}
    lasts = [np.median(lengths[epoch_batches(Lengths(lengths), 32, s, 1, "similar")[-1]])
             for s in range(20)]  # fmt: skip
    assert min(lasts) < np.median(lengths) < max(lasts)  # short ones do not always come first


def test_similar_batches_without_lengths_are_the_shuffled_ones():
    for data in (Lengths(None), points(500)):
        found = epoch_batches(data, 32, 3, 1, "similar")
        assert all(map(np.array_equal, found, batches(epoch_order(500, 3, 1), 32)))
    with pytest.raises(TrainingError, match="batches = sorted"):
        TrainConfig(batches="sorted")


def test_similar_batches_give_logits_in_the_order_of_the_corpus():
    side = points(300)
    side.lengths = np.random.default_rng(1).permutation(300)
    net = Net()
    plain, labels = logits_of(net, side)
    sorted_, again = logits_of(net, side, batches="similar")
    torch.testing.assert_close(sorted_, plain)
    assert np.array_equal(labels, again)


def test_a_fused_model_trained_jointly_equals_its_branches_apart():
    data, test = points(64), points(30, 1)
    data.x, test.x = data.x.double(), test.x.double()
    joint = train(Pair(), CONFIG, data, test)
    apart = [train(Net(s, 0.0).double(), CONFIG, data, test) for s in (1, 2)]
    fused = (apart[0].test_logits + apart[1].test_logits) / 2
    assert np.abs(joint.test_logits - fused).max() < 1e-5


def test_the_rate_halves_after_the_releases_epochs():
    config = TrainConfig()
    rates = [config.rate(e) for e in (1, 10, 11, 20, 21, 31, 50)]
    assert rates == [1e-3, 1e-3, 5e-4, 5e-4, 2.5e-4, 1.25e-4, 1.25e-4]


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"epochs": "5"},
        {"batch_size": 1},
        {"batch_size": 2.5},
        {"lr": math.nan},
        {"lr": "0.1"},
        {"optimiser": "lion"},
        {"channels": 64},
        {"milestones": (2.5,)},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong):
    with pytest.raises(TrainingError, match=next(iter(wrong))):
        TrainConfig(**wrong)
