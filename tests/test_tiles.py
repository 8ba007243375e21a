"""Products that compiled kernels make themselves, and the vectors they are written in."""

from __future__ import annotations

import numba
import numpy as np
import pytest
import torch
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from ser.nn import kernels, tiles, vectors
from ser.nn.vectors import Lanes

OPTIONS = {"nogil": True, "error_model": "numpy"}


def compiled_tile(rows):
    """A tile of so many rows, compiled anew with the lanes that the module has now."""
    run = tiles._tile_of(rows)

    @numba.njit(**OPTIONS)
    def tile(a, a_row, a_step, a_skip, b, b_step, c, c_row, depth, pieces, fresh):
        run(
            a.ctypes.data, a_row, a_step, a_skip, b.ctypes.data, b_step, c.ctypes.data, c_row,
            depth, pieces, fresh,
        )  # fmt: skip

    return tile


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("lanes", [4, 8, 16])
@pytest.mark.parametrize("rows", range(1, tiles.ROWS + 1))
def test_a_tile_is_a_product(monkeypatch, rows, lanes):
    """For every number of rows, on registers of any width, added to what is there or instead."""
    monkeypatch.setattr(tiles, "LANES", lanes)
    tile, width = compiled_tile(rows), lanes * tiles.VECTORS
    a, b, start = numbers(rows, 11), numbers(11, width, seed=1), numbers(rows, width + 3, seed=2)
    for fresh in (0, 1):
        c = start.copy()
        tile(a, 44, 4, 0, b, 4 * width, c, 4 * (width + 3), 11, 1, fresh)
        wanted = a @ b + (0 if fresh else start[:, :width])
        np.testing.assert_allclose(c[:, :width], wanted, rtol=1e-5, atol=1e-5)
        assert (c[:, width:] == start[:, width:]).all()


