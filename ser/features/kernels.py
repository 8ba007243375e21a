"""CPU kernels of the mel-spectrograms: from samples to logarithms of band powers in one pass.

Frames lie side by side, 16 of them in a vector: sample k of all 16 is one vector, so is bin k of
their spectra, and the Fourier transform of 16 frames is the textbook's transform of one with
vectors for numbers. No step looks across the frames of a vector but the loading, and a frame's
numbers do not depend on its neighbours. Book: chapter "Making it fast".
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from ser.compiling import compiled
from ser.features.vectors import LANES, Vectors, code


class FourierTables(NamedTuple):
    """What a real transform of n samples needs: n a power of two, at least 16.

    ``rank`` (n / 2,): where the pair of samples 2k, 2k + 1 goes before the first stage.
    ``turns`` (rows, 6): cosine and sine of three rotations a row, stage after stage; the last
    rows hold those of the real transform, three bins a row.
    """

    rank: np.ndarray
    turns: np.ndarray


@functools.lru_cache(maxsize=8)
def fourier_tables(n: int) -> FourierTables:
    """Tables for n samples: a complex transform of n / 2 pairs by factors of 4, and one of 2.

    Example:
        >>> tables = fourier_tables(16)
        >>> tables.rank.tolist(), tables.turns.shape
        ([0, 2, 4, 6, 1, 3, 5, 7], (4, 6))
    """
    half = n // 2
    length = 1 if half.bit_length() % 2 else 2
    order = np.arange(length)
    rows = []
    while length < half:
        order = np.concatenate([4 * order + q for q in range(4)])
        rows.append(np.outer(np.arange(length), [1, 2, 3]) / (4 * length))
        length *= 4
    rows.append(np.arange(-(-(half // 2 + 1) // 3) * 3).reshape(-1, 3) / n)
    angle = -2 * np.pi * np.concatenate(rows)
    turns = np.stack([np.cos(angle), np.sin(angle)], axis=2).reshape(-1, 6)
    return FourierTables(np.argsort(order), turns.astype(np.float32))


@intrinsic
def _bits(_: Any, value: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.IntType(32))

    return types.int32(types.float32), build


@intrinsic
def _float(_: Any, bits: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.FloatType())

    return types.float32(types.int32), build


_INT = types.int64


@intrinsic
def _load(_: Any, buffer: Any, at: Any, hop: Any, window: Any, k: Any, rank: Any, re: Any, im: Any):
    """Samples k to k + 15 of 16 frames times the window, to their places in re and im."""

    def write(v: Vectors) -> None:
        """Emit one stretch of each of the 16 frames, turned into rows of 16 frames."""
        b, (_, at, hop, _, k, *_) = v.builder, v.args
        window, place, rows = v.stretch(3, k), b.add(at, k), []
        for _ in range(LANES):
            rows.append(v.mul(v.stretch(0, place), window))
            place = b.add(place, hop)
        pair = b.lshr(k, k.type(1))
        columns = v.transpose(rows)
        for j in range(LANES // 2):
            to = b.load(v.place(5, b.add(pair, k.type(j))))
            v.store(6, to, columns[2 * j])
            v.store(7, to, columns[2 * j + 1])

    return types.void(buffer, _INT, _INT, window, _INT, rank, re, im), code(write)


@intrinsic
def _add_pair(_: Any, re: Any, im: Any, at: Any):
    """The factor of 2: rows at and at + 1 become their sum and difference."""

    def write(v: Vectors) -> None:
        """Emit the sums and differences, real part then imaginary."""
        first = v.args[2]
        second = v.builder.add(first, first.type(1))
        for part in (0, 1):
            a, b = v.row(part, first), v.row(part, second)
            v.store(part, first, v.add(a, b))
            v.store(part, second, v.sub(a, b))

    return types.void(re, im, _INT), code(write)


@intrinsic
def _add_four(_: Any, re: Any, im: Any, at: Any, step: Any, turns: Any, row: Any):
    """The factor of 4: rows at, at + step, ..., the last three turned first."""

    def write(v: Vectors) -> None:
        """Emit the three turns and the butterfly of four rows."""
        b, (_, _, at, step, _, row) = v.builder, v.args
        places, values = [at], [(v.row(0, at), v.row(1, at))]
        turn = b.mul(row, row.type(6))
        for _ in range(3):
            places.append(b.add(places[-1], step))
            cosine, sine = v.number(4, turn), v.number(4, b.add(turn, turn.type(1)))
            values.append(v.turn(v.row(0, places[-1]), v.row(1, places[-1]), cosine, sine))
            turn = b.add(turn, turn.type(2))
        (ar, ai), (br, bi), (cr, ci), (dr, di) = values
        even, odd = (v.add(ar, cr), v.add(ai, ci)), (v.sub(ar, cr), v.sub(ai, ci))
        plus, minus = (v.add(br, dr), v.add(bi, di)), (v.sub(br, dr), v.sub(bi, di))
        sums = [
            (v.add(even[0], plus[0]), v.add(even[1], plus[1])),
            (v.add(odd[0], minus[1]), v.sub(odd[1], minus[0])),
            (v.sub(even[0], plus[0]), v.sub(even[1], plus[1])),
            (v.sub(odd[0], minus[1]), v.add(odd[1], minus[0])),
        ]
        for place, (real, imaginary) in zip(places, sums, strict=True):
            v.store(0, place, real)
            v.store(1, place, imaginary)

    return types.void(re, im, _INT, _INT, turns, _INT), code(write)


@intrinsic
def _power_pair(_: Any, re: Any, im: Any, power: Any, k: Any, other: Any, to: Any, turns: Any, at):
    """Powers of bins k and n / 2 - k of the real samples, from bins k and other of the pairs."""

    def write(v: Vectors) -> None:
        """Emit both powers from the even and odd halves of the pair."""
        b, (_, _, _, k, other, to, _, at) = v.builder, v.args
        half = v.spread(ir.FloatType()(0.5))
        ar, ai, br, bi = v.row(0, k), v.row(1, k), v.row(0, other), v.row(1, other)
        even = v.mul(v.add(ar, br), half), v.mul(v.sub(ai, bi), half)
        odd = v.mul(v.add(ai, bi), half), v.mul(v.sub(br, ar), half)
        odd = v.turn(*odd, v.number(6, at), v.number(6, b.add(at, at.type(1))))
        for place, join in ((k, v.add), (to, v.sub)):
            real, imaginary = join(even[0], odd[0]), join(even[1], odd[1])
            v.store(2, place, v.add(v.mul(real, real), v.mul(imaginary, imaginary)))

    return types.void(re, im, power, _INT, _INT, _INT, turns, _INT), code(write)


@intrinsic
def _sum_band(
    _: Any, power: Any, low: Any, reach: Any, weights: Any, at: Any, sums: Any, band: Any
):
    """sums[band] = weights[at] power[low] + weights[at + 1] power[low + 1] + ..., reach of them."""

    def write(v: Vectors) -> None:
        """Emit the first product, then a loop over the rest of the band's reach."""
        b, (_, low, reach, _, at, _, band) = v.builder, v.args
        first = v.mul(v.row(0, low), v.number(3, at))
        total = cgutils.alloca_once_value(b, first)
        with cgutils.for_range(b, reach, start=reach.type(1)) as loop:
            more = v.mul(v.row(0, b.add(low, loop.index)), v.number(3, b.add(at, loop.index)))
            b.store(v.add(b.load(total), more), total)
        v.store(5, band, b.load(total))

    return types.void(power, _INT, _INT, weights, _INT, sums, _INT), code(write)


