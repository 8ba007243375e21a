"""Matrix products that compiled kernels make themselves, in tiles that stay in registers.

A library's product of small matrices rearranges its factors at every call, wakes its threads and
waits for them; a recurrence does that at every time step. Here a tile of the result, ROWS x WIDTH,
is held in vector registers while one column and one row after the other of the factors are added
to it, as the libraries do inside. The weights are rearranged once (:func:`panels_of`), and a kernel
can go on with a tile's neighbours without anyone waiting.

An element's terms are added one after the other, whatever tile it lies in: so results do not depend
on how rows are shared among threads.

Book: chapter "Making it fast".
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from numba import config
from numba.core import types
from numba.extending import intrinsic
from torch import Tensor

from ser.compiling import compiled
from ser.nn.vectors import Lanes, processor_has

LANES = 16 if processor_has("avx512f") else 8
"""float32 numbers of a vector register."""
VECTORS = 2
ROWS = 6
"""With two vectors 12 sums at once: enough to keep two multipliers busy, few enough to fit."""
WIDTH = LANES * VECTORS
"""Columns of a tile and of a panel."""


@functools.cache
def worthwhile() -> bool:
    """Whether the processor has the vectors that this was made for: AVX2's or AVX-512's.

    Elsewhere, and where torch (``ATEN_CPU_CAPABILITY``) or numba are held down, libraries do it.
    """
    held = config.DISABLE_JIT or config.CPU_NAME not in (None, "host")
    return not held and torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")


def panels_of(weight: Tensor) -> Tensor:
    """weight (K, N) -> (N / WIDTH rounded up, K, WIDTH): panels of columns, zeros at the end.

    Example:
        >>> panels_of(torch.ones(3, WIDTH + 1)).shape == (2, 3, WIDTH)
        True
    """
    depth, columns = weight.shape
    wide = weight.new_zeros(depth, -(-columns // WIDTH) * WIDTH)
    wide[:, :columns] = weight
    return wide.view(depth, -1, WIDTH).transpose(0, 1).contiguous()


def _tile_of(rows: int) -> Any:
    """The intrinsic of a tile of so many rows; arguments as :func:`tile`."""

    @intrinsic
    def run(_: Any, a: Any, a_row: Any, a_step: Any, a_skip: Any, b: Any, b_step: Any, c: Any,
            c_row: Any, depth: Any, pieces: Any, fresh: Any) -> Any:  # fmt: skip
        return types.none(*[types.int64] * 11), functools.partial(_build, rows)

    return run


def _build(rows: int, context: Any, builder: Any, _: Any, args: Any) -> Any:
    """Emit two loops, over pieces and their terms, the tile in registers."""
    a, a_row, a_step, a_skip, b, b_step, c, c_row, depth, pieces, fresh = args
    code = Lanes(builder, LANES)
    tops = [code.moved(a, a_row, r) for r in range(rows)]
    ends = [
        code.moved(code.moved(c, c_row, r), 4 * LANES * v)
        for r in range(rows)
        for v in range(VECTORS)
    ]
    new = builder.icmp_signed("!=", fresh, fresh.type(0))
    first = [builder.select(new, code.zero, code.load(end)) for end in ends]

    def term(values: list) -> list:
        """One term of the sums: offset in a, address in b, the tile -> the next term's."""
        along, row, *sums = values
        factors = [code.load(code.moved(row, 4 * LANES * v)) for v in range(VECTORS)]
        spread = [code.spread(builder.add(top, along)) for top in tops]
        sums = [
            code.add_product(total, spread[i // VECTORS], factors[i % VECTORS])
            for i, total in enumerate(sums)
        ]
        return [builder.add(along, a_step), builder.add(row, b_step), *sums]

    def piece(values: list) -> list:
        """All terms of a piece, then on to the next one's place in a."""
        along, *others = code.loop(depth, values, term)
        return [builder.add(along, a_skip), *others]

    _, _, *sums = code.loop(pieces, [a_skip.type(0), b, *first], piece)
    for end, total in zip(ends, sums, strict=True):
        code.store(end, total)
    return context.get_dummy_value()


_one, _two, _three, _four, _five, _six = (_tile_of(rows) for rows in range(1, ROWS + 1))


@compiled
def tile(rows, a, a_row, a_step, a_skip, b, b_step, c, c_row, depth, pieces, fresh):
    """c (rows, WIDTH) = or, where ``fresh`` is 0, += a (rows, K) @ b (K, WIDTH), float32.

    K is ``pieces`` times ``depth``, at least 1.

    Args:
        rows: 1 to ROWS.
        a, b, c: addresses of the first elements.
        a_row, a_step: bytes from a row of ``a`` to the next, and from one term of the sum to the
            next, so that a matrix may be taken transposed, or rows that overlap.
        a_skip: bytes from the end of a piece to the next.
        b_step, c_row: bytes from a row to the next; a row's elements lie side by side.
        depth, pieces: terms of a piece of the sum, and how many there are.
    """
    if rows == 6:
        _six(a, a_row, a_step, a_skip, b, b_step, c, c_row, depth, pieces, fresh)
    elif rows == 5:
        _five(a, a_row, a_step, a_skip, b, b_step, c, c_row, depth, pieces, fresh)
    elif rows == 4:
        _four(a, a_row, a_step, a_skip, b, b_step, c, c_row, depth, pieces, fresh)
    elif rows == 3:
        _three(a, a_row, a_step, a_skip, b, b_step, c, c_row, depth, pieces, fresh)
    elif rows == 2:
        _two(a, a_row, a_step, a_skip, b, b_step, c, c_row, depth, pieces, fresh)
    elif rows == 1:
        _one(a, a_row, a_step, a_skip, b, b_step, c, c_row, depth, pieces, fresh)


@compiled
def multiply(rows, a, a_row, panels, c, c_row, fresh):
    """c (rows, N) = or += a (rows, K) @ the matrix of *panels* (N / WIDTH, K, WIDTH).

    Addresses and strides as in :func:`tile`; c's rows must have room for whole panels.
    """
    depth = panels.shape[1]
    b = panels.ctypes.data
    for p in range(len(panels)):
        for r in range(0, rows, ROWS):
            tile(
                min(ROWS, rows - r), a + r * a_row, a_row, 4, 0,
                b + 4 * WIDTH * depth * p, 4 * WIDTH,
                c + r * c_row + 4 * WIDTH * p, c_row, depth, 1, fresh,
            )  # fmt: skip
