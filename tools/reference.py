"""The API reference, written at build time: every public object of ``ser``, room by room, and
of ``chapters``, the chapters' own code.

A page under ``book/reference`` holds the words; the comment ``<!-- objects: nn -->`` in it is
replaced by directives that autodoc turns into descriptions, ``<!-- command -->`` by the help of
``ser`` and of each of its commands.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import pkgutil
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from sphinx.pycode import ModuleAnalyzer

from tools.chapters import canonical

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
    "protocols": (),
    "metrics": (),
    "training": (),
    "experiments": (),
    "report": (),
    "plots": (),
    "prediction": ("export", "streaming"),
    "foundations": ("errors", "paths"),  # and every module that has no other room
    "chapters": (),  # the package beside the notebooks
}
NOT_HERE = ("cli", "__main__")


@dataclass(frozen=True)
class Entry:
    """A public object: the module it is listed under, its name there, and its kind."""

    module: str
    name: str
    kind: str  # "class", "function" or "data"

    @property
    def dotted(self) -> str:
        return f"{self.module}.{self.name}"


@cache
def modules() -> dict[str, list[str]]:
    """Room -> its modules, the room's own first; no module of ``ser`` is in two or in none."""
    import chapters

    import ser

    rooms: dict[str, list[str]] = {room: [] for room in ROOMS}
    for found in pkgutil.walk_packages(ser.__path__, "ser."):
        first = found.name.split(".")[1]
        if first not in NOT_HERE:
            owner = first if first in ROOMS else _adopted(first)
            rooms[owner].append(found.name)
    rooms["chapters"] = [
        found.name for found in pkgutil.walk_packages(chapters.__path__, "chapters.")
    ]
    return {room: sorted(names, key=lambda n: (n != own(room), n)) for room, names in rooms.items()}


def own(room: str) -> str:
    """The module that bears the room's name: ``ser.nn``, ``chapters``."""
    return room if room == "chapters" else f"ser.{room}"


def _adopted(module: str) -> str:
    return next((room for room, others in ROOMS.items() if module in others), "foundations")


@cache
def entries(room: str) -> dict[str, list[Entry]]:
    """Module -> its public objects; what a package exports is listed there and nowhere else."""
    found: dict[str, list[Entry]] = {}
    seen: set[str] = set()
    for name in modules()[room]:
        module = importlib.import_module(name)
        here = []
        for public in exported(module):
            thing = getattr(module, public)
            entry = Entry(name, public, kind_of(thing))
            origin = f"{defined_in(entry)}.{public}"
            if origin not in seen:
                seen.add(origin)
                here.append(entry)
        found[name] = here
    return found


def exported(module: ModuleType) -> list[str]:
    """Public names of *module*: its ``__all__``, or the functions and classes written in it."""
    names = getattr(module, "__all__", None)
    if names is not None:
        return [n for n in names if not isinstance(getattr(module, n), ModuleType)]
    written = [
        name
        for name, thing in vars(module).items()
        if not name.startswith("_")
        and kind_of(thing) != "data"
        and getattr(thing, "__module__", "") == module.__name__
        and getattr(thing, "__name__", "") == name
    ]
    return [*constants(module), *written]


def constants(module: ModuleType) -> list[str]:
    """Constants that *module* explains with a comment (``#:``) or refers to in its docstrings."""
    analyzer = ModuleAnalyzer.for_module(module.__name__)
    explained = {name for scope, name in analyzer.find_attr_docs() if not scope}
    explained |= set(re.findall(r":data:`(\w+)`", analyzer.code))
    assigned = [
        target.id
        for node in ast.parse(analyzer.code).body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    ]
    return [n for n in assigned if n.isupper() and not n.startswith("_") and n in explained]


def kind_of(thing: Any) -> str:
    """``"class"``, ``"function"`` (cached and compiled ones too) or ``"data"``."""
    if inspect.isclass(thing):
        return "class"
    return "function" if inspect.isroutine(thing) or hasattr(thing, "__wrapped__") else "data"


