"""The LSTM in waves for a GPU: by Triton's interpreter, the choice, and on a GPU the results."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch
from test_cuda_recurrence import PLAIN
from torch import nn

from ser.nn.cpu.dslstm import Recurrence
from ser.nn.cuda import lstm as cuda_lstm
from ser.nn.cuda.graphs import Graphs, Replay
from ser.nn.lstm import lstm_output
from ser.nn.precision import precision_context

EQUAL = """
from ser.nn.cuda import dslstm_triton
from ser.nn.cuda.graphs import Replay
from ser.nn.cuda.lstm import deviation

dslstm_triton.UNITS = 32  # the interpreter's time goes by programs
for layers in (1, 2, 3):
    assert deviation("cpu", Replay, layers) < 1e-5, layers
print("equal")
"""


def test_waves_equal_torchs_lstm_by_the_interpreter():
    """Output and the gradients of input, weights and biases, one to three layers."""
    pytest.importorskip("triton", reason="Triton is not installed (torch has it on Linux)")
    done = subprocess.run(
        [sys.executable, "-c", EQUAL],
        env=os.environ | {"TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0 and "equal" in done.stdout, done.stderr[-3000:]


def test_waves_by_the_plain_loop():
    """The weights and the shut gates are right whatever runs the steps."""
    torch.manual_seed(0)
    lstm, x = nn.LSTM(5, 6, 3, batch_first=True).double(), torch.randn(4, 11, 5).double()
    inputs, sizes = cuda_lstm.waves(lstm, x), [4] * 13
    h, *_ = Recurrence.apply(*inputs, None, None, None, None, sizes, 0.0, False)
    torch.testing.assert_close(cuda_lstm._output(lstm, x, h), lstm(x)[0])
    above = h.view(13, 4, 3, 6)
    assert (above[0, :, 1:] == 0).all() and (above[1, :, 2] == 0).all()


def test_not_on_a_processor(monkeypatch):
    """Each thing that keeps the waves away; and on a processor they are never asked."""
    pytest.importorskip("triton", reason="Triton is not installed (torch has it on Linux)")
    monkeypatch.setattr(cuda_lstm, "proven", lambda _: True)
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: False)
    x, lengths = torch.zeros(2, 5, 3), torch.tensor([5, 2])

    def why(given=x, lengths=lengths, layers=2, **options):
        return cuda_lstm.why_not(nn.LSTM(3, 4, layers, batch_first=True, **options), given, lengths)

    assert why() == "" and "long" in why(lengths=None)
    assert "layers" in why(layers=4) and "float32" in why(x.double())
    for options in ({"bidirectional": True}, {"proj_size": 2}, {"dropout": 0.5}, {"bias": False}):
        assert "directions" in why(**options)
    with torch.no_grad():
        assert "training" in why()
    lstm, seen = nn.LSTM(3, 4, 2, batch_first=True), []
    monkeypatch.setattr(cuda_lstm, "output", lambda *given: seen.append(given))
    lstm_output(lstm, x, lengths)
    assert not seen


def test_what_does_not_work_is_told_once(monkeypatch, caplog):
    def broken(*_):
        raise RuntimeError("ptxas: no such file")

    monkeypatch.setattr(cuda_lstm, "deviation", broken)
    cuda_lstm.proven.cache_clear()
    assert not cuda_lstm.proven("cpu") and not cuda_lstm.proven("cpu")
    cuda_lstm.proven.cache_clear()
    assert [r.levelname for r in caplog.records] == ["WARNING"]
    assert "ptxas" in caplog.text and "cuDNN" in caplog.text


def ours(lstm, x):
    """All steps of all sequences."""
    return cuda_lstm.output(lstm, x, torch.full((len(x),), x.shape[1]))


@pytest.fixture
def on_a_processor(monkeypatch):
    """``output`` with the plain loop and no GPU, and room for twelve segments of that batch."""
    graphs = Graphs(Replay, loop=PLAIN)
    monkeypatch.setattr(cuda_lstm, "_graphs", lambda: graphs)
    monkeypatch.setattr(cuda_lstm, "SEGMENT", 4)
    lstm, x = nn.LSTM(5, 6, 2, batch_first=True), torch.randn(3, 13, 5)
    monkeypatch.setattr(cuda_lstm, "held_bytes", lambda _, batch, count: (batch, count * batch))
    monkeypatch.setattr(cuda_lstm, "room_for_graphs", lambda _: 13.5 * 3)
    return graphs, lstm, x


def test_from_the_second_time_on_and_within_the_memory(on_a_processor):
    graphs, lstm, x = on_a_processor
    assert ours(lstm, x) is None
    torch.testing.assert_close(ours(lstm, x), lstm(x)[0])
    longer = torch.randn(3, 60, 5)
    assert ours(lstm, longer) is None is ours(lstm, longer)
    for steps in (1, 3, 4, 7, 8, 16, 40):  # one graph serves every length
        part = torch.randn(3, steps, 5)
        torch.testing.assert_close(ours(lstm, part), lstm(part)[0])
    assert [len(group) for group in graphs.kept.values()] == [1]
    for batch in (2, 2, 1, 1, 3):
        found = ours(lstm, x[:batch])
    torch.testing.assert_close(found, lstm(x)[0])
    assert [len(group) for group in graphs.kept.values()] == [1, 1, 1]


def test_few_graphs_are_kept(on_a_processor):
    graphs, lstm, _ = on_a_processor
    for batch in (1, 2, 3, 4, 5, 6):
        x = torch.randn(batch, 3, 5)
        ours(lstm, x)
        torch.testing.assert_close(ours(lstm, x), lstm(x)[0])
    assert len(graphs.kept) == cuda_lstm.GRAPHS < 6


def test_gradients_flow_from_segment_to_segment(on_a_processor):
    """Two batches of different length between which nothing was let go, each with its own."""
    _, lstm, x = on_a_processor
    ours(lstm, x)
    found = []
    for waves in (True, False):
        given = [x.clone().requires_grad_(), x[:, :6].clone().requires_grad_()]
        lstm.zero_grad()
        outputs = [ours(lstm, g) if waves else lstm(g)[0] for g in given]
        sum((o.square() * o.detach().sign()).sum() for o in outputs).backward()
        found.append(
            [*outputs, *(g.grad for g in given), *(p.grad.clone() for p in lstm.parameters())]
        )
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, RuntimeError])
def test_a_capture_that_fails_is_told_once_and_cudnn_is_left(
    on_a_processor, monkeypatch, caplog, error
):
    graphs, lstm, x = on_a_processor
    tried = []

    def full(*_):
        tried.append(1)
        raise error("CUDA error: out of memory")

    monkeypatch.setattr(graphs, "replay", full)
    for _ in range(4):
        assert ours(lstm, x) is None
    assert len(tried) == 1 and not graphs.kept
    assert [r.levelname for r in caplog.records] == ["WARNING"]
    assert "out of memory" in caplog.text


def test_not_in_bfloat16(monkeypatch):
    monkeypatch.setattr(cuda_lstm, "proven", lambda _: True)
    monkeypatch.setattr(cuda_lstm.dslstm_triton, "fits", lambda *_: True)
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: False)
    given = nn.LSTM(3, 4, 2, batch_first=True), torch.zeros(2, 5, 3), torch.tensor([5, 2])
    assert not cuda_lstm.why_not(*given)
    with precision_context("bfloat16", "cpu"):
        assert "float32" in cuda_lstm.why_not(*given)


def test_a_proof_leaves_the_generators_as_they_were(monkeypatch):
    """A GPU's too, which torch.manual_seed would seed and nothing would restore."""
    state, seeded = torch.random.get_rng_state(), []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded.append)
    monkeypatch.setattr(cuda_lstm, "FUSED", PLAIN)
    assert cuda_lstm.deviation("cpu", Replay, 1) < 1e-5
    assert torch.equal(state, torch.random.get_rng_state()) and not seeded


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU that torch sees")
def test_on_a_gpu_equals_cudnn():
    """Padded batches of several lengths, the second time on from graphs; padding counts nothing."""
    assert cuda_lstm.proven("cuda:0")
    torch.manual_seed(0)
    lstm = nn.LSTM(39, 200, 2, batch_first=True).cuda()
    for longest in (90, 100, 300, 120):
        x = torch.randn(32, longest, 39).cuda()
        lengths = torch.randint(5, longest + 1, (32,))
        lengths[3] = longest
        found = []
        for fast in (True, False):
            lstm.zero_grad()
            with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
                output = lstm_output(lstm, x, lengths, fast)
                output.square().sum().backward()
            found.append([output.detach(), *(p.grad.clone() for p in lstm.parameters())])
        for a, b in zip(*found, strict=True):
            assert float((a - b).norm() / b.norm()) < 2e-3
    assert cuda_lstm._graphs().kept
