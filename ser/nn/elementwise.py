"""What the CPU kernels share: bfloat16, exp, and loops over a row.

Loops are short and touch few arrays each, so that the compiler can prove them free of overlap
and use vector instructions. bfloat16 arrays come as uint16: numba has no such type.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic, overload

from ser.compiling import compiled


@intrinsic
def _as_float(_: Any, bits: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        """Emit the same 32 bits, read as a float32."""
        return builder.bitcast(args[0], ir.FloatType())

    return types.float32(types.uint32), build


@intrinsic
def _clamp(_: Any, value: Any) -> Any:
    """Within -87 and 88, where exp stays inside float32; what is not a number stays so."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        """Emit two comparisons, each with a choice; not a number fails both."""
        low, high = (ir.Constant(ir.FloatType(), limit) for limit in (-87.0, 88.0))
        x = builder.select(builder.fcmp_ordered(">", args[0], high), high, args[0])
        return builder.select(builder.fcmp_ordered("<", x, low), low, x)

    return types.float32(types.float32), build


@intrinsic
def _to_bfloat16(_: Any, value: Any) -> Any:
    """The upper half of the bits, rounded to nearest, ties to even."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        """Emit the rounding of the bits; not a number becomes the quiet one."""
        whole, half = ir.IntType(32), ir.IntType(16)
        bits = builder.bitcast(args[0], whole)
        odd = builder.and_(builder.lshr(bits, whole(16)), whole(1))
        top = builder.lshr(builder.add(bits, builder.add(odd, whole(0x7FFF))), whole(16))
        number = builder.fcmp_ordered("ord", args[0], args[0])
        return builder.select(number, builder.trunc(top, half), half(0x7FC0))

    return types.uint16(types.float32), build


def _exp(x):
    """exp, in float32 by a polynomial that vectorises (Cephes' expf, error below 2 units)."""
    raise TypeError("only inside compiled code")


@overload(_exp, inline="always")
def _exp_overload(x):
    if x == types.float32:
        return _exp_float32
    return lambda x: math.exp(x)


def _exp_float32(x):
    x = _clamp(x)
    n = np.int32(x * np.float32(1.44269504088896341) + np.float32(127.5))  # exponent, biased
    k = np.float32(n - np.int32(127))
    x -= k * np.float32(0.693359375)
    x -= k * np.float32(-2.12194440e-4)
    p = np.float32(1.9875691500e-4) * x + np.float32(1.3981999507e-3)
    p = p * x + np.float32(8.3334519073e-3)
    p = p * x + np.float32(4.1665795894e-2)
    p = p * x + np.float32(1.6666665459e-1)
    p = p * x + np.float32(5.0000001201e-1)
    p = p * x * x + x + np.float32(1.0)
    return p * _as_float(np.uint32(n << np.int32(23)))


def _tanh(x):
    """tanh with full relative accuracy: 2 / (1 + exp(-2x)) - 1 alone loses small x."""
    raise TypeError("only inside compiled code")


@overload(_tanh, inline="always")
def _tanh_overload(x):
    if x == types.float32:
        return _tanh_float32
    return lambda x: math.tanh(x)


def _tanh_float32(x):
    """Cephes' tanhf: a polynomial below 0.625, the exponential beyond; both, then a choice."""
    z = x * x
    p = np.float32(-5.70498872745e-3) * z + np.float32(2.06390887954e-2)
    p = p * z + np.float32(-5.37397155531e-2)
    p = p * z + np.float32(1.33314422036e-1)
    p = p * z + np.float32(-3.33332819422e-1)
    near = p * z * x + x
    far = np.float32(2.0) / (np.float32(1.0) + _exp(np.float32(-2.0) * x)) - np.float32(1.0)
    return near if z < np.float32(0.390625) else far


def load(array, j):
    """array[j] as a number; uint16 holds bfloat16."""
    raise TypeError("only inside compiled code")


@overload(load, inline="always")
def _load_overload(array, j):
    if array.dtype == types.uint16:
        return lambda array, j: _as_float(np.uint32(array[j]) << np.uint32(16))
    return lambda array, j: array[j]


def store(array, j, value):
    """array[j] = value; bfloat16 is rounded to nearest, ties to even."""
    raise TypeError("only inside compiled code")


@overload(store, inline="always")
def _store_overload(array, j, value):
    if array.dtype == types.uint16:
        return _store_bfloat16
    return _store_same


def _store_bfloat16(array, j, value):
    array[j] = _to_bfloat16(value)


def _store_same(array, j, value):
    array[j] = value


@compiled
def sigmoid(a, part):
    """a = sigmoid(a + part), in place; rows (n,)."""
    one = a.dtype.type(1)
    for j in range(a.size):
        a[j] = one / (one + _exp(-(a[j] + load(part, j))))


@compiled
def tanh(a, part):
    """a = tanh(a + part), in place; rows (n,)."""
    for j in range(a.size):
        a[j] = _tanh(a[j] + load(part, j))


@compiled
def sigmoid_within(a):
    """a = sigmoid(a), in place; rows (n,)."""
    one = a.dtype.type(1)
    for j in range(a.size):
        a[j] = one / (one + _exp(-a[j]))


@compiled
def tanh_within(a):
    """a = tanh(a), in place; rows (n,)."""
    for j in range(a.size):
        a[j] = _tanh(a[j])


@compiled
def product(out, a, b):
    """out = a * b; rows (n,)."""
    for j in range(out.size):
        out[j] = a[j] * b[j]


@compiled
def add_product(out, a, b):
    """out += a * b; rows (n,)."""
    for j in range(out.size):
        out[j] += a[j] * b[j]


@compiled
def tanh_of(out, a):
    """out = tanh(a); rows (n,)."""
    for j in range(out.size):
        out[j] = _tanh(a[j])


@compiled
def copy(out, a):
    """out = a; rows (n,), rounded where out is bfloat16."""
    for j in range(out.size):
        store(out, j, a[j])


@compiled
def scale_add(out, a, mean, scale, shift):
    """out = (a - mean) * scale + shift; rows (n,)."""
    for j in range(out.size):
        out[j] = (a[j] - mean[j]) * scale[j] + shift[j]