@compiled
def _scaled_log(row, floor, scale, least):
    """row = scale * ln(row), or least up to the floor (Cephes' logf, error below 2 units)."""
    for i in range(row.size):
        x = row[i]
        bits = _bits(x)
        exponent = np.int32(np.int32(bits - np.int32(0x3F3504F3)) >> np.int32(23))
        f = _float(np.int32(bits - np.int32(exponent << np.int32(23)))) - np.float32(1.0)
        e = np.float32(exponent)
        p = np.float32(7.0376836292e-2) * f - np.float32(1.1514610310e-1)
        p = p * f + np.float32(1.1676998740e-1)
        p = p * f - np.float32(1.2420140846e-1)
        p = p * f + np.float32(1.4249322787e-1)
        p = p * f - np.float32(1.6668057665e-1)
        p = p * f + np.float32(2.0000714765e-1)
        p = p * f - np.float32(2.4999993993e-1)
        p = p * f + np.float32(3.3333331174e-1)
        z = f * f
        y = f * p * z + e * np.float32(-2.12194440e-4) - np.float32(0.5) * z
        y = scale * (f + y + e * np.float32(0.693359375))
        y = least if x <= floor else y
        row[i] = y if x - x == np.float32(0.0) else x


@compiled
def _transform(re, im, power, turns):
    """re, im (n / 2, 16), pairs of samples by rank -> power (n / 2 + 1, 16); re, im are lost."""
    half = re.shape[0]
    length, done = 1, 0
    while length < half:
        length *= 4
    if length == half:
        length = 1
    else:
        length = 2
        for at in range(0, half, 2):
            _add_pair(re, im, at)
    while length < half:
        for j in range(length):
            for at in range(j, half, 4 * length):
                _add_four(re, im, at, length, turns, done + j)
        done += length
        length *= 4
    _power_pair(re, im, power, 0, 0, half, turns, 6 * done)
    for k in range(1, half // 2 + 1):
        _power_pair(re, im, power, k, half - k, half - k, turns, 6 * done + 2 * k)


@compiled
def log_band_powers(
    samples,
    hop,
    window,
    rank,
    turns,
    onset,
    first,
    count,
    weights,
    floor,
    scale,
    least,
    out,
    start,
    stop,
):
    """Scaled logarithms of the bands' powers in frames ``start`` to ``stop`` -> columns of ``out``.

    A triangular band reaches a few bins of several hundred, and only those are summed. What is not
    a number stays.

    Args:
        samples: all frames' samples; frame i starts at i * hop.
        window: what frames are multiplied by; a multiple of 16 numbers, at most n.
        rank, turns: of :func:`fourier_tables` for the transform's length n.
        onset: (frames,) to put in place of the windowed first samples, or empty.
        first, count: (bands,) the first bin of each band and how many it reaches, at least 1.
        weights: the bands' weights, one band after the other.
        floor, scale: float32; the result is scale * ln(power) above the floor,
        least: and this at or below it.
        out: (bands, all frames).
        start, stop: multiples of 16.
    """
    half = len(rank)
    re, im = np.zeros((half, LANES), np.float32), np.zeros((half, LANES), np.float32)
    power = np.empty((half + 1, LANES), np.float32)
    sums = np.empty((len(first), LANES), np.float32)
    for row in range(start, stop, LANES):
        if len(window) < 2 * half:
            re[:] = 0
            im[:] = 0
        for k in range(0, len(window), LANES):
            _load(samples, row * hop, hop, window, k, rank, re, im)
        if len(onset) > 0:
            re[rank[0]] = onset[row : row + LANES]
        _transform(re, im, power, turns)
        at = 0
        for band in range(len(first)):
            _sum_band(power, first[band], count[band], weights, at, sums, band)
            at += count[band]
        _scaled_log(sums.reshape(-1), floor, scale, least)
        for band in range(len(first)):
            out[band, row : row + LANES] = sums[band]
