"""The DS-LSTM: fast path against the equations, lengths, states, limit case, bad input."""

from __future__ import annotations

import copy
import itertools

import pytest
import torch

from ser.nn import DSLSTM, DSLSTMCell, FrontEnd, GateNorm, OutputNorm


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


def pair(dtype=torch.float64, **options):
    """The same weights twice: fast and by the equations.

    Larger than initial weights: gates that hardly vary over a batch make their norm
    ill-conditioned, and float32 then differs by more than 1e-5 however it is computed.
    """
    fast = DSLSTM(5, 7, 6, **options).to(dtype)
    with torch.no_grad():
        for layer in fast.layers:
            layer.cell.W.mul_(3)
    plain = copy.deepcopy(fast)
    plain.reference = True
    return fast, plain


def run(model, x, y, lengths=None, state=None):
    """Outputs, and gradients of a fixed random function of them (of 9 steps of the output)."""
    leaves = [t.clone().requires_grad_() for t in (x, y, *(state or ()))]
    model.zero_grad()
    output, (h, c) = model(leaves[0], leaves[1], lengths, tuple(leaves[2:]) or None)
    draw = torch.Generator().manual_seed(1)
    total = sum(
        (t * torch.randn(t.shape, generator=draw, dtype=torch.float64).to(t.dtype)).sum()
        for t in (output[:9], h, c)
    )
    total.backward()
    grads = [t.grad for t in leaves] + [p.grad for p in model.parameters()]
    return [output, h, c], grads, [b.clone() for b in model.buffers()]


CASES = {
    "one layer": {},
    "three layers": {"num_layers": 3},
    "both directions": {"num_layers": 2, "bidirectional": True},
    "no y-candidate": {"num_layers": 2, "y_candidate": False},
    "gate norm": {"num_layers": 2, "gate_norm": True},
    "output norm": {"num_layers": 3, "output_norm": True},
    "as released": {"num_layers": 2, "gate_norm": True, "output_norm": True},
    "few steps": {"num_layers": 2, "gate_norm": True, "output_norm": True, "max_steps": 4},
    "norms, no y-candidate": {"gate_norm": True, "output_norm": True, "y_candidate": False},
    "norms, both": {"num_layers": 2, "gate_norm": True, "output_norm": True, "bidirectional": True},
}


LENGTHS = [9, 5, 9, 9, 8, 9, 1, 9, 9, 7, 9, 9]


@pytest.mark.parametrize("options", CASES.values(), ids=CASES)
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["full", "lengths"])
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)], ids=["f64", "f32"]
)
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_fast_equals_equations(options, lengths, dtype, tolerance, training):
    fast, plain = pair(dtype, **options)
    x, y = torch.randn(9, 12, 5, dtype=dtype), torch.randn(9, 12, 7, dtype=dtype)
    h, c = torch.randn(2, len(fast.layers), 12, 6, dtype=dtype).unbind()
    lengths = lengths and torch.tensor(lengths)
    for model in (fast, plain):
        model.train(training)
    for got, expected in zip(
        run(fast, x, y, lengths, (h, c)), run(plain, x, y, lengths, (h, c)), strict=True
    ):
        for a, b in zip(got, expected, strict=True):
            if a.dtype.is_floating_point:
                scale = max(1.0, float(b.detach().abs().max()))
                assert float((a - b).detach().abs().max()) <= tolerance * scale
            else:
                assert torch.equal(a, b)


