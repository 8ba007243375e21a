"""Padding that is no number has no effect, on values and on gradients, with and without speed."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from ser.batch import Batch
from ser.nn import (
    DSLSTM,
    CNNLSTMBranch,
    CNNLSTMPairBranch,
    ConcatBranch,
    DSBranch,
    FrontEnd,
    GateNorm,
    MFCCBranch,
    OutputNorm,
    TimePool,
    align,
    lstm_output,
    mean_over_time,
)


def padded(length, *rest, fill):
    """(3, length, *rest) with so much at the end of the last two filled."""
    draw = torch.Generator().manual_seed(0)
    values = torch.randn(3, length, *rest, generator=draw)
    values[1, length // 2 :], values[2, 3 * length // 4 :] = fill, fill
    return values, torch.tensor([length, length // 2, 3 * length // 4])


def batch(fill):
    spectra = {"s1": (60, 24), "s2": (32, 48)}
    given = {"mfcc": padded(40, 39, fill=fill)}
    given |= {name: padded(*size, fill=fill) for name, size in spectra.items()}
    lengths = {f"{name}_lengths": n for name, (_, n) in given.items()}
    tensors = {name: x.transpose(1, 2) if x.shape[2] != 39 else x for name, (x, _) in given.items()}
    return Batch(**tensors, **lengths)


def outcome(module, call, x):
    """Values, and gradients of the parameters and of the input."""
    module = copy.deepcopy(module)
    leaf = x.clone().requires_grad_()
    output = call(module, leaf)
    output.sin().sum().backward()
    return [output.detach(), *(p.grad for p in module.parameters()), leaf.grad]


def same(module, call, make):
    """The same results with zeros, huge numbers, infinities and no numbers as padding."""
    torch.manual_seed(0)
    (zero, lengths), *others = [make(f) for f in (0.0, 1e30, float("inf"), float("nan"))]
    with_lengths = lambda m, x: call(m, x, lengths)  # noqa: E731
    wanted = outcome(module, with_lengths, zero)
    assert all(torch.isfinite(t).all() for t in wanted)
    for x, _ in others:
        for a, b in zip(outcome(module, with_lengths, x), wanted, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4 * float(b.abs().max()))


BRANCHES = {
    "MFCCBranch": lambda **o: MFCCBranch(hidden=8, **o),
    "CNNLSTMBranch": lambda **o: CNNLSTMBranch("s1", 24, hidden=8, **o),
    "CNNLSTMPairBranch": lambda **o: CNNLSTMPairBranch((24, 48), hidden=8, **o),
    "DSBranch": lambda **o: DSBranch((24, 48), hidden=8, **o),
    "DSBranch as released": lambda **o: DSBranch(
        (24, 48), hidden=8, gate_norm=True, output_norm=True, **o
    ),
    "ConcatBranch": lambda **o: ConcatBranch((24, 48), hidden=8, **o),
}


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("fast", [True, False], ids=["fast", "equations"])
@pytest.mark.parametrize("name", BRANCHES)
def test_a_branch(name, fast, training):
    torch.manual_seed(0)
    branch = BRANCHES[name](fast=fast, pooling="attention").train(training)
    results = []
    for fill in (0.0, float("nan")):
        one = copy.deepcopy(branch)
        logits = one(batch(fill))
        nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2])).backward()
        grads = [p.grad for p in one.parameters() if p.grad is not None]
        results.append([logits.detach(), *grads, *one.buffers()])
    for a, b in zip(*results, strict=True):
        assert torch.isfinite(b.double()).all()
        scale = max(0.1, float(a.double().abs().max()))  # norms over three sequences round much
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3 * scale)


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "equations"])
@pytest.mark.parametrize("kernel", ["s1", "s2"])
def test_the_front_end(kernel, fast):
    call = lambda front, x, n: front(x.transpose(1, 2), n)  # noqa: E731
    same(FrontEnd(24, kernel, fast=fast), call, lambda fill: padded(40, 24, fill=fill))


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "equations"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("hidden", [6, 32])
def test_torchs_lstm(hidden, bidirectional, fast):
    lstm = nn.LSTM(5, hidden, 2, batch_first=True, bidirectional=bidirectional)
    call = lambda lstm, x, n: lstm_output(lstm, x, n, fast)  # noqa: E731
    same(lstm, call, lambda fill: padded(12, 5, fill=fill))


@pytest.mark.parametrize("pooling", ["mean", "attention"])
def test_pooling_over_time(pooling):
    same(TimePool(5, pooling), lambda m, x, n: m(x, n), lambda fill: padded(12, 5, fill=fill))
    same(nn.Identity(), lambda m, x, n: mean_over_time(x, n), lambda f: padded(12, 5, fill=f))


def test_alignment():
    def call(_, x, n):
        a, b, lengths = align(x, x[:, ::2], n, (n + 1) // 2)
        beyond = torch.arange(a.shape[1]) >= lengths[:, None]
        return torch.cat([a, b], dim=2).masked_fill(beyond[:, :, None], 0.0)

    same(nn.Identity(), call, lambda fill: padded(24, 5, fill=fill))


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("norm", [GateNorm(5, 3), OutputNorm(5)], ids=["gates", "output"])
def test_norms_of_a_step(norm, training):
    """Rows that are not valid: what is made of them is a number, and nothing comes back."""
    norm = norm.train(training)
    valid = torch.tensor([True, False, True, True])

    def make(fill):
        rows = torch.rand(4, 5, generator=torch.Generator().manual_seed(0))
        rows[1] = fill
        return rows, valid

    def call(norm, rows, valid):
        named = {"step": 0} if isinstance(norm, GateNorm) else {}
        return norm(rows, valid=valid, **named).masked_fill(~valid[:, None], 0.0)

    same(norm, call, make)


def test_what_is_heard_of_padding_is_zero():
    """Who listens to a layer of a DSLSTM sees no number that is none."""
    lstm, seen = DSLSTM(5, 5, 6, 2, batch_first=True), []
    for layer in lstm.layers:
        layer.cell.register_forward_hook(lambda _, given, result: seen.extend([given[0], *result]))
    x, lengths = padded(12, 5, fill=float("nan"))
    lstm(x, x, lengths)
    assert len(seen) == 2 * 12 * 3 and all(torch.isfinite(t).all() for t in seen)
