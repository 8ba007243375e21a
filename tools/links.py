"""Sphinx extension: the links between chapters and the API reference, both ways.

- In a chapter, inline code that names an object (``ser.nn.DSLSTM``) or a command (``ser check``)
  becomes a link to its description; sphinx-codeautolink does the same for the cells.
- In a description, the title of a chapter becomes a link, and a field says which chapter explains
  the object and which chapters use it, as the notebooks stand at build time (tools/autodoc.py).

It also keeps the pages free of other hosts: the theme's live-code script is taken out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.nodes import make_refnode

from tools import autodoc, reference
from tools.chapters import DOTTED
from tools.nitpick import ELSEWHERE

COMMAND_LINE = re.compile(r"^ser (corpora|check|fetch|features|run|report|predict)\b")
LOOKS_LIKE_CODE = re.compile(r"[A-Z_0-9]")
SKIPPED = (nodes.reference, nodes.title, nodes.pending)


def link_code(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Turn inline code that names an object or a command into a link to its description."""
    if app.builder.format != "html":
        return
    objects = app.env.get_domain("py").objects
    for literal in list(doctree.findall(nodes.literal)):
        if any(isinstance(parent, SKIPPED) for parent in _parents(literal)):
            continue
        text = literal.astext()
        if match := COMMAND_LINE.match(text):
            target, anchor = "book/reference/command", f"ser-{match[1]}"
            if target not in app.env.found_docs:
                continue
        else:
            entry = find(text, objects)
            if entry is None or entry.docname == docname:
                continue
            target, anchor = entry.docname, entry.node_id
        link = make_refnode(app.builder, docname, target, anchor, literal.deepcopy(), text)
        literal.replace_self(link)


def _parents(node: nodes.Node) -> Iterator[nodes.Node]:
    while (node := node.parent) is not None:
        yield node


def find(text: str, objects: dict[str, Any]) -> Any:
    """The description that inline code *text* stands for: ``ser.nn.DSLSTM``, ``mel_pair``."""
    if match := DOTTED.match(text):
        name = match[1]
        return objects.get(name) or objects.get(reference.described(name))
    name = text.removesuffix("()")
    return objects.get(short_names().get(name, "")) if name.isidentifier() else None


@cache
def short_names() -> dict[str, str]:
    """Exported names that cannot be taken for plain words -> where they are described."""
    names: dict[str, str] = {}
    for room in reference.ROOMS:
        for entry in reference.entries(room).get(reference.own(room), []):
            if LOOKS_LIKE_CODE.search(entry.name):
                names[entry.name] = entry.dotted
    return names


def drop_remote(app: Sphinx, page: str, template: str, context: dict, doctree: Any) -> None:
    """Take the script for live code off the page: it would be loaded from another host."""
    for key in ("script_files", "css_files"):
        context[key] = [file for file in context.get(key, []) if not _live_code(file)]


def _live_code(file: Any) -> bool:
    words = f"{getattr(file, 'filename', None) or file} {getattr(file, 'attributes', '')}"
    return "thebe" in words.lower()


def ignore_elsewhere(app: Sphinx, config: Any) -> None:
    """Names of other packages have no page here; each is listed, none is matched by a pattern."""
    config.nitpick_ignore = {*map(tuple, config.nitpick_ignore), *ELSEWHERE}


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the handlers of this module and of :mod:`tools.autodoc`."""
    autodoc.setup(app)
    app.connect("doctree-resolved", link_code)
    app.connect("html-page-context", drop_remote, priority=900)
    app.connect("config-inited", ignore_elsewhere)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
