"""Docstrings on their way into the reference: chapters become links, types are found by name."""

from __future__ import annotations

import inspect
import re
from functools import cache
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.nodes import make_refnode

from tools.chapters import chapters, chapters_named
from tools.reference import OURS, described, lookup

SEVERAL = re.compile(r"^(:(?:ivar|param|vartype) )([\w*\\]+(?:, [\w*\\]+)+)(?=:)")
FLAG = re.compile(r"\s*#\s*doctest:.*$")


@cache
def titles(source: str) -> dict[str, str]:
    """Title -> page, in the order of the contents, of the book in the folder *source*."""
    return {page.title: page.name for page in chapters(Path(source)).values()}


def link_titles(lines: list[str], pages: dict[str, str]) -> list[str]:
    """Lines of a docstring with every chapter it names turned into a link."""
    text = "\n".join(lines)
    for title in filter(pages.get, chapters_named(text)):
        words = r"\s+".join(map(re.escape, title.split()))
        link = f":doc:`{title} </{pages[title]}>`"
        text = re.sub(f'"{words}"', lambda _, link=link: link, text)
    return text.split("\n")


def explained_in(name: str, thing: Any) -> list[str]:
    """Titles that the object's module names, or else its package; none if its own text does."""
    if chapters_named(getattr(thing, "__doc__", "")):
        return []
    home, found = getattr(thing, "__module__", None) or name.rpartition(".")[0], []
    while not found and home.count("."):
        found = chapters_named(getattr(lookup(home), "__doc__", ""))
        home = home.rpartition(".")[0]
    return list(dict.fromkeys(found))


def before_napoleon(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]
) -> None:
    """Autodoc event: titles become links, flags of doctest go, an attribute's text stays text."""
    text = [FLAG.sub("", line) for line in lines]
    if what in ("attribute", "property", "data") and text:
        # napoleon takes the words before a colon for a type, unless the line ends there
        text[:1] = re.sub(r":\s+", ":\n", text[0], count=1).split("\n")
    lines[:] = link_titles(text, titles(str(app.srcdir)))


def after_napoleon(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]
) -> None:
    """Autodoc event: fields for a constant's value and for the chapters that explain an object.

    A field for several names ("W, b") gets a break without a space between them, for docutils
    takes the words before the last one for a type.
    """
    lines[:] = [SEVERAL.sub(lambda m: m[1] + m[2].replace(", ", ",\u200b"), line) for line in lines]
    if what == "data" and len(repr(thing)) <= 80 and "<" not in repr(thing):
        lines += ["", f":Value: ``{thing!r}``", ""]
    if what in ("class", "function", "exception"):
        pages = titles(str(app.srcdir))
        links = [f":doc:`{t} </{pages[t]}>`" for t in explained_in(name, thing) if t in pages]
        lines += ["", f":Explained in: {', '.join(links)}", ""] if links else []


def plain_factories(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, signature: str, result: str
):
    """Autodoc event: a dataclass's ``<factory>`` is no Python, and the rest would not be read."""
    return (signature.replace("<factory>", "..."), result) if signature else None


def skip_foreign(app: Sphinx, what: str, name: str, thing: Any, skip: bool, options: Any):
    """Autodoc event: what another package puts into a class of ours is not described here."""
    home = getattr(thing, "__module__", None)
    return True if isinstance(home, str) and not home.startswith(OURS) else None


def resolve(app: Sphinx, env: Any, node: nodes.Element, content: nodes.Node):
    """Missing-reference event: an object by another name than the one it is described under.

    What another installed package has by that name is described there, and what is private is
    described nowhere: no link, no warning.
    """
    if node.get("refdomain") != "py":
        return None
    objects = env.get_domain("py").objects
    target, module = node["reftarget"], node.get("py:module") or ""
    scopes = ("", module, f"{module}.{node.get('py:class') or ''}")
    names = [described(f"{scope}.{target}".strip(".")) for scope in scopes]
    ends = {objects[name].node_id: name for name in objects if name.endswith(f".{target}")}
    owners = [name.rpartition(".")[0] for name in names if is_field(name)]
    for name in [*names, *(ends.values() if len(ends) == 1 else ()), *owners]:
        if name in objects:
            page, anchor = objects[name].docname, objects[name].node_id
            return make_refnode(app.builder, node["refdoc"], page, anchor, content, name)
    things = [thing for thing in map(lookup, names) if thing is not None]
    homes = [getattr(t, "__module__", None) or getattr(t, "__name__", None) for t in things]
    elsewhere = any(home and not str(home).startswith(OURS) for home in homes)
    private = target.rpartition(".")[2].startswith("_") and things
    return content if elsewhere or private else None


def is_field(name: str) -> bool:
    """Whether *name* is an attribute that the docstring of its class tells of.

    >>> is_field("ser.corpora.base.Corpus.table"), is_field("ser.corpora.base.Corpus.table_line")
    (True, False)
    """
    owner, _, last = name.rpartition(".")
    thing = lookup(owner)
    return inspect.isclass(thing) and (
        hasattr(thing, last) or last in getattr(thing, "__annotations__", ())
    )


def setup(app: Sphinx) -> None:
    """Register the handlers; napoleon's own is between the first two (priority 500)."""
    titles.cache_clear()
    app.connect("autodoc-process-docstring", before_napoleon, priority=400)
    app.connect("autodoc-process-docstring", after_napoleon, priority=600)
    app.connect("autodoc-process-signature", plain_factories)
    app.connect("autodoc-skip-member", skip_foreign)
    app.connect("missing-reference", resolve)
