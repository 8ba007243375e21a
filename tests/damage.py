"""Damage as disks, copies and people do it, by seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

COUNT = 150
"""Damages that each kind of file is tried with."""


def damages(data: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """*count* other contents of a file: bits flipped, cut short, zeroed, swapped, put in, lost."""
    draw = random.Random(seed)
    kinds = (_flip, _cut, _zero, _swap, _insert, _lose)
    for number in range(count):
        yield kinds[number % len(kinds)](data, draw)


def _flip(data: bytes, draw: random.Random) -> bytes:
    changed = bytearray(data)
    changed[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _cut(data: bytes, draw: random.Random) -> bytes:
    return data[: draw.randrange(len(data))]


def _zero(data: bytes, draw: random.Random) -> bytes:
    start = draw.randrange(len(data))
    length = min(len(data) - start, draw.choice((1, 4, 64, 4096)))
    return data[:start] + bytes(length) + data[start + length :]


def _swap(data: bytes, draw: random.Random) -> bytes:
    size = draw.choice((1, 4, 16))
    a, b = sorted(draw.randrange(max(1, len(data) - size)) for _ in range(2))
    changed = bytearray(data)
    changed[a : a + size], changed[b : b + size] = data[b : b + size], data[a : a + size]
    return bytes(changed)


def _insert(data: bytes, draw: random.Random) -> bytes:
    at = draw.randrange(len(data))
    return data[:at] + draw.choice((b"0", b"1", b"\n", b" ", b"\xff")) + data[at:]


def _lose(data: bytes, draw: random.Random) -> bytes:
    at = draw.randrange(len(data))
    return data[:at] + data[at + draw.choice((1, 2, 512)) :]


def swapped_values(body: Any, seed: int) -> None:
    """Two different values of one kind in a JSON object change places; it stays one."""
    draw = random.Random(seed)
    places: dict[type, list[tuple[Any, Any]]] = {}
    todo = [body]
    while todo:
        holder = todo.pop()
        for key, value in holder.items() if isinstance(holder, dict) else enumerate(holder):
            if isinstance(value, dict | list):
                todo.append(value)
            else:
                places.setdefault(type(value), []).append((holder, key))
    while True:
        (a, i), (b, j) = draw.sample(draw.choice([p for p in places.values() if len(p) > 1]), 2)
        if a[i] != b[j]:
            a[i], b[j] = b[j], a[i]
            return
