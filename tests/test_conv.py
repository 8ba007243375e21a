"""The convolution whose backward is made of two products, against torch's own."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ser.nn import conv as own
from ser.nn import tiles
from ser.nn.frontend import KERNELS, ConvBlock, FrontEnd

CASES = {
    "s1": ((64, 16), (4, 2), (1, 0), (33, 29)),
    "s2": ((64, 16), (2, 4), (0, 1), (31, 27)),
    "one place": ((3, 2), (2, 2), (0, 0), (2, 2)),
    "odd": ((5, 3), (3, 5), (2, 0), (9, 11)),
    "wide": ((96, 7), (3, 3), (2, 1), (4, 300)),
    "longer than what is made at once": ((2, 2), (2, 4), (0, 1), (3, 3000)),
}


@pytest.fixture(autouse=True)
def _everywhere(monkeypatch):
    monkeypatch.setattr(own, "worthwhile", lambda: True)


def both(case, dtype, last, batch=5):
    (inputs, outputs), kernel, padding, shape = CASES[case]
    torch.manual_seed(0)
    conv = nn.Conv2d(inputs, outputs, kernel, padding=padding).to(dtype)
    x = torch.randn(batch, inputs, *shape, dtype=dtype)
    if last:
        x = x.contiguous(memory_format=torch.channels_last)
    x.requires_grad_()
    assert own.applies(conv, x)
    found = []
    for run in (lambda: own.convolution(conv, x), lambda: conv(x)):
        z = run()
        weight = torch.randn(z.shape, generator=torch.Generator().manual_seed(1)).to(dtype)
        grads = torch.autograd.grad((z * weight).sum(), [x, *conv.parameters()])
        found.append([z, *grads])
    return zip(*found, strict=True)


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("case", CASES)
def test_equals_torch(case, last):
    for ours, plain in both(case, torch.float64, last):
        assert ours.shape == plain.shape
        torch.testing.assert_close(ours, plain, rtol=1e-10, atol=1e-10)
    for ours, plain in both(case, torch.float32, last):
        size = plain.abs().max()
        assert ((ours - plain).abs().max() / size).item() < 2e-5


@pytest.mark.parametrize("case", ["s1", "s2", "wide"])
def test_tiles_and_products_are_the_same(case):
    """Both ways of the backward pass, and each is taken where it should be."""
    (inputs, outputs), kernel, padding, shape = CASES[case]
    torch.manual_seed(0)
    weight = torch.randn(outputs, inputs, *kernel)
    x = torch.randn(3, *shape, inputs)
    z = torch.conv2d(x.permute(0, 3, 1, 2), weight, padding=padding).permute(0, 2, 3, 1)
    grad = torch.randn(z.shape)
    assert own.tiles_fit(x) == tiles.worthwhile()
    assert not own.tiles_fit(x.double())
    assert not own.tiles_fit(x[..., 1:])
    pairs = [run(x, grad, weight, padding) for run in (own.by_tiles, own.products)]
    for a, b in zip(*pairs, strict=True):
        assert ((a - b).abs().max() / b.abs().max()).item() < 1e-5


def test_threads_do_not_change_a_bit():
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append([ours for ours, _ in both("s1", torch.float32, True)][1:3])
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            assert torch.equal(a, b)


def test_without_a_bias():
    conv = nn.Conv2d(2, 3, 2, bias=False)
    x = torch.randn(2, 2, 4, 5, requires_grad=True)
    ours, plain = (
        torch.autograd.grad(run(x).square().sum(), [x, conv.weight])
        for run in (lambda x: own.convolution(conv, x), conv)
    )
    for a, b in zip(ours, plain, strict=True):
        torch.testing.assert_close(a, b)


def test_the_second_block_takes_it(monkeypatch):
    taken = []
    real = own.convolution
    monkeypatch.setattr(own, "convolution", lambda *given: taken.append(1) or real(*given))
    block = ConvBlock(4, 2, (4, 2))
    block(torch.randn(2, 4, 9, 8, requires_grad=True))
    assert taken == [1]
    ConvBlock(4, 2, (4, 2), fast=False)(torch.randn(2, 4, 9, 8, requires_grad=True))
    assert taken == [1]


@pytest.mark.parametrize(
    "options",
    [
        {"stride": 2},
        {"dilation": 2},
        {"groups": 2},
        {"padding": 3},
        {"padding": "same"},
        {"padding": 1, "padding_mode": "reflect"},
    ],
)
def test_what_it_leaves_to_torch(options):
    x = torch.randn(2, 4, 9, 8, requires_grad=True)
    conv = nn.Conv2d(4, 2, 3, **options)
    assert not own.applies(conv, x)
    plain = nn.Conv2d(4, 2, 3)
    assert own.applies(plain, x)
    assert not own.applies(plain, x.detach())
    with torch.autocast("cpu", torch.bfloat16):
        assert not own.applies(plain, x)


@pytest.mark.parametrize(("capability", "calls"), [("AVX2", 1), ("AVX512", 0), ("DEFAULT", 0)])
def test_where_it_was_not_found_faster_oneDNN_stays(monkeypatch, capability, calls):
    monkeypatch.undo()
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    own.worthwhile.cache_clear()
    taken, real = [], own.convolution
    monkeypatch.setattr(own, "convolution", lambda *given: taken.append(1) or real(*given))
    ConvBlock(4, 2, (4, 2))(torch.randn(2, 4, 9, 8, requires_grad=True))
    own.worthwhile.cache_clear()
    assert len(taken) == calls


@pytest.mark.parametrize("lengths", [None, torch.tensor([29, 17, 8])])
@pytest.mark.parametrize("kernel", KERNELS)
def test_a_whole_front_end_in_double(kernel, lengths):
    """Both blocks, with and without lengths, against the one with ``fast=False``."""
    torch.manual_seed(0)
    fast = FrontEnd(16, kernel, (5, 3)).double()
    plain = FrontEnd(16, kernel, (5, 3), fast=False).double()
    plain.load_state_dict(fast.state_dict())
    x = torch.randn(3, 16, 29, dtype=torch.float64)
    found = []
    for front in (fast, plain):
        out = front(x, lengths)
        (out.square().sum() + out.sin().sum()).backward()
        found.append([out, *(p.grad for p in front.parameters()), *front.buffers()])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)
