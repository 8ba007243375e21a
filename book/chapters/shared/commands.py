"""The commands that made a page's records, told once (book: "EmoDB, measured")."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator

from ser.report.load import Record

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
        command = str(record.data.get("command", ""))
        head, options, models, numbers = _parsed(command)
        key = frozenset({("", head), *options})
        told.setdefault(key, (head, options))
        for model in models:
            seeds.setdefault(key, {}).setdefault(model, set()).update(numbers)
        row = record.data.get("model")
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


def _parsed(command: str) -> tuple[str, Options, list[str], set[int]]:
    """Its words before the first option, other options, rows, and seeds; none where it has none."""
    try:
        words = shlex.split(command)
    except ValueError:
        words = command.split()
    first = next((i for i, w in enumerate(words) if w.startswith("--")), len(words))
    options: list[tuple[str, str]] = []
    for word in words[first:]:
        if word.startswith("--"):
            name, _, value = word.partition("=")
            options.append((name, shlex.quote(value) if value else ""))
        elif options:
            name, value = options[-1]
            options[-1] = (name, f"{value} {shlex.quote(word)}".strip())
    given = dict(options)
    if words[:2] == ["ser", "run"]:  # its own defaults
        given = {"--model": "dual", "--seeds": "1"} | given
    models = [m for m in given.get("--model", "").split(",") if m]
    numbers = _numbers(given.get("--seeds", ""))
    if models and numbers is not None:
        options = [o for o in options if o[0] not in ("--model", "--seeds")]
        rest = tuple(o for o in options if o[0] not in HOW)
        return shlex.join(words[:first]), rest, models, numbers
    return shlex.join(words[:first]), tuple(o for o in options if o[0] not in HOW), [], set()


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
