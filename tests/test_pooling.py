"""Batch norm, pool and ReLU in one go: against torch's three, values, gradients, statistics."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F

from ser.nn import pooling
from ser.nn.frontend import masked_batch_norm


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


def norm_of(channels: int, training: bool) -> torch.nn.BatchNorm2d:
    norm = torch.nn.BatchNorm2d(channels).train(training)
    with torch.no_grad():
        norm.weight.normal_()
        norm.bias.normal_()
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2.0)
    return norm


def plain(norm, z, cols):
    if cols is None:
        return F.relu(F.max_pool2d(norm(z), 2))
    out = F.relu(F.max_pool2d(masked_batch_norm(norm, z, cols), 2))
    inside = torch.arange(out.shape[3]) < (cols // 2)[:, None]
    return out.masked_fill(~inside[:, None, None], 0.0)


@pytest.mark.parametrize("shape", [(4, 16, 10, 12), (3, 5, 7, 9), (1, 1, 2, 2), (2, 33, 3, 4)])
@pytest.mark.parametrize("lengths", [False, True], ids=["all", "lengths"])
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("last", [True, False], ids=["channels last", "channels first"])
def test_equals_torch(shape, lengths, training, last):
    norm = norm_of(shape[1], training)
    other = copy.deepcopy(norm).double()
    cols = torch.randint(2, shape[3] + 1, (shape[0],)) if lengths else None
    z = 3 + 2 * torch.randn(shape)
    z = z.contiguous(memory_format=torch.channels_last) if last else z
    leaf, double = z.clone().requires_grad_(), z.double().requires_grad_()
    assert pooling.applies(leaf, norm)
    got, expected = pooling.norm_pool_relu(norm, leaf, cols), plain(other, double, cols)
    draw = torch.randn(got.shape)
    (got * draw).sum().backward()
    (expected * draw.double()).sum().backward()
    pairs = [
        (got, expected),
        (leaf.grad, double.grad),
        (norm.weight.grad, other.weight.grad),
        (norm.bias.grad, other.bias.grad),
        (norm.running_mean, other.running_mean),
        (norm.running_var, other.running_var),
    ]
    for a, b in pairs:
        torch.testing.assert_close(a.double(), b, rtol=1e-5, atol=1e-5)
    assert torch.equal(norm.num_batches_tracked, other.num_batches_tracked)


def test_bfloat16_input_float32_statistics():
    norm = norm_of(16, True)
    other = copy.deepcopy(norm)
    z = torch.randn(4, 16, 10, 12).bfloat16()
    leaf, full = z.clone().requires_grad_(), z.float().requires_grad_()
    got, expected = pooling.norm_pool_relu(norm, leaf), plain(other, full, None)
    assert got.dtype == torch.bfloat16 and norm.running_var.dtype == torch.float32
    got.float().sum().backward()
    expected.sum().backward()
    torch.testing.assert_close(norm.running_var, other.running_var)
    torch.testing.assert_close(got.float(), expected, rtol=1e-2, atol=1e-2)
    torch.testing.assert_close(leaf.grad.float(), full.grad, rtol=2e-2, atol=2e-2)


def test_far_from_zero_keeps_its_variance():
    norm = norm_of(4, True)
    norm.momentum = 1.0
    z = 1e3 + torch.randn(4, 4, 10, 12)
    pooling.norm_pool_relu(norm, z)
    expected = torch.var(z.double(), (0, 2, 3), unbiased=True)
    torch.testing.assert_close(norm.running_var.double(), expected, rtol=1e-5, atol=0)


def test_threads_do_not_change_a_bit():
    found = []
    z = torch.randn(7, 16, 10, 12)
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        torch.manual_seed(1)
        norm, leaf = norm_of(16, True), z.clone().requires_grad_()
        pooling.norm_pool_relu(norm, leaf).square().sum().backward()
        found.append((leaf.grad, norm.weight.grad, norm.running_var))
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


def test_not_a_number_is_not_hidden():
    z = torch.randn(2, 3, 4, 4)
    z[1, 2, 1, 1] = float("nan")
    for training in (True, False):
        out = pooling.norm_pool_relu(norm_of(3, training), z)
        assert torch.isnan(out[1, 2]).any()


def test_what_it_leaves_to_torch():
    norm = norm_of(3, True)
    assert not pooling.applies(torch.randn(2, 3, 4, 4).double(), norm)
    assert not pooling.applies(torch.randn(0, 3, 4, 4), norm)
    assert not pooling.applies(torch.randn(2, 3, 1, 4), norm)
    assert not pooling.applies(torch.randn(2, 3, 4, 4), copy.deepcopy(norm).double())
