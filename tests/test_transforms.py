"""Transforms of torch on every layer: each gives what it gives on the plain equations."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd import forward_ad
from torch.utils.flop_counter import FlopCounterMode

from ser.nn.transforms import transformed


class _Asks(nn.Module):
    """x + 1 where nothing but computing is asked for, x + 2 elsewhere."""

    def forward(self, x):
        return x + (2 if transformed(x) else 1)


def test_the_guard_sees_who_follows_the_operations():
    x = torch.zeros(1)
    asks = _Asks()
    assert asks(x) == 1
    with torch.no_grad(), torch.autocast("cpu"):
        assert asks(x) == 1
    assert torch.utils.checkpoint.checkpoint(asks, x, use_reentrant=False) == 1
    assert torch.func.functional_call(asks, {}, (x,)) == 1
    assert torch.func.vmap(asks)(x[None]) == 2
    assert torch.func.jvp(asks, (x,), (x,))[0] == 2
    assert torch.export.export(asks, (x,)).module()(x) == 2
    assert torch.export.export(asks, (x,), strict=True).module()(x) == 2
    assert torch.compile(asks, backend="eager", fullgraph=True)(x) == 2
    with forward_ad.dual_level():
        assert asks(x) == 2
    with FlopCounterMode(display=False):
        assert asks(x) == 2


@pytest.mark.filterwarnings("ignore")
def test_the_guard_sees_tracing_by_torch_jit():
    assert torch.jit.trace(_Asks(), torch.zeros(1), check_trace=False)(torch.zeros(1)) == 2


def test_the_guard_sees_other_tensors_than_numbers_in_memory():
    assert "meta" in transformed(torch.zeros(1, device="meta"))
    assert "meta" in transformed(None, nn.Linear(1, 1, device="meta"))
    assert "FakeTensor" in transformed(FakeTensorMode().from_tensor(torch.zeros(1)))
    with FakeTensorMode():
        assert "FakeTensorMode" in transformed()
    with torch.device("meta"):
        assert not transformed()
