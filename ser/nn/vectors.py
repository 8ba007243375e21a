"""Code on vectors of numbers for the processor, emitted where numba's loops are not enough.

Addresses are 64-bit integers, vectors hold float32. What is emitted here needs no proof that arrays
do not overlap, so the compiler keeps in registers what the code keeps in variables.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import binding, ir
from numba import config
from numba.core import cgutils

WHOLE, SMALL, NUMBER = ir.IntType(64), ir.IntType(32), ir.FloatType()
FUSED = ("contract",)
"""A product and a sum may become one operation."""
SHUT = 4
"""In ``best`` of a pool, a place whose ReLU is shut; 0 to 3 are its four."""


def processor_has(feature: str) -> bool:
    """Whether LLVM says so of this processor; of some it says nothing.

    Example:
        >>> processor_has("no such thing")
        False
    """
    try:
        return bool(binding.get_host_cpu_features().get(feature))
    except RuntimeError:
        return False


PERMUTES = config.CPU_NAME in (None, "host") and processor_has("avx")
"""Whether one operation can take, for each of 8 lanes, one number of four."""


class Lanes:
    """Builds code on vectors of so many lanes; numbers may be float32 or, in memory, bfloat16."""

    def __init__(self, builder: Any, lanes: int) -> None:
        self.builder, self.lanes = builder, lanes
        self.kind = ir.VectorType(NUMBER, lanes)
        self.wholes = ir.VectorType(SMALL, lanes)
        self.zero = ir.Constant(self.kind, [0.0] * lanes)

    def moved(self, address: Any, step: Any, times: int = 1) -> Any:
        """address + step * times; step is an integer or a value."""
        step = WHOLE(step) if isinstance(step, int) else step
        return self.builder.add(address, self.builder.mul(step, WHOLE(times)))

    def at(self, address: Any, kind: Any) -> Any:
        """What stands at an address, unaligned."""
        return self.builder.load(self.builder.inttoptr(address, kind.as_pointer()), align=1)

    def put(self, address: Any, value: Any) -> None:
        """value -> address, unaligned."""
        self.builder.store(value, self.builder.inttoptr(address, value.type.as_pointer()), align=1)

    def load(self, address: Any, low: bool = False) -> Any:
        """As many numbers as there are lanes; ``low``: they are bfloat16."""
        if not low:
            return self.at(address, self.kind)
        halves = self.at(address, ir.VectorType(ir.IntType(16), self.lanes))
        wide = self.builder.zext(halves, self.wholes)
        return self.builder.bitcast(self.builder.shl(wide, self.whole(16)), self.kind)

    def store(self, address: Any, value: Any, low: bool = False) -> None:
        """A vector; to bfloat16 rounded to nearest, ties to even, what is no number quiet."""
        if not low:
            self.put(address, value)
            return
        build, halves = self.builder, ir.VectorType(ir.IntType(16), self.lanes)
        bits = build.bitcast(value, self.wholes)
        odd = build.and_(build.lshr(bits, self.whole(16)), self.whole(1))
        up = build.add(bits, build.add(odd, self.whole(0x7FFF)))
        top = build.trunc(build.lshr(up, self.whole(16)), halves)
        quiet = ir.Constant(halves, [0x7FC0] * self.lanes)
        self.put(address, build.select(build.fcmp_ordered("ord", value, value), top, quiet))

    def whole(self, value: int) -> Any:
        """A 32-bit integer in all lanes."""
        return ir.Constant(self.wholes, [value] * self.lanes)

    def spread(self, address: Any) -> Any:
        """The one number at an address in all lanes."""
        none = ir.Constant(self.kind, ir.Undefined)
        one = self.builder.insert_element(none, self.at(address, NUMBER), SMALL(0))
        return self.builder.shuffle_vector(one, none, self.whole(0))

    def add(self, a: Any, b: Any) -> Any:
        """a + b, lane by lane."""
        return self.builder.fadd(a, b, flags=FUSED)

    def add_product(self, total: Any, a: Any, b: Any) -> Any:
        """total + a * b, in one operation where the processor has it."""
        return self.add(total, self.builder.fmul(a, b, flags=FUSED))

    def chosen(self, address: Any, numbers: Any) -> Any:
        """In each lane that one of the four numbers at an address that its number, 0 to 3, says."""
        build = self.builder
        if PERMUTES and self.lanes == 8:
            half = ir.VectorType(NUMBER, 4)
            twice = ir.Constant(self.wholes, [0, 1, 2, 3] * 2)
            four = self.at(address, half)
            both = build.shuffle_vector(four, ir.Constant(half, ir.Undefined), twice)
            kind = ir.FunctionType(self.kind, [self.kind, self.wholes])
            name = "llvm.x86.avx.vpermilvar.ps.256"
            return build.call(
                cgutils.get_or_insert_function(build.module, kind, name), [both, numbers]
            )
        value = self.spread(address)
        for q in (1, 2, 3):
            here = build.icmp_unsigned("==", numbers, self.whole(q))
            value = build.select(here, self.spread(self.moved(address, 4 * q)), value)
        return value

    def loop(self, count: Any, values: list, body: Callable[[list], list]) -> list:
        """values = body(values), *count* times, at least once; returns the last ones."""
        before, block = self.builder.block, self.builder.append_basic_block("loop")
        self.builder.branch(block)
        self.builder.position_at_end(block)
        number = self.builder.phi(WHOLE)
        phis = [self.builder.phi(value.type) for value in values]
        later = body(phis)
        following = self.builder.add(number, WHOLE(1))
        end, after = self.builder.block, self.builder.append_basic_block("after")
        for phi, first, value in zip(
            [number, *phis], [WHOLE(0), *values], [following, *later], strict=True
        ):
            phi.add_incoming(first, before)
            phi.add_incoming(value, end)
        self.builder.cbranch(self.builder.icmp_signed("<", following, count), block, after)
        self.builder.position_at_end(after)
        return later
