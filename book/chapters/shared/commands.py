"""The commands that made a page's records, told once (book: "EmoDB, measured")."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ser.report.record import Record

__all__ = ["commands"]

WIDTH = 66
"""Characters after which an option goes to the next line."""

HOW = ("--jobs", "--threads", "--quiet")
"""Options that change neither a result nor where it lies."""

Options = tuple[tuple[str, str], ...]


def commands(records: Iterable[Record]) -> str:
    """The commands that made the records, with how many each made; a broken line an option.

    Commands that differ in rows and seeds alone are told as one: rows with the same seeds share a
    line, and options of mere speed (``--jobs``, ``--threads``, ``--quiet``) are left out. Giving
    what is told makes the same records.

    Args:
        records: of a page.

    Returns:
        Text; a command that only finished another's runs stands for itself.

    Example:
        >>> print(commands(load_records("book/results/emodb-loso")))  # doctest: +SKIP
        $ ser run --corpus emodb --root ../shared/data/emodb ...
    """
    # Of each setting: each row's seeds, and the records that its commands left, by row.
    seeds: dict[frozenset, dict[str, set[int]]] = {}
    made: dict[frozenset, dict[str, int]] = {}
    told: dict[frozenset, tuple[str, Options]] = {}
    for record in records:
        head, options, models, numbers = _asked(record.data)
        key = frozenset({("", head), *options})
        told.setdefault(key, (head, options))
        for model in models:
            seeds.setdefault(key, {}).setdefault(model, set()).update(numbers)
        row = record.data["model"]
        mine = row if row in models or not models else models[0]
        counts = made.setdefault(key, {})
        counts[mine] = counts.get(mine, 0) + 1
    parts = []
    for key, (head, options) in told.items():
        groups: dict[frozenset, list[str]] = {}
        for model, numbers in seeds.get(key, {"": set()}).items():
            groups.setdefault(frozenset(numbers), []).append(model)
        for numbers, models in _narrow(groups):
            chosen = [("--model", ",".join(models))] if any(models) else []
            chosen += [("--seeds", _seeds(sorted(numbers)))] if numbers else []
            count = sum(n for m, n in made[key].items() if m in models or not any(models))
            parts.append(_text(head, _placed(options, chosen), count))
    return "\n".join(parts)


def _narrow(groups: dict[frozenset, list[str]]) -> Iterator[tuple[frozenset, list[str]]]:
    """The same, cut where the names of rows would be wider than a page."""
    for numbers, models in groups.items():
        part: list[str] = []
        for model in models:
            if part and len(",".join([*part, model])) > WIDTH - 16:
                yield numbers, part
                part = []
            part = [*part, model]
        yield numbers, part


def _asked(data: Mapping[str, Any]) -> tuple[str, Options, list[str], set[int]]:
    """The command itself, its other options, rows, and seeds; none where it has none."""
    given = {name: shlex.quote(v) if v else "" for name, v in data["options"].items()}
    head = "ser run" if given else str(data["command"] or "")
    models = [m for m in given.get("--model", "dual").split(",") if m and given]
    numbers = _numbers(given.get("--seeds", "1")) if given else None
    left = HOW if numbers is None else (*HOW, "--model", "--seeds")
    rest = tuple(option for option in given.items() if option[0] not in left)
    return (head, rest, models, numbers) if numbers is not None else (head, rest, [], set())


def _numbers(text: str) -> set[int] | None:
    """``3`` are three seeds, ``3,`` is one; None for what is neither."""
    try:
        found = [int(t) for t in text.split(",") if t.strip()]
    except ValueError:
        return None
    return set(range(found[0])) if found and "," not in text else set(found)


def _seeds(numbers: list[int]) -> str:
    if numbers == list(range(len(numbers))):
        return str(len(numbers))
    return ",".join(map(str, numbers)) + ("," if len(numbers) == 1 else "")


def _placed(options: Options, chosen: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """What was chosen before where the records go, which ends a command."""
    out = [o for o in options if o[0] == "--out"]
    return [*(o for o in options if o[0] != "--out"), *chosen, *out]


def _text(head: str, options: list[tuple[str, str]], count: int) -> str:
    lines, line = [], f"$ {head}"
    for name, value in options:
        option = f" {name} {value}".rstrip()
        if len(line) + len(option) > WIDTH + 3:
            lines.append(line)
            line = "   "
        line += option
    lines.append(line)
    return " \\\n".join(lines) + f"\n  # {count} record{'' if count == 1 else 's'}"
