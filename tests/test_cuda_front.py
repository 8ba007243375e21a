"""The front end's kernels for a GPU: by Triton's interpreter, by its compiler, and on a GPU."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from ser.nn import FrontEnd
from ser.nn.cuda import first_block as cuda_front
from ser.nn.frontend import ConvBlock
from ser.nn.precision import precision_context

EQUAL = """
import torch
from ser.nn.cuda import first_block as cuda_front
from ser.nn.first_block import one_pass
from ser.nn.frontend import ConvBlock
from ser.nn.precision import precision_context

def check(kernel, channels, shape, training=True, offset=50.0):
    torch.manual_seed(0)
    x = offset + 20 * torch.randn(shape[0], 1, *shape[1:])
    ours, plain = ConvBlock(1, channels, kernel), ConvBlock(1, channels, kernel, fast=False)
    with torch.no_grad():
        ours.norm.weight.normal_()
        ours.norm.bias.normal_()
        ours.norm.running_mean.normal_(0, 10)
    plain.load_state_dict(ours.state_dict())
    ours.train(training), plain.train(training)
    outputs = one_pass(cuda_front, ours, x, None), plain(x)
    draw = torch.randn_like(outputs[1])
    for output in outputs:
        (output * draw).sum().backward()
    pairs = [outputs, *zip(ours.buffers(), plain.buffers(), strict=True)]
    for (name, a), b in zip(ours.named_parameters(), plain.parameters(), strict=True):
        if name != "conv.bias" or not training:
            pairs.append((a.grad, b.grad))
    for a, b in pairs:
        a, b = a.detach().double(), b.detach().double()
        gap = float((a - b).abs().max() / b.abs().max().clamp_min(1.0))
        assert a.shape == b.shape and gap < 2e-5, (kernel, channels, shape, training, gap)

cuda_front.SPLITS = 3  # the interpreter's time goes by programs, and 16 find little to do
check((4, 2), 64, (2, 16, 23))
check((2, 4), 64, (2, 17, 10))
check((2, 4), 64, (2, 17, 10), training=False)
check((4, 2), 16, (3, 9, 40), offset=-30.0)
check((2, 4), 128, (1, 8, 8))
assert cuda_front.deviation("cpu") < 1e-4

# Not a number anywhere is one everywhere, as in torch, and never a silent zero.
x = torch.randn(2, 1, 12, 12)
x[1, 0, 3, 3] = torch.nan
assert one_pass(cuda_front, ConvBlock(1, 64, (4, 2)), x, None).isnan().any()
print("equal")
"""

COMPILE = """
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, compile
from ser.nn.cuda import first_block as ours

fixed = {"TAPS": 8, "PLACES": ours.PLACES, "SPLITS": ours.SPLITS}
for kernel in (ours._pool, ours._pool_grad, ours._moments):
    names = kernel.arg_names
    for width, channels, low, arch in ((2, 64, False, 90), (4, 128, True, 80)):
        held = fixed | {"WIDTH": width, "CHANNELS": channels}
        half = "*bf16" if low else "*fp32"
        kinds = {name: "constexpr" if name in held else "i32" for name in names}
        kinds |= {n: "*fp32" for n in ("padded", "weight", "shift", "sums") if n in names}
        kinds |= {n: half for n in ("out", "grad") if n in names}
        kinds |= {n: "*u8" for n in ("best",) if n in names}
        values = {(names.index(k),): v for k, v in held.items() if k in names}
        source = ASTSource(kernel, kinds, values)
        made = compile(source, target=GPUTarget("cuda", arch, 32), options={"num_warps": 4})
        assert "cubin" in made.asm and made.metadata.shared <= 48 * 1024
print("compiled")
"""


@pytest.mark.parametrize(
    ("code", "says"), [(EQUAL, "equal"), (COMPILE, "compiled")], ids=["interpreter", "compiler"]
)
def test_kernels_without_a_gpu(code, says):
    """Values, gradients and statistics as torch's; machine code for two generations of GPUs."""
    pytest.importorskip("triton.backends.nvidia", reason="Triton is not installed")
    environment = os.environ | ({"TRITON_INTERPRET": "1"} if says == "equal" else {})
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0 and says in done.stdout, done.stderr[-3000:]


def test_what_does_not_work_is_told_once(monkeypatch, caplog):
    def broken(*_):
        raise RuntimeError("ptxas: no such file")

    monkeypatch.setattr(cuda_front, "deviation", broken)
    cuda_front.proven.cache_clear()
    assert not cuda_front.proven("cpu") and not cuda_front.proven("cpu")
    monkeypatch.setattr(cuda_front, "deviation", lambda _: float("nan"))
    cuda_front.proven.cache_clear()
    assert not cuda_front.proven("cpu")
    cuda_front.proven.cache_clear()
    assert [r.levelname for r in caplog.records] == ["WARNING"] * 2
    assert "ptxas" in caplog.text and "torch's operators" in caplog.text


def test_only_where_it_holds(monkeypatch):
    pytest.importorskip("triton", reason="Triton is not installed (torch has it on Linux)")
    monkeypatch.setattr(cuda_front, "proven", lambda _: True)
    block, x = ConvBlock(1, 64, (4, 2)), torch.zeros(2, 1, 12, 12)
    assert not cuda_front.why_not(block, x, None)
    assert "lengths" in cuda_front.why_not(block, x, torch.tensor([12, 9]))
    assert "channels" in cuda_front.why_not(ConvBlock(1, 12, (4, 2)), x, None)
    assert "gradient" in cuda_front.why_not(block, x.requires_grad_(), None)
    monkeypatch.setattr(cuda_front, "proven", lambda _: False)
    assert "agree" in cuda_front.why_not(block, x.detach(), None)


gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU that torch sees")


@gpu
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(("which", "bands", "frames"), [("s1", 128, 230), ("s2", 256, 120)])
def test_front_end_on_a_gpu_equals_torch(which, bands, frames, precision):
    assert cuda_front.proven("cuda:0")
    torch.manual_seed(0)
    ours = FrontEnd(bands, which).cuda()
    plain = FrontEnd(bands, which, fast=False).cuda()
    plain.load_state_dict(ours.state_dict())
    x = (50 + 20 * torch.randn(16, bands, frames)).cuda()
    outputs = []
    for front in (ours, plain):
        with precision_context(precision, "cuda"):
            outputs.append(front(x).float())
        outputs[-1].square().mean().backward()
    close = 2e-3 if precision == "float32" else 5e-2
    assert float((outputs[0] - outputs[1]).norm() / outputs[1].norm()) < close
    for (name, a), b in zip(ours.named_parameters(), plain.parameters(), strict=True):
        if not name.endswith("conv.bias"):
            assert float((a.grad - b.grad).norm() / b.grad.norm()) < 10 * close, name
    for a, b in zip(ours.buffers(), plain.buffers(), strict=True):
        assert float((a.double() - b.double()).norm() / b.double().norm().clamp_min(1)) < close
