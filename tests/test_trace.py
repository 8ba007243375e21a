"""Gates over time: the trace's memory and output are the fast path's."""

from __future__ import annotations

import pytest
import torch
from chapters.shared.gate_trace import trace

from ser.nn import DSLSTM

RELEASE = {"gate_norm": True, "output_norm": True}


def made(layers=1, **options):
    torch.manual_seed(0)
    model = DSLSTM(5, 7, 6, layers, **options).double()
    x, y = torch.randn(9, 4, 5).double(), torch.randn(9, 4, 7).double()
    if options.get("gate_norm"):
        for _ in range(60):  # until the running statistics are the batch's
            model(x, y)
    return model.eval(), x, y


@pytest.mark.parametrize(
    "options",
    [{}, {"y_candidate": False}, {"gate_norm": True}, {"gate_norm": True, "max_steps": 4}],
    ids=["equations", "no y-candidate", "gate norm", "few steps"],
)
def test_equals_the_fast_path(options):
    model, x, y = made(**options)
    assert not model.reference
    output, (h, c) = model(x, y)
    seen = trace(model.layers[0], x, y)
    torch.testing.assert_close(seen["h"], output, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(seen["h"][-1], h[0], rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(seen["c"][-1], c[0], rtol=1e-10, atol=1e-10)
    assert ("iF" in seen) == options.get("y_candidate", True)


def test_the_raw_h_recurs_under_an_output_norm():
    model, x, y = made(**RELEASE)
    seen = trace(model.layers[0], x, y)
    output, (h, _) = model(x, y)
    torch.testing.assert_close(seen["h"][-1], h[0], rtol=1e-10, atol=1e-10)
    normed = model.layers[0].output_norm(seen["h"].flatten(0, 1)).view_as(output)
    torch.testing.assert_close(normed, output, rtol=1e-10, atol=1e-10)


def test_layer_two_reads_the_first_ones_output():
    model, x, y = made(layers=2)
    first = trace(model.layers[0], x, y)["h"]
    second = trace(model.layers[1], first, y)
    torch.testing.assert_close(second["h"], model(x, y)[0], rtol=1e-10, atol=1e-10)


def test_one_utterance_without_a_batch():
    model, x, y = made(layers=1)
    alone = trace(model.layers[0], x[:, 2], y[:, 2])
    many = trace(model.layers[0], x, y)
    for name, values in alone.items():
        assert values.shape == (9, 6)
        torch.testing.assert_close(values, many[name][:, 2])


def test_gates_lie_between_0_and_1_and_with_the_gate_norm_they_do_not():
    model, x, y = made()
    for name in ("f", "iT", "o", "iF"):
        gate = trace(model.layers[0], x, y)[name]
        assert (gate > 0).all() and (gate < 1).all()
    model, x, y = made(**RELEASE)
    assert (trace(model.layers[0], x, y)["f"] < 0).any()


def test_tracing_leaves_the_running_statistics_alone():
    model, x, y = made(**RELEASE)
    before = {name: b.clone() for name, b in model.named_buffers()}
    trace(model.layers[0], x, y)
    assert all(torch.equal(b, before[name]) for name, b in model.named_buffers())
    model.train()
    with pytest.raises(ValueError, match="eval"):
        trace(model.layers[0], x, y)


@pytest.mark.parametrize(
    ("x", "y"),
    [((9, 5), (8, 7)), ((9, 4, 5), (9, 3, 7)), ((5,), (7,)), ((0, 5), (0, 7)), ((9, 4), (9, 7))],
)
def test_shapes_that_do_not_fit(x, y):
    model, *_ = made()
    with pytest.raises(ValueError, match=r"must be|expected x"):
        trace(model.layers[0], torch.zeros(x).double(), torch.zeros(y).double())