@pytest.mark.parametrize("max_steps", [3, 5, 20])
def test_one_sequence_outlasts_the_others(max_steps):
    """Steps with a single sequence have no batch statistics: both paths take the running ones."""
    fast, plain = pair(gate_norm=True, output_norm=True, num_layers=2, max_steps=max_steps)
    x, y, lengths = torch.randn(9, 3, 5).double(), torch.randn(9, 3, 7).double(), [9, 5, 2]
    for _ in range(2):
        both = [run(m, x, y, torch.tensor(lengths)) for m in (fast, plain)]
        for a, b in zip(*(itertools.chain(*results) for results in both), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("y_candidate", [True, False])
def test_cell_is_the_equations(y_candidate):
    cell = DSLSTMCell(3, 4, 2, y_candidate).double()
    x, y, h, c = (torch.randn(5, n, dtype=torch.float64) for n in (3, 4, 2, 2))
    new_h, new_c = cell(x, y, (h, c))
    gates = torch.sigmoid(x @ cell.W[:, :3].T + y @ cell.W[:, 3:7].T + h @ cell.W[:, 7:].T + cell.b)
    f, iT, o = gates[:, :2], gates[:, 2:4], gates[:, 4:6]
    expected = f * c + iT * torch.tanh(x @ cell.W_T[:, :3].T + h @ cell.W_T[:, 3:].T + cell.b_T)
    if y_candidate:
        gF = torch.tanh(y @ cell.W_F[:, :4].T + h @ cell.W_F[:, 4:].T + cell.b_F)
        expected = expected + gates[:, 6:] * gF
    torch.testing.assert_close(new_c, expected)
    torch.testing.assert_close(new_h, o * torch.tanh(expected))
    for one, many in zip(cell(x[0], y[0], (h[0], c[0])), (new_h, new_c), strict=True):
        torch.testing.assert_close(one, many[0])
    torch.testing.assert_close(cell(x, y)[0], cell(x, y, (0 * h, 0 * c))[0])


def test_gradcheck():
    for options in ({"num_layers": 2}, {"gate_norm": True, "output_norm": True}):
        model = DSLSTM(2, 3, 2, **options).double().train()
        x = torch.randn(3, 3, 2, dtype=torch.float64, requires_grad=True)
        y = torch.randn(3, 3, 3, dtype=torch.float64, requires_grad=True)
        lengths = torch.tensor([3, 1, 2])
        for module in model.modules():
            module.momentum = 0.0  # or each call would see other running statistics

        def flat(x, y, *_, model=model, lengths=lengths):
            output, (h, c) = model(x, y, lengths)
            return output, h, c

        assert torch.autograd.gradcheck(flat, (x, y, *model.parameters()))


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("reference", [False, True], ids=["fast", "reference"])
def test_limit_case_is_torch_lstm(layers, reference):
    """iF shut and no weight on y: torch.nn.LSTM on x, whatever y holds."""
    lstm = torch.nn.LSTM(5, 6, layers).double()
    ours = DSLSTM(5, 7, 6, layers, reference=reference).double()
    with torch.no_grad():
        for k, layer in enumerate(ours.layers):
            w_ih, w_hh, b_ih, b_hh = lstm.all_weights[k]
            cell, size = layer.cell, layer.cell.x_size
            i, f, g, o = zip(w_ih.chunk(4), w_hh.chunk(4), (b_ih + b_hh).chunk(4), strict=True)
            cell.W.zero_()
            cell.b.zero_()
            for rows, (w_x, w_h, b) in zip(range(0, 18, 6), (f, i, o), strict=True):
                cell.W[rows : rows + 6, :size] = w_x
                cell.W[rows : rows + 6, size + 7 :] = w_h
                cell.b[rows : rows + 6] = b
            cell.b[18:] = -800.0  # sigmoid gives exactly 0
            cell.W_T.copy_(torch.cat([g[0], g[1]], 1))
            cell.b_T.copy_(g[2])
    x, y = torch.randn(8, 3, 5).double(), 100 * torch.randn(8, 3, 7).double()
    h, c = torch.randn(2, layers, 3, 6).double().unbind()
    output, state = ours(x, y, state=(h, c))
    expected, expected_state = lstm(x, (h, c))
    torch.testing.assert_close(output, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(state, expected_state, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("options", CASES.values(), ids=CASES)
@pytest.mark.parametrize("reference", [False, True], ids=["fast", "reference"])
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_padding_does_not_matter(options, reference, training):
    lengths = torch.tensor([4, 9, 2, 6])
    x, y = torch.randn(9, 4, 5).double(), torch.randn(9, 4, 7).double()
    model = DSLSTM(5, 7, 6, reference=reference, **options).double().train(training)
    results = []
    for extra, fill in ((0, 0.0), (5, 1e30), (0, float("nan"))):
        px = torch.full((9 + extra, 4, 5), fill).double()
        py = torch.full((9 + extra, 4, 7), fill).double()
        for b, n in enumerate(lengths):
            px[:n, b], py[:n, b] = x[:n, b], y[:n, b]
        outputs, grads, buffers = run(copy.deepcopy(model), px, py, lengths)
        assert (outputs[0][9:] == 0).all() and (outputs[0][4:, 0] == 0).all()
        assert all((g[9:] == 0).all() and (g[4:9, 0] == 0).all() for g in grads[:2])
        inputs = [g[:9] for g in grads[:2]]
        results.append([outputs[0][:9], *outputs[1:], *inputs, *grads[2:], *buffers])
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_each_sequence_as_alone(bidirectional):
    """With lengths a batch gives what each clip gives by itself; the states are its last ones."""
    model = DSLSTM(5, 7, 6, 2, batch_first=True, bidirectional=bidirectional).double()
    lengths = torch.tensor([4, 9, 2])
    x, y = torch.randn(3, 9, 5).double(), torch.randn(3, 9, 7).double()
    output, (h, c) = model(x, y, lengths)
    for b, n in enumerate(lengths):
        alone, (h1, c1) = model(x[b : b + 1, :n], y[b : b + 1, :n])
        torch.testing.assert_close(output[b, :n], alone[0])
        torch.testing.assert_close(h[:, b], h1[:, 0])
        torch.testing.assert_close(c[:, b], c1[:, 0])


def test_shapes_are_those_of_torch_lstm():
    for options in ({}, {"num_layers": 3}, {"num_layers": 2, "bidirectional": True}):
        ours, lstm = DSLSTM(5, 7, 6, **options), torch.nn.LSTM(5, 6, **options)
        first = DSLSTM(5, 7, 6, batch_first=True, **options)
        x, y = torch.randn(8, 3, 5), torch.randn(8, 3, 7)
        output, (h, c) = ours(x, y)
        expected, (eh, ec) = lstm(x)
        assert (output.shape, h.shape, c.shape) == (expected.shape, eh.shape, ec.shape)
        first.load_state_dict(ours.state_dict())
        turned = first(x.transpose(0, 1), y.transpose(0, 1))[0]
        torch.testing.assert_close(turned.transpose(0, 1), output)
        alone, (h1, _) = ours(x[:, 0], y[:, 0])
        torch.testing.assert_close(alone, output[:, 0])
        torch.testing.assert_close(h1, h[:, 0])


def test_state_carries_on():
    model = DSLSTM(5, 7, 6, 2)
    x, y = torch.randn(8, 3, 5), torch.randn(8, 3, 7)
    output, last = model(x, y)
    first, state = model(x[:5], y[:5])
    second, end = model(x[5:], y[5:], state=state)
    torch.testing.assert_close(torch.cat([first, second]), output)
    torch.testing.assert_close(end, last)


@pytest.mark.parametrize("reference", [False, True], ids=["fast", "reference"])
def test_batch_of_one_trains(reference):
    """The release crashes there; the norms use their running statistics and keep them."""
    model = DSLSTM(5, 7, 6, 2, gate_norm=True, output_norm=True, reference=reference)
    x, y = torch.randn(8, 1, 5), torch.randn(8, 1, 7)
    before = [b.clone() for b in model.buffers()]
    output, _ = model(x, y)
    output.sum().backward()
    assert torch.isfinite(output).all()
    assert all(torch.equal(a, b) for a, b in zip(before, model.buffers(), strict=True))
    torch.testing.assert_close(output, model.eval()(x, y)[0])


@pytest.mark.parametrize("reference", [False, True], ids=["fast", "reference"])
def test_steps_never_seen_use_the_last_seen_statistics(reference):
    model = DSLSTM(5, 7, 6, gate_norm=True, max_steps=20, reference=reference).double()
    model(torch.randn(4, 3, 5).double(), torch.randn(4, 3, 7).double())
    model.eval()
    norm = model.layers[0].gate_norm
    mean, var = norm.statistics(30)
    assert torch.equal(mean[4:], norm.running_mean[3].expand(26, -1))
    assert torch.equal(var[4:], norm.running_var[3].expand(26, -1))
    assert not torch.equal(mean[2], mean[3])
    long = model(torch.randn(30, 4, 5).double(), torch.randn(30, 4, 7).double())[0]
    assert torch.isfinite(long).all()


def test_gate_norm_matches_batch_norm_of_one_step():
    ours, theirs = GateNorm(6, 3).double(), torch.nn.BatchNorm1d(6).double()
    torch.nn.init.constant_(theirs.weight, 0.1)
    x = torch.rand(7, 6).double()
    torch.testing.assert_close(ours(x, 1), theirs(x))
    torch.testing.assert_close(ours.running_var[1], theirs.running_var)
    assert ours.num_batches_tracked.tolist() == [0, 1, 0]
    out = OutputNorm(6).double()
    torch.testing.assert_close(out(x), theirs(x) * 10)


def test_dropout_is_between_layers_and_only_in_training():
    model = DSLSTM(5, 7, 6, 2, dropout=1.0)
    x, y = torch.randn(8, 3, 5), torch.randn(8, 3, 7)
    assert not torch.allclose(model(x, y)[0], model.eval()(x, y)[0])
    single = DSLSTM(5, 7, 6, 1, dropout=1.0)
    torch.testing.assert_close(single(x, y)[0], single.eval()(x, y)[0])


@pytest.mark.parametrize("norms", [False, True])
def test_empty_batch(norms):
    model = DSLSTM(5, 7, 6, 2, gate_norm=norms, output_norm=norms)
    x = torch.randn(8, 0, 5, requires_grad=True)
    output, (h, c) = model(x, torch.randn(8, 0, 7))
    assert output.shape == (8, 0, 6) and h.shape == c.shape == (2, 0, 6)
    output.sum().backward()
    assert x.grad.shape == x.shape and all((p.grad == 0).all() for p in model.parameters())
    assert all(value.isfinite().all() for value in model.state_dict().values())


BAD = {
    "x features": (lambda m: m(torch.zeros(8, 3, 4), torch.zeros(8, 3, 7)), r"5 .*7 features.*4"),
    "y features": (lambda m: m(torch.zeros(8, 3, 5), torch.zeros(8, 3, 8)), r"\(8, 3, 8\)"),
    "steps differ": (lambda m: m(torch.zeros(8, 3, 5), torch.zeros(7, 3, 7)), "align"),
    "batch differs": (lambda m: m(torch.zeros(8, 3, 5), torch.zeros(8, 2, 7)), "8 of 2"),
    "no steps": (lambda m: m(torch.zeros(0, 3, 5), torch.zeros(0, 3, 7)), "no steps"),
    "dimensions": (lambda m: m(torch.zeros(8, 3, 5), torch.zeros(8, 7)), "3 dimensions"),
    "state": (
        lambda m: m(torch.zeros(8, 3, 5), torch.zeros(8, 3, 7), None, (torch.zeros(2, 3, 5),) * 2),
        r"\(2, 3, 6\)",
    ),
    "length 0": (lambda m: call(m, [8, 0, 3]), "1 to 8"),
    "length 9": (lambda m: call(m, [8, 9, 3]), "1 to 8"),
    "two lengths": (lambda m: call(m, [8, 4]), r"\(3,\)"),
}


def call(model, lengths):
    return model(torch.zeros(8, 3, 5), torch.zeros(8, 3, 7), torch.tensor(lengths))


@pytest.mark.parametrize(("action", "message"), BAD.values(), ids=BAD)
def test_bad_input(action, message):
    with pytest.raises(ValueError, match=message):
        action(DSLSTM(5, 7, 6, 2))


def test_bad_sizes():
    for build in (
        lambda: DSLSTM(5, 7, 6, 0),
        lambda: DSLSTM(0, 7, 6),
        lambda: DSLSTM(5, 7, 6, dropout=2.0),
        lambda: DSLSTM(5, 7, 6, gate_norm=True, max_steps=0),
        lambda: DSLSTMCell(5, 7, 6)(torch.zeros(2, 5), torch.zeros(3, 7)),
        lambda: DSLSTMCell(5, 7, 6)(torch.zeros(2, 5), torch.zeros(2, 6)),
        lambda: DSLSTMCell(5, 7, 6)(torch.zeros(2, 5), torch.zeros(2, 7), (torch.zeros(2, 5),) * 2),
    ):
        with pytest.raises(ValueError):
            build()


@pytest.mark.parametrize("norms", [False, True], ids=["equations", "norms"])
@pytest.mark.parametrize("size", [1e-2, 1e-4])
def test_small_numbers_keep_their_digits(norms, size):
    """tanh of a small number by 2 / (1 + exp(-2x)) - 1 would have lost them."""
    torch.manual_seed(0)
    fast = DSLSTM(5, 7, 6, num_layers=2, gate_norm=norms, output_norm=norms)
    with torch.no_grad():
        for name, p in fast.named_parameters():
            if not norms and name.endswith((".b", ".b_T", ".b_F")):
                p.zero_()
            elif "gate_norm.weight" in name or "gate_norm.bias" in name:
                p.mul_(size)
    exact = copy.deepcopy(fast).double()
    exact.reference = True
    x, y = torch.randn(9, 8, 5), torch.randn(9, 8, 7)
    if not norms:  # with them the gates are as small as their scale, whatever comes in
        x, y = size * x, size * y
    fast.layers[-1].output_norm = exact.layers[-1].output_norm = None
    with torch.no_grad():
        out, wanted = fast(x, y)[0], exact(x.double(), y.double())[0]
    assert float((out - wanted).abs().max()) < 1e-5 * float(wanted.abs().max())
    assert float(wanted.abs().max()) < 10 * size


def test_a_second_derivative_is_refused_however_it_is_asked():
    lstm, front = DSLSTM(5, 7, 6), FrontEnd(40, "s1")
    x = torch.randn(4, 3, 5, requires_grad=True)
    out = lstm(x, torch.randn(4, 3, 7))[0]
    with pytest.raises(RuntimeError, match="no second derivative"):
        torch.autograd.grad(out.pow(2).sum(), x, create_graph=True)
    out = front(torch.randn(2, 40, 30))
    with pytest.raises(RuntimeError, match="no second derivative"):
        torch.autograd.grad(out.pow(2).sum(), list(front.parameters()), create_graph=True)
    slow = DSLSTM(5, 7, 6, reference=True)
    out = slow(x, torch.randn(4, 3, 7))[0]
    (first,) = torch.autograd.grad(out.pow(2).sum(), x, create_graph=True)
    first.sum().backward()


@pytest.mark.parametrize("lengths", [[4.0, 2.5, 1.0], [True, True, True]])
def test_lengths_are_whole_numbers(lengths):
    with pytest.raises(ValueError, match="whole numbers"):
        DSLSTM(5, 7, 6)(torch.randn(4, 3, 5), torch.randn(4, 3, 7), torch.tensor(lengths))