def test_a_tile_may_take_a_matrix_transposed_and_in_pieces():
    tile, width = compiled_tile(3), tiles.WIDTH
    a, b, c = numbers(5, 3), numbers(5, width, seed=1), np.full((3, width), np.nan, np.float32)
    tile(a, 4, 12, 0, b, 4 * width, c, 4 * width, 5, 1, 1)
    np.testing.assert_allclose(c, a.T @ b, rtol=1e-5, atol=1e-5)
    # Two pieces of four terms each, lines of seven numbers: rows that overlap by two numbers.
    lines, b = numbers(2, 9), numbers(8, width, seed=1)
    tile(lines, 8, 4, 4 * (9 - 4), b, 4 * width, c, 4 * width, 4, 2, 1)
    wanted = [np.concatenate([lines[k, 2 * r : 2 * r + 4] for k in (0, 1)]) @ b for r in range(3)]
    np.testing.assert_allclose(c, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("rows", [1, 5, 6, 7, 12, 17])
@pytest.mark.parametrize("columns", [1, tiles.WIDTH, 3 * tiles.WIDTH - 1])
def test_multiply(rows, columns):
    a, b = numbers(rows, 10), numbers(10, columns, seed=1)
    panels = tiles.panels_of(torch.from_numpy(b))
    c = numbers(rows, len(panels) * tiles.WIDTH, seed=2)
    before = c.copy()

    @numba.njit(**OPTIONS)
    def run(a, panels, c, fresh):
        tiles.multiply(
            len(a), a.ctypes.data, a.strides[0], panels, c.ctypes.data, c.strides[0], fresh
        )

    run(a, panels.numpy(), c, 0)
    np.testing.assert_allclose(c[:, :columns], before[:, :columns] + a @ b, rtol=1e-5, atol=1e-5)
    run(a, panels.numpy(), c, 1)
    np.testing.assert_allclose(c[:, :columns], a @ b, rtol=1e-5, atol=1e-5)
    assert (c[:, columns:] == 0).all()


def test_a_row_does_not_depend_on_the_tile_that_it_is_in():
    a, b = numbers(6, 40), numbers(40, tiles.WIDTH, seed=1)
    whole, alone = (np.empty((6, tiles.WIDTH), np.float32) for _ in range(2))
    size = 4 * tiles.WIDTH
    compiled_tile(6)(a, 160, 4, 0, b, size, whole, size, 40, 1, 1)
    one = compiled_tile(1)
    for r in range(6):
        one(a[r:], 160, 4, 0, b, size, alone[r:], size, 40, 1, 1)
    assert (whole == alone).all()


@pytest.mark.parametrize(
    ("capability", "jit_off", "cpu", "wanted"),
    [
        ("AVX2", 0, None, True),
        ("AVX512", 0, "host", True),
        ("DEFAULT", 0, None, False),
        ("AVX2", 1, None, False),
        ("AVX2", 0, "generic", False),
    ],
)
def test_where_tiles_are_worthwhile(monkeypatch, capability, jit_off, cpu, wanted):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(numba.config, "DISABLE_JIT", jit_off)
    monkeypatch.setattr(numba.config, "CPU_NAME", cpu)
    tiles.worthwhile.cache_clear()
    assert tiles.worthwhile() is wanted
    tiles.worthwhile.cache_clear()


def test_a_processor_that_nothing_is_known_of(monkeypatch):
    """As LLVM has it for some that are not Intel's or AMD's."""

    def nothing():
        raise RuntimeError("no features")

    monkeypatch.setattr(vectors.binding, "get_host_cpu_features", nothing)
    assert not vectors.processor_has("avx")


def chosen_by_lanes():
    """From each row of four the number that ``which`` says, compiled anew."""

    @intrinsic
    def choose(_, four, which, out):
        def build(context, builder, signature, args):
            code = Lanes(builder, 8)
            which = code.at(args[1], ir.VectorType(ir.IntType(32), 8))
            code.store(args[2], code.chosen(args[0], which))
            return context.get_dummy_value()

        return types.none(*[types.int64] * 3), build

    @numba.njit(**OPTIONS)
    def run(four, which, out):
        choose(four.ctypes.data, which.ctypes.data, out.ctypes.data)

    return run


@pytest.mark.parametrize("permutes", [True, False])
def test_a_lane_takes_its_number_of_four(monkeypatch, permutes):
    if permutes and not vectors.PERMUTES:
        pytest.skip("needs a processor with AVX")
    monkeypatch.setattr(vectors, "PERMUTES", permutes)
    four, which = numbers(4), np.array([3, 0, 1, 2, 2, 1, 0, 3], np.int32)
    out = np.empty(8, np.float32)
    chosen_by_lanes()(four, which, out)
    assert (out == four[which]).all()


@pytest.mark.parametrize("low", [False, True])
def test_the_first_block_without_permutes(monkeypatch, low):
    """What other processors run; against the kernel as it is here."""
    x, best = numbers(2, 9, 14), np.random.default_rng(3).integers(0, 5, (2, 3, 6, 64))
    grad = torch.from_numpy(numbers(2, 3, 6, 64, seed=1))
    grad = grad.bfloat16().view(torch.uint16).numpy() if low else grad.numpy()
    found = []
    for permutes in (vectors.PERMUTES, False):
        monkeypatch.setattr(vectors, "PERMUTES", permutes)
        run = numba.njit(**OPTIONS)(kernels.conv_pool_relu_grad.py_func)
        sums = np.zeros((2, 8, 64)), np.zeros((2, 64))
        run(x, grad, best.astype(np.uint8), np.array([6, 4]), 2, *sums, 0, 2)
        found.append(sums)
    for ours, other in zip(*found, strict=True):
        np.testing.assert_allclose(ours, other, rtol=1e-5, atol=1e-5)


def test_bfloat16_is_rounded_as_torch_rounds():
    @intrinsic
    def move(_, given, out):
        def build(context, builder, signature, args):
            code = Lanes(builder, 4)
            code.store(args[1], code.load(args[0]), low=True)
            return context.get_dummy_value()

        return types.none(*[types.int64] * 2), build

    @numba.njit(**OPTIONS)
    def run(given, out):
        for k in range(0, len(given), 4):
            move(given[k:].ctypes.data, out[k:].ctypes.data)

    bits = np.random.default_rng(0).integers(0, 2**32, 4000, dtype=np.uint32)
    odd = np.array([0x3F808000, 0x3F818000, 0x7F7FFFFF, 0x7F800000, 0x7F800001, 0xFFC00000, 0, 1])
    given = np.concatenate([bits, odd.astype(np.uint32)]).view(np.float32)
    out = np.empty(len(given), np.uint16)
    run(given, out)
    ours = torch.from_numpy(out).view(torch.bfloat16)
    torch.testing.assert_close(
        ours, torch.from_numpy(given).bfloat16(), rtol=0, atol=0, equal_nan=True
    )
