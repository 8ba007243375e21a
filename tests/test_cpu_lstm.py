"""The LSTM whose steps are one call a thread, against torch's."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ser.nn import cpu_lstm, lstm_kernels, lstm_output, tiles

HIDDEN = tiles.WIDTH // 2
LENGTHS = {
    "all": None,
    "one": [7],
    "equal": [9] * 5,
    "many": [3, 1, 2, 9, 9, 4, 7, 7, 2, 5, 6, 8, 1, 3, 3, 2, 9],
}

pytestmark = pytest.mark.skipif(not tiles.worthwhile(), reason="needs AVX2 or AVX-512")


class Own(nn.LSTM):
    """One whose forward does something else."""

    def forward(self, *given):
        """Twice what torch gives."""
        output, state = super().forward(*given)
        return 2 * output, state


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
    assert cpu_lstm.applies(lstm, x)
    ours = values_and_gradients(
        lambda given: lstm_output(lstm, given, lengths), x, lstm.parameters()
    )
    close(ours, in_double(lstm, x, lengths))
    if lengths is not None:
        padding = torch.arange(x.shape[1]) >= lengths[:, None]
        assert (ours[0][padding] == 0).all()
        assert (ours[1][padding] == 0).all()


@pytest.mark.parametrize("hidden", [HIDDEN // 2, 3 * HIDDEN, 100, 200])
def test_any_hidden_size_in_whole_panels(hidden):
    """Also where the gradient of h ends within a panel."""
    lstm, (x, lengths) = network(hidden=hidden), sound([11, 4, 6])
    assert cpu_lstm.applies(lstm, x) == (4 * hidden % tiles.WIDTH == 0)
    close(
        values_and_gradients(lambda given: lstm_output(lstm, given, lengths), x, lstm.parameters()),
        in_double(lstm, x, lengths),
    )


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


@pytest.mark.parametrize("batch", [1, 4, 7])
def test_how_sequences_are_shared_does_not_change_a_bit_of_the_steps(batch):
    """torch's products before and after them are its own affair."""
    sizes = [max(1, batch - t // 2) for t in range(9)]
    draw = torch.Generator().manual_seed(0)
    rows, steps = sum(sizes), torch.tensor(sizes)
    given, grad_h = (torch.randn(rows, n * HIDDEN, generator=draw) for n in (4, 1))
    weight = torch.randn(4 * HIDDEN, HIDDEN, generator=draw) / 4
    found = []
    for shares in range(1, batch + 1):
        act, grad = given.clone(), torch.empty_like(given)
        before, c = torch.zeros(rows, HIDDEN), torch.zeros(batch + rows, HIDDEN)
        h, tanh_c = (torch.empty(rows, HIDDEN) for _ in range(2))
        dc = torch.zeros(batch, HIDDEN)
        dh = torch.zeros(batch, tiles.WIDTH)
        forwards = act, before, h, c, tanh_c, tiles.panels_of(weight.t()), steps
        backwards = grad, act, grad_h, c, tanh_c, dh, dc, tiles.panels_of(weight), steps
        for run, tensors in (
            (lstm_kernels.forward, forwards),
            (lstm_kernels.backward, backwards),
        ):
            for share in range(shares):
                run(*(t.numpy() for t in tensors), share, shares)
        found.append([before, h, c, grad, dh, dc])
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
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


def test_large_and_odd_numbers_are_as_in_torch():
    lstm = network(1)
    x = torch.tensor([1e3, -1e3, 1e30, float("inf"), float("nan")])[:, None, None].expand(5, 2, 5)
    ours, plain = cpu_lstm.output(lstm, x), lstm(x)[0]
    torch.testing.assert_close(ours, plain, equal_nan=True)


def test_no_second_derivative_is_said():
    lstm, (x, lengths) = network(), sound([11, 4, 6])
    output = cpu_lstm.output(lstm, x.requires_grad_(), lengths)
    with pytest.raises(RuntimeError, match=r"lstm_output\(fast=False\)"):
        torch.autograd.grad(output.sum(), x, create_graph=True)


def test_what_is_left_to_torch():
    x, _ = sound(None)
    assert cpu_lstm.applies(network(), x)
    assert not cpu_lstm.applies(network().double(), x.double())
    assert not cpu_lstm.applies(network(bidirectional=True), x)
    assert not cpu_lstm.applies(network(proj_size=3), x)
    assert not cpu_lstm.applies(network(hidden=HIDDEN + 1), x)
    assert not cpu_lstm.applies(network(), x[:0])
    assert not cpu_lstm.applies(Own(5, HIDDEN, batch_first=True), x)
    dropping = network(dropout=0.5)
    assert not cpu_lstm.applies(dropping, x)
    assert cpu_lstm.applies(dropping.eval(), x)
    with torch.autocast("cpu", torch.bfloat16):
        assert not cpu_lstm.applies(network(), x)


@pytest.mark.parametrize("lengths", [None, torch.tensor([11, 4, 6, 9])])
def test_a_hook_hears_the_lstm(lengths):
    lstm, (x, _) = network(), sound(None)
    heard = []
    lstm.register_forward_hook(lambda *given: heard.append(1))
    output = lstm_output(lstm, x, lengths)
    assert heard
    torch.testing.assert_close(output, cpu_lstm.output(lstm, x, lengths))


def test_the_way_without_tiles(monkeypatch):
    lstm, (x, lengths) = network(), sound(LENGTHS["many"])
    ours = lstm_output(lstm, x, lengths)
    monkeypatch.setattr(tiles, "worthwhile", lambda: False)
    assert not cpu_lstm.applies(lstm, x)
    torch.testing.assert_close(lstm_output(lstm, x, lengths), ours)
