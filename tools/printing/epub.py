"""The book as one EPUB 3: a file for each page, formulas as MathML, pictures beside them."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import uuid
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tools.browser import Page as Browser
from tools.browser import opened
from tools.printing.edition import Edition, title_page
from tools.printing.pages import Page

HERE = Path(__file__).parent
KINDS = {"png": "image/png", "svg": "image/svg+xml", "jpg": "image/jpeg", "gif": "image/gif"}
KINDS |= {"css": "text/css", "xhtml": "application/xhtml+xml"}
COVER = "images/cover.png"
FRAME = (
    '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE html>\n'
    '<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops" '
    'lang="en" xml:lang="en"><head><meta charset="utf-8"/><title>{title}</title>'
    '<link rel="stylesheet" href="book.css"/></head><body>{body}</body></html>\n'
)
CONTAINER = (
    '<?xml version="1.0"?><container version="1.0" '
    'xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile '
    'full-path="EPUB/package.opf" media-type="application/oebps-package+xml"/>'
    "</rootfiles></container>"
)


@dataclass
class Picture:
    """A picture as the book has it: its name in the EPUB and its bytes."""

    name: str
    data: bytes


def picture(address: str) -> Picture:
    """The picture at an address of this machine, or in the address itself; one file for one
    content."""
    if address.startswith("data:"):
        head, _, content = address.partition(",")
        kind = head.removeprefix("data:image/").partition(";")[0].replace("svg+xml", "svg")
        data = base64.b64decode(content)
    else:
        path = Path(unquote(urlsplit(address).path))
        kind, data = path.suffix[1:].lower(), path.read_bytes()
    return Picture(f"images/{hashlib.sha256(data).hexdigest()[:16]}.{kind}", data)


def collect(pages: list[Page]) -> dict[str, bytes]:
    """Give every picture and every link of *pages* its address in the EPUB.

    Returns:
        The pictures, by name.
    """
    homes = {page.id: page.id for page in pages}
    pictures: dict[str, bytes] = {}
    for page in pages:
        homes |= {element["id"]: page.id for element in page.body.find_all(id=True)}
        for image in page.body.find_all(["img", "image"]):
            key = "src" if image.name == "img" else "href"
            made = picture(image[key])
            image[key] = made.name
            pictures[made.name] = made.data
            if image.name == "img":
                image.attrs.setdefault("alt", "")
    for page in pages:
        for link in page.body.find_all("a", href=re.compile("^#")):
            link["href"] = f"{homes[link['href'][1:]]}.xhtml{link['href']}"
    return pictures


def write(
    target: Path,
    pages: list[Page],
    about: Edition,
    css: str,
    cover: bytes,
    xhtml: Callable[[str], str],
) -> None:
    """Write the EPUB.

    Args:
        target: the file.
        pages: of :func:`tools.printing.pages.read`; their links and pictures are changed.
        about: title, authors, version.
        css: rules for the colours of code, added to ``book.css``.
        cover: a PNG.
        xhtml: makes XHTML of HTML, as :func:`converter`.
    """
    files: dict[str, bytes] = {COVER: cover, **collect(pages)}
    rules = (HERE / "book.css").read_text(encoding="utf-8")
    files["book.css"] = f"{rules}\n{css}".encode()
    front = FRAME.format(title=escape(about.title), body=title_page(about, ""))
    files["title.xhtml"] = front.encode()
    for page in pages:
        page.body.name = "div"
        body = xhtml(page.body.decode(formatter="minimal"))
        files[f"{page.id}.xhtml"] = FRAME.format(title=escape(page.title), body=body).encode()
    files["nav.xhtml"] = navigation(pages, about).encode()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as book:
        add(book, "mimetype", b"application/epub+zip", zipfile.ZIP_STORED)
        add(book, "META-INF/container.xml", CONTAINER.encode())
        add(book, "EPUB/package.opf", package(files, pages, about).encode())
        for name, data in files.items():
            add(book, f"EPUB/{name}", data)


def add(book: zipfile.ZipFile, name: str, data: bytes, how: int = zipfile.ZIP_DEFLATED) -> None:
    """A file of a date that is no news, so that one source gives one EPUB."""
    file = zipfile.ZipInfo(name)
    file.external_attr = 0o644 << 16
    book.writestr(file, data, how)


def navigation(pages: list[Page], about: Edition) -> str:
    """The table of contents: parts, pages, sections."""
    parts: list[tuple[str, list[Page]]] = []
    for page in pages:
        if not parts or parts[-1][0] != page.part:
            parts.append((page.part, []))
        parts[-1][1].append(page)
    lines = []
    for caption, own in parts:
        items = "".join(map(entry, own))
        lines.append(
            f"<li><span>{escape(caption)}</span><ol>{items}</ol></li>" if caption else items
        )
    body = f'<nav epub:type="toc" id="toc"><h1>Contents</h1><ol>{"".join(lines)}</ol></nav>'
    return FRAME.format(title=escape(about.title), body=body)


def entry(page: Page) -> str:
    file = f"{page.id}.xhtml"
    inner = "".join(
        f'<li><a href="{file}#{escape(name)}">{escape(words)}</a></li>'
        for name, words in page.sections()
    )
    below = f"<ol>{inner}</ol>" if inner else ""
    return f'<li><a href="{file}">{escape(page.title)}</a>{below}</li>'


def package(files: dict[str, bytes], pages: list[Page], about: Edition) -> str:
    """The list of all files and the order of reading."""
    spine = ["title.xhtml", "nav.xhtml", *(f"{page.id}.xhtml" for page in pages)]
    names = {name: f"f{number}" for number, name in enumerate(files)}
    items = "".join(
        f'<item id="{names[name]}" href="{escape(name)}" media-type="{kind(name)}"'
        f"{properties(name, data)}/>"
        for name, data in files.items()
    )
    order = "".join(f'<itemref idref="{names[name]}"/>' for name in spine)
    who = "".join(f"<dc:creator>{escape(name)}</dc:creator>" for name in about.authors)
    number = uuid.uuid5(uuid.NAMESPACE_URL, f"{about.title} {about.version}")
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id" '
        'xml:lang="en"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f'<dc:identifier id="id">urn:uuid:{number}</dc:identifier>'
        f"<dc:title>{escape(about.title)}</dc:title><dc:language>en</dc:language>{who}"
        f"<dc:date>{escape(about.date)}</dc:date><dc:rights>CC BY 4.0 (text and figures)"
        f'</dc:rights><meta property="dcterms:modified">{escape(about.date)}T00:00:00Z</meta>'
        f'<meta name="cover" content="{names[COVER]}"/></metadata>'
        f"<manifest>{items}</manifest><spine>{order}</spine></package>\n"
    )


def kind(name: str) -> str:
    return KINDS[name.rpartition(".")[2]]


def properties(name: str, data: bytes) -> str:
    found = ["nav"] if name == "nav.xhtml" else ["cover-image"] if name == COVER else []
    if name.endswith(".xhtml"):
        found += [word for word, sign in (("mathml", b"<math"), ("svg", b"<svg")) if sign in data]
    return f' properties="{" ".join(found)}"' if found else ""


def converter(browser: Browser) -> Callable[[str], str]:
    """HTML -> XHTML, by *browser*, in which a page with MathJax and ``book.js`` is open."""

    def xhtml(markup: str) -> str:
        return browser.js(f"toXhtml({json.dumps(markup)})")

    return xhtml


def printed(target: Path, pages: list[Page], about: Edition, image: str, html: Path) -> None:
    """Write the EPUB with the help of Chromium, for mathematics, drawings and the cover.

    Raises:
        BrowserError: the browser failed.
    """
    css = (html / "_static" / "pygments.css").read_text(encoding="utf-8")
    light = 'html[data-theme="light"] '
    css = "\n".join(line.replace(light, "") for line in css.split("\n") if "dark" not in line)
    rules = (HERE / "book.css").read_text(encoding="utf-8")
    mathjax = (html / "_static" / "mathjax" / "tex-chtml.js").as_uri()
    setting = "window.MathJax = {startup: {typeset: false}}"
    page, shot = target.with_suffix(".html"), target.with_suffix(".png")
    page.write_text(
        f'<!doctype html><html data-theme="light"><meta charset="utf-8"><style>{rules}</style>'
        f"<body>{title_page(about, image)}<script>{setting}</script>"
        f'<script src="{mathjax}"></script>'
        f"<script>{(HERE / 'book.js').read_text(encoding='utf-8')}</script>",
        encoding="utf-8",
    )
    with opened(Browser, "--allow-file-access-from-files") as browser:
        browser.patience = 300
        browser.open(page)
        browser.js("MathJax.startup.promise")
        browser.picture(shot, 900, 1200)
        write(target, pages, about, css, shot.read_bytes(), converter(browser))
