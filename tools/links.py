"""Sphinx extension: the links between chapters and the API reference, both ways.

- In a chapter, inline code that names an object (``ser.nn.DSLSTM``) or a command (``ser check``)
  becomes a link to its description; sphinx-codeautolink does the same for the cells.
- A description says which chapters use the object, in a cell or in the text, and which one
  explains it (tools/autodoc.py).

It also keeps the pages free of other hosts: the theme's live-code script is taken out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.nodes import make_refnode
from sphinx_codeautolink.extension.resolve import populate_type_checking

from tools import autodoc, reference

COMMAND_LINE = re.compile(r"^ser (corpora|check|fetch|features|run|report|predict)\b")
DOTTED = re.compile(r"^((?:ser|chapters)(?:\.\w+)+)(?:\(.*\))?$", re.DOTALL)
LOOKS_LIKE_CODE = re.compile(r"[A-Z_0-9]")
REFERENCE = "book/reference"
SKIPPED = (nodes.reference, nodes.title, nodes.pending)


def link_code(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Turn inline code that names an object or a command into a link to its description."""
    if app.builder.format != "html":
        return
    objects = app.env.get_domain("py").objects
    for literal in inline_code(doctree):
        text = literal.astext()
        entry = objects.get(named(text))
        if match := COMMAND_LINE.match(text):
            target, anchor = f"{REFERENCE}/command", f"ser-{match[1]}"
        elif entry is not None and entry.docname != docname:
            target, anchor = entry.docname, entry.node_id
        else:
            continue
        link = make_refnode(app.builder, docname, target, anchor, literal.deepcopy(), text)
        literal.replace_self(link)


def inline_code(doctree: nodes.document) -> Iterator[nodes.literal]:
    """Inline code that is no link yet, and in no heading."""
    for literal in list(doctree.findall(nodes.literal)):
        node: nodes.Node | None = literal.parent
        while node is not None and not isinstance(node, SKIPPED):
            node = node.parent
        if node is None:
            yield literal


def named(text: str) -> str:
    """The full name that inline code stands for: ``ser.nn.DSLSTM``, ``mel_pair``; else ``""``."""
    if match := DOTTED.match(text):
        return reference.described(match[1])
    return short_names().get(text.removesuffix("()"), "")


@cache
def short_names() -> dict[str, str]:
    """Names that rooms offer and that cannot be taken for plain words -> full names."""
    offered = [name for room in reference.ROOMS for name in _offered(reference.own(room))]
    return {n.rpartition(".")[2]: n for n in offered if LOOKS_LIKE_CODE.search(n.split(".")[-1])}


def _offered(module: str) -> list[str]:
    here = getattr(reference.lookup(module), "__all__", ())
    return [reference.described(f"{module}.{name}") for name in here]


def find_uses(app: Sphinx, env: Any) -> None:
    """Note on *env* which chapters use an object: codeautolink's names, and inline code."""
    env.ser_uses = {}
    for page in _chapters(app).values():
        cells = env.sphinx_codeautolink_transforms.get(page, [])
        names = {name.resolved_location for cell in cells for name in cell.names}
        names |= {named(code.astext()) for code in inline_code(env.get_doctree(page))}
        for name in names:
            env.ser_uses.setdefault(name, []).append(page)


def _chapters(app: Sphinx) -> dict[str, str]:
    pages = autodoc.titles(str(app.srcdir))
    return {title: page for title, page in pages.items() if not page.startswith(REFERENCE)}


def say_uses(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """A field "Used in" for every function and class that chapters use, or a member of it."""
    for desc in doctree.findall(addnodes.desc):
        if desc["objtype"] not in ("class", "function", "exception") or not desc[0]["ids"]:
            continue
        here = desc[0]["ids"][0]
        using = [p for n, p in app.env.ser_uses.items() if n == here or n.startswith(f"{here}.")]
        links = [
            make_refnode(app.builder, docname, page, "", nodes.inline(text=title))
            for title, page in _chapters(app).items()
            if any(page in pages for pages in using)
        ]
        if links:
            body = nodes.paragraph("", "", links[0])
            for link in links[1:]:
                body += [nodes.Text(", "), link]
            name = nodes.field_name(text="Used in")
            _fields(desc[-1]).append(nodes.field("", name, nodes.field_body("", body)))


def _fields(content: addnodes.desc_content) -> nodes.field_list:
    """The fields of a description; an empty list before its members where it has none."""
    found = [node for node in content if isinstance(node, nodes.field_list)]
    if not found:
        members = [i for i, node in enumerate(content) if isinstance(node, addnodes.desc)]
        found = [nodes.field_list()]
        content.insert(members[0] if members else len(content), found[0])
    return found[-1]


def drop_remote(app: Sphinx, page: str, template: str, context: dict, doctree: Any) -> None:
    """Take the script for live code off the page: it would be loaded from another host."""
    for key in ("script_files", "css_files"):
        context[key] = [file for file in context.get(key, []) if not _live_code(file)]


def _live_code(file: Any) -> bool:
    words = f"{getattr(file, 'filename', None) or file} {getattr(file, 'attributes', '')}"
    return "thebe" in words.lower()


def know_modules(app: Sphinx, config: Any) -> None:
    """Before autodoc reads them: names for type checkers are bound, and codeautolink is told where
    constants are described that a package passes on."""
    for module in (name for names in reference.modules().values() for name in names):
        populate_type_checking(reference.lookup(module))
        for name in getattr(reference.lookup(module), "__all__", ()):
            full = f"{module}.{name}"
            config.codeautolink_inventory_map[full] = reference.described(full)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the handlers of this module and of :mod:`tools.autodoc`."""
    autodoc.setup(app)
    app.connect("config-inited", know_modules)
    app.connect("env-updated", find_uses, priority=900)
    app.connect("doctree-resolved", link_code)
    app.connect("doctree-resolved", say_uses)
    app.connect("html-page-context", drop_remote, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
