"""Docstrings on their way into the reference: chapters linked, names of types written in full."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from functools import cache
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.nodes import make_refnode

from tools.chapters import OURS, Chapter, canonical, chapters, chapters_named, lookup
from tools.reference import described

SEVERAL = re.compile(r"^(:(?:ivar|param|vartype) )([\w*\\]+(?:, [\w*\\]+)+)(?=:)")
FLAG = re.compile(r"\s*#\s*doctest:.*$")


@cache
def pages(source: str) -> dict[str, Chapter]:
    """The chapters below the source folder *source*."""
    return chapters(Path(source))


def link_titles(lines: list[str], found: dict[str, Chapter]) -> list[str]:
    """Lines of a docstring with every chapter it names turned into a link."""
    by_title = {page.title: page for page in found.values()}
    text = "\n".join(lines)
    for title in chapters_named(text):
        if title in by_title:
            words = r"\s+".join(map(re.escape, title.split()))
            link = f":doc:`{title} </{by_title[title].name}>`"
            text = re.sub(f'"{words}"', lambda _, link=link: link, text)
    return text.split("\n")


def explained_in(name: str, thing: Any) -> list[str]:
    """Titles named by the object's docstring, else by its module's, else by its package's."""
    own = chapters_named(getattr(thing, "__doc__", ""))
    home = getattr(thing, "__module__", None) or name.rpartition(".")[0]
    while not own and home.count("."):
        own = chapters_named(getattr(lookup(home), "__doc__", ""))
        home = home.rpartition(".")[0]
    return own


def before_napoleon(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]
) -> None:
    """Autodoc event: titles become links, flags of doctest go, an attribute's text stays text."""
    text = [FLAG.sub("", line) for line in lines]
    if what in ("attribute", "property", "data") and text:
        # napoleon takes the words before a colon for a type, unless the line ends there
        text[:1] = re.sub(r":\s+", ":\n", text[0], count=1).split("\n")
    lines[:] = link_titles(text, pages(str(app.srcdir)))


def after_napoleon(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]
) -> None:
    """Autodoc event: fields for the chapters that explain the object and that use it.

    A field for several names ("W, b") gets a break without a space between them, for docutils
    takes the words before the last one for a type.
    """
    lines[:] = [SEVERAL.sub(lambda m: m[1] + m[2].replace(", ", ",\u200b"), line) for line in lines]
    if what not in ("class", "function", "exception"):
        return
    found = pages(str(app.srcdir))
    by_title = {page.title: page for page in found.values()}
    own = set(chapters_named(getattr(thing, "__doc__", "")))
    explained = [t for t in explained_in(name, thing) if t in by_title and t not in own]
    here = canonical(name)
    using = [
        page.title
        for page in found.values()
        if any(used == here or used.startswith(f"{here}.") for used in page.uses)
    ]
    fields = []
    for label, titles in (("Explained in", explained), ("Used in", using)):
        if titles:
            links = [f":doc:`{t} </{by_title[t].name}>`" for t in dict.fromkeys(titles)]
            fields.append(f":{label}: {', '.join(links)}")
    if fields:
        lines += ["", *fields, ""]


def skip_foreign(app: Sphinx, what: str, name: str, thing: Any, skip: bool, options: Any):
    """Autodoc event: what another package puts into a class of ours is not described here."""
    home = getattr(thing, "__module__", None)
    return True if isinstance(home, str) and not home.startswith(OURS) else None


@cache
def imported_names(module: str) -> dict[str, str]:
    """Names that *module* imports, for type checkers or for all -> where they come from.

    >>> imported_names("chapters.shared.gate_trace")["Tensor"]
    'torch.Tensor'
    """
    found = {}
    tree = ast.parse(inspect.getsource(importlib.import_module(module)))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                found[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.asname:
                    found[alias.asname] = alias.name
    return found


_INNER = r"\[(?:[^\[\]]|\[[^\[\]]*\])*\]"
BRACKETS = rf"\[(?:[^\[\]]|{_INNER})*\]"
"""What stands between square brackets, up to three deep: commas in there end no annotation."""


def full_types(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, signature: str, result: str
):
    """Autodoc event: types that autodoc left as they are written, by their full names."""
    names = imported_names(thing.__module__) if _ours(thing) else {}
    if not names or not signature:
        return None
    pattern = re.compile(rf"(?<![\w.~'\"])({'|'.join(map(re.escape, names))})(?![\w=])")
    annotation = re.compile(rf"(?<=: )(?:[^=,)\[\]]|{BRACKETS})+|(?<=-> ).+")
    full = [
        annotation.sub(lambda m: pattern.sub(lambda n: names[n[1]], m[0]), signature),
        pattern.sub(lambda n: names[n[1]], result or ""),
    ]
    return full[0], full[1] or None


def _ours(thing: Any) -> bool:
    return str(getattr(thing, "__module__", "")).startswith(OURS)


def resolve(app: Sphinx, env: Any, node: nodes.Element, content: nodes.Node):
    """Missing-reference event: an object by another name than the one it is described under."""
    if node.get("refdomain") != "py":
        return None
    objects = env.get_domain("py").objects
    target, module = node["reftarget"], node.get("py:module") or ""
    names = [described(target), described(f"{module}.{target}")]
    ends = [name for name in objects if name.endswith(f".{target}")]
    ends = list({objects[name].node_id: name for name in ends}.values())
    owner = [name for name in objects if name.endswith(f".{target.rpartition('.')[0]}")]
    names += ends if len(ends) == 1 else []
    names += owner[:1] if "." in target and target[0].isupper() else []
    for name in names:
        if name in objects:
            entry = objects[name]
            return make_refnode(
                app.builder, node["refdoc"], entry.docname, entry.node_id, content, name
            )
    return None


def setup(app: Sphinx) -> None:
    """Register the handlers; napoleon's own is between the first two (priority 500)."""
    pages.cache_clear()
    app.connect("autodoc-process-docstring", before_napoleon, priority=400)
    app.connect("autodoc-process-docstring", after_napoleon, priority=600)
    app.connect("autodoc-process-signature", full_types)
    app.connect("autodoc-skip-member", skip_foreign)
    app.connect("missing-reference", resolve)
