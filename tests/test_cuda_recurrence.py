"""The GPU's paths of the DS-LSTM: what of them runs without a GPU, and all of it with one."""

from __future__ import annotations

import gc
import inspect
import os
import subprocess
import sys

import pytest
import torch

from ser.nn import DSLSTM
from ser.nn.cpu.dslstm import Recurrence, recurrence_backward, recurrence_forward
from ser.nn.cuda import dslstm as cuda_dslstm
from ser.nn.cuda import dslstm_triton, graphs
from ser.nn.cuda.dslstm import deviation
from ser.nn.cuda.graphs import GraphRecurrence, Graphs, Steps
from ser.nn.precision import precision_context

STEPS = """
import torch
from ser.nn.cpu.dslstm import Recurrence
from ser.nn.cuda import dslstm_triton
from ser.nn.cuda.dslstm import StepsRecurrence, deviation

def check(sizes, hidden, blocks, normed, training, use=(True, True)):
    torch.manual_seed(0)
    batch, rows, gates = sizes[0], sum(sizes), (blocks // 3 + 2) * hidden
    shapes = (rows, blocks * hidden), (blocks * hidden, hidden), (batch, hidden), (batch, hidden)
    inputs = [torch.randn(shape) / hidden**0.5 for shape in shapes]
    stats, norm = [None] * 2, [None] * 2
    if normed:
        norm = [torch.rand(gates) + 0.1, torch.randn(gates)]
        stats = [torch.rand(len(sizes), gates) + 0.5 * k for k in range(2)]
    draw, found = torch.randn(2, rows, hidden), []
    for function in (StepsRecurrence, Recurrence):
        leaves = [None if t is None else t.clone().requires_grad_() for t in (*inputs, *norm)]
        outputs = function.apply(*leaves, *stats, sizes, 1e-5, training)
        sum((t * d).sum() for t, d, u in zip(outputs, draw, use) if u).backward()
        found.append([*outputs, *(leaf.grad for leaf in leaves if leaf is not None)])
    for a, b in zip(*found, strict=True):
        assert a.shape == b.shape
        if a.numel():
            gap = float((a - b).detach().abs().max() / b.detach().abs().max().clamp_min(1.0))
            assert gap <= 1e-5, (sizes, hidden, blocks, normed, training, gap)

for normed, training in ((False, True), (True, False), (True, True)):
    check([17, 17, 1], 10, 6, normed, training)
    check([3, 2], 5, 4, normed, training, use=(True, False))
check([33, 16], 20, 6, True, True, use=(False, True))
dslstm_triton.UNITS = 16  # the interpreter's time goes by programs
assert deviation("cpu") < 1e-5
print("equal")
"""

COMPILE = """
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, compile
from ser.nn.cuda import dslstm_triton as ours

kinds_of_steps = (2, False, True, 90), (2, True, False, 80), (1024, True, True, 90)
for batch, norm, two, arch in kinds_of_steps:
    _, blocks = ours._blocks(batch, 200)
    options = {"num_warps": blocks.pop("num_warps")}
    fixed = {"H": 200, "COLUMNS": 1200 if two else 800, "TWO": two, "NORM": norm}
    fixed |= {"OWN": norm, **blocks}
    if not norm:
        fixed |= dict.fromkeys(("scale", "shift", "mean", "var", "d_scale", "d_shift"))
    for kernel in (ours._forward, ours._backward):
        names = kernel.arg_names
        kinds = {name: "constexpr" if name in fixed else "*fp32" for name in names}
        kinds |= {"n": "i32", "eps": "fp32"}
        held = {(names.index(k),): v for k, v in fixed.items() if k in names}
        source = ASTSource(kernel, kinds, held)
        made = compile(source, target=GPUTarget("cuda", arch, 32), options=options)
        assert "cubin" in made.asm and made.metadata.shared <= 48 * 1024
print("compiled")
"""


