"""The chapters, seen by the build: their titles, and which names of ``ser`` and of the chapters'
own code each one uses."""

from __future__ import annotations

import ast
import importlib
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import yaml

OURS = ("ser", "chapters")
DOTTED = re.compile(r"^((?:ser|chapters)(?:\.\w+)+)(?:\(.*\))?$", re.DOTALL)
INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
# book: chapter "The LSTM" / book: chapters "A" and "B" / (book: "Corpora")
NAMED = re.compile(
    r"\b(?:book:|chapters?)\s+(?:chapters?\s+)?(\"[^\"]+\"(?:(?:,| and|, and)\s+\"[^\"]+\")*)"
)


@dataclass
class Chapter:
    """A page of the book: its name without suffix (``book/lstm``), title and source file."""

    name: str
    title: str
    path: Path
    uses: set[str] = field(default_factory=set)

    @property
    def is_notebook(self) -> bool:
        return self.path.suffix == ".ipynb"


def contents(root: Path) -> list[tuple[str, list[str]]]:
    """Parts of ``_toc.yml`` in order: (caption, names of pages); the first page comes first."""
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    parts = [("", [toc["root"]])]
    for part in toc.get("parts", []):
        names = []
        for entry in part["chapters"]:
            names.append(entry["file"])
            names += [section["file"] for section in entry.get("sections", [])]
        parts.append((part["caption"], names))
    return parts


def chapters(root: Path) -> dict[str, Chapter]:
    """Every page of the contents by name, in order, with what its notebook uses."""
    pages = {}
    for _, names in contents(root):
        for name in names:
            path = next(
                (p for s in (".ipynb", ".md") if (p := root / f"{name}{s}").is_file()), None
            )
            if path is not None:
                page = Chapter(name, title(path), path)
                if page.is_notebook:
                    page.uses = names_used(path)
                pages[name] = page
    return pages


def title(path: Path) -> str:
    """The first heading of a page or notebook, or the name of the file."""
    match = re.search(r"^#\s+(.+?)\s*$", "\n".join(text_of(path)), re.MULTILINE)
    return match[1] if match else path.stem


def text_of(path: Path) -> list[str]:
    """Markdown of a page (one piece) or of a notebook (a piece a cell)."""
    if path.suffix == ".ipynb":
        cells = nbformat.read(path, as_version=4).cells
        return [cell.source for cell in cells if cell.cell_type == "markdown"]
    return [path.read_text(encoding="utf-8")]


def chapters_named(docstring: str | None) -> list[str]:
    """Titles that a docstring names.

    >>> chapters_named('One step (book: chapters "The LSTM" and "The DS-LSTM").')
    ['The LSTM', 'The DS-LSTM']
    >>> chapters_named('The settings (book: "Training on a GPU").')
    ['Training on a GPU']
    >>> chapters_named('200 words after "Say the word".')
    []
    """
    found = []
    for match in NAMED.finditer(re.sub(r"\s+", " ", docstring or "")):
        found += re.findall(r'"([^"]+)"', match[1])
    return found


@cache
def lookup(name: str) -> Any:
    """The object that *name* (``ser.nn.DSLSTM``) stands for; None where there is none."""
    parts = name.split(".")
    for size in range(len(parts), 0, -1):
        try:
            thing: Any = importlib.import_module(".".join(parts[:size]))
        except ImportError:
            continue
        for part in parts[size:]:
            thing = getattr(thing, part, None)
        return thing
    return None


def canonical(name: str) -> str:
    """Where the object called *name* is defined; *name* itself for data and unknown names.

    >>> canonical("ser.DSLSTM"), canonical("ser.corpora.EMOTIONS")
    ('ser.nn.dslstm.DSLSTM', 'ser.corpora.EMOTIONS')
    """
    thing = lookup(name)
    if isinstance(thing, ModuleType):
        return thing.__name__
    home, inner = getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
    if isinstance(home, str) and isinstance(inner, str) and home.startswith(OURS):
        return f"{home}.{inner}"
    return name


def names_used(notebook: Path) -> set[str]:
    """Canonical names of everything of ``ser`` that the notebook's code and text mention."""
    cells = nbformat.read(notebook, as_version=4).cells
    known: dict[str, str] = {}  # name in the notebook -> dotted name
    used: set[str] = set()
    for cell in cells:
        if cell.cell_type == "code":
            used |= names_in_code(cell.source, known)
        else:
            for code in INLINE.findall(cell.source):
                if match := DOTTED.match(code):
                    used.add(match[1])
    return {canonical(name) for name in used if lookup(name) is not None}


def names_in_code(source: str, known: dict[str, str]) -> set[str]:
    """Dotted names of ``ser`` in *source*; *known* collects what is imported, cell after cell.

    >>> known = {}
    >>> sorted(names_in_code("from ser import nn, mfcc39 as m\\nm(nn.DSLSTM)", known))
    ['ser.mfcc39', 'ser.nn', 'ser.nn.DSLSTM']
    """
    lines = [line for line in source.splitlines() if not line.lstrip().startswith(("%", "!"))]
    tree = ast.parse("\n".join(lines))
    used = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in OURS:
            for alias in node.names:
                known[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if (first := alias.name.split(".")[0]) in OURS:
                    known[alias.asname or first] = alias.name if alias.asname else first
    for node in ast.walk(tree):
        parts: list[str] = []
        inner: ast.AST = node
        while isinstance(inner, ast.Attribute):
            parts.insert(0, inner.attr)
            inner = inner.value
        if isinstance(inner, ast.Name) and inner.id in known:
            used.add(".".join([known[inner.id], *parts]))
    return {name for name in used if name not in OURS}
