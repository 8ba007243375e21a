"""Named settings, and each of what they are made of: rate, smoothing, stride, pooling, dropout."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import ser.nn
from ser.batch import Batch
from ser.cli import main
from ser.cli.run import _training, configure
from ser.errors import TrainingError
from ser.experiments.config import RunConfig
from ser.models import build_model
from ser.nn import DSLSTM
from ser.nn.recurrent_dropout import dropped, run_dropped
from ser.nn.time_pool import TimePool, mean_and_deviation
from ser.training import TrainConfig
from ser.training.augment import Augmenter
from ser.training.config import FIRST, NAMED


def given(*words: str) -> TrainConfig:
    import argparse

    parser = argparse.ArgumentParser()
    configure(parser)
    return _training(parser.parse_args(list(words)))


def batch() -> Batch:
    return Batch(
        mfcc=torch.randn(3, 12, 39),
        mfcc_lengths=torch.tensor([12, 7, 9]),
        prosody=torch.randn(3, 10, 25),
        prosody_lengths=torch.tensor([10, 5, 7]),
        labels=torch.tensor([0, 1, 2]),
    )


def test_the_releases_settings_stay_the_defaults_and_words_go_before_a_name():
    assert given() == TrainConfig() == TrainConfig.named("release")
    small = given("--settings", "small")
    assert small == TrainConfig.named("small") and small.hidden == 64 and small.epochs == 8
    assert given("--settings", "small", "--hidden", "200").hidden == 200
    assert given("--hidden", "200", "--settings", "small").hidden == 200
    assert given("--settings", "small", "--lr", "0.001", "--pooling", "mean").pooling == "mean"
    with pytest.raises(TrainingError, match="there are release, small"):
        TrainConfig.named("tiny")


def test_settings_that_came_later_leave_old_fingerprints_as_they_were():
    assert set(TrainConfig().as_dict()) == set(FIRST)
    told = TrainConfig.named("small").as_dict()
    assert told["channels"] == [8, 8]
    assert all(told[n] == v for n, v in NAMED["small"].items() if n != "channels")


def test_channels_are_a_setting_of_rows_with_convolutions_alone():
    """So runs without a spectrogram are the same runs, whatever the front ends of others are."""
    small = RunConfig(train=given("--settings", "small"))
    assert given("--settings", "small", "--channels", "64,16").channels == (64, 16)
    for row in ("ds-lstm", "dual", "ds-lstm+compare-lr", "mfcc+cnn-lstm-s1"):
        assert small.training(row).channels == (8, 8)
    for row in ("prosody-lstm", "ds-lstm-prosody", "prosody-lstm+compare-lr", "egemaps-lr"):
        assert small.training(row).channels == TrainConfig().channels


def test_one_cycle_rises_falls_and_ends_at_nothing():
    cycle = TrainConfig.named("small")
    steps = [cycle.rate(epoch, part) for epoch in range(1, 9) for part in np.arange(20) / 20]
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1), 3e-3, total_steps=161
    )
    found = []
    for _ in range(160):
        found.append(theirs.get_last_lr()[0])
        theirs.optimizer.step()
        theirs.step()
    assert np.allclose(steps, found, atol=9e-5)
    assert max(steps) == pytest.approx(3e-3, rel=1e-3)
    assert TrainConfig().rate(11, 0.7) == TrainConfig().rate(11) == 5e-4


def test_the_loop_takes_a_rate_a_step():
    from torch.optim.optimizer import register_optimizer_step_pre_hook

    from ser.training.loop import train

    seen = []

    class Data:
        def __len__(self):
            return 8

        def batch(self, rows):
            rows = torch.as_tensor(rows)
            return Batch(prosody=torch.randn(len(rows), 6, 25), labels=rows % 4,
                         prosody_lengths=torch.full((len(rows),), 6))  # fmt: skip

    config = TrainConfig.named("small", epochs=2, batch_size=2, hidden=4)
    model = build_model("prosody-lstm", hidden=4, seed=0, **config.model_options)
    hook = register_optimizer_step_pre_hook(
        lambda optimiser, *_: seen.append(optimiser.param_groups[0]["lr"])
    )
    try:
        train(model, config, Data())
    finally:
        hook.remove()
    assert seen == pytest.approx([config.rate(e, k / 4) for e in (1, 2) for k in range(4)])


def test_smoothed_labels_are_torchs():
    logits, labels = torch.randn(3, 4), batch()
    loss = Augmenter(TrainConfig(label_smoothing=0.1), 0, 1).loss(logits, labels)
    spread = 0.9 * nn.functional.one_hot(labels.labels, 4) + 0.025
    assert torch.allclose(loss, -(spread * logits.log_softmax(1)).sum(1).mean(), atol=1e-6)


def test_mean_and_deviation_are_over_the_valid_steps():
    steps = torch.randn(2, 6, 3)
    steps[1, 4:] = 1e6
    found = TimePool(3, "mean-deviation")(steps, torch.tensor([6, 4]))
    assert torch.allclose(found[1, :3], steps[1, :4].mean(0), atol=1e-5)
    assert torch.allclose(found[1, 3:], steps[1, :4].std(0, unbiased=False), atol=1e-4)
    still = torch.ones(1, 4, 2, requires_grad=True)
    mean_and_deviation(still).sum().backward()
    assert torch.isfinite(still.grad).all()


@pytest.mark.parametrize("row", ["mfcc-lstm", "prosody-lstm", "ds-lstm-prosody"])
def test_a_stride_reads_one_of_so_many_rows_and_padding_none(row):
    net = build_model(row, hidden=4, seed=0, stride=2).eval()
    plain = build_model(row, hidden=4, seed=0).eval()
    some = batch()
    thinned = Batch(
        mfcc=some.mfcc[:, ::2], mfcc_lengths=torch.tensor([6, 4, 5]),
        prosody=some.prosody[:, ::2], prosody_lengths=torch.tensor([5, 3, 4]),
    )  # fmt: skip
    assert torch.allclose(net(some), plain(thinned), atol=1e-6)
    other = batch()
    other.mfcc, other.prosody = some.mfcc.clone(), some.prosody.clone()
    other.mfcc[1, 7:], other.prosody[1, 5:] = 9.0, 9.0
    assert torch.allclose(net(some), net(other), atol=1e-6)


def test_two_views_end_with_the_shorter():
    net = build_model("ds-lstm-prosody", hidden=4, seed=0).eval()
    some, other = batch(), batch()
    other.mfcc, other.prosody = some.mfcc.clone(), some.prosody
    other.mfcc[:, 10:] = 5.0  # rows that prosody does not have
    other.mfcc[1, 5:] = 5.0
    other.mfcc[2, 7:] = 5.0
    assert torch.allclose(net(some), net(other), atol=1e-6)
    other.mfcc[0, 9] = 5.0
    assert not torch.allclose(net(some)[0], net(other)[0], atol=1e-6)


def test_recurrent_dropout_drops_weights_from_h_alone_and_in_training_alone():
    lstm, x = nn.LSTM(3, 6, 2, batch_first=True), torch.randn(2, 5, 3)

    def run(net, x):
        return net(x)[0]

    torch.manual_seed(0)
    first = run_dropped(0.5, lstm, run, x)
    assert not torch.allclose(first, lstm(x)[0]) and torch.allclose(first[:, 0], lstm(x)[0][:, 0])
    first.sum().backward()
    assert (lstm.weight_hh_l0.grad == 0).float().mean() > 0.2
    net, some = build_model("prosody-lstm", hidden=4, seed=0, recurrent_dropout=0.5), batch()
    assert not torch.equal(net(some), net(some))
    assert torch.equal(net.eval()(some), net(some))
    cells = DSLSTM(3, 4, 6, 2, batch_first=True)
    weights = dropped(cells, 0.5)
    assert len(weights) == 6
    for name, weight in weights.items():
        own = cells.get_parameter(name)
        assert torch.equal(weight[:, :-6], own[:, :-6])
        gone = weight[:, -6:] == 0
        assert 0.2 < gone.float().mean() < 0.8
        assert torch.allclose(weight[:, -6:][~gone], 2 * own[:, -6:][~gone])


def test_no_recurrent_dropout_draws_no_random_number_and_makes_the_same_network():
    net = build_model("mfcc-lstm", hidden=4, seed=0)
    names = set(net.state_dict())
    ends = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    assert names == {f"parts.0.{k}" for k in (
        *(f"lstm.{w}_l{k}" for w in ends for k in (0, 1)),
        "linear.weight", "linear.bias")}  # fmt: skip
    some, state = batch(), torch.random.get_rng_state()
    net(some)
    assert torch.equal(state, torch.random.get_rng_state())


def test_a_schedule_that_would_be_ignored_is_refused(capsys):
    for given in (["--milestones", "3"], ["--gamma", "0.1"]):
        assert main(["run", "--settings", "small", *given, "--dry-run"]) == 2
        assert "--schedule steps" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("branch", "before"),
    [
        ("MFCCBranch", ()),
        ("CNNLSTMBranch", ("s1", 128)),
        ("CNNLSTMPairBranch", ((128, 256),)),
        ("ConcatBranch", ((128, 256),)),
        ("DSBranch", ((128, 256),)),
    ],
)
def test_classes_hidden_and_layers_may_be_given_by_place(branch, before):
    made = getattr(ser.nn, branch)(*before, 3, 8, 1)
    lstm = made.s1.lstm if branch == "CNNLSTMPairBranch" else made.lstm
    assert made.linear.out_features == 3
    assert (lstm.hidden_size, lstm.num_layers) == (8, 1)
