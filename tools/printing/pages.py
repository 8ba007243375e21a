"""Rendered pages -> chapters for paper: no buttons, no sound, no scripts, links within one book."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup, Tag

from tools.chapters import contents
from tools.printing import folds

LEFT_OUT = re.compile(r"book/(reference(/.*)?|run_times)")
"""Pages that are looked up, not read: half of the paper, and out of date sooner than it."""
DROPPED = "script, noscript, button, .headerlink, .sd-summary-state-marker, style:not(svg style)"
UNWRAPPED = ".pst-scrollable-table-container"
NOT_CARRIED = ("border", "align", "halign", "valign", "name", "target")
"""Attributes of tables and links that XHTML does not know."""


@dataclass
class Page:
    """A page of the book.

    Attributes:
        name: ``book/lstm``, as in the contents.
        part: caption of its part, "" for the first page.
        depth: 0 for a chapter, 1 for a page below one.
        body: its content; every id in it begins with :func:`anchor` of *name*.
    """

    name: str
    part: str
    depth: int
    body: Tag

    @property
    def title(self) -> str:
        heading = self.body.find("h1")
        return " ".join(heading.get_text().split()) if heading else self.name

    @property
    def id(self) -> str:
        return anchor(self.name)

    def sections(self) -> list[tuple[str, str]]:
        """Of its headings of the second level: id and words."""
        found = [(heading.parent.get("id", ""), heading) for heading in self.body.find_all("h2")]
        return [(name, " ".join(heading.get_text().split())) for name, heading in found if name]


def anchor(page: str, inner: str = "") -> str:
    """The id of a page, or of a place in it, in a book whose pages lie in one document.

    >>> anchor("book/lstm"), anchor("book/lstm", "the cell")
    ('book-lstm', 'book-lstm--the-cell')
    """
    words = [re.sub(r"[^\w.-]", "-", part) for part in (page, inner) if part]
    return "--".join(words)


def read(html: Path, root: Path) -> list[Page]:
    """The book's pages from the folder *html* of built pages, in the order of *root*'s contents,
    and at their end what was folded away.

    Raises:
        FileNotFoundError: a page of the contents was not built.
    """
    every = [(name, part) for part, names in contents(root) for name in names]
    places = [(name, part) for name, part in every if not LEFT_OUT.fullmatch(name)]
    names, pages, moved = {name for name, _ in places}, [], []
    for name, part in places:
        text = (html / f"{name}.html").read_text(encoding="utf-8")
        body = BeautifulSoup(text, "html.parser").select_one("article")
        depth = int(posixpath.dirname(name) in names)
        own_address(body, name, names, html)
        page = Page(name, part, depth, body)
        page.body["id"] = page.id
        moved.append((page, for_paper(page)))
        pages.append(page)
    if any(answers for _, answers in moved):
        pages.append(Page("answers", places[-1][1], 0, folds.back(moved)))
    drop_dangling(pages)
    return pages


def for_paper(page: Page) -> list[folds.Answer]:
    """Take from a page what paper does not have; returns what it folds away."""
    body = page.body
    sounds(body)
    widgets(body)
    for element in body.select(DROPPED):
        element.decompose()
    for element in body.select(UNWRAPPED):
        element.unwrap()
    for element in body.select("table, thead, tbody, tr, th, td, col, a"):
        for attribute in NOT_CARRIED:
            element.attrs.pop(attribute, None)
    return folds.take(body, page.id)


def sounds(body: Tag) -> None:
    """A sound becomes words: its caption, or what is read out in its place."""
    for audio in body.find_all("audio"):
        figure = audio.find_parent("figure", class_="ser-player")
        if audio.find_parent(class_="controls"):
            continue
        if figure and (caption := figure.find("figcaption")):
            caption.insert(0, note("Sound, played on the page. ", "span"))
            audio.decompose()
            if around := figure.find_parent("figure"):
                around.insert_after(figure.extract())
        else:
            name = audio.get("aria-label", "").strip()
            audio.replace_with(note(f"Sound, played on the page. {name}".strip()))


def widgets(body: Tag) -> None:
    """An interactive figure keeps its drawing where it has one without a script."""
    for figure in body.find_all("figure"):
        if not (controls := figure.select(".controls")):
            continue
        needs_script = figure.find("noscript") is not None
        for element in [figure.find("div")] if needs_script else controls:
            element.decompose()
        words = "Interactive, on the page: it needs a hand and a browser. "
        words = words if needs_script else "Interactive on the page; here as it stands at first. "
        (figure.find("figcaption") or figure).insert(0, note(words, "span"))


def note(words: str, name: str = "p") -> Tag:
    """What is said in the place of something that paper does not have."""
    made = BeautifulSoup("", "html.parser").new_tag(name, attrs={"class": "on-page"})
    made.string = words
    return made


def own_address(body: Tag, name: str, names: set[str], html: Path) -> None:
    """Ids of this page become the book's, links to its pages stay in the book, pictures are found.

    A link to a file that is no page (a download) loses its address; its words stay.
    """
    for element in body.find_all(id=True):
        element["id"] = anchor(name, element["id"])
    for element in body.select("[for], [aria-labelledby]"):
        element.attrs.pop("for", None)
        element.attrs.pop("aria-labelledby", None)
    for link in body.find_all("a", href=True):
        parts = urlsplit(link["href"])
        if parts.scheme or parts.netloc:
            continue
        path = posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(parts.path)))
        page = name if not parts.path else path.removesuffix(".html")
        if page in names:
            link["href"] = "#" + anchor(page, unquote(parts.fragment))
        else:
            link.unwrap()
    for image in body.find_all("img", src=True):
        if not urlsplit(image["src"]).scheme:
            image["src"] = ((html / name).parent / unquote(image["src"])).resolve().as_uri()


def drop_dangling(pages: list[Page]) -> None:
    """Links to places that the book no longer has lose their address."""
    ids = {element["id"] for page in pages for element in page.body.find_all(id=True)}
    ids |= {page.id for page in pages}
    for page in pages:
        for link in page.body.find_all("a", href=re.compile("^#")):
            if link["href"][1:] not in ids:
                link.unwrap()