def summary(thing: Any) -> str:
    """First sentence of a docstring as Markdown, one line."""
    first = re.split(r"\n\s*\n", inspect.getdoc(thing) or "")[0].replace("\n", " ")
    first = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", first).replace("``", "`")
    first = re.sub(r"(?<!\w)\*(\w+)\*(?!\w)", r"_\1_", first).replace("*", "\\*")
    return first.replace("|", "\\|").replace("$", "\\$").strip()


def page(room: str) -> str:
    """The objects of *room* as Markdown with ``eval-rst`` blocks for autodoc."""
    parts = []
    for module, here in entries(room).items():
        its_own = module == own(room)
        if not its_own:
            parts.append(f"## `{module}`")
        parts.append(_block(_module(module)))
        if its_own and len(here) > 1:
            parts.append(_table(here))
        elif not here:
            links = ", ".join(f"{{py:obj}}`~{name}`" for name in _listed_above(module, room))
            parts.append(f"Described above: {links}." if links else "")
        parts += [_block(_directive(entry)) for entry in here]
    return "\n\n".join(part for part in parts if part)


def _module(name: str) -> list[str]:
    lines = [f".. automodule:: {name}", "   :no-members:"]
    package, _, last = name.rpartition(".")
    if last in getattr(importlib.import_module(package), "__all__", ()):
        lines.append("   :no-index:")  # the package exports a function of the same name
    return lines


def top_level() -> str:
    """What ``import ser`` offers, as a table that links to the descriptions."""
    import ser

    where = {
        id(getattr(importlib.import_module(e.module), e.name)): e
        for room in ROOMS
        for here in entries(room).values()
        for e in here
        if e.kind != "data"
    }
    names = [name for name in ser.__all__ if name != "__version__"]
    return _table([where[id(getattr(ser, name))] for name in names])


@cache
def places() -> dict[str, str]:
    """Where an object is defined -> the name it is described under.

    >>> places()["ser.features.mel.mel_pair"]
    'ser.features.mel_pair'
    """
    found = {}
    for room in ROOMS:
        for here in entries(room).values():
            for entry in here:
                found[f"{defined_in(entry)}.{entry.name}"] = entry.dotted
    return found


def described(name: str) -> str:
    """The name that *name* is described under; methods and attributes go with their class."""
    full = canonical(name)
    if full in places():
        return places()[full]
    owner, _, last = full.rpartition(".")
    return f"{places()[owner]}.{last}" if owner in places() else full


def _listed_above(module: str, room: str) -> list[str]:
    exports = entries(room).get(own(room), [])
    return [e.dotted for e in exports if defined_in(e) == module]


def _block(lines: list[str]) -> str:
    return "\n".join(["```{eval-rst}", *lines, "```"])


def _table(here: list[Entry]) -> str:
    lines = ["| name | what it is |", "| :-- | :-- |"]
    for entry in here:
        thing = getattr(importlib.import_module(entry.module), entry.name)
        text = data_summary(entry) if entry.kind == "data" else summary(thing)
        lines.append(f"| {{py:obj}}`~{entry.dotted}` | {text} |")
    return "\n".join(lines)


def _directive(entry: Entry) -> list[str]:
    if entry.kind == "class":
        return [f".. autoclass:: {entry.dotted}", "   :members:", "   :show-inheritance:"]
    if entry.kind == "function":
        return [f".. autofunction:: {entry.dotted}"]
    shown = repr(getattr(importlib.import_module(entry.module), entry.name))
    lines = [f".. py:data:: {entry.name}", f"   :module: {entry.module}"]
    if (home := defined_in(entry)) != entry.module:
        lines.append(f"   :canonical: {home}.{entry.name}")
    if len(shown) <= 80 and "<" not in shown:
        lines.append(f"   :value: {shown}")
    return [*lines, "", f"   {data_summary(entry)}"]


def defined_in(entry: Entry) -> str:
    """The module that *entry* is written in, through as many imports as it takes.

    >>> defined_in(Entry("ser.corpora", "EMOTIONS", "data"))
    'ser.corpora.base'
    """
    thing = getattr(importlib.import_module(entry.module), entry.name)
    if entry.kind != "data":
        return thing.__module__
    module = entry.module
    while True:
        tree = ast.parse(inspect.getsource(importlib.import_module(module)))
        origin = [
            node.module
            for node in tree.body
            if isinstance(node, ast.ImportFrom)
            and entry.name in [alias.asname or alias.name for alias in node.names]
        ]
        if not origin:
            return module
        module = origin[0]


def data_summary(entry: Entry) -> str:
    """What a constant is: its comment (``#:``) or string in the source, else its type and size.

    >>> data_summary(Entry("ser.corpora", "EMOTIONS", "data")) != ""
    True
    """
    comments = ModuleAnalyzer.for_module(defined_in(entry)).find_attr_docs()
    words = comments.get(("", entry.name))
    if words:
        return " ".join(line.strip() for line in words).strip()
    value = getattr(importlib.import_module(entry.module), entry.name)
    if isinstance(value, dict):
        kinds = sorted({type(item).__name__ for item in value.values()})
        return f"Table of {len(value)}: {', '.join(map(str, value))}; each a {' or '.join(kinds)}."
    return f"{type(value).__name__.capitalize()} of {len(value)}."


def command_help() -> str:
    """``ser --help`` and the help of every command, each under a label (``ser-run``)."""
    from ser.cli import COMMANDS, build_parser

    parser = build_parser()
    action = next(a for a in parser._actions if getattr(a, "choices", None) and a.dest == "command")
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "84"  # argparse wraps at the terminal's width
    try:
        parts = ["## `ser`", _text(parser.format_help())]
        for name in COMMANDS:
            parts += [f"(ser-{name})=", f"## `ser {name}`"]
            parts.append(_text(action.choices[name].format_help()))
    finally:
        os.environ.pop("COLUMNS")
        if before is not None:
            os.environ["COLUMNS"] = before
    return "\n\n".join(parts)


def _text(text: str) -> str:
    return f"````text\n{text.rstrip()}\n````"


def fill(folder: Path) -> None:
    """Write the objects and the command's help into the staged pages under *folder*."""
    for path in sorted(folder.rglob("reference*.md")) + sorted(folder.glob("reference/*.md")):
        text = path.read_text(encoding="utf-8")
        text = OBJECTS.sub(lambda match: page(match[1]), text)
        if COMMAND in text:
            text = text.replace(COMMAND, command_help())
        if TOP in text:
            text = text.replace(TOP, top_level())
        path.write_text(text, encoding="utf-8")
