"""The API reference: complete, and linked with the chapters both ways."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import built
import nbformat
import pytest
from bs4 import BeautifulSoup
from conftest import ROOT
from docutils import nodes
from IPython.core.inputtransformer2 import TransformerManager

from ser.cli import COMMANDS
from tools import autodoc, chapters, links, reference

INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")

ROOMS = [room for room in reference.ROOMS if room not in ("foundations", "chapters")]


@pytest.fixture(scope="module")
def soups() -> dict[str, BeautifulSoup]:
    home = built.built_pages() / "book"
    return {
        p.relative_to(home).with_suffix("").as_posix(): soup for p, soup in built.soups().items()
    }


@pytest.fixture(scope="module")
def pages() -> dict[str, chapters.Chapter]:
    return chapters.chapters(ROOT)


def public(module: str) -> list[str]:
    """What *module* exports, or what is written in it, found without the code under test."""
    thing = importlib.import_module(module)
    if hasattr(thing, "__all__"):
        return [n for n in thing.__all__ if not inspect.ismodule(getattr(thing, n))]
    return [
        name
        for name, value in vars(thing).items()
        if not name.startswith("_")
        and (inspect.isfunction(value) or inspect.isclass(value))
        and value.__module__ == module
    ]


def test_no_module_is_left_out():
    files = {
        ".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for p in (ROOT / "ser").rglob("*.py")
    }
    files |= {
        ".".join(p.relative_to(ROOT / "book").with_suffix("").parts).removesuffix(".__init__")
        for p in (ROOT / "book" / "chapters").rglob("*.py")
    }
    files = {f for f in files if not f.startswith(("ser.cli", "ser.__main__"))}
    files -= {"ser", "chapters"}
    assert {m for modules in reference.modules().values() for m in modules} == files


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_object_of_a_room_is_described(room, soups):
    page = soups[f"reference/{room}"]
    described = {tag["id"] for tag in page.find_all("dt", id=True)}
    names = [f"{reference.own(room)}.{name}" for name in public(reference.own(room))]
    assert names
    assert [name for name in names if reference.described(name) not in described] == []


def test_every_public_function_and_class_is_described_once(soups):
    found = [
        tag["id"]
        for name, soup in soups.items()
        if name.startswith("reference/")
        for tag in soup.find_all("dt", id=True)
    ]
    described = set(found)
    missing = [
        f"{module}.{name}"
        for modules in reference.modules().values()
        for module in modules
        for name in public(module)
        if reference.described(f"{module}.{name}") not in described
    ]
    assert missing == []
    assert [name for name, times in Counter(found).items() if times > 1] == []


def test_what_import_ser_offers_is_listed(soups):
    import ser

    shown = {code.get_text() for code in soups["reference"].select("td a code")}
    assert set(ser.__all__) - {"__version__"} <= shown


def test_every_command_has_its_help(soups):
    page = soups["reference/command"]
    assert all(page.find(id=f"ser-{name}") for name in COMMANDS)
    text = page.get_text()
    assert all(f"usage: ser {name}" in text for name in COMMANDS)


def test_titles_named_in_docstrings_are_titles_of_chapters(pages):
    titles = {page.title for page in pages.values()}
    wrong = []
    for path in sorted([*(ROOT / "ser").rglob("*.py"), *(ROOT / "book").rglob("*.py")]):
        text = path.read_text("utf-8")
        for docstring in re.findall(r'"""(.*?)"""', text, re.DOTALL):
            wrong += [
                f"{path.relative_to(ROOT).as_posix()}: {title}"
                for title in chapters.chapters_named(docstring)
                if title not in titles
            ]
    assert wrong == []


def test_titles_in_docstrings_become_links(soups):
    found = soups["reference/nn"].select('a[href*="ds_lstm.html"]')
    assert len(found) >= 3
    page = soups["reference/corpora"]
    assert page.select('a[href="../corpora.html"]')


def test_every_notebook_links_to_a_function(soups, pages):
    stems = [page.name.removeprefix("book/") for page in pages.values() if page.is_notebook]
    found = {stem: soups[stem].select('main a[href*="reference/"][href*="#"]') for stem in stems}
    assert [stem for stem, some in found.items() if not some] == []


def imported(notebook: Path) -> set[str]:
    """Names of ours that the cells of *notebook* import, read without the build."""
    cells = nbformat.read(notebook, as_version=4).cells
    plain = TransformerManager().transform_cell
    tree = ast.parse("\n".join(plain(c.source) for c in cells if c.cell_type == "code"))
    return {
        f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] in reference.OURS
        for alias in node.names
    }


def test_every_function_a_chapter_imports_leads_back_to_it(soups, pages):
    """Each function or class that a notebook imports names that notebook in its description,
    and so does each that its text names in full."""
    tags = {
        tag["id"]: tag
        for name, soup in soups.items()
        if name.startswith("reference/")
        for tag in soup.find_all("dt", id=True)
    }
    missing, seen = [], 0
    for page in pages.values():
        if page.name.startswith("book/reference"):
            continue
        stem = page.name.removeprefix("book/")
        names = imported(page.path) if page.is_notebook else set()
        inline = (c for text in chapters.text_of(page.path) for c in INLINE.findall(text))
        for name in names | {match[1] for c in inline if (match := links.DOTTED.match(c))}:
            tag = tags.get(reference.described(name))
            if tag is not None and {"function", "class", "exception"} & set(tag.parent["class"]):
                seen += 1
                if not tag.parent.select(f'a[href="../{stem}.html"]'):
                    missing.append((page.name, name))
    assert missing == []
    assert seen > 100


def test_inline_code_that_looks_like_ours_names_something(pages):
    """``ser.x.y`` in the text of a page is an object or module that exists."""
    wrong = []
    for page in pages.values():
        for text in chapters.text_of(page.path):
            for code in INLINE.findall(text):
                match = links.DOTTED.match(code)
                if match and reference.lookup(match[1]) is None:
                    wrong.append((page.name, match[1]))
    assert wrong == []


def test_an_object_is_described_where_it_is_written():
    assert reference.described("ser.DSLSTM") == "ser.nn.dslstm.DSLSTM"
    assert reference.described("ser.nn.DSLSTM.forward") == "ser.nn.dslstm.DSLSTM.forward"
    assert reference.described("ser.features.PRESETS") == "ser.features.presets.PRESETS"
    assert reference.lookup("ser.nn.Nothing") is None


def test_a_title_over_two_lines_becomes_a_link():
    pages = {"From wave to spectrogram": "book/a"}
    lines = autodoc.link_titles(['See chapter "From wave to', 'spectrogram".'], pages)
    assert lines == ["See chapter :doc:`From wave to spectrogram </book/a>`."]


def test_constants_say_what_they_are(soups):
    tag = soups["reference/corpora"].find("dt", id="ser.corpora.base.EMOTIONS")
    assert "four classes" in tag.parent.get_text()
    assert "('angry', 'happy', 'neutral', 'sad')" in tag.parent.get_text()


def test_only_names_that_another_package_has_are_left_without_a_link():
    """Nothing is ignored by a list or a pattern: a misspelt name fails the build."""
    assert "nitpick_ignore" not in (ROOT / "_config.yml").read_text("utf-8")

    def resolved(target: str):
        node = nodes.inline(refdomain="py", reftarget=target, refdoc="a")
        node["py:module"] = "ser.nn.dslstm"
        domain = SimpleNamespace(objects={})
        return autodoc.resolve(None, SimpleNamespace(get_domain=lambda _: domain), node, node)

    assert all(resolved(name) is not None for name in ("torch.Tensor", "Tensor", "nn.LSTM"))
    wrong = (
        "torch.Tensr",
        "Tensr",
        "ser.nn.DSLSTMs",
        "ser.nn.dslstm.DSLSTM",
        "collections.abc.Itr",
    )
    assert [name for name in wrong if resolved(name) is not None] == []
