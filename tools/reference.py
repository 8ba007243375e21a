"""The API reference, written at build time: every module of ``ser``, room by room, and of
``chapters``, the chapters' own code.

A page under ``book/reference`` holds the words; the comment ``<!-- objects: nn -->`` in it is
replaced by a section a module, which autodoc fills with what is written there, under a table
(autosummary) of what the module passes on from others. ``<!-- command -->`` becomes the help of
``ser`` and of each of its commands.
"""

from __future__ import annotations

import importlib
import inspect
import os
import pkgutil
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from sphinx.pycode import ModuleAnalyzer

OURS = ("ser", "chapters")
OBJECTS = re.compile(r"<!-- objects: (\w+) -->")
COMMAND = "<!-- command -->"
TOP = "<!-- top -->"
# room -> the modules of it that are no package of the room's own name
ROOMS: dict[str, tuple[str, ...]] = {
    "audio": ("containers",),
    "corpora": (),
    "features": (),
    "nn": ("allocator",),
    "models": ("rows", "batch"),
    "protocols": ("leaks",),
    "metrics": (),
    "training": (),
    "experiments": (),
    "report": (),
    "plots": (),
    "prediction": ("enrolled_model", "loading", "recording", "explain", "export", "streaming"),
    "foundations": ("errors", "paths"),  # and every module that has no other room
    "chapters": (),  # the package beside the notebooks
}
NOT_HERE = ("cli", "__main__")


@cache
def modules() -> dict[str, list[str]]:
    """Room -> its modules, the room's own first; no module is in two rooms or in none."""
    rooms: dict[str, list[str]] = {room: [] for room in ROOMS}
    for package in map(importlib.import_module, OURS):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            first = found.name.split(".")[1]
            if package.__name__ == "chapters":
                rooms["chapters"].append(found.name)
            elif first not in NOT_HERE:
                owner = next((r for r, more in ROOMS.items() if first in (r, *more)), "foundations")
                rooms[owner].append(found.name)
    return {room: sorted(names, key=lambda n: (n != own(room), n)) for room, names in rooms.items()}


def own(room: str) -> str:
    """The module that bears the room's name: ``ser.nn``, ``chapters``."""
    return room if room == "chapters" else f"ser.{room}"


@cache
def lookup(name: str) -> Any:
    """The object that *name* (``ser.nn.DSLSTM``) stands for; None where there is none."""
    parts = name.split(".")
    for size in range(len(parts) * all(parts), 0, -1):
        try:
            thing: Any = importlib.import_module(".".join(parts[:size]))
        except ImportError:
            continue
        for part in parts[size:]:
            thing = getattr(thing, part, None)
        return thing
    return None


@cache
def constants() -> dict[str, list[str]]:
    """Name of a constant -> its full names where it is written and explained."""
    found: dict[str, list[str]] = {}
    for module in (name for names in modules().values() for name in names):
        for scope, name in ModuleAnalyzer.for_module(module).find_attr_docs():
            if not scope:
                found.setdefault(name, []).append(f"{module}.{name}")
    return found


@cache
def described(name: str) -> str:
    """The name that an object is described under: where it is written.

    >>> described("ser.DSLSTM"), described("ser.corpora.EMOTIONS")
    ('ser.nn.dslstm.DSLSTM', 'ser.corpora.base.EMOTIONS')
    """
    thing = lookup(name)
    owner, _, last = name.rpartition(".")
    if inspect.ismodule(thing):
        offered = last in getattr(lookup(owner), "__all__", ()) and hasattr(thing, last)
        return described(f"{name}.{last}") if offered else thing.__name__  # of the same name
    home, inner = getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
    if isinstance(home, str) and isinstance(inner, str) and home.startswith(OURS):
        return f"{home}.{inner}"
    if inspect.isclass(lookup(owner)):
        return f"{described(owner)}.{last}"
    return next((full for full in constants().get(last, ()) if lookup(full) is thing), name)


def offered(module: str) -> list[str]:
    """What *module* passes on from the modules below it, as they are described."""
    thing = importlib.import_module(module)
    names = [n for n in getattr(thing, "__all__", ()) if n != "__version__"]
    found = [
        n for n in (described(f"{module}.{n}") for n in names) if not inspect.ismodule(lookup(n))
    ]
    return [name for name in found if name.rpartition(".")[0] != module]


def page(room: str) -> str:
    """The modules of *room* as Markdown with ``eval-rst`` blocks."""
    parts = []
    for module in modules()[room]:
        parts += [f"## `{module}`"] * (module != own(room))
        here = [
            n for names in constants().values() for n in names if n.rpartition(".")[0] == module
        ]
        # autodoc takes an object of another package's class, such as a path, for an import
        imports = [n for n in here if getattr(lookup(n), "__module__", module) != module]
        lines = [f".. automodule:: {module}", "", *(f".. autodata:: {n}" for n in imports)]
        parts += [_block(lines), _table(offered(module))]
    return "\n\n".join(filter(None, parts))


def _block(lines: Iterable[str]) -> str:
    return "\n".join(["```{eval-rst}", *lines, "```"])


def _table(names: list[str]) -> str:
    head = [".. py:currentmodule:: None", "", ".. autosummary::", "   :nosignatures:", ""]
    return _block([*head, *(f"   ~{name}" for name in names)]) if names else ""


def command_help() -> str:
    """``ser --help`` and the help of every command, each under a label (``ser-run``)."""
    from ser.cli import COMMANDS, build_parser

    parser = build_parser()
    action = next(a for a in parser._actions if getattr(a, "choices", None) and a.dest == "command")
    with mock.patch.dict(os.environ, COLUMNS="84"):  # argparse wraps at the terminal's width
        parts = ["## `ser`", _text(parser.format_help())]
        for name in COMMANDS:
            parts += [f"(ser-{name})=", f"## `ser {name}`"]
            parts.append(_text(action.choices[name].format_help()))
    return "\n\n".join(parts)


def _text(text: str) -> str:
    return f"````text\n{text.rstrip()}\n````"


def fill(folder: Path) -> None:
    """Write the modules and the command's help into the staged pages under *folder*."""
    for path in sorted(folder.rglob("reference*.md")) + sorted(folder.glob("reference/*.md")):
        text = OBJECTS.sub(lambda match: page(match[1]), path.read_text(encoding="utf-8"))
        if COMMAND in text:
            text = text.replace(COMMAND, command_help())
        path.write_text(text.replace(TOP, _table(offered("ser"))), encoding="utf-8")