class Replay:
    """What ``CudaReplay`` does, on any device, by calling the function again."""

    def __init__(self, function):
        self.function, self.outputs = function, function()

    def run(self):
        """The same tensors each time, with new contents."""
        for kept, new in zip(self.outputs, self.function(), strict=True):
            if kept is not None:
                kept.copy_(new)
        return self.outputs


def plain_backward(saved, weight, scale, shift, grad_h, grad_c, batch, sizes, eps, training):
    """Of the loop in torch, called as that of the kernels."""
    return recurrence_backward(saved[2:], weight, scale, grad_h, grad_c, batch, sizes, training)


@pytest.fixture
def plain_steps(monkeypatch):
    """Graphs hold the loop in torch, which needs neither Triton nor a GPU."""
    monkeypatch.setattr(dslstm_triton, "steps_forward", recurrence_forward)
    monkeypatch.setattr(dslstm_triton, "steps_backward", plain_backward)
    monkeypatch.setattr(graphs, "CudaReplay", Replay)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


def in_a_process(code: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_triton_kernels_by_the_interpreter():
    """Values and gradients against the plain loop; batches and units that no tile divides."""
    pytest.importorskip("triton", reason="Triton is not installed (torch has it on Linux)")
    replay = (
        f"{inspect.getsource(Replay)}\nfrom ser.nn.cuda import graphs\ngraphs.CudaReplay = Replay\n"
    )
    done = in_a_process(replay + STEPS, TRITON_INTERPRET="1")
    assert done.returncode == 0 and "equal" in done.stdout, done.stderr[-3000:]


def test_triton_kernels_compile_for_gpus():
    """To machine code, with the compiler in Triton; no GPU needed."""
    pytest.importorskip("triton", reason="Triton is not installed (torch has it on Linux)")
    pytest.importorskip("triton.backends.nvidia", reason="Triton without its NVIDIA compiler")
    done = in_a_process(COMPILE)
    assert done.returncode == 0 and "compiled" in done.stdout, done.stderr[-3000:]


def norm_inputs(sizes=(6, 6, 4), hidden=5, seed=0, blocks=6):
    draw = torch.Generator().manual_seed(seed)
    gates = (blocks // 3 + 2) * hidden
    inputs = [torch.randn(s, generator=draw) for s in (
        (sum(sizes), blocks * hidden), (blocks * hidden, hidden),
        (sizes[0], hidden), (sizes[0], hidden), (gates,), (gates,),
    )]  # fmt: skip
    stats = torch.rand(2, len(sizes), gates, generator=draw) + 0.5
    return [t.requires_grad_() for t in inputs], list(stats), (list(sizes), 1e-5, True)


@pytest.mark.parametrize("blocks", [4, 6])
@pytest.mark.parametrize("training", [True, False])
def test_replayed_steps_equal_the_loop(plain_steps, blocks, training):
    """Captured with one input, replayed with others."""
    inputs, stats, settings = norm_inputs(blocks=blocks)
    settings = (*settings[:2], training)
    kept = Graphs()
    assert kept.lease((*inputs, *stats), settings) is None  # the first time: not worth it
    for seed in (1, 2):
        inputs, stats, _ = norm_inputs(seed=seed, blocks=blocks)
        lease = kept.lease((*inputs, *stats), settings)
        found = []
        for outputs in (
            GraphRecurrence.apply(lease, *inputs, *stats),
            Recurrence.apply(*inputs, *stats, *settings),
        ):
            loss = outputs[0].square().sum() + outputs[1].sum()
            found.append([*outputs, *torch.autograd.grad(loss, inputs)])
        for a, b in zip(*found, strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=0)
    assert sum(map(len, kept.kept.values())) <= 2


def test_two_passes_under_way_do_not_share_a_graph(plain_steps):
    """Two layers of one shape: backward of the first needs what forward of the second must keep."""
    kept, results = Graphs(), []
    for function in ("graph", "plain"):
        passes = []
        for seed in (1, 2):
            inputs, stats, settings = norm_inputs(seed=seed)
            if function == "graph":
                lease = kept.lease((*inputs, *stats), settings) or kept.lease(
                    (*inputs, *stats), settings
                )
                outputs = GraphRecurrence.apply(lease, *inputs, *stats)
                del lease
            else:
                outputs = Recurrence.apply(*inputs, *stats, *settings)
            passes.append((outputs, inputs))
        results.append(
            [
                g
                for outputs, inputs in passes
                for g in torch.autograd.grad(outputs[0].square().sum(), inputs)
            ]
        )
        del passes, outputs
        gc.collect()
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
    group = next(iter(kept.kept.values()))
    assert len(group) == 2 and all(steps.free for steps in group)


def test_graphs_kept_are_bounded(plain_steps, monkeypatch):
    monkeypatch.setattr(graphs, "GRAPHS", 3)
    kept = Graphs()
    for steps in range(1, 30):
        inputs, stats, settings = norm_inputs(sizes=(4,) * steps, hidden=2)
        for _ in range(2):
            lease = kept.lease((*inputs, *stats), settings)
        assert lease is not None
        del lease
    assert len(kept.kept) == 3 and len(kept.seen) <= 24


def test_proof_passes_for_equal_and_fails_for_different(plain_steps, monkeypatch, caplog):
    assert deviation("cpu") == 0.0

    class Wrong(Steps):
        def run_forward(self, inputs):
            h, *rest = super().run_forward(inputs)
            return h + 0.1, *rest

    monkeypatch.setattr(cuda_dslstm, "Steps", Wrong)
    cuda_dslstm.proven.cache_clear()
    assert not cuda_dslstm.proven("cpu")
    assert not cuda_dslstm.proven("cpu")
    assert [r.levelname for r in caplog.records] == ["WARNING"]
    assert "differ" in caplog.text and "torch's operators" in caplog.text
    cuda_dslstm.proven.cache_clear()


def test_what_does_not_work_is_left_to_torch(monkeypatch, caplog):
    """A compiler that fails costs a warning, never a result."""

    def broken(*_):
        raise RuntimeError("ptxas: no such file")

    monkeypatch.setattr(cuda_dslstm, "deviation", broken)
    monkeypatch.setattr(cuda_dslstm.dslstm_triton, "fits", lambda *_: True)
    cuda_dslstm.proven.cache_clear()
    lstm, x = DSLSTM(3, 4, 5), torch.randn(2, 3, 3)
    assert "agree" in cuda_dslstm.why_not(lstm, x, x)
    assert "float32" in cuda_dslstm.why_not(lstm.double(), x, x)
    assert "ptxas" in caplog.text
    cuda_dslstm.proven.cache_clear()


gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU that torch sees")


@gpu
@pytest.mark.parametrize("norms", [False, True], ids=["plain", "norms"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("lengths", [False, True], ids=["full", "lengths"])
def test_gpu_equals_the_equations(norms, precision, lengths):
    model = DSLSTM(48, 40, 200, 2, gate_norm=norms, output_norm=norms)
    plain = DSLSTM(48, 40, 200, 2, gate_norm=norms, output_norm=norms, reference=True)
    plain.load_state_dict(model.state_dict())
    model.cuda()
    plain.cuda()
    assert cuda_dslstm.proven("cuda:0")
    x, y = torch.randn(13, 37, 48).cuda(), torch.randn(13, 37, 40).cuda()
    lengths = torch.randint(1, 14, (37,)) if lengths else None
    for _ in range(3):
        with precision_context(precision, "cuda"):
            got = model(x, y, lengths)[0]
        expected = plain(x, y, lengths)[0]
        grads = []
        for m, output in ((model, got), (plain, expected)):
            m.zero_grad()
            output.square().mean().backward()
            grads.append([p.grad for p in m.parameters()])
        rtol = 1e-3 if precision == "float32" else 5e-2
        assert float((got - expected).norm() / expected.norm()) < rtol
        for a, b in zip(*grads, strict=True):
            assert float((a - b).norm() / b.norm().clamp_min(1e-4)) < (20 if norms else 5) * rtol
