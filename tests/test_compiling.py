"""Compiled kernels follow the files they are made of."""

from __future__ import annotations

import hashlib
import importlib
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import ROOT

from ser.nn.elementwise import tanh, tanh_of

ELEMENTWISE, TILES = "ser/nn/elementwise.py", ("ser/nn/tiles.py", "ser/nn/vectors.py")
SHARED = {
    "ser.nn.conv_kernels": TILES,
    "ser.nn.kernels": ("ser/nn/vectors.py",),
    "ser.nn.lstm_kernels": (ELEMENTWISE, *TILES),
    "ser.nn.pool_kernels": (ELEMENTWISE, "ser/nn/vectors.py"),
    "ser.nn.step_kernels": (ELEMENTWISE,),
    "ser.features.kernels": ("ser/features/vectors.py",),
}


@pytest.mark.parametrize("module", SHARED)
def test_a_module_of_kernels_holds_the_digest_of_what_it_shares(module):
    """numba looks at a kernel's own file alone; without this line it would keep old code."""
    texts = [Path(ROOT, name).read_bytes().replace(b"\r\n", b"\n") for name in SHARED[module]]
    digest = hashlib.sha256(b"".join(texts)).hexdigest()[:16]
    held = importlib.import_module(module).SHARED
    assert held == digest, f'write SHARED = "{digest}" into {module}'


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tanh_is_exact_for_small_and_for_large_numbers(dtype):
    sizes = np.logspace(-30, 2, 4001)
    x = np.concatenate([-sizes[::-1], [0.0, 0.625, -0.625], sizes]).astype(dtype)
    wanted = np.tanh(x.astype(np.float64))
    out = np.empty_like(x)
    tanh_of(out, x)
    moved = x.copy()
    tanh(moved, np.zeros_like(x))
    for found in (out, moved):
        gap = np.abs(found - wanted) / np.maximum(np.abs(wanted), np.finfo(dtype).tiny)
        assert gap.max() < 4 * np.finfo(dtype).eps
    odd = np.array([np.nan, np.inf, -np.inf], dtype)
    out = np.empty_like(odd)
    tanh_of(out, odd)
    assert np.isnan(out[0]) and out[1:].tolist() == [1.0, -1.0]
    assert torch.equal(torch.from_numpy(out[1:]), torch.tanh(torch.from_numpy(odd[1:])))
