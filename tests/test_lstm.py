"""torch's LSTM over a batch that shrinks as its sequences end, against packed sequences."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ser.nn import lstm_output
from ser.nn.cpu import lstm as cpu_lstm

HIDDEN = 16
LENGTHS = {
    "all": None,
    "one": [7],
    "equal": [9] * 5,
    "many": [3, 1, 2, 9, 9, 4, 7, 7, 2, 5, 6, 8, 1, 3, 3, 2, 9],
}


def network(layers=2, hidden=HIDDEN, **options):
    torch.manual_seed(0)
    return nn.LSTM(5, hidden, layers, batch_first=True, **options)


def sound(lengths, steps=11):
    count = 4 if lengths is None else len(lengths)
    x = torch.randn(count, steps, 5, generator=torch.Generator().manual_seed(1))
    return x, None if lengths is None else torch.tensor(lengths)


def values_and_gradients(run, x, parameters):
    x = x.detach().clone().requires_grad_()
    output = run(x)
    weight = torch.randn(output.shape, generator=torch.Generator().manual_seed(2))
    parameters = [p for p in parameters if p.requires_grad]
    grads = torch.autograd.grad((output * weight.to(output.dtype)).sum(), [x, *parameters])
    return [output.detach(), *grads]


def in_double(lstm, x, lengths):
    exact = nn.LSTM(
        lstm.input_size, lstm.hidden_size, lstm.num_layers, bias=lstm.bias, batch_first=True
    ).double()
    exact.load_state_dict(lstm.state_dict())
    return values_and_gradients(
        lambda given: lstm_output(exact, given, lengths, fast=False),
        x.double(),
        exact.parameters(),
    )


def close(ours, exact):
    for a, b in zip(ours, exact, strict=True):
        assert a.shape == b.shape
        assert ((a - b).abs().max() / b.abs().max().clamp_min(1.0)).item() < 1e-5


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_equals_torch(layers, lengths):
    lstm, (x, lengths) = network(layers), sound(lengths)
    ours = values_and_gradients(
        lambda given: lstm_output(lstm, given, lengths), x, lstm.parameters()
    )
    close(ours, in_double(lstm, x, lengths))
    if lengths is not None:
        padding = torch.arange(x.shape[1]) >= lengths[:, None]
        assert (ours[0][padding] == 0).all()
        assert (ours[1][padding] == 0).all()


def test_without_biases():
    lstm, (x, lengths) = network(bias=False), sound([11, 4, 6])
    close(
        values_and_gradients(
            lambda given: cpu_lstm.output(lstm, given, lengths), x, lstm.parameters()
        ),
        in_double(lstm, x, lengths),
    )


def test_what_stands_beyond_the_end_has_no_influence():
    lstm, (x, lengths) = network(), sound([11, 4, 6])
    other = x.clone()
    other[1, 4:] = float("nan")
    a, b = (cpu_lstm.output(lstm, given, lengths) for given in (x, other))
    assert torch.equal(a, b)


def test_a_sequence_does_not_depend_on_its_neighbours():
    lstm, (x, lengths) = network(), sound([11, 4, 6, 9])
    together = cpu_lstm.output(lstm, x, lengths)
    for k in range(4):
        alone = cpu_lstm.output(lstm, x[k : k + 1], lengths[k : k + 1])
        torch.testing.assert_close(together[k], alone[0], rtol=1e-6, atol=1e-6)


def test_frozen_weights_stay_and_the_others_learn():
    lstm, (x, lengths) = network(), sound([11, 4, 6])
    for name, weight in lstm.named_parameters():
        weight.requires_grad_(name.endswith("l1"))
    cpu_lstm.output(lstm, x, lengths).square().sum().backward()
    for name, weight in lstm.named_parameters():
        assert (weight.grad is not None) == name.endswith("l1")


def test_what_is_left_to_torch(monkeypatch):
    x, lengths = sound([11, 4, 6, 9])
    taken, real = [], cpu_lstm.output
    monkeypatch.setattr(cpu_lstm, "output", lambda *given: taken.append(1) or real(*given))
    for lstm, given, fast, calls in (
        (network(), lengths, True, 1),
        (network(proj_size=3), lengths, True, 1),
        (network(bidirectional=True), lengths, True, 0),
        (network(), None, True, 0),
        (network(), lengths, False, 0),
    ):
        taken.clear()
        lstm_output(lstm, x, given, fast)
        assert len(taken) == calls


@pytest.mark.parametrize("lengths", [None, torch.tensor([11, 4, 6, 9])])
def test_a_hook_hears_the_lstm(lengths):
    lstm, (x, _) = network(), sound(None)
    heard = []
    lstm.register_forward_hook(lambda *given: heard.append(1))
    output = lstm_output(lstm, x, lengths)
    assert heard
    torch.testing.assert_close(output, lstm_output(network(), x, lengths))
