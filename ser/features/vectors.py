"""Vectors of 16 numbers in code for the processor, which numba has no type for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir

LANES = 16
"""Numbers in a vector, as many as a wide register of the processor holds."""

VECTOR = ir.VectorType(ir.FloatType(), LANES)
PLACES = ir.VectorType(ir.IntType(32), LANES)


class Vectors:
    """Builds code on vectors: rows of (rows, 16) arrays, numbers, their sums and products."""

    flags = ("contract", "nsz")

    def __init__(self, context: Any, builder: Any, signature: Any, args: Any) -> None:
        self.context, self.builder, self.kinds, self.args = context, builder, signature.args, args

    def place(self, number: int, index: Any) -> Any:
        """Where element *index* of the array that is argument *number* lies."""
        array = self.context.make_array(self.kinds[number])
        return self.builder.gep(array(self.context, self.builder, self.args[number]).data, [index])

    def _vector(self, number: int, index: Any) -> Any:
        return self.builder.bitcast(self.place(number, index), VECTOR.as_pointer())

    def stretch(self, number: int, index: Any) -> Any:
        """16 numbers of a one-dimensional array from *index* on."""
        return self.builder.load(self._vector(number, index), align=4)

    def row(self, number: int, index: Any) -> Any:
        """Row *index* of an array of rows of LANES numbers."""
        return self.stretch(number, self.builder.mul(index, index.type(LANES)))

    def store(self, number: int, index: Any, value: Any) -> None:
        """A vector to row *index* of an array of rows of LANES numbers."""
        at = self.builder.mul(index, index.type(LANES))
        self.builder.store(value, self._vector(number, at), align=4)

    def number(self, number: int, index: Any) -> Any:
        """One number of a one-dimensional array in all places of a vector."""
        return self.spread(self.builder.load(self.place(number, index)))

    def spread(self, scalar: Any) -> Any:
        """One float32 in all places of a vector."""
        none = ir.Constant(VECTOR, ir.Undefined)
        one = self.builder.insert_element(none, scalar, ir.IntType(32)(0))
        return self.builder.shuffle_vector(one, none, ir.Constant(PLACES, [0] * LANES))

    def add(self, a: Any, b: Any) -> Any:
        """a + b, place by place."""
        return self.builder.fadd(a, b, flags=self.flags)

    def sub(self, a: Any, b: Any) -> Any:
        """a - b, place by place."""
        return self.builder.fsub(a, b, flags=self.flags)

    def mul(self, a: Any, b: Any) -> Any:
        return self.builder.fmul(a, b, flags=self.flags)

    def turn(self, real: Any, imaginary: Any, cosine: Any, sine: Any) -> tuple[Any, Any]:
        """(real + i imaginary) (cosine + i sine)"""
        return (
            self.sub(self.mul(real, cosine), self.mul(imaginary, sine)),
            self.add(self.mul(real, sine), self.mul(imaginary, cosine)),
        )

    def transpose(self, rows: list[Any]) -> list[Any]:
        """16 vectors as the rows of a square -> its columns."""
        half = LANES // 2
        sides = [
            ir.Constant(PLACES, [x for i in range(a, a + half) for x in (i, LANES + i)])
            for a in (0, half)
        ]
        for _ in range(LANES.bit_length() - 1):
            rows = [
                self.builder.shuffle_vector(rows[i], rows[i + half], side)
                for i in range(half)
                for side in sides
            ]
        return rows


def code(write: Callable[[Vectors], None]) -> Callable:
    """What an intrinsic that returns nothing needs: the code that *write* builds, inlined."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        write(Vectors(context, builder, signature, args))
        return context.get_dummy_value()

    return build
