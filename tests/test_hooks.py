"""A part that is not as the package made it, or that someone listens to, is called; told once."""

from __future__ import annotations

import copy
import logging

import pytest
import torch
from chapters.shared.gate_trace import trace
from torch import nn
from torch.nn.utils import parametrize, prune

from ser.batch import Batch
from ser.nn import DSLSTM, ConcatBranch, DSLSTMCell, FrontEnd, GateNorm, OutputNorm, lstm_output


class Own(DSLSTMCell):
    """Forgets half of what it should keep."""

    def forward(self, x, y, state=None, gate_norm=None):
        h, c = super().forward(x, y, state, gate_norm)
        return 0.5 * h, c


class Elsewhere(nn.Module):
    """No cell of ours at all, with three arguments."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(12, 6)

    def forward(self, x, y, state):
        h = torch.tanh(self.linear(torch.cat([x[:, :5], y], dim=1)) + state[0])
        return h, state[1]


class Doubled(nn.Module):
    """A parametrization."""

    def forward(self, weight):
        return 2 * weight


def louder(module, given, result):
    return (1.5 * result[0], *result[1:]) if isinstance(result, tuple) else 1.5 * result


def quieter(module, given):
    return (0.5 * given[0], *given[1:])


def half_forward(part):
    """An instance's own forward."""
    before = part.forward

    def forward(*given, **named):
        return louder(part, None, before(*given, **named))

    part.forward = forward


def replace(name, make):
    return lambda lstm: setattr(lstm.layers[0], name, make(lstm.layers[0]))


def own_cell(layer):
    cell = Own(5, 7, 6)
    cell.load_state_dict(layer.cell.state_dict())
    return cell


class OwnNorm(OutputNorm):
    """A norm that does something else."""

    def forward(self, h, valid=None):
        return torch.tanh(super().forward(h, valid))


class OwnGates(GateNorm):
    """Gates without a norm."""

    def forward(self, gates, step, valid=None, statistics=None):
        return 0.9 * gates


CHANGES = {
    "cell of a subclass": replace("cell", own_cell),
    "cell of another kind": lambda lstm: [
        setattr(layer, name, value)
        for layer in lstm.layers
        for name, value in {"cell": Elsewhere(), "gate_norm": None}.items()
    ],
    "cell's own forward": lambda lstm: half_forward(lstm.layers[0].cell),
    "layer's own forward": lambda lstm: half_forward(lstm.layers[1]),
    "norm's own forward": lambda lstm: half_forward(lstm.layers[0].output_norm),
    "hook on a cell": lambda lstm: lstm.layers[1].cell.register_forward_hook(louder),
    "hook before a cell": lambda lstm: lstm.layers[1].cell.register_forward_pre_hook(quieter),
    "hook on a layer": lambda lstm: lstm.layers[0].register_forward_hook(louder),
    "hook before a layer": lambda lstm: lstm.layers[0].register_forward_pre_hook(quieter),
    "hook on a gate norm": lambda lstm: lstm.layers[0].gate_norm.register_forward_hook(louder),
    "hook on an output norm": lambda lstm: lstm.layers[0].output_norm.register_forward_hook(louder),
    "output norm of a subclass": replace("output_norm", lambda _: OwnNorm(6)),
    "gate norm of a subclass": replace("gate_norm", lambda _: OwnGates(24, 8)),
    "parametrization": lambda lstm: parametrize.register_parametrization(
        lstm.layers[0].cell, "W", Doubled()
    ),
    "weight norm": lambda lstm: nn.utils.parametrizations.weight_norm(lstm.layers[0].cell, "W_T"),
    "old weight norm": lambda lstm: nn.utils.weight_norm(lstm.layers[0].cell, "W_F"),
    "spectral norm": lambda lstm: nn.utils.parametrizations.spectral_norm(lstm.layers[0].cell, "W"),
    "pruning": lambda lstm: prune.l1_unstructured(lstm.layers[0].cell, "W", 0.5),
}


def made(change, reference, training=True):
    torch.manual_seed(0)
    lstm = DSLSTM(5, 7, 6, 2, gate_norm=True, output_norm=True, max_steps=8, reference=reference)
    lstm.layers[1].cell.W.data.mul_(3)
    if change is not None:
        change(lstm)
    return lstm.train(training)


