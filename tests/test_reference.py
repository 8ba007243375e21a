"""The API reference: complete, and linked with the chapters both ways."""

from __future__ import annotations

import importlib
import inspect
import re
from collections import Counter
from pathlib import Path

import built
import pytest
from bs4 import BeautifulSoup
from conftest import ROOT

from ser.cli import COMMANDS
from tools import autodoc, chapters, reference
from tools.reference import Entry

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


def test_types_are_named_in_full_inside_brackets_too():
    from ser.nn import first_block

    written = "(a: Callable[[], tuple[Tensor, Tensor]], b: Tensor | None = None, *, c: int=3)"
    shown, result = autodoc.full_types(
        None,
        "function",
        "x",
        first_block.statistics,
        {},
        written,
        "tuple[tuple[Tensor, ...], bool]",
    )
    tensor = "torch.Tensor"
    assert shown == (
        f"(a: collections.abc.Callable[[], tuple[{tensor}, {tensor}]], b: {tensor} | None = None, "
        "*, c: int=3)"
    )
    assert result == f"tuple[tuple[{tensor}, ...], bool]"


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
    assert [name for name in names if name not in described] == []


def test_every_public_function_and_class_is_described_once(soups):
    found = [
        tag["id"]
        for name, soup in soups.items()
        if name.startswith("reference/")
        for tag in soup.find_all("dt", id=True)
    ]
    described = {reference.described(name) for name in found}
    missing = [
        f"{module}.{name}"
        for modules in reference.modules().values()
        for module in modules
        for name in public(module)
        if reference.kind_of(chapters.lookup(f"{module}.{name}")) != "data"
        and reference.described(f"{module}.{name}") not in described
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
    links = soups["reference/nn"].select('a[href*="ds_lstm.html"]')
    assert len(links) >= 3
    page = soups["reference/corpora"]
    assert page.select('a[href="../corpora.html"]')


def test_every_notebook_links_to_a_function(soups, pages):
    stems = [page.name.removeprefix("book/") for page in pages.values() if page.is_notebook]
    links = {stem: soups[stem].select('main a[href*="reference/"][href*="#"]') for stem in stems}
    assert [stem for stem, found in links.items() if not found] == []


def test_every_function_a_chapter_calls_leads_back_to_it(soups, pages):
    """Each function or class that a notebook uses names that notebook in its description."""
    missing, seen = [], 0
    for page in pages.values():
        stem = page.name.removeprefix("book/")
        for name in sorted(page.uses):
            thing = chapters.lookup(name)
            if not (inspect.isfunction(thing) or inspect.isclass(thing)):
                continue
            place = reference.described(name)
            rooms = [r for r, ms in reference.modules().items() if _module(place) in ms]
            tag = soups[f"reference/{rooms[0]}"].find("dt", id=place) if rooms else None
            if tag is not None and {"function", "class"} & set(tag.parent["class"]):
                seen += 1
                if not tag.parent.select(f'a[href="../{stem}.html"]'):
                    missing.append((page.name, place))
    assert missing == []
    assert seen > 50


def _module(place: str) -> str:
    parts = place.split(".")
    while parts and not inspect.ismodule(chapters.lookup(".".join(parts))):
        parts.pop()
    return ".".join(parts)


def test_inline_code_that_looks_like_ours_names_something(pages):
    """``ser.x.y`` in the text of a page is an object or module that exists."""
    wrong = []
    for page in pages.values():
        for text in chapters.text_of(page.path):
            for code in chapters.INLINE.findall(text):
                match = chapters.DOTTED.match(code)
                if match and chapters.lookup(match[1]) is None:
                    wrong.append((page.name, match[1]))
    assert wrong == []


def test_names_in_code_follow_imports_from_cell_to_cell():
    known: dict[str, str] = {}
    chapters.names_in_code("import ser.nn as n\nfrom ser.metrics import ua\n", known)
    used = chapters.names_in_code("%matplotlib inline\nprint(ua, n.DSLSTM(1, 2, 3))\n", known)
    assert used == {"ser.metrics.ua", "ser.nn", "ser.nn.DSLSTM"}
    assert chapters.canonical("ser.DSLSTM") == "ser.nn.dslstm.DSLSTM"
    assert chapters.lookup("ser.nn.Nothing") is None


def test_a_title_over_two_lines_becomes_a_link():
    page = chapters.Chapter("book/a", "From wave to spectrogram", Path("a.md"))
    lines = autodoc.link_titles(['See chapter "From wave to', 'spectrogram".'], {"a": page})
    assert lines == ["See chapter :doc:`From wave to spectrogram </book/a>`."]


def test_constants_say_what_they_are():
    assert "four classes" in reference.data_summary(Entry("ser.corpora", "EMOTIONS", "data"))
    assert reference.defined_in(Entry("ser.features", "PRESETS", "data")) == "ser.features.presets"


def test_nothing_is_ignored_by_a_pattern():
    from tools.nitpick import ELSEWHERE

    config = (ROOT / "_config.yml").read_text("utf-8")
    assert "nitpick_ignore" not in config
    assert all(re.fullmatch(r"[\w.]+", name) for _, name in ELSEWHERE)
    ours = {name for _, name in ELSEWHERE if name.startswith(("ser.", "chapters."))}
    known = {
        "ser.features.presets.Spectrogram",
        "ser.normalise.Scale",
        "chapters.shared.player.Sound",
    }
    assert ours == known