def results(lstm):
    draw = torch.Generator().manual_seed(1)
    x, y = torch.randn(8, 4, 5, generator=draw), torch.randn(8, 4, 7, generator=draw)
    x.requires_grad_()
    output, (h, c) = lstm(x, y, torch.tensor([8, 3, 5, 8]))
    (output.sin().sum() + h.sum() + c.sum()).backward()
    return [output, h, c, x.grad, *(p.grad for p in lstm.parameters() if p.grad is not None)]


@pytest.mark.filterwarnings("ignore:.*weight_norm.*deprecated")
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("name", CHANGES)
def test_a_cell_of_ones_own(name, training, caplog):
    """DSLSTM takes the equations, and says so once; otherwise none of this would be heard."""
    change = CHANGES[name]
    fast, plain = (made(change, reference, training) for reference in (False, True))
    with caplog.at_level(logging.WARNING, "ser.nn"):
        got, expected = results(fast), results(plain)
        for one, other in zip(got, expected, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
        if "weight norm" not in name:  # which computes the same at first
            assert not torch.equal(got[0], results(made(None, True, training))[0])
        results(fast)
    told = [r.getMessage() for r in caplog.records]
    assert len(told) == 1 and "layers[" in told[0]


def test_who_only_listens_is_heard():
    """Once for each step of each layer's cell, forward and backward; then the fast path is back."""
    lstm, heard = made(None, False), []
    cell = lstm.layers[0].cell
    handles = [
        cell.register_full_backward_hook(lambda *_: heard.append("back")),
        nn.modules.module.register_module_forward_hook(
            lambda module, *_: heard.append(type(module).__name__)
        ),
    ]
    results(lstm)
    for handle in handles:
        handle.remove()
    assert heard.count("back") == 8 and heard.count("DSLSTMCell") == 16
    assert heard.count("DSLSTMLayer") == 2 and heard.count("GateNorm") == 16
    lstm.layers[0].forward = None  # would fail if it were called
    del lstm.layers[0].forward
    for one, other in zip(results(lstm), results(made(None, True)), strict=True):
        assert one.shape == other.shape
    assert len(heard) == 8 + 16 + 2 + 16 + 16 + 1


def test_a_class_changed_at_run_time(monkeypatch):
    before = DSLSTMCell.forward
    changed = lambda *given, **named: louder(None, None, before(*given, **named))  # noqa: E731
    monkeypatch.setattr(DSLSTMCell, "forward", changed)
    for one, other in zip(results(made(None, False)), results(made(None, True)), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_gates_of_another_cell_are_not_written_out():
    lstm = made(CHANGES["cell of a subclass"], False).eval()
    with pytest.raises(ValueError, match="it is a Own"):
        trace(lstm.layers[0], torch.zeros(3, 5), torch.zeros(3, 7))


class OwnConv(nn.Conv2d):
    """A convolution that does something else."""

    def forward(self, x):
        return torch.tanh(super().forward(x))


def changed_block(name, change):
    def apply(block):
        part = change(getattr(block, name))
        if isinstance(part, nn.Module):
            setattr(block, name, part)

    return apply


FRONT = {
    "conv of a subclass": changed_block(
        "conv", lambda c: OwnConv(c.in_channels, c.out_channels, c.kernel_size, padding=c.padding)
    ),
    "conv with other padding": changed_block(
        "conv",
        lambda c: nn.Conv2d(
            c.in_channels, c.out_channels, c.kernel_size, padding=c.padding, padding_mode="reflect"
        ),
    ),
    "conv without bias": changed_block(
        "conv",
        lambda c: nn.Conv2d(
            c.in_channels, c.out_channels, c.kernel_size, padding=c.padding, bias=False
        ),
    ),
    "conv's own forward": changed_block("conv", half_forward),
    "hook on a conv": changed_block("conv", lambda c: c.register_forward_hook(louder)),
    "hook before a norm": changed_block("norm", lambda n: n.register_forward_pre_hook(quieter)),
    "hook on a norm": changed_block("norm", lambda n: n.register_forward_hook(louder)),
    "norm's own forward": changed_block("norm", half_forward),
    "no norm": changed_block("norm", lambda n: nn.Identity()),
    "instance norm": changed_block("norm", lambda n: nn.InstanceNorm2d(n.num_features)),
    "norm without scale": changed_block(
        "norm", lambda n: nn.BatchNorm2d(n.num_features, affine=False)
    ),
    "norm without statistics": changed_block(
        "norm", lambda n: nn.BatchNorm2d(n.num_features, track_running_stats=False)
    ),
    "weight norm": changed_block("conv", nn.utils.parametrizations.weight_norm),
    "spectral norm": changed_block("conv", nn.utils.parametrizations.spectral_norm),
    "pruning": changed_block("conv", lambda c: prune.l1_unstructured(c, "weight", 0.5) and None),
}


def front_end(change, depth, fast, training):
    torch.manual_seed(0)
    front = FrontEnd(24, "s1", fast=fast)
    change(front.blocks[depth])
    return front.train(training)


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("depth", [0, 1])
@pytest.mark.parametrize("change", FRONT.values(), ids=FRONT)
def test_a_front_end_of_ones_own(change, depth, training):
    """Convolution, norm and pool: what torch makes of the parts, with lengths and without."""
    x = torch.randn(3, 24, 30)
    for lengths in (None, torch.tensor([30, 14, 22])):
        pair = [front_end(change, depth, fast, training) for fast in (True, False)]
        outputs = [front(x, lengths) for front in pair]
        for output in outputs:
            output.sin().sum().backward()
        torch.testing.assert_close(*outputs, rtol=1e-4, atol=1e-4)
        fast, plain = pair
        for (name, one), other in zip(
            [*fast.named_parameters(), *fast.named_buffers()],
            [*plain.parameters(), *plain.buffers()],
            strict=True,
        ):
            if one.requires_grad and one.grad is not None:
                one, other = one.grad, other.grad
            scale = max(1.0, float(other.abs().max()))
            assert float((one - other).abs().max()) < 1e-3 * scale, name


def test_a_norm_of_ones_own_hears_no_padding():
    """A hook that changes nothing changes nothing: lengths count as they do without it."""
    x, lengths = torch.randn(3, 24, 30), torch.tensor([30, 14, 22])
    for training in (True, False):
        listened = front_end(lambda b: b.norm.register_forward_hook(lambda *_: None), 0, True, True)
        plain = copy.deepcopy(front_end(lambda b: None, 0, True, True))
        listened.train(training), plain.train(training)
        torch.testing.assert_close(listened(x, lengths), plain(x, lengths), rtol=1e-4, atol=1e-4)
        for a, b in zip(listened.buffers(), plain.buffers(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


class OwnLSTM(nn.LSTM):
    """An LSTM that does something else."""

    def forward(self, x, state=None):
        output, state = super().forward(x, state)
        if isinstance(output, nn.utils.rnn.PackedSequence):
            return output._replace(data=output.data.tanh()), state
        return output.tanh(), state


def hooked_lstm(lstm, heard):
    lstm.register_forward_hook(lambda *_: heard.append(1))
    return lstm


@pytest.mark.parametrize("hidden", [6, 32])
def test_an_lstm_of_ones_own(hidden):
    """Called once, packed: neither the compiled steps nor batches that shrink stand in for it."""
    x, lengths = torch.randn(5, 9, 4), torch.tensor([9, 3, 1, 7, 9])
    torch.manual_seed(0)
    heard, plain = [], nn.LSTM(4, hidden, 2, batch_first=True)
    own = OwnLSTM(4, hidden, 2, batch_first=True)
    own.load_state_dict(plain.state_dict())
    expected = lstm_output(plain, x, lengths, fast=False)
    torch.testing.assert_close(lstm_output(own, x, lengths), expected.tanh())
    torch.testing.assert_close(lstm_output(own, x), plain(x)[0].tanh())
    torch.testing.assert_close(lstm_output(hooked_lstm(plain, heard), x, lengths), expected)
    assert heard == [1]
    pruned = copy.deepcopy(plain)
    prune.l1_unstructured(pruned, "weight_hh_l0", 0.5)
    torch.testing.assert_close(lstm_output(pruned, x), pruned(x)[0])


def test_a_branch_whose_lstm_is_another():
    branch = ConcatBranch((24, 48), hidden=8)
    branch.lstm = nn.GRU(branch.lstm.input_size, 8, batch_first=True)
    given = {"s1": torch.randn(2, 24, 60), "s2": torch.randn(2, 48, 40)}
    assert branch(Batch(**given)).shape == (2, 4)
